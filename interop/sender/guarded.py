"""What calls of ours to other people's addresses share: where they may lead, and in a word what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore

from core.outbound import Guard
from interop.models import ErrorClass
from interop.sender.wire import Broken, Lost

CONNECT_S = 5.0
MOST_TRIED = 3  # addresses of one name


class Refused(Exception):
    """The guard does not admit where the name leads."""


class Unknown(Exception):
    """The name leads nowhere."""


async def admitted(host: str, port: int, *, guard: Guard, resolve: Callable[[str, int], Awaitable[list[str]]]) -> list[str]:
    """The addresses of a name that may be tried, in order: it is looked up once, and one address that is not admitted refuses them all."""
    try:
        found = await resolve(host, port)
    except OSError as error:
        raise Unknown(str(error)) from error
    if not found:
        raise Unknown(host)
    if not all(guard.admits(host, address) for address in found):
        raise Refused(host)
    return found[:MOST_TRIED]


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Looks a name up once, and connects to an address it has checked."""

    def __init__(self, guard: Guard, resolve: Callable[[str, int], Awaitable[list[str]]]) -> None:
        self.inner = httpcore.AnyIOBackend()
        self.guard, self.resolve = guard, resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async with asyncio.timeout(CONNECT_S):
            *others, last = await admitted(host, port, guard=self.guard, resolve=self.resolve)
            for address in others:
                with contextlib.suppress(httpcore.ConnectError):
                    return await self.inner.connect_tcp(address, port, CONNECT_S, local_address, socket_options)
            return await self.inner.connect_tcp(last, port, CONNECT_S, local_address, socket_options)

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None) -> Any:
        raise Refused(path)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def class_of(error: BaseException) -> str:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return ErrorClass.TLS
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, httpcore.ConnectError | Lost):
        return ErrorClass.CONNECT
    return ErrorClass.PROTOCOL if isinstance(error, httpcore.ProtocolError | Broken) else ErrorClass.CONNECT
