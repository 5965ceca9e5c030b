"""The socket's door: who may come in, which rooms they ask for, and one task that writes."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import orjson
from django.db import DatabaseError

from core.live.door import GARBAGE, MOST_SOCKETS, NO_LONGER, SIGNED_OUT, TOO_FAST, TRY_LATER, SocketDoor
from core.live.hub import Hub
from iot.live.hub import RoomsHub
from iot.live.outbox import Outbox, control_frame
from iot.live.rooms import Room, room_for
from iot.permissions import may_see_devices

MAX_FRAME = 8_192
MOST_ROOMS = 50


class RoomsConsumer(SocketDoor):
    """``/ws/iot/?room=…``. Understands ``{"join": [room]}``, ``{"leave": [room]}`` and ``{"resume": {room: last seq}}``; sends readings,
    status, joined, left, replayed, resync_required, gone and beat."""

    language = "en"

    def __init__(self) -> None:
        super().__init__()
        self.rooms: dict[str, Room] = {}
        self.outbox = Outbox()
        self.hub: RoomsHub | None = None
        self._something = asyncio.Event()
        self._asking = asyncio.Lock()

    # --- coming and going ----------------------------------------------------------------------------------------------------------------

    async def _enter(self) -> int | None:
        viewers = Hub.here()
        asked = parse_qs(self.scope["query_string"].decode("latin1")[:4_000])
        self.user = await viewers.viewer(self.session_key) if self.session_key else None
        if self.user is None:
            return SIGNED_OUT
        if not may_see_devices(self.user):
            return NO_LONGER
        if viewers.count_of(self.user) >= MOST_SOCKETS:
            return TOO_FAST
        self.language = next(iter(viewers.languages), "en")  # it is told no words
        self.hub = RoomsHub.here()
        await viewers.join(self)  # who sits behind the session is looked after there
        await self.hub.arrive(self)
        await self._join(asked.get("room", []))
        return None

    def _leave(self) -> None:
        Hub.here().leave(self)
        if self.hub is not None:
            self.hub.depart(self)

    # --- what the page says --------------------------------------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.is_closing or self.hub is None:
            return
        said = _said(text_data)
        if said is None or not self._within_rate():
            await self._end(GARBAGE if said is None else TOO_FAST)
            return
        try:
            async with self._asking:
                await self._join(said.get("join", []))
                for name in said.get("leave", []):
                    if name in self.rooms:
                        self.hub.leave(self, name)
                        self.outbox.tell(control_frame("left", name))
                for name, after in said.get("resume", {}).items():
                    if name not in self.rooms:
                        await self._join([name])
                    await self.hub.resume(self, name, after)
        except DatabaseError:
            await self._end(TRY_LATER)
        self.wake()

    async def _join(self, names: list[str]) -> None:
        assert self.hub is not None
        for name in names:
            if name in self.rooms:
                continue
            room = await Hub.here().ask(partial(room_for, self.user, name)) if len(self.rooms) < MOST_ROOMS else None
            if room is None:
                self.outbox.tell(control_frame("no_such_room", name[:96]))
            else:
                await self.hub.enter(self, room)
        self.wake()

    # --- what is said of its viewer (core.live.hub.Socket) -------------------------------------------------------------------------------

    def viewer_is(self, user: Any | None) -> None:
        if user is None:
            self._run(self._end(SIGNED_OUT))
            return
        if self._is_moved(user):
            self._run(self._look_at_rooms(user))

    async def _look_at_rooms(self, user: Any) -> None:
        """What the viewer may see has changed: rooms that are not theirs any more are gone at once; the others go by the new rights."""
        if not may_see_devices(user):
            await self._end(NO_LONGER)
            return
        try:
            async with self._asking:
                for name in list(self.rooms):
                    if await Hub.here().ask(partial(room_for, user, name)) is None and self.hub is not None:
                        self.hub.leave(self, name)
                        self.outbox.tell(control_frame("gone", name))
                    else:
                        self.outbox.lose(name)
        except DatabaseError:
            await self._end(TRY_LATER)
        self.wake()

    def start_over(self) -> None:
        """The log of events was set back: readings do not stand in it."""

    # --- what the page is told: by this task alone ---------------------------------------------------------------------------------------

    def wake(self) -> None:
        self._something.set()

    async def _serve(self) -> None:
        assert self.hub is not None
        while not self.is_closing:
            await self._something.wait()
            self._something.clear()
            while self.outbox and not self.is_closing:
                for frame in self.outbox.take(self.hub.head):
                    # Waits while the page does not read: meanwhile the outbox keeps the latest of each stream, and nothing more.
                    await self.send(text_data=frame.decode())


def _said(text: str | None) -> dict[str, Any] | None:
    """What a page may say, and nothing else."""
    if text is None or len(text) > MAX_FRAME:
        return None
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or not said or not said.keys() <= {"join", "leave", "resume"}:
        return None
    for name in ("join", "leave"):
        rooms = said.get(name, [])
        if not isinstance(rooms, list) or len(rooms) > MOST_ROOMS or not all(isinstance(room, str) for room in rooms):
            return None
    resume = said.get("resume", {})
    if not isinstance(resume, dict) or len(resume) > MOST_ROOMS or not all(type(seq) is int and seq >= 0 for seq in resume.values()):
        return None
    return said
