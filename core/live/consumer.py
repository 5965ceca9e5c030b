"""The socket's door: who may come in, what they may say, and one task that writes."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs

import orjson
from django.db import DatabaseError

from core.live import pushes
from core.live.door import GARBAGE, MOST_SOCKETS, NO_LONGER, NO_SUCH_ROOM, SIGNED_OUT, TOO_FAST, TRY_LATER, SocketDoor
from core.live.hub import Hub
from core.live.pushes import Room

MAX_FRAME = 512
FRESH_S = 1.0


class LiveConsumer(SocketDoor):
    """``/ws/live?room=…[&after=…][&lang=…]``. Sends hello, event, beat and reset; understands ``{"t":"resume","after":n}``."""

    language = ""
    room_name = ""

    def __init__(self) -> None:
        super().__init__()
        self.hub: Hub | None = None
        self.room = Room()
        self.position = self.given = 0
        self.rewind_to: int | None = None
        self.must_reset = False
        self.beat = -1
        self.validated_at = 0.0

    # --- coming and going ------------------------------------------------------------------------------------------

    async def _enter(self) -> int | None:
        hub = Hub.here()
        asked = parse_qs(self.scope["query_string"].decode("latin1")[:1000])
        self.room_name = asked.get("room", ["all"])[0]
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

    def _leave(self) -> None:
        if self.hub is not None:
            self.hub.leave(self)

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

    # --- what the hub says -----------------------------------------------------------------------------------------

    def viewer_is(self, user: Any | None) -> None:
        if user is None:
            self._run(self._end(SIGNED_OUT))
            return
        self.validated_at = time.monotonic()
        if self._is_moved(user):
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

    # --- what the page is told: by this task alone -----------------------------------------------------------------

    async def _serve(self) -> None:
        assert self.hub is not None
        hub = self.hub
        await self._tell(pushes.hello(head=hub.head, after=self.position))
        while not self.is_closing:
            await self._catch_up(hub)
            if self.beat != hub.beat:
                self.beat = hub.beat
                await self._tell(pushes.beat(head=self.position, prev=self.given, lag_s=hub.lag_s))
            if self.rewind_to is None and not self.must_reset and self.position >= hub.head and self.beat == hub.beat:
                await hub.changed()

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
