"""Every answer of the API tells what is left of the limit, and every call goes into the request log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone

from accounts.models import User
from core.middleware import network_address
from interop.services import request_log

API = "/api/"


class ApiMiddleware:
    """Stands first, so that it sees the answer as it leaves: whatever refused it, and how long it took in all."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(API):
            return self.get_response(request)
        at, started = timezone.now(), time.perf_counter()
        response = self.get_response(request)
        counted = getattr(request, "counted", None)
        if counted is not None:
            for name, value in counted.headers().items():
                response.headers[name] = value

        def note(bytes_out: int) -> None:
            request_log.note(_call(request, response.status_code, at, (time.perf_counter() - started) * 1000, bytes_out))

        if isinstance(response, StreamingHttpResponse) and not response.is_async:
            # Logged when the last byte has gone, or when nobody listens any more.
            response.streaming_content = _counted(response.streaming_content, note)  # type: ignore[arg-type]
        else:
            note(len(getattr(response, "content", b"")))
        return response


def _counted(chunks: Iterable[bytes], note: Callable[[int], None]) -> Iterator[bytes]:
    total = 0
    try:
        for chunk in chunks:
            total += len(chunk)
            yield chunk
    finally:
        note(total)


def _call(request: HttpRequest, status: int, at: Any, ms: float, bytes_out: int) -> request_log.Call:
    match = request.resolver_match
    key = getattr(request, "api_key", None)
    user = getattr(request, "user", None)
    person = user if key is None and isinstance(user, User) else None
    announced = request.META.get("CONTENT_LENGTH") or ""
    return request_log.Call(
        at=at,
        request_id=getattr(request, "request_id", ""),
        key_id=key.pk if key is not None else None,
        partner_id=key.partner_id if key is not None else None,
        user_id=person.pk if person is not None else None,
        agency_id=key.partner.agency_id if key is not None else person.agency_id if person is not None else None,
        caller=key.audit_name[:150] if key is not None else person.audit_name if person is not None else "",
        method=(request.method or "")[:7],
        route=(match.route if match is not None and match.url_name else "")[:200],
        status=status,
        ms=round(ms, 3),
        bytes_in=int(announced[:12]) if announced.isascii() and announced.isdigit() else 0,
        bytes_out=bytes_out,
        address=network_address(request),
    )
