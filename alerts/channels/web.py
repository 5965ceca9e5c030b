"""One HTTP request to a provider, with an end: neither a silent server nor one that drips a byte a second holds us beyond the deadline.

``requests`` and ``httpx`` bound each read, not the whole; and both resolve a name after it was checked. Here the network itself is
ours (``httpcore``'s backend): every wait is cut to what is left of the deadline, and a guarded request connects only to an address
that was found public, which is the one that is then used. No redirects, no proxies of the environment, no connection kept.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore
from django.conf import settings
from django.utils.translation import gettext as _

from alerts.channels.base import PermanentFailure, TemporaryFailure
from core.outbound import Guard, private, tls_context

MOST_BYTES = 64 * 1024
CONNECT_S = 5.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def retry_after_s(self) -> float | None:
        """What the provider asks for, within reason; a date instead of seconds is not worth a wait of its own."""
        try:
            return min(max(float(self.headers.get("retry-after", "")), 0.0), 3600.0)
        except ValueError:
            return None


class Blocked(PermanentFailure):
    """The name leads to an address inside our own network that no setting allows."""


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, network: _Network) -> None:
        self.inner, self.network = inner, network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, self.network.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.network.has_written = True
        self.inner.write(buffer, self.network.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self.inner.start_tls(ssl_context, server_hostname, self.network.left(httpcore.ConnectTimeout)), self.network)

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)


class _Network(httpcore.NetworkBackend):
    """The network of one request."""

    def __init__(self, timeout_s: float, guard: Guard | None) -> None:
        self.inner = httpcore.SyncBackend()
        self.until = time.monotonic() + timeout_s
        self.guard = guard
        self.has_written = False  # once true, the other side may have taken it

    def left(self, error: type[Exception]) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise error("out of time")
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        target = host if self.guard is None else self._checked(self.guard, host, port)
        connected = self.inner.connect_tcp(target, port, min(CONNECT_S, self.left(httpcore.ConnectTimeout)), local_address, socket_options)
        self.has_written = False
        return _Stream(connected, self)

    @staticmethod
    def _checked(guard: Guard, host: str, port: int) -> str:
        try:
            found = [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not found or not all(guard.admits(host, address) for address in found):
            raise Blocked(private(), code="private")
        return found[0]


def call(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    method: str = "POST",
    timeout_s: float | None = None,
    guard: Guard | None = None,
) -> Answer:
    """Whatever the server answers, within the time; ``TemporaryFailure`` where it does not, saying whether it may have taken it."""
    parts = urlsplit(url)
    network = _Network(timeout_s or settings.ALERT_SEND_TIMEOUT_S, guard)
    host = parts.hostname or ""
    given = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": "Khareetaty", "Connection": "close"}
    given |= {**headers, "Content-Length": str(len(body))}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=tls_context(), network_backend=network, max_connections=1, max_keepalive_connections=0, retries=0
            ) as pool,
            pool.stream(method, url, headers=raw, content=body) as response,
        ):
            kept = bytearray()
            for chunk in response.iter_stream():
                kept += chunk
                if len(kept) > MOST_BYTES:  # the verdict stands in the status; nobody needs the rest
                    break
            named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, named, bytes(kept[:MOST_BYTES]))
    except httpcore.TimeoutException as error:
        raise TemporaryFailure(
            _("%(host)s did not answer in time.") % {"host": host}, code="timeout", may_have_been_taken=network.has_written
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise TemporaryFailure(
            _("%(host)s could not be reached: %(why)s") % {"host": host, "why": str(error)[:200] or type(error).__name__},
            code="connect",
            may_have_been_taken=network.has_written,
        ) from error
