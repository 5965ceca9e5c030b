"""What the doors of the standards share: who asks, in what name we answer, and answers in forms that are not our JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import FormParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from core.api.errors import PayloadTooLarge
from core.api.renderers import FastJSONRenderer
from interop.api.authentication import PEOPLE, HasScope, KeyAuthentication, viewer_of


class KeyAsPassword(KeyAuthentication):
    """A key as other people's clients can carry it: the password of Basic; the view may allow ``api_key`` beside it.

    What is found is judged as everywhere: known, usable, and from where it may call.
    """

    def authenticate(self, request: Request) -> Any:
        if "HTTP_X_API_KEY" not in request.META:
            secret = _of_basic(request) or _of_parameter(request)
            if secret is not None:
                request.META["HTTP_X_API_KEY"] = secret
        return super().authenticate(request)


def _of_basic(request: Request) -> str | None:
    scheme, _space, rest = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).decode("ascii").partition(":")[2].strip()
    except ValueError as error:
        raise AuthenticationFailed(_("This key is unknown, expired or revoked."), code="invalid_key") from error


def _of_parameter(request: Request) -> str | None:
    if not getattr(request.parser_context.get("view"), "takes_key_parameter", False):
        return None
    form: Any = request.data if request.method == "POST" else {}
    given = request.query_params.get("api_key") or form.get("api_key")
    return str(given).strip() if given else None


class KeyAsPasswordScheme(OpenApiAuthenticationExtension):
    target_class = KeyAsPassword
    name = "KeyAsPassword"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic", "description": "The partner's key as the password; the user's name is not read."}


class AsItIs(DefaultContentNegotiation):
    """The address says in which form it answers: other people's clients ask for all sorts of media types."""

    def select_renderer(self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None) -> Any:
        first = next(iter(renderers))
        return first, first.media_type


class StandardView(APIView):
    """A door whose success is an ``HttpResponse`` in the standard's own form; what goes wrong is a problem in JSON, as everywhere."""

    authentication_classes = [KeyAuthentication, KeyAsPassword, *PEOPLE]
    permission_classes = [HasScope]
    renderer_classes = [FastJSONRenderer]
    content_negotiation_class = AsItIs
    people_may_read = True
    scope: str

    @property
    def viewer(self) -> Any:
        return viewer_of(self.request)


def here(request: Request) -> str:
    """The address of this service as the caller reached it, without a slash at the end."""
    return str(request.build_absolute_uri("/")).rstrip("/")


def answer(body: bytes, content_type: str, *, status: int = 200) -> HttpResponse:
    return HttpResponse(body, content_type=content_type, status=status)


class SmallFormParser(FormParser):
    """A form of the view's ``max_body_bytes`` at most, without the character NUL, which nothing here can keep."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = getattr((parser_context or {}).get("view"), "max_body_bytes", 2**16)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge(limit)
        form = QueryDict(raw, encoding="utf-8")
        if any("\0" in text for name, values in form.lists() for text in (name, *values)):
            raise ParseError(_("The text holds the character NUL, which nothing here can keep."))
        return form
