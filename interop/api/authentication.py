"""Who calls: a partner's system by its key."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import TokenSession, User
from accounts.tokens import session_of
from core import audit
from core.middleware import network_address
from core.models import AuditEntry
from interop.models import PartnerKey
from interop.precision import is_exact
from interop.services import note_use


class AddressNotAllowed(PermissionDenied):
    """The key is good and the network is not one of those named on it. Its owner is told which address we saw."""

    default_code = "address_not_allowed"

    def __init__(self, address: str | None) -> None:
        super().__init__(_("This key may not be used from %(address)s.") % {"address": address or "–"})


class KeyAuthentication(BaseAuthentication):
    """``X-API-Key: …`` or ``Authorization: Token …``. Unknown, expired and revoked keys are told apart by nobody outside."""

    def authenticate(self, request: Request) -> tuple[Any, PartnerKey] | None:
        secret = _presented(request)
        if secret is None:
            return None
        key = PartnerKey.objects.presented(secret)
        if key is None or not key.is_usable:
            raise AuthenticationFailed(_("This key is unknown, expired or revoked."), code="invalid_key")
        audit.become(actor_kind=AuditEntry.Actor.KEY, actor_id=key.pk, actor_name=key.audit_name)
        request._request.api_key = key  # type: ignore[attr-defined]  # for the request log, also when it is refused
        if not key.may_call_from(network_address(request)):
            raise AddressNotAllowed(network_address(request))
        note_use(key=key)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Token realm="khareetaty"'


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer …``: a person's access token. The account is looked at on every request."""

    def authenticate(self, request: Request) -> tuple[User, TokenSession] | None:
        scheme, _space, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        session = session_of(token.strip())
        if session is None:
            raise AuthenticationFailed(_("This token is unknown, expired or revoked."), code="invalid_token")
        audit.become(actor_kind=AuditEntry.Actor.USER, actor_id=session.user_id, actor_name=session.user.get_username())
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="khareetaty"'


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "Bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A person's access token."}


# Whoever may call: a partner's system, or a person. Every view of the API names one of the two.
PEOPLE: list[type[BaseAuthentication]] = [TokenAuthentication, SessionAuthentication]
CALLERS: list[type[BaseAuthentication]] = [KeyAuthentication, *PEOPLE]


def _presented(request: Request) -> str | None:
    by_header = request.META.get("HTTP_X_API_KEY")
    scheme, _space, by_token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    token = by_token.strip() if scheme.lower() == "token" else None
    if by_header is not None and token is not None and by_header.strip() != token:
        raise AuthenticationFailed(_("Two different keys were given."), code="invalid_key")
    return by_header.strip() if by_header is not None else token


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = KeyAuthentication
    name = ["X-API-Key", "Token"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The partner's key."},
            {"type": "apiKey", "in": "header", "name": "Authorization", "description": "The partner's key, as `Token <key>`."},
        ]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        return [{"X-API-Key": []}, {"Token": []}]


class HasScope(BasePermission):
    """The key must have the view's ``scope``. A person who is signed in may read where the view says ``people_may_read``."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        scope = view.scope  # type: ignore[attr-defined]
        if isinstance(request.auth, PartnerKey):
            if getattr(view, "tells_places_exactly", False) and not is_exact(request.auth):
                self.message = _("Your key is told places less than exactly: read the same at /api/v1/external/.")
                self.code = "less_precise"
                return False
            self.message = _("This key lacks the scope %(scope)s.") % {"scope": scope}
            self.code = "missing_scope"
            return request.auth.has_scope(scope)
        if not isinstance(request.user, User):
            return False
        self.message = _("This address is for partners' systems and their keys.")
        self.code = "key_needed"
        return bool(request.user.is_active and getattr(view, "people_may_read", False))


def viewer_of(request: Request) -> Any:
    """Whoever the rows are shown to: the key, or the person."""
    return request.auth if isinstance(request.auth, PartnerKey) else request.user


def request_id_of(request: Request) -> str:
    """The id that the answer, the log of calls and the record of reads have in common."""
    return str(getattr(request, "request_id", ""))
