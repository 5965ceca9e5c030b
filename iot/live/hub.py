"""One hub a web process: it follows what the writers tell, and hands each page what its rooms hold and its viewer may see.

Nothing is asked of the database for a reading. Which devices the rooms hold and how they stand is asked when a bell says that it changed
(``iot/standing.py``), and now and then in case a bell was not heard; a device that left a viewer's jurisdiction is told to them no more
from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from django.db import DatabaseError, InterfaceError
from redis.exceptions import RedisError

from core.live.hub import Hub
from iot.live.outbox import Outbox, Update, control_frame, readings_frame
from iot.live.rooms import DeviceFact, Known, Room, StreamFact, facts_of, look_up, streams_of
from iot.quality import names_of
from iot.standing import Bell
from iot.written import AsyncFollower, Batch

logger = logging.getLogger("live")

LOOK_S = 30.0  # at the latest: the net beneath the bell
REST_S = 0.1  # between two looks: many rings in a row are one look
WIDE_REST_S = 1.0  # after one at everything: a thousand new devices are no thousand looks
BEAT_S = 15.0
BLOCK_MS = 1_000
AGAIN_S = 1.0
REPLAY_ROWS = 50_000  # the newest rows of all devices in this process's memory, for pages that come back
REPLAY_MOST = 500  # readings of one room told again


class Page(Protocol):
    user: Any
    outbox: Outbox
    rooms: dict[str, Room]

    def wake(self) -> None: ...


class RoomsHub:
    """Lives on one event loop, works while there are pages."""

    _of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, RoomsHub] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.head = 0
        self.pages: dict[str, set[Page]] = defaultdict(set)  # by room
        self._everyone: set[Page] = set()
        self._rooms: dict[str, Room] = {}
        self._known = Known({}, {})
        self._rooms_of: dict[int, list[str]] = {}
        self._streams: dict[int, StreamFact] = {}
        self._replay: deque[tuple[int, Batch]] = deque()
        self._replay_rows = 0
        self._floor = 0  # everything behind this number is in the memory
        self._stood: dict[int, int] = {}  # devices whose standing was told since, and at which number
        self._bell = Bell()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_open = asyncio.Event()

    @classmethod
    def here(cls) -> RoomsHub:
        loop = asyncio.get_running_loop()
        found = cls._of_loop.get(loop)
        if found is None:
            found = cls._of_loop[loop] = cls()
        return found

    # --- pages come and go ---------------------------------------------------------------------------------------------------------------

    async def arrive(self, page: Page) -> None:
        self._everyone.add(page)
        if not self._tasks:
            self._is_open.clear()
            self._tasks = [asyncio.create_task(work()) for work in (self._follow, self._look, self._bell.listen, self._beat)]
        with contextlib.suppress(TimeoutError):  # without Redis there are rooms all the same, and nothing in them
            async with asyncio.timeout(3):
                await self._is_open.wait()

    def depart(self, page: Page) -> None:
        for name in list(page.rooms):
            self.leave(page, name)
        self._everyone.discard(page)
        if not self._everyone:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            self._forget()

    async def enter(self, page: Page, room: Room) -> None:
        if room.name not in self._rooms:
            self._rooms[room.name] = room
            found = await Hub.here().ask(lambda: look_up([room]))
            before = self._known.devices
            self._learn(Known({**self._known.members, **found.members}, {**before, **found.devices}))
            self._tell_standing(before, found.devices)  # others may watch them already, and not have heard of it yet
        self.pages[room.name].add(page)
        page.rooms[room.name] = room
        page.outbox.tell(control_frame("joined", room.name, seq=self.head, devices=len(self._seen_by(page, room.name))))
        page.wake()

    def leave(self, page: Page, name: str) -> None:
        page.rooms.pop(name, None)
        page.outbox.forget(name)
        self.pages[name].discard(page)
        if not self.pages[name]:
            del self.pages[name]
            self._rooms.pop(name, None)

    async def resume(self, page: Page, name: str, after: int) -> None:
        """Tell again what the room heard behind ``after``; or that this cannot be told."""
        if name not in page.rooms:
            return
        if not self._floor <= after <= self.head:
            page.outbox.tell(control_frame("resync_required", name, seq=self.head))
            page.wake()
            return
        members = self._known.members.get(name, frozenset())
        missed = [(seq, batch) for seq, batch in self._replay if seq > after]
        await self._name(batch for _seq, batch in missed)
        told, updates = 0, []
        for seq, batch in missed:
            rows = self._rows(batch, members & self._visible(page.user.jurisdiction, members))
            if rows:
                told += len(rows)
                updates.append((seq, rows))
        if told > REPLAY_MOST:
            page.outbox.tell(control_frame("resync_required", name, seq=self.head))
        else:
            page.outbox.tell(control_frame("replayed", name, n=told, seq=self.head))
            at = _now()
            for seq, rows in updates:
                page.outbox.tell(readings_frame(name, seq, at, rows))
            # At the same number it may have been told before or after: told twice it says the same.
            for pk in self._visible(page.user.jurisdiction, members):
                if self._stood.get(pk, -1) >= after:
                    page.outbox.stand(name, pk, _standing_frame(name, self._known.devices[pk], self._stood[pk], at))
        page.wake()

    def _seen_by(self, page: Page, name: str) -> frozenset[int]:
        members = self._known.members.get(name, frozenset())
        return self._visible(page.user.jurisdiction, members)

    def _visible(self, jurisdiction: Any, members: Iterable[int]) -> frozenset[int]:
        devices = self._known.devices
        return frozenset(
            pk
            for pk in members
            if (fact := devices.get(pk)) is not None and jurisdiction.admits(agency_id=fact.agency_id, governorate_id=fact.governorate_id)
        )

    # --- what was written ----------------------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        is_well = True
        while True:
            follower = AsyncFollower()
            try:
                await follower.open()
                self._set_back(follower.number or 0)
                self._is_open.set()
                is_well = True
                while True:
                    batches = await follower.read(block_ms=BLOCK_MS)
                    if batches:
                        await self._take(batches, follower.number or 0, has_gap=follower.has_gap)
            except (RedisError, OSError, ValueError) as error:
                if is_well:
                    logger.warning("the rooms hear nothing: %s", error)
                is_well = False
            except Exception:
                logger.exception("the rooms failed; they start again")
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await follower.close()
            await asyncio.sleep(AGAIN_S)

    def _set_back(self, number: int) -> None:
        """Following begins, or begins again: what was written meanwhile is not known here."""
        if number != self.head:
            for name, pages in self.pages.items():
                for page in pages:
                    page.outbox.lose(name)
                    page.wake()
        self.head = self._floor = number
        self._replay.clear()
        self._replay_rows = 0
        self._stood.clear()

    async def _take(self, batches: list[Batch], number: int, *, has_gap: bool) -> None:
        if has_gap:
            self._set_back(number - len(batches))
        await self._name(batches)
        at = _now()
        for place, batch in enumerate(batches):
            self.head = number - len(batches) + place + 1
            self._remember(self.head, batch)
            self._tell(self.head, at, batch)

    def _remember(self, seq: int, batch: Batch) -> None:
        self._replay.append((seq, batch))
        self._replay_rows += len(batch)
        while self._replay_rows > REPLAY_ROWS and len(self._replay) > 1:
            gone, rows = self._replay.popleft()
            self._floor = gone
            self._replay_rows -= len(rows)

    async def _name(self, batches: Iterable[Batch]) -> None:
        """Learn the metric of each stream that a room is about to hear of."""
        unknown: set[int] = set()
        for batch in batches:
            for device_id, stream_id in zip(batch.device_id.tolist(), batch.stream_id.tolist(), strict=True):
                if device_id in self._rooms_of and stream_id not in self._streams:
                    unknown.add(stream_id)
        if unknown:
            with contextlib.suppress(DatabaseError, InterfaceError):
                self._streams |= await Hub.here().ask(lambda: streams_of(unknown))

    def _tell(self, seq: int, at: str, batch: Batch) -> None:
        here = [device_id for device_id in np.unique(batch.device_id).tolist() if device_id in self._rooms_of]
        if not here:
            return
        devices_in: dict[str, set[int]] = defaultdict(set)
        for device_id in here:
            for name in self._rooms_of[device_id]:
                devices_in[name].add(device_id)
        for name, devices in devices_in.items():
            # Pages whose viewers see the same are told by one frame.
            made: dict[Any, Update | None] = {}
            for page in self.pages.get(name, ()):
                jurisdiction = page.user.jurisdiction
                if jurisdiction not in made:
                    rows = self._rows(batch, self._visible(jurisdiction, devices))
                    made[jurisdiction] = Update(name, seq, at, rows, readings_frame(name, seq, at, rows)) if rows else None
                update = made[jurisdiction]
                if update is not None:
                    page.outbox.put(update)
                    page.wake()

    def _rows(self, batch: Batch, devices: frozenset[int]) -> list[dict[str, Any]]:
        if not devices:
            return []
        chosen = np.nonzero(np.isin(batch.device_id, np.fromiter(devices, np.int64, len(devices))))[0]
        rows = []
        for place in chosen.tolist():
            stream = self._streams.get(int(batch.stream_id[place]))
            if stream is None:
                continue
            quality = int(batch.quality[place])
            row: dict[str, Any] = {
                "device": self._known.devices[int(batch.device_id[place])].code,
                "metric": stream.metric,
                "at": _iso(int(batch.at_us[place])),
                "value": float(batch.value[place]),
            }
            if stream.unit:
                row["unit"] = stream.unit
            if quality:
                row["quality"] = names_of(quality)
            rows.append(row)
        return rows

    # --- what runs beside ----------------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """At those of whom the bell said that they stand otherwise; at everything when it said so, and when it was silent for long."""
        while True:
            rung = await self._bell.heard(within_s=LOOK_S)
            try:
                if named := rung.devices & self._rooms_of.keys():
                    await self._look_at(named)
                if rung.is_wide:
                    await self._look_at_all()
            except (DatabaseError, InterfaceError):
                pass  # the look after this one finds it
            except Exception:
                logger.exception("the rooms' devices could not be looked at")
            await asyncio.sleep(WIDE_REST_S if rung.is_wide else REST_S)

    async def _look_at(self, devices: frozenset[int]) -> None:
        facts = await Hub.here().ask(lambda: facts_of(devices))
        before = self._known.devices
        # A page may have left meanwhile, and its devices with it.
        self._known = Known(self._known.members, {**before, **{pk: fact for pk, fact in facts.items() if pk in before}})
        self._tell_standing(before, devices & self._rooms_of.keys())

    async def _look_at_all(self) -> None:
        rooms = list(self._rooms.values())
        known = await Hub.here().ask(lambda: look_up(rooms))
        # A room that was entered meanwhile stays as it was found then.
        late = {name: members for name, members in self._known.members.items() if name in self._rooms and name not in known.members}
        facts = {pk: self._known.devices[pk] for members in late.values() for pk in members}
        before = self._known.devices
        self._learn(Known({**late, **known.members}, {**facts, **known.devices}))
        self._tell_standing(before, self._rooms_of)

    def _learn(self, known: Known) -> None:
        self._known = known
        rooms_of: dict[int, list[str]] = defaultdict(list)
        for name, members in known.members.items():
            for pk in members:
                rooms_of[pk].append(name)
        self._rooms_of = dict(rooms_of)

    def _tell_standing(self, before: Mapping[int, DeviceFact], devices: Iterable[int]) -> None:
        """Devices that went, came back, went into maintenance or whose state was changed."""
        at = _now()
        for pk in devices:
            fact, old = self._known.devices[pk], before.get(pk)
            if old is None or old.standing == fact.standing:
                continue
            self._stood[pk] = self.head
            for name in self._rooms_of[pk]:
                frame = _standing_frame(name, fact, self.head, at)
                for page in self.pages.get(name, ()):
                    if page.user.jurisdiction.admits(agency_id=fact.agency_id, governorate_id=fact.governorate_id):
                        page.outbox.stand(name, pk, frame)
                        page.wake()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            frame = control_frame("beat", at=_now(), seq=self.head)
            for page in self._everyone:
                page.outbox.tell(frame)
                page.wake()

    def _forget(self) -> None:
        self._rooms.clear()
        self._known, self._rooms_of, self._streams = Known({}, {}), {}, {}
        self._replay.clear()
        self._replay_rows = 0
        self._stood.clear()


def _standing_frame(room: str, fact: DeviceFact, seq: int, at: str) -> bytes:
    until = fact.maintenance_until
    data = {"device": fact.code, "status": fact.status, "state": fact.state, "maintenance_until": until.isoformat() if until else None}
    return control_frame("status", room, seq=seq, at=at, data=data)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _iso(at_us: int) -> str:
    whole, rest = divmod(at_us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{rest // 1_000:03d}Z"
