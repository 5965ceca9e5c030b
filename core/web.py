"""HTTP on a small standing pool of threads: a request lives on one thread, and each thread keeps its database connection.

Django's own ASGI handler gives every request a new thread, hence a new database connection, and hops between threads at each
middleware: here that cost more than the work itself (see docs/decisions/0040). Our views are synchronous, so nothing is lost.
Bodies are limited while they are being received: a caller who sends too much is answered before the rest has arrived.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpResponse
from django.urls import set_script_prefix

from core.api.errors import CONTENT_TYPE, problem
from core.audit import new_request_id
from core.connections import drop_dead_connections, keep_connections

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
API = "/api/"


class BodyTooLarge(Exception):
    """More has been sent than this address takes."""


class Web(ASGIHandler):
    """The HTTP half of the web process."""

    def __init__(self, *, threads: int) -> None:
        # Not the parent's own: it would load the middleware for asynchronous use.
        self.load_middleware(is_async=False)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="web", initializer=keep_connections)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        limit = _limit(scope)
        try:
            body = await _received(scope, receive, limit)
        except RequestAborted:
            return
        except BodyTooLarge:
            await self.send_response(_too_large(scope, limit), send)
            return
        loop = asyncio.get_running_loop()
        try:
            response = await loop.run_in_executor(self.pool, self._answer, scope, body)
            await self.send_response(response, send)
            if response.streaming:
                await loop.run_in_executor(self.pool, response.close)
        finally:
            body.close()

    def _answer(self, scope: Mapping[str, Any], body: Any) -> Any:
        """On the request's thread: everything from the URL to the answer's last byte, unless it is streamed."""
        drop_dead_connections()
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = refusal if request is None else self.get_response(request)
        response._handler_class = self.__class__
        if not response.streaming:
            response.close()
        return response


def _limit(scope: Mapping[str, Any]) -> int:
    """Forms with files come to the API from plate readers alone: what they hold touches no disk, so they are no larger than is kept in
    memory."""
    if not scope["path"].startswith(API):
        return int(settings.IMPORT_MAX_BYTES) + 2**20
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    is_form = kind.lower().lstrip().startswith(b"multipart/")
    return int(min(settings.API_MAX_BYTES, settings.FILE_UPLOAD_MAX_MEMORY_SIZE) if is_form else settings.API_MAX_BYTES)


async def _received(scope: Mapping[str, Any], receive: Receive, limit: int) -> Any:
    """The whole body, spooled to a file once it is large. ``BodyTooLarge`` as soon as it is announced or arrives."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > limit:
            raise BodyTooLarge
    body = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE, mode="w+b")  # noqa: SIM115  (the handler closes it)
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            body.close()
            raise RequestAborted
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            body.close()
            raise BodyTooLarge
        body.write(chunk)
        if not message.get("more_body", False):
            break
    body.seek(0)
    return body


def _too_large(scope: Mapping[str, Any], limit: int) -> HttpResponse:
    request_id = new_request_id()
    detail = f"The body is larger than {limit} bytes."
    if scope["path"].startswith(API):
        content = problem(status=413, detail=detail) | {"instance": scope["path"], "request_id": request_id}
        response = HttpResponse(orjson.dumps(content), status=413, content_type=CONTENT_TYPE)
    else:
        response = HttpResponse(detail, status=413, content_type="text/plain")
    # What is still on its way is not worth reading.
    response["Connection"] = "close"
    response["X-Request-ID"] = request_id
    return response
