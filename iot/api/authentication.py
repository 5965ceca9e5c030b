"""Who calls: a device by its own key."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from core import audit
from core.models import AuditEntry
from iot.services.credentials import who_shows
from iot.services.senders import Sender


class DeviceAuthentication(BaseAuthentication):
    """``Authorization: Device …`` or ``X-Device-Key: …``. Unknown, ended and revoked keys are told apart by nobody outside."""

    def authenticate(self, request: Request) -> tuple[Any, Sender] | None:
        by_header = request.META.get("HTTP_X_DEVICE_KEY")
        scheme, _space, shown = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        secret = by_header if by_header is not None else shown if scheme.lower() == "device" else None
        if secret is None:
            return None
        sender = who_shows(secret.strip())
        if sender is None:
            raise AuthenticationFailed(_("This key is unknown, expired or revoked."), code="invalid_key")
        audit.become(actor_kind=AuditEntry.Actor.SYSTEM, actor_id=None, actor_name=sender.code)
        return AnonymousUser(), sender

    def authenticate_header(self, request: Request) -> str:
        return 'Device realm="khareetaty"'


class IsDeviceInUse(BasePermission):
    """One in quarantine or suspended is known, and nothing it says is taken."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        self.message = _("This device is not in use: somebody has to approve it.")
        self.code = "not_in_use"
        return isinstance(request.auth, Sender) and request.auth.may_speak


class DeviceKeyScheme(OpenApiAuthenticationExtension):
    target_class = DeviceAuthentication
    name = ["X-Device-Key", "Device"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "header", "name": "X-Device-Key", "description": "The device's key."},
            {"type": "apiKey", "in": "header", "name": "Authorization", "description": "The device's key, as `Device <key>`."},
        ]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        return [{"X-Device-Key": []}, {"Device": []}]
