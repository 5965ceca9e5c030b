"""The socket's door: who may come in, what they may say, and one task that writes."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any
from urllib.parse import parse_qs

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError

from core.live import pushes
from core.live.hub import Hub
from core.live.pushes import Room

logger = logging.getLogger("live")

# Why we close. The page comes back by itself after TRY_LATER and TOO_FAST, and stays away after the others.
GARBAGE, SIGNED_OUT, NO_LONGER, NO_SUCH_ROOM, TOO_FAST, FAILED, TRY_LATER = 4400, 4401, 4403, 4404, 4429, 1011, 1013
MAX_FRAME = 512
MOST_SOCKETS = 100  # of one person, in one web process: a page may have two
FRAMES_A_SECOND, BURST = 20.0, 60.0
FRESH_S = 1.0


class LiveConsumer(AsyncWebsocketConsumer):
    """``/ws/live?room=…[&after=…][&lang=…]``. Sends hello, event, beat and reset; understands ``{"t":"resume","after":n}``."""

    session_key = ""
    language = ""
    room_name = ""

    def __init__(self) -> None:
        super().__init__()
        self.hub: Hub | None = None
        self.user: Any = None
        self.room = Room()
        self.position = self.given = 0
        self.rewind_to: int | None = None
        self.must_reset = False
        self.beat = -1
        self.validated_at = 0.0
        self.allowance, self.counted_at = BURST, time.monotonic()
        self.tasks: set[asyncio.Task[None]] = set()
        self.is_closing = False

    # --- coming and going ------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.accept()
        hub = Hub.here()
        try:
            refusal = await self._enter(hub)
        except DatabaseError:
            refusal = TRY_LATER
        if refusal:
            await self._end(refusal)
        else:
            self._run(self._serve(hub))

    async def _enter(self, hub: Hub) -> int | None:
        """Take a place in the hub; or the code to close with."""
        asked = parse_qs(self.scope["query_string"].decode("latin1")[:1000])
        self.room_name = asked.get("room", ["all"])[0]
        self.session_key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")[:64]
        self.user = await hub.viewer(self.session_key) if self.session_key else None
        if self.user is None:
            return SIGNED_OUT
        if hub.count_of(self.user) >= MOST_SOCKETS:
            return TOO_FAST
        room = await hub.room(self.user, self.room_name)
        if room is None:
            return NO_SUCH_ROOM
        self.room, self.validated_at = room, time.monotonic()
        self.language = pushes.language_of(asked.get("lang", [""])[0], self.user)
        self.hub = hub
        await hub.join(self)
        after = pushes.seq_from(asked.get("after", [""])[0])
        self.position = self.given = hub.head if after is None else after
        if self.position > hub.head:
            await hub.look()
        return None

    async def disconnect(self, code: int) -> None:
        self.is_closing = True
        if self.hub is not None:
            self.hub.leave(self)
        for task in self.tasks:
            task.cancel()

    async def _end(self, code: int) -> None:
        if not self.is_closing:
            self.is_closing = True
            if self.hub is not None:
                self.hub.leave(self)
            await self.close(code)

    def _run(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # --- what the page says ----------------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.is_closing or self.hub is None:
            return
        after = _resume_point(text_data)
        if not self._within_rate() or after is None:
            await self._end(GARBAGE if after is None else TOO_FAST)
            return
        try:
            if time.monotonic() - self.validated_at > FRESH_S:
                self.viewer_is(await self.hub.viewer(self.session_key))
            if after > self.hub.head:
                await self.hub.look()
        except DatabaseError:
            await self._end(TRY_LATER)
            return
        self.rewind_to = after
        self.hub.tell()

    def _within_rate(self) -> bool:
        now = time.monotonic()
        self.allowance = min(BURST, self.allowance + (now - self.counted_at) * FRAMES_A_SECOND) - 1
        self.counted_at = now
        return self.allowance >= 0

    # --- what the hub says -----------------------------------------------------------------------------------------

    def viewer_is(self, user: Any | None) -> None:
        if user is None:
            self._run(self._end(SIGNED_OUT))
            return
        self.validated_at = time.monotonic()
        before, self.user = self.user, user
        if (user.jurisdiction, getattr(user, "role", "")) != (before.jurisdiction, getattr(before, "role", "")):
            self._run(self._move_with(user))

    async def _move_with(self, user: Any) -> None:
        """What the viewer may see has changed: leave the room if it is no longer theirs, else show the page anew."""
        assert self.hub is not None
        try:
            room = await self.hub.room(user, self.room_name)
        except DatabaseError:
            await self._end(TRY_LATER)
            return
        if room is None:
            await self._end(NO_LONGER)
        else:
            self.room = room
            self.start_over()

    def start_over(self) -> None:
        self.must_reset = True
        if self.hub is not None:
            self.hub.tell()

    def fail(self) -> None:
        self._run(self._end(FAILED))

    # --- what the page is told: by this task alone -----------------------------------------------------------------

    async def _serve(self, hub: Hub) -> None:
        try:
            await self._tell(pushes.hello(head=hub.head, after=self.position))
            while not self.is_closing:
                await self._catch_up(hub)
                if self.beat != hub.beat:
                    self.beat = hub.beat
                    await self._tell(pushes.beat(head=self.position, prev=self.given, lag_s=hub.lag_s))
                if self.rewind_to is None and not self.must_reset and self.position >= hub.head and self.beat == hub.beat:
                    await hub.changed()
        except OSError:
            pass  # the page is gone; disconnect() follows
        except DatabaseError:
            await self._end(TRY_LATER)
        except Exception:
            logger.exception("a socket failed")
            await self._end(FAILED)

    async def _catch_up(self, hub: Hub) -> None:
        if self.rewind_to is not None:
            self.position = self.given = self.rewind_to
            self.rewind_to, self.beat = None, -1  # answered by a beat, also when there is nothing to tell
        news = None if self.must_reset or self.position > hub.head else await hub.since(self.position)
        if news is None:
            self.must_reset, self.position, self.given = False, hub.head, hub.head
            await self._tell(pushes.reset(head=hub.head))
        for push in news or ():
            if self.rewind_to is not None or self.must_reset:
                break
            self.position = push.seq
            if push.shown is not None and push.shown.starts_over:
                self.given = push.seq
                await self._tell(pushes.reset(head=push.seq))
            elif push.admitted(self.user.jurisdiction, self.room):
                frame = push.frame(prev=self.given, language=self.language)
                self.given = push.seq
                await self._tell(frame)

    async def _tell(self, frame: str) -> None:
        if not self.is_closing:
            await self.send(frame)


def _resume_point(text: str | None) -> int | None:
    """Where the page wants to go on from, if this is such a frame and nothing else."""
    if text is None or len(text) > MAX_FRAME:
        return None
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    after = said.get("after") if isinstance(said, dict) and said.get("t") == "resume" else None
    return after if type(after) is int and 0 <= after <= pushes.MAX_SEQ else None
