"""One hub a web process: reads each event once, prepares it once a language, and lets every socket of the process take it.

Sockets pull. The hub keeps the last thousand pushes in a ring; a socket is a position in the log and takes from the ring
whatever lies behind its position. Live delivery, replay after a reconnect and catching up after a slow spell are thereby one
and the same code, and a page that does not read costs a number, not a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

import redis.asyncio
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from redis.exceptions import RedisError

from core.events import LOG_CURSOR
from core.live.pushes import REPLAY_LIMIT, Push, Room, Shown, presenter, read_pushes
from core.live.viewers import viewers_of
from core.relay import BELL_CHANNEL

logger = logging.getLogger("live")

POLL_S = 1.0
BEAT_S = 5.0
NEVER_FOLLOWED_S = 86_400.0  # the lag of a log that no relay has ever followed

T = TypeVar("T")


class Socket(Protocol):
    user: Any
    session_key: str
    language: str

    def viewer_is(self, user: Any | None) -> None:
        """The user behind the socket, as of now; ``None`` when the session is over."""

    def start_over(self) -> None:
        """The log itself was set back."""

    def fail(self) -> None:
        """It is not known who sits behind the socket: close it, and let the page come back."""


class Hub:
    """Lives while there are sockets. Everything here runs on the web process's event loop, reads in one thread beside it."""

    _of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.head = -1
        self.beat = 0
        self.sockets: set[Socket] = set()
        self.languages: set[str] = set()
        self._ring: list[Push] = []
        self._shown: WeakValueDictionary[tuple[str, int | None], Shown] = WeakValueDictionary()
        self._first = 0  # the number of the ring's first push
        self._relay_lag_s = NEVER_FOLLOWED_S
        self._looked_at = time.monotonic()
        self._waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._doubt = asyncio.Event()
        self._reading = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")

    @classmethod
    def here(cls) -> Hub:
        """The hub of the running event loop."""
        loop = asyncio.get_running_loop()
        hub = cls._of_loop.get(loop)
        if hub is None:
            hub = cls._of_loop[loop] = cls()
        return hub

    # --- sockets come and go ---------------------------------------------------------------------------------------

    async def join(self, socket: Socket) -> None:
        """From here on ``socket`` is woken and its viewer looked after. Returns when the hub knows the log's head."""
        self.sockets.add(socket)
        if socket.language not in self.languages:
            # What was prepared lacks this language: let it be read again when somebody asks for it.
            self.languages = self.languages | {socket.language}
            self._forget()
        if not self._tasks:
            self.head = -1
            self._tasks = [asyncio.create_task(work()) for work in (self._follow, self._listen, self._beat, self._look_after_viewers)]
        if self.head < 0:
            await self.look()

    def leave(self, socket: Socket) -> None:
        self.sockets.discard(socket)
        if not self.sockets:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            self._forget()
            self.languages = set()

    def count_of(self, user: Any) -> int:
        """How many sockets of this process are ``user``'s."""
        return sum(socket.user.pk == user.pk for socket in self.sockets)

    async def viewer(self, session_key: str) -> Any | None:
        return (await self._in_thread(lambda: viewers_of([session_key]))).get(session_key)

    async def room(self, viewer: Any, name: str) -> Room | None:
        return await self._in_thread(lambda: presenter().room(viewer, name))

    async def ask(self, read: Callable[[], T]) -> T:
        """Ask the database something beside the event loop, for other sockets' rooms."""
        return await self._in_thread(read)

    # --- what sockets take -----------------------------------------------------------------------------------------

    async def since(self, position: int) -> list[Push] | None:
        """The pushes behind ``position``; ``None`` when that is too far back, or before the log's beginning."""
        while position < self.head:
            if position + 1 >= self._first:
                return self._ring[position + 1 - self._first :]
            if self.head - position > REPLAY_LIMIT or not await self._reach_back(position):
                return None
        return []

    async def changed(self) -> None:
        """Wait for news: a new head, or a beat."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    @property
    def lag_s(self) -> float:
        """How long ago the log was last known to be followed."""
        return self._relay_lag_s + time.monotonic() - self._looked_at

    def tell(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # --- reading the log -------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Take in what the log has gained."""
        async with self._reading:
            known, languages = self.head, frozenset(self.languages)
            head, relay_lag_s, pushes = await self._in_thread(lambda: _read_on(known, languages))
            self._relay_lag_s, self._looked_at = relay_lag_s, time.monotonic()
            if head == known:
                return
            if head < known:
                logger.warning("the log was set back from %d to %d; every page starts over", known, head)
            if pushes is None or languages != self.languages or any(push.shown and push.shown.is_notice for push in pushes):
                # After a change of many things at once, what was prepared before is not to be told to those who come late.
                self._forget()
            if pushes is not None and languages == self.languages:
                self._ring += self._sharing(pushes)
            if len(self._ring) > 2 * REPLAY_LIMIT:
                self._ring = self._ring[-REPLAY_LIMIT:]
            self.head = head
            self._first = head + 1 - len(self._ring)
            if pushes is None or any(push.type in presenter().viewer_events for push in pushes):
                self._doubt.set()
            if head < known:
                for socket in self.sockets:
                    socket.start_over()
        self.tell()

    async def _reach_back(self, position: int) -> bool:
        """Read what lies between ``position`` and the ring, once for all the sockets that come back together."""
        async with self._reading:
            if position + 1 >= self._first:
                return True
            until, languages = self._first - 1, frozenset(self.languages)
            pushes = await self._in_thread(lambda: read_pushes(after=position, until=until, languages=languages))
            if pushes is None:
                return False
            if languages == self.languages and until == self._first - 1:
                self._ring[:0] = self._sharing(pushes)
                self._first = position + 1
        return True

    def _sharing(self, pushes: list[Push]) -> list[Push]:
        """Let all pushes of one subject show it as it was read last: nobody is sent a state, or a jurisdiction, of the past."""
        for push in pushes:
            if push.shown is not None and push.subject[1] is not None:
                known = self._shown.setdefault(push.subject, push.shown)
                if known is not push.shown:
                    known.become(push.shown)
                    push.shown = known
        return pushes

    def _forget(self) -> None:
        self._ring, self._first = [], self.head + 1
        self._shown.clear()

    async def _in_thread(self, read: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _on_a_live_connection, read)

    # --- what runs beside ------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        is_well = True
        while True:
            self._wake.clear()
            try:
                await self.look()
                if not is_well:
                    logger.info("the database is back")
                is_well = True
            except (DatabaseError, InterfaceError) as error:
                if is_well:
                    logger.warning("the database is away: %s", str(error).strip().split("\n")[0])
                is_well = False
                await asyncio.sleep(POLL_S)
            except Exception:
                logger.exception("an event could not be prepared")
                await asyncio.sleep(POLL_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()

    async def _listen(self) -> None:
        """The relay's bell. While Redis is away the poll goes on."""
        is_well = True
        while True:
            try:
                async with redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=3) as client, client.pubsub() as bell:
                    await bell.subscribe(BELL_CHANNEL)
                    is_well = True
                    async for _message in bell.listen():
                        self._wake.set()
            except (RedisError, OSError) as error:
                if is_well:
                    logger.warning("Redis is away (%s); looking at the log every %.0f s", error, POLL_S)
                is_well = False
            await asyncio.sleep(POLL_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self.beat += 1
            self.tell()

    async def _look_after_viewers(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.LIVE_VALIDATE_S):
                    await self._doubt.wait()
            self._doubt.clear()
            sockets = list(self.sockets)
            keys = {socket.session_key for socket in sockets}
            try:
                users = await self._in_thread(lambda keys=keys: viewers_of(keys))  # type: ignore[misc]
            except (DatabaseError, InterfaceError):
                continue  # without the database there is nothing to push either
            except Exception:
                logger.exception("nobody could be looked after")
                for socket in sockets:
                    socket.fail()
                continue
            for socket in sockets:
                socket.viewer_is(users.get(socket.session_key))


def head_and_lag_s() -> tuple[int, float]:
    """The last number given, and how long ago the relay last looked, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq, extract(epoch FROM now() - moved_at)::float FROM core_eventcursor WHERE name = %s", [LOG_CURSOR])
        return cursor.fetchone() or (0, NEVER_FOLLOWED_S)


def _read_on(known: int, languages: frozenset[str]) -> tuple[int, float, list[Push] | None]:
    """``(head, the relay's lag, the pushes behind known)``; no pushes for a first look, a jump too far or a log set back."""
    head, lag_s = head_and_lag_s()
    if known < 0 or head <= known or head - known > REPLAY_LIMIT:
        return head, lag_s, None
    return head, lag_s, read_pushes(after=known, until=head, languages=languages)


def _on_a_live_connection(read: Callable[[], T]) -> T:
    """The thread keeps one connection; a restarted database costs one retry, not an error."""
    try:
        return read()
    except (DatabaseError, InterfaceError):
        connection.close()
        return read()
