"""HTTP/1.1 as a webhook needs it: one POST with a body we hold, one answer of which we keep the beginning, connections kept for the next.

No more than that: no redirects, no cookies, nothing unpacked. The answer is read by llhttp (``httptools``, the parser of our own web
server). Why not a general client: docs/decisions/0246.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httptools

MOST_HEAD = 64 * 1024
NO_BODY = frozenset({204, 304})


class Broken(Exception):
    """The connection ended, or what came over it is no HTTP."""


class Lost(Broken):
    """The connection was cut by the network."""


@dataclass(frozen=True)
class Target:
    """Where to: the host as it is named to the receiver; which address it is, is found when connecting."""

    is_tls: bool
    host: str
    port: int
    host_header: bytes
    path: bytes


@dataclass
class Answer:
    code: int = 0
    headers: dict[bytes, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Line(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self, most_read: int) -> None:
        self.most_read = most_read
        self.transport: Any = None
        self.idle_since = 0.0
        self.is_usable = False
        self._waiter: asyncio.Future[Answer] | None = None

    async def call(self, target: Target, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Answer:
        self._begin()
        self._waiter = asyncio.get_running_loop().create_future()
        head = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        self.transport.write(b"POST %b HTTP/1.1\r\nHost: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (
            target.path, target.host_header, head, len(body), body,
        ))  # fmt: skip
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        self.is_usable = False
        if self.transport is not None:
            self.transport.abort()

    def _begin(self) -> None:
        self._answer = Answer()
        self._read = 0
        self._is_interim = self._to_the_end = self._has_head = self._is_done = False
        self._parser = httptools.HttpResponseParser(self)

    # -- asyncio ---------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self.transport, self.is_usable = transport, True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.close()  # nobody asked
            return
        if not self._has_head:
            self._read += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._done(keep=False)
        except httptools.HttpParserError as error:
            # What stands behind a finished answer is nobody's; a status that was read is a verdict.
            self._fail(Broken(str(error)[:200] or type(error).__name__))
        if not self._has_head and self._read > MOST_HEAD and self._waiter is not None:
            self._fail(Broken("endless headers"))

    def eof_received(self) -> bool:
        self.is_usable = False
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.is_usable = False
        if self._waiter is None or self._waiter.done():
            return
        if self._has_head and self._to_the_end and error is None:
            self._done(keep=False)
        elif error is not None:
            self._fail(error if isinstance(error, ssl.SSLError) else Lost(str(error) or type(error).__name__))
        else:
            self._fail(Broken("the connection ended before the answer did"))

    # -- llhttp -------------------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_done:  # a second answer to one call: what comes next on this connection is nobody's
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        code = self._parser.get_status_code()
        self._is_interim = 100 <= code < 200 and code != 101
        if self._is_interim:
            return
        self._has_head = True
        answer = self._answer
        answer.code = code
        chunked = "chunked" in answer.headers.get(b"transfer-encoding", "").lower()
        self._to_the_end = not chunked and b"content-length" not in answer.headers and code not in NO_BODY

    def on_body(self, data: bytes) -> None:
        self._answer.body += data
        if len(self._answer.body) > self.most_read:  # the verdict stands in the status
            self._done(keep=False)

    def on_message_complete(self) -> None:
        if self._is_interim:
            answer = self._answer
            answer.headers.clear()
            self._is_interim = False
        elif self._has_head:
            self._done(keep=self._parser.should_keep_alive())

    def _done(self, *, keep: bool) -> None:
        self._is_done = True
        if not keep:
            self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(self._answer)
            self._answer = Answer()  # whatever else comes is not part of it

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)


Connect = Callable[[Target, Callable[[], Line]], Awaitable[Line]]


class Lines:
    """The connections to one subscription's address. Those that are idle are taken up again, the one that was used last first."""

    def __init__(self, connect: Connect, *, most_read: int, keep_alive_s: float, most_idle: int = 50) -> None:
        self._connect, self.most_read, self.keep_alive_s, self.most_idle = connect, most_read, keep_alive_s, most_idle
        self._idle: deque[tuple[Target, Line]] = deque()
        self._busy: set[Line] = set()

    async def call(self, target: Target, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Answer:
        line = self._idle_one(target) or await self._connect(target, lambda: Line(self.most_read))
        self._busy.add(line)
        try:
            answer = await line.call(target, headers, body)
        except BaseException:
            line.close()
            raise
        finally:
            self._busy.discard(line)
        if line.is_usable and len(self._idle) < self.most_idle:
            line.idle_since = time.monotonic()
            self._idle.append((target, line))
        else:
            line.close()
        return answer

    def _idle_one(self, target: Target) -> Line | None:
        while self._idle:
            at, line = self._idle.pop()
            is_same = (at.is_tls, at.host, at.port) == (target.is_tls, target.host, target.port)
            if line.is_usable and is_same and time.monotonic() - line.idle_since < self.keep_alive_s:
                return line
            line.close()
        return None

    def close(self) -> None:
        for _target, line in self._idle:
            line.close()
        for line in list(self._busy):
            line.close()
        self._idle.clear()
