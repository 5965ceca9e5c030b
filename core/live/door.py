"""What every socket's door does: let in or close with a code, count what is said, run what serves it, leave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError

logger = logging.getLogger("live")

# Why we close. The page comes back by itself after TRY_LATER and TOO_FAST, and stays away after the others.
GARBAGE, SIGNED_OUT, NO_LONGER, NO_SUCH_ROOM, TOO_FAST, FAILED, TRY_LATER = 4400, 4401, 4403, 4404, 4429, 1011, 1013
MOST_SOCKETS = 100  # of one person, in one web process: a page may have two
FRAMES_A_SECOND, BURST = 20.0, 60.0


class SocketDoor(AsyncWebsocketConsumer):
    """A socket of somebody who is signed in. Subclasses say how one comes in (``_enter``), what it is told (``_serve``), and what is
    tidied up when it goes (``_leave``); they read ``user``, ``session_key`` and ``is_closing``."""

    def __init__(self) -> None:
        super().__init__()
        self.session_key = ""
        self.user: Any = None
        self.is_closing = False
        self._allowance, self._counted_at = BURST, time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    async def _enter(self) -> int | None:
        """Take a place; or the code to close with."""
        raise NotImplementedError

    async def _serve(self) -> None:
        """Tell the page what it is there for, until it is gone (``OSError``) or closed."""
        raise NotImplementedError

    def _leave(self) -> None:
        """Give the place back; also when there was none yet, and more than once."""
        raise NotImplementedError

    async def connect(self) -> None:
        await self.accept()
        self.session_key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")[:64]
        try:
            refusal = await self._enter()
        except DatabaseError:
            refusal = TRY_LATER
        if refusal:
            await self._end(refusal)
        else:
            self._run(self._served())

    async def disconnect(self, code: int) -> None:
        self.is_closing = True
        self._leave()
        for task in self._tasks:
            task.cancel()

    def fail(self) -> None:
        self._run(self._end(FAILED))

    async def _served(self) -> None:
        try:
            await self._serve()
        except OSError:
            pass  # the page is gone; disconnect() follows
        except DatabaseError:
            await self._end(TRY_LATER)
        except Exception:
            logger.exception("a socket failed")
            await self._end(FAILED)

    async def send(self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool = False) -> None:
        """Raises ``OSError`` where the page is gone; the server's own word for that is a ``RuntimeError``."""
        try:
            await super().send(text_data=text_data, bytes_data=bytes_data, close=close)
        except RuntimeError as error:
            raise ConnectionResetError("the page is gone") from error

    async def _end(self, code: int) -> None:
        if not self.is_closing:
            self.is_closing = True
            self._leave()
            with contextlib.suppress(OSError, RuntimeError):  # it is gone already
                await self.close(code)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _within_rate(self) -> bool:
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._counted_at) * FRAMES_A_SECOND) - 1
        self._counted_at = now
        return self._allowance >= 0

    def _is_moved(self, user: Any) -> bool:
        """Takes ``user`` as the viewer from now on; whether they may see something else than before."""
        before, self.user = self.user, user
        return (user.jurisdiction, getattr(user, "role", "")) != (before.jurisdiction, getattr(before, "role", ""))
