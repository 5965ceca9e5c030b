"""Gives each request an id and tells the audit trail who acts through which door."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core import audit
from core.models import AuditEntry

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def door_of(path: str) -> str:
    if path.startswith("/admin/"):
        return AuditEntry.Door.ADMIN
    if path.startswith("/api/"):
        return AuditEntry.Door.API
    return AuditEntry.Door.WEB


class RequestContextMiddleware:
    """Stands after authentication. A caller's own ``X-Request-ID`` is kept when it is well formed, and always returned."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else audit.new_request_id()
        request.request_id = request_id  # type: ignore[attr-defined]
        with audit.acting(door=door_of(request.path), request_id=request_id, address=network_address(request)):
            user = getattr(request, "user", None)
            if user is not None and user.is_authenticated:
                audit.become(actor_kind=AuditEntry.Actor.USER, actor_id=user.pk, actor_name=user.get_username())
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


def network_address(request: HttpRequest) -> str | None:
    """The peer's address as the server saw it (a trusted proxy sets it through the server's own forwarding option)."""
    address = request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None
