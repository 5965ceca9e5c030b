"""IOT-7: rooms of sensors. Who may be in one, what is told in it and to whom; replay; a slow page; and the end of a session or a right.
A real web process and real sockets; what was written is told as the writer tells it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import redis
import websockets
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, connections, transaction

from core.live.hub import Hub
from iot.live.hub import RoomsHub, _iso
from iot.live.outbox import MOST_FRAMES, MOST_STREAMS, Outbox, Update, control_frame, readings_frame
from iot.live.rooms import Room, look_up, room_for
from iot.models import Datastream, Device, DeviceGroup
from iot.services.devices import change_device, register_device, retire_device
from iot.services.outages import sweep
from iot.standing import EVERYTHING, MOST_NAMED, Bell, Rung, ring
from iot.written import Batch, Teller
from tests.live_server import run_async, session_of

SOON_S = 4  # far from the half minute after which the rooms look without being told
NOW_US = 1_770_000_000_000_000


def row(metric: str, value: float, second: int = 0, device: str = "AIR-1") -> dict[str, Any]:
    return {"device": device, "metric": metric, "at": f"2026-01-01T00:00:{second:02d}.000Z", "value": value}


def update(seq: int, *rows: dict[str, Any], room: str = "device:AIR-1") -> Update:
    return Update(room, seq, "now", list(rows), readings_frame(room, seq, "now", list(rows)))


# --- the outbox: what a slow page costs ---------------------------------------------------------------------------------------------------


def test_a_page_that_keeps_up_is_told_each_commit():
    box = Outbox()
    for seq in range(5):
        box.put(update(seq, row("temperature", seq)))
    assert [json.loads(frame)["seq"] for frame in box.take(5)] == [0, 1, 2, 3, 4] and not box


def test_a_slow_page_is_told_the_latest_of_each_stream_and_how_many_it_missed():
    box = Outbox()
    for seq in range(1_000):
        box.put(update(seq, row("temperature", seq, seq % 60), row("humidity", -seq, seq % 60)))
        assert len(box) <= MOST_FRAMES + 2
    (frame,) = [json.loads(frame) for frame in box.take(1_000)]
    assert frame["seq"] == 999 and frame["skipped"] == 2_000 - len(frame["data"])
    assert {told["metric"] for told in frame["data"]} == {"temperature", "humidity"}
    assert frame["data"][0]["at"].endswith(":59.000Z"), "a late reading is no latest"


def test_a_page_that_misses_more_streams_than_it_may_hold_loads_anew():
    box = Outbox()
    for seq in range(MOST_FRAMES + MOST_STREAMS + 2):
        box.put(update(seq, row(f"m{seq}", seq)))
        assert len(box) <= MOST_STREAMS + MOST_FRAMES + 1
    assert [json.loads(frame)["type"] for frame in box.take(7)] == ["resync_required"]


def test_how_devices_stand_is_told_of_each_however_many_and_of_one_that_flaps_the_latest():
    box = Outbox()
    for device in range(200):
        for status in ("offline", "online", "offline"):
            box.stand("zone:1", device, control_frame("status", "zone:1", data={"device": str(device), "status": status}))
    assert len(box) == 200
    told = [json.loads(frame)["data"] for frame in box.take(0)]
    assert [one["device"] for one in told] == [str(device) for device in range(200)] and {one["status"] for one in told} == {"offline"}
    for device in range(MOST_STREAMS + 1):
        box.stand("zone:1", device, b"{}")
    assert [json.loads(frame)["type"] for frame in box.take(7)] == ["resync_required"]
    box.stand("zone:1", 1, b"{}")
    box.stand("zone:2", 1, b"[]")
    box.forget("zone:1")
    assert box.take(8) == [b"[]"], "what is left is told no more"


# --- who may be in a room -----------------------------------------------------------------------------------------------------------------


def test_a_room_of_another_jurisdiction_does_not_exist(sensors, cast, places):
    group = DeviceGroup.objects.create(agency=cast.police, governorate=places.hawalli, code="g", name_en="G", name_ar="ج")
    mine = ["device:AIR-1", f"group:{group.pk}", f"zone:{places.hawalli.pk}", f"zone:{places.salmiya.pk}"]
    assert all(room_for(cast.supervisor, name) for name in mine)
    assert not any(room_for(cast.stranger, name) for name in mine), "an officer of the Capital"
    assert room_for(cast.supervisor, "device:AIR-2") is None and room_for(cast.supervisor, f"zone:{places.sharq.pk}") is None
    assert room_for(cast.firefighter, "device:AIR-1") is None and room_for(cast.firefighter, f"zone:{places.salmiya.pk}") is not None
    for odd in (
        "",
        "device:",
        "zone:abc",
        "zone:-1",
        f"zone:{2**70}",
        "incident:1",
        "device:AIR-1\0",
        "x" * 200,
        7,
        None,
        ["device:AIR-1"],
    ):
        assert room_for(cast.supervisor, odd) is None, odd
    assert room_for(cast.officer, "device:AIR-1") is None or cast.officer.can("see_devices")


def test_a_zones_room_holds_the_devices_in_it(sensors, places, cast):
    rooms = [room_for(cast.superadmin, f"zone:{zone.pk}") for zone in (places.hawalli, places.sharq)]
    known = look_up([room for room in rooms if room is not None])
    assert known.members == {f"zone:{places.hawalli.pk}": {sensors.salmiya.pk}, f"zone:{places.sharq.pk}": {sensors.sharq.pk}}


# --- over real sockets --------------------------------------------------------------------------------------------------------------------


class Page:
    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def next(self, kind: str, *, within_s: float = 20) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            while True:
                frame = json.loads(await self.socket.recv())
                if frame["type"] == kind:
                    return frame

    async def say(self, **said: Any) -> None:
        await self.socket.send(json.dumps(said))

    async def silent_about(self, code: str) -> bool:
        """Whether nothing that came so far names it."""
        frames = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while True:
                    frames.append(await self.socket.recv())
        return not any(code in frame for frame in frames)

    async def closed(self) -> int:
        async with asyncio.timeout(20):
            while True:
                try:
                    await self.socket.recv()
                except websockets.ConnectionClosed as end:
                    return end.rcvd.code if end.rcvd else 1006


@asynccontextmanager
async def opened(site: Any, key: str, *rooms: str, origin: str | None = None):
    where = f"{site.websocket_url}/ws/iot?{'&'.join(f'room={room}' for room in rooms)}"
    headers = {"Cookie": f"sessionid={key}"}
    async with websockets.connect(where, additional_headers=headers, origin=origin or site.url) as socket:  # type: ignore[arg-type]
        yield Page(socket)


@pytest.fixture
def say_written(live_site, sensors, settings):
    """Tell the web process, as the writer does, that a device's temperature was written."""
    settings.IOT_STREAM_PREFIX = f"live-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}:iot"
    metric = sensors.air.metrics.get(code="temperature")
    streams = {device.pk: Datastream.objects.create(device=device, metric=metric).pk for device in (sensors.salmiya, sensors.sharq)}
    teller = Teller()

    def say(*values: float, device: Device = sensors.salmiya) -> None:
        n = len(values)
        at = NOW_US + np.arange(n, dtype=np.int64) * 1_000_000
        whole = np.ones(n, np.int64)
        assert teller.tell(Batch(whole * streams[device.pk], whole * device.pk, at, np.array(values), np.zeros(n, np.int16), at))

    return say


def test_a_page_is_told_what_its_rooms_hear_and_its_viewer_may_see(live_site, cast, places, sensors, say_written):
    async def story():
        zone = f"zone:{places.hawalli.pk}"
        async with opened(live_site, own, "device:AIR-1", zone) as page, opened(live_site, foreign, zone, "device:AIR-1") as other:
            assert (await page.next("joined"))["devices"] == 1
            await page.next("joined")
            assert (await other.next("joined"))["devices"] == 0, "in the zone, and sees none of its police devices"
            assert (await other.next("no_such_room"))["room"] == "device:AIR-1"
            await sync_to_async(say_written)(21.5, 22.0)
            frames = [await page.next("readings"), await page.next("readings")]
            assert {frame["room"] for frame in frames} == {"device:AIR-1", zone}
            assert [told["value"] for told in frames[0]["data"]] == [21.5, 22.0]
            assert frames[0]["data"][0] | {"at": ""} == {"device": "AIR-1", "metric": "temperature", "at": "", "value": 21.5, "unit": "°C"}
            await sync_to_async(say_written)(5.0, device=sensors.sharq)
            await sync_to_async(say_written)(23.0)
            assert [told["value"] for told in (await page.next("readings"))["data"]] == [23.0], "what is not in its rooms is not told"

            # It comes back and says what it heard last: that is told again, and no more than is known.
            await page.say(leave=["device:AIR-1"])
            await page.next("left")
            await sync_to_async(say_written)(24.0)
            await page.next("readings")
            await page.say(resume={"device:AIR-1": frames[0]["seq"]})
            assert (await page.next("replayed"))["n"] == 2
            assert [told["value"] for _n in range(2) for told in (await page.next("readings"))["data"]] == [23.0, 24.0]
            await page.say(resume={"device:AIR-1": 10**9})
            assert (await page.next("resync_required"))["room"] == "device:AIR-1"

            # Rights that end take the room away, the end of the session the socket.
            await sync_to_async(cast.supervisor.governorates.set)([places.capital])
            assert (await page.next("gone"))["room"] in {"device:AIR-1", zone}
            await Session.objects.all().adelete()
            assert await page.closed() == 4401

    own, foreign = session_of(cast.supervisor), session_of(cast.firefighter)
    run_async(story())


def test_how_a_device_stands_is_told_once_it_is_committed_to_those_who_may_see_it(live_site, cast, places, sensors, say_written):
    """By the bell: the look that needs none comes only every half minute."""

    def into_maintenance(may_commit: threading.Event) -> None:
        with transaction.atomic():
            change_device(device=sensors.salmiya, by=None, changes={"maintenance_until": until})
            may_commit.wait(20)
        connection.close()

    async def story():
        zone, device = f"zone:{places.hawalli.pk}", "device:AIR-1"
        async with opened(live_site, own, zone, device) as page, opened(live_site, foreign, zone) as other:
            joined = [await page.next("joined"), await page.next("joined")]
            await other.next("joined")

            may_commit = threading.Event()
            changing = asyncio.create_task(sync_to_async(into_maintenance, thread_sensitive=False)(may_commit))
            with pytest.raises(TimeoutError):
                await page.next("status", within_s=1)
            may_commit.set()
            await changing
            frames = [await page.next("status", within_s=SOON_S) for _room in (zone, device)]
            assert {frame["room"] for frame in frames} == {zone, device}
            assert frames[0]["data"] == {"device": "AIR-1", "status": "unheard", "state": "active", "maintenance_until": until.isoformat()}

            # The sweep finds that it is heard, and later that it is not: it is in maintenance no more.
            heard = Device.objects.filter(code="AIR-1").update
            await sync_to_async(heard)(last_seen_at=until, maintenance_until=None)
            for seconds, status in ((1, "online"), (900, "offline")):
                await sync_to_async(sweep)(now=until + timedelta(seconds=seconds))
                assert (await page.next("status", within_s=SOON_S))["data"]["status"] == status
                await page.next("status")

            # A page that was away meanwhile is told how they stand by now.
            async with opened(live_site, own) as back:
                await back.say(resume={zone: joined[0]["seq"]})
                assert (await back.next("status", within_s=SOON_S))["data"]["status"] == "offline"

            # A device that is new in the zone is in its room, one that is retired is told a last time.
            await sync_to_async(register_device)(code="AIR-9", profile=sensors.air, agency=cast.police, by=None, location=places.in_salmiya)
            await sync_to_async(retire_device)(device=sensors.salmiya, by=None, reason="broken")
            assert (await page.next("status", within_s=SOON_S))["data"]["state"] == "retired"
            await page.say(leave=[zone])
            await page.next("left")
            await page.say(join=[zone])
            assert (await page.next("joined"))["devices"] == 1, "AIR-9, and no longer AIR-1"

            assert await other.silent_about("AIR-1"), "a police device is no firefighter's"

    until = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    own, foreign = session_of(cast.supervisor), session_of(cast.firefighter)
    run_async(story())


@pytest.mark.django_db(transaction=True)
def test_a_change_that_rang_no_bell_is_found_by_the_look_that_needs_none(sensors, cast, monkeypatch):
    monkeypatch.setattr("iot.live.hub.LOOK_S", 0.3)

    class Watching:
        def __init__(self) -> None:
            self.user, self.outbox = cast.supervisor, Outbox()
            self.rooms: dict[str, Room] = {}

        def wake(self) -> None: ...

    async def story():
        page, hub = Watching(), RoomsHub.here()
        await hub.arrive(page)
        await hub.enter(page, room)
        await sync_to_async(Device.objects.filter(code="AIR-1").update)(status="offline")
        async with asyncio.timeout(20):
            while not any(b'"offline"' in frame for frame in page.outbox.take(0)):
                await asyncio.sleep(0.05)
        hub.depart(page)
        await Hub.here().ask(connections.close_all)

    room = Room("device:AIR-1", "device", "AIR-1")
    run_async(story())


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_after_the_commit_and_never_for_what_was_undone(sensors, settings):
    async def story():
        bell = Bell()
        listening = asyncio.create_task(bell.listen())
        assert await bell.heard(within_s=20) == EVERYTHING, "nobody knows what was missed before"
        await sync_to_async(undone)()
        await sync_to_async(ring)([1, 2])
        await sync_to_async(ring)([2, 3])
        assert await gathered(bell) == Rung(frozenset({1, 2, 3}))
        await sync_to_async(ring)(range(MOST_NAMED + 1))
        assert await gathered(bell) == EVERYTHING
        for odd in (b"{", b"[]", b'{"devices": ["x"]}', b'{"devices": 7}'):
            await sync_to_async(_say)(odd)
            assert await bell.heard(within_s=20) == EVERYTHING, odd
        began = time.monotonic()
        assert await bell.heard(within_s=0.2) == EVERYTHING and time.monotonic() - began >= 0.2, "silence, for so long"
        listening.cancel()

    def undone() -> None:
        with transaction.atomic():
            ring([99])
            transaction.set_rollback(True)

    async def gathered(bell: Bell) -> Rung:
        await asyncio.sleep(0.5)
        return await bell.heard(within_s=20)

    run_async(story())


def _say(raw: bytes) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.publish(f"{settings.IOT_STREAM_PREFIX}:standing", raw)


def test_who_is_not_signed_in_or_may_not_see_devices_or_talks_nonsense_is_shown_out(live_site, cast, sensors):
    async def story():
        async with opened(live_site, "nobody") as page:
            assert await page.closed() == 4401
        for said in ("{", "[]", '{"join": "device:AIR-1"}', '{"resume": {"a": "x"}}', '{"shout": 1}', "x" * 9_000):
            async with opened(live_site, key, "device:AIR-1") as page:
                await page.socket.send(said)
                assert await page.closed() == 4400, said
        with pytest.raises(websockets.InvalidStatus):
            async with opened(live_site, key, origin="https://elsewhere.example"):
                pass

    key = session_of(cast.supervisor)
    run_async(story())


def test_the_time_of_a_reading_is_told_to_the_millisecond():
    at = datetime(2026, 3, 2, 9, 0, 5, 123_000, tzinfo=UTC)
    assert _iso(int(at.timestamp() * 1_000_000)) == "2026-03-02T09:00:05.123Z"
