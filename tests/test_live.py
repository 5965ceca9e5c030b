"""CMD-4: what a page that follows the log is told, and what it is never told. A real web process, a real relay, real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets

from core.models import Event
from incidents.services import close_incident, move_incident
from tests.live_server import run_async, session_of

pytestmark = pytest.mark.usefixtures("live_site")


class Page:
    """A socket and everything it was told."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []

    async def next(self, kind: str | None = None, *, within_s: float = 10) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            while True:
                frame = json.loads(await self.socket.recv())
                self.frames.append(frame)
                if kind is None or frame["t"] == kind:
                    return frame

    async def quiet(self, for_s: float = 0.6) -> bool:
        """Nothing but beats arrives for a while."""
        try:
            await self.next("event", within_s=for_s)
        except TimeoutError:
            return True
        return False

    async def closed(self, within_s: float = 12) -> int:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    self.frames.append(json.loads(await self.socket.recv()))
                except websockets.ConnectionClosed as end:
                    return end.rcvd.code if end.rcvd else 1006


@asynccontextmanager
async def opened(site: Any, key: str, *, room: str = "all", query: str = "", origin: str | None = "own"):
    headers = {"Cookie": f"sessionid={key}"}
    where = f"{site.websocket_url}/ws/live?room={room}{query}"
    async with websockets.connect(where, additional_headers=headers, origin=site.url if origin == "own" else origin) as socket:  # type: ignore[arg-type]
        yield Page(socket)


def settled() -> None:
    """What was announced so far has its numbers."""
    deadline = time.monotonic() + 20
    while Event.objects.filter(seq=None).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_page_is_told_of_an_incident_with_its_card_and_its_point(live_site, cast, report):
    async def story():
        async with opened(live_site, key) as page:
            hello = await page.next("hello")
            incident = report()
            event = await page.next("event")
            assert event["prev"] == hello["head"] and event["seq"] == hello["head"] + 1
            assert (event["type"], event["id"], event["open"]) == ("incident.opened", incident.pk, True)
            assert f'id="incident-{incident.pk}"' in event["html"] and "Burglary" in event["html"]
            assert event["feature"]["geometry"]["coordinates"] == [47.92, 29.35]
            close_incident(incident=incident, by=None, disposition="resolved")
            after = await page.next("event")
            assert (after["prev"], after["type"], after["open"]) == (event["seq"], "incident.moved", False)

    key = session_of(cast.officer)
    run_async(story())


def test_each_page_reads_its_own_language(live_site, cast, report):
    async def story():
        async with opened(live_site, key, query="&lang=ar") as arabic, opened(live_site, key, query="&lang=xx") as own:
            await arabic.next("hello")
            await own.next("hello")
            report()
            arabic_event, own_event = await arabic.next("event"), await own.next("event")
            assert "سرقة منزل" in arabic_event["html"] and "Burglary" in own_event["html"]

    key = session_of(cast.officer)
    run_async(story())


def test_a_foreign_jurisdiction_is_never_told(live_site, cast, report, places):
    async def story():
        async with (
            opened(live_site, key_of_stranger) as stranger,
            opened(live_site, key_of_fire) as fire,
            opened(live_site, key) as officer,
        ):
            for page in (stranger, fire, officer):
                await page.next("hello")
            incident = report()
            assert (await officer.next("event"))["id"] == incident.pk
            assert await stranger.quiet() and await fire.quiet(0.1)
            theirs = report(location=places.in_sharq)
            event = await stranger.next("event")
            assert event["id"] == theirs.pk and event["prev"] == event["seq"] - 2, (
                "it is told what it was told last, not what it may not see"
            )
            assert await officer.quiet()

    key, key_of_stranger, key_of_fire = session_of(cast.officer), session_of(cast.stranger), session_of(cast.firefighter)
    run_async(story())


def test_a_room_is_told_of_its_own_alone(live_site, cast, report, places):
    async def story():
        first, second = report(), report(location=places.in_sharq)
        settled()
        async with (
            opened(live_site, key, room=f"incident:{first.ref}") as one,
            opened(live_site, key, room=f"governorate:{places.capital.pk}") as capital,
            opened(live_site, key, room=f"agency:{cast.fire.pk}") as fire,
        ):
            for page in (one, capital, fire):
                await page.next("beat")
            move_incident(incident=second, to="queued", by=None)
            move_incident(incident=first, to="queued", by=None)
            assert (await one.next("event"))["id"] == first.pk
            assert (await capital.next("event"))["id"] == second.pk
            assert await one.quiet(0.3) and await capital.quiet(0.1) and await fire.quiet(0.1)

    key = session_of(cast.superadmin)
    run_async(story())


def test_an_unknown_room_is_closed(live_site, cast):
    async def story():
        for room in ("nonsense", "all:1", "governorate:x", "governorate:999999999", "agency:²", "incident:KW-26-999999", "x" * 5000):
            async with opened(live_site, key, room=room) as page:
                assert await page.closed() == 4404, room

    key = session_of(cast.officer)
    run_async(story())


def test_a_foreign_room_does_not_exist(live_site, cast, places, report):
    async def story():
        incident = report(location=places.in_sharq)
        for room in (
            f"governorate:{places.capital.pk}",
            f"agency:{cast.fire.pk}",
            f"incident:{incident.ref}",
            f"governorate:{places.salmiya.pk}",
        ):
            async with opened(live_site, key, room=room) as page:
                assert await page.closed() == 4404, room

    key = session_of(cast.officer)
    run_async(story())


def test_nobody_without_a_session_is_told_anything(live_site):
    async def story():
        for key in ("", "made-up", "x" * 4000):
            async with opened(live_site, key) as page:
                assert await page.closed() == 4401, key
                assert page.frames == []

    run_async(story())


def test_only_our_own_pages_may_open_a_socket(live_site, cast):
    async def refused(origin):
        with pytest.raises(websockets.InvalidStatus) as refusal:
            async with opened(live_site, key, origin=origin):
                pass
        assert refusal.value.response.status_code == 403, origin

    async def story():
        other_port = f"http://127.0.0.1:{int(live_site.url.rsplit(':', 1)[1]) + 1}"
        for origin in (None, "null", "https://evil.example", f"{live_site.url}.evil.example", other_port, "http://[", "file://"):
            await refused(origin)

    key = session_of(cast.officer)
    run_async(story())


def test_another_address_takes_no_socket(live_site):
    async def story():
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(f"{live_site.websocket_url}/ws/other", origin=live_site.url):
                pass

    run_async(story())


def test_a_page_that_comes_back_is_told_what_it_missed(live_site, cast, report):
    async def story():
        async with opened(live_site, key) as page:
            seen = (await page.next("hello"))["head"]
        incidents = [report() for _ in range(3)]
        async with opened(live_site, key) as waiting:
            await waiting.next("hello")
            while (await waiting.next("beat", within_s=8))["head"] < seen + 3:
                pass
        async with opened(live_site, key, query=f"&after={seen}") as page:
            events = [await page.next("event") for _ in range(3)]
            assert [event["id"] for event in events] == [incident.pk for incident in incidents]
            assert [event["prev"] for event in events] == [seen, seen + 1, seen + 2]
            beat = await page.next("beat")
            assert (beat["head"], beat["prev"]) == (seen + 3, seen + 3)
            await page.socket.send(json.dumps({"t": "resume", "after": seen + 1}))
            assert [(await page.next("event"))["seq"] for _ in range(2)] == [seen + 2, seen + 3]
            assert await page.quiet(0.3)

    key = session_of(cast.officer)
    run_async(story())


def test_a_page_from_another_time_starts_over(live_site, cast):
    async def story():
        async with opened(live_site, key, query="&after=4000000") as page:
            assert (await page.next("reset"))["head"] < 4000000

    key = session_of(cast.officer)
    run_async(story())


def test_a_page_that_missed_too_much_starts_over(live_site, cast):
    from core.events import publish
    from core.live.pushes import REPLAY_LIMIT

    async def story():
        async with opened(live_site, key, query="&after=0") as page:
            reset = await page.next("reset")
            assert reset["head"] >= REPLAY_LIMIT + 1

    Event.objects.bulk_create(Event(type="test.happened") for _ in range(REPLAY_LIMIT))
    publish("test.happened")
    settled()
    key = session_of(cast.officer)
    run_async(story())


GARBAGE = [
    "", "[]", "null", "{", '{"t":"resume"}', '{"t":"resume","after":-1}', '{"t":"resume","after":"1"}', '{"t":"resume","after":true}',
    '{"t":"resume","after":1e300}', '{"t":"drop table"}', "x" * 10_000, b"\x00\xff",
]  # fmt: skip


def test_garbage_is_answered_by_a_close(live_site, cast):
    async def story():
        for words in GARBAGE:
            async with opened(live_site, key) as page:
                await page.next("hello")
                await page.socket.send(words)
                assert await page.closed() == 4400, words

    key = session_of(cast.officer)
    run_async(story())


def test_a_page_that_talks_too_much_is_closed(live_site, cast):
    async def story():
        async with opened(live_site, key) as page:
            await page.next("hello")
            for _ in range(200):
                try:
                    await page.socket.send('{"t":"resume","after":0}')
                except websockets.ConnectionClosed:
                    break
            assert await page.closed() == 4429

    key = session_of(cast.officer)
    run_async(story())


def test_a_disabled_account_is_cut(live_site, cast, report):
    async def story():
        async with opened(live_site, key) as page:
            await page.next("hello")
            cast.officer.is_active = False
            cast.officer.save(update_fields=["is_active"])
            assert await page.closed() == 4401

    key = session_of(cast.officer)
    run_async(story())


def test_a_deactivated_person_is_cut_by_the_event_itself(live_site, cast):
    from accounts.services import deactivate_person

    async def story():
        async with opened(live_site, key) as page:
            await page.next("hello")
            deactivate_person(person=cast.officer, by=cast.superadmin, reason="left the service")
            assert await page.closed(4) == 4401

    key = session_of(cast.officer)
    run_async(story())


def test_signing_out_closes_the_page(live_site, cast):
    from django.contrib.sessions.models import Session

    async def story():
        async with opened(live_site, key) as page:
            await page.next("hello")
            Session.objects.filter(session_key=key).delete()
            assert await page.closed() == 4401

    key = session_of(cast.officer)
    run_async(story())


def test_a_changed_jurisdiction_loses_what_it_may_no_longer_see(live_site, cast, report, places):
    async def story():
        async with opened(live_site, key) as page, opened(live_site, key, room=f"governorate:{places.hawalli.pk}") as room:
            await page.next("hello")
            await room.next("hello")
            cast.officer.governorates.set([places.capital])
            await page.next("reset")
            assert await room.closed() == 4403
            report()
            theirs = report(location=places.in_sharq)
            assert (await page.next("event"))["id"] == theirs.pk

    key = session_of(cast.officer)
    run_async(story())


def test_a_batch_is_one_small_notice_for_those_of_its_agency(live_site, cast):
    from core.events import publish
    from incidents.events import INCIDENTS_IMPORTED

    async def story():
        async with opened(live_site, key) as page, opened(live_site, key_of_fire) as fire:
            await page.next("hello")
            await fire.next("hello")
            publish(INCIDENTS_IMPORTED, agency_id=cast.police.pk, data={"count": 10_000})
            notice = await page.next("event")
            assert (notice["type"], notice["refresh"], notice["html"]) == ("incidents.imported", True, None)
            assert "10000" not in json.dumps(notice)
            assert await fire.quiet(0.4)

    key, key_of_fire = session_of(cast.officer), session_of(cast.firefighter)
    run_async(story())


def test_when_boundaries_move_every_page_loads_its_list_anew(live_site, cast, report):
    from core.events import publish
    from incidents.events import INCIDENTS_REZONED

    async def story():
        incident = report()
        settled()
        async with opened(live_site, key) as page, opened(live_site, key, room=f"incident:{incident.ref}") as one:
            head = (await page.next("beat"))["head"]
            await one.next("beat")
            publish(INCIDENTS_REZONED, data={"count": 12})
            assert (await page.next("reset"))["head"] > head
            assert (await one.next("reset"))["head"] > head
            report()
            event = await page.next("event")
            assert event["prev"] == event["seq"] - 1
        with httpx.Client(base_url=live_site.url, cookies={"sessionid": key}) as client:
            frames = client.get("/live/events", params={"after": event["prev"] - 1}).json()["frames"]
            assert [frame["t"] for frame in frames] == ["reset", "event", "beat"]

    key = session_of(cast.officer)
    run_async(story())


def test_who_comes_late_is_told_how_things_stand_and_judged_by_where_they_stand(live_site, cast, report, places):
    from core.events import publish
    from incidents.models import Incident

    async def story():
        async with opened(live_site, key_of_stranger, query="&after=0") as stranger, opened(live_site, key, query="&after=0") as officer:
            await officer.next("hello")
            incident = report(location=places.in_sharq)
            opened_there = await stranger.next("event")
            Incident.objects.filter(pk=incident.pk).update(governorate=places.hawalli, area=places.salmiya, priority=5)
            publish("incident.changed", subject=incident, agency_id=cast.police.pk, governorate_id=places.hawalli.pk)
            changed = await officer.next("event")
            await stranger.socket.send('{"t":"resume","after":0}')
            assert await stranger.quiet()
            await officer.socket.send('{"t":"resume","after":0}')
            again = [await officer.next("event"), await officer.next("event")]
            assert [event["seq"] for event in again] == [opened_there["seq"], changed["seq"]]
            assert all('data-priority="5"' in event["html"] for event in again)

    key, key_of_stranger = session_of(cast.officer), session_of(cast.stranger)
    run_async(story())


def test_one_person_cannot_take_every_socket(live_site, cast):
    from core.live.consumer import MOST_SOCKETS

    async def story():
        async with AsyncExitStack() as stack:
            for _ in range(MOST_SOCKETS):
                page = await stack.enter_async_context(opened(live_site, key))
                await page.next("hello")
            async with opened(live_site, key) as one_too_many:
                assert await one_too_many.closed() == 4429
            async with opened(live_site, key_of_another) as page:
                await page.next("hello")

    key, key_of_another = session_of(cast.officer), session_of(cast.dispatcher)
    run_async(story())


def test_the_same_frames_come_by_ordinary_requests(live_site, cast, report, places):
    async def story():
        incident = report()
        report(location=places.in_sharq)
        async with opened(live_site, key, query="&after=0") as page:
            event = await page.next("event")
            while (beat := await page.next("beat"))["head"] < event["seq"] + 1:
                pass
        with httpx.Client(base_url=live_site.url, cookies={"sessionid": key}) as client:
            answer = client.get("/live/events", params={"after": event["prev"], "room": "all"})
            assert answer.headers["Cache-Control"].count("no-store")
            first, last = answer.json()["frames"]
            assert first == event and first["id"] == incident.pk
            assert (last["t"], last["head"], last["prev"]) == ("beat", beat["head"], event["seq"])
            assert client.get("/live/events", params={"after": "4000000"}).json()["frames"][0]["t"] == "reset"
            assert client.get("/live/events", params={"after": "0", "room": f"governorate:{places.capital.pk}"}).status_code == 404
            assert client.post("/live/events").status_code in (403, 405)
            for after in ("", "-1", "x", "²", "9" * 400):
                assert client.get("/live/events", params={"after": after}).status_code == 400
        assert httpx.get(f"{live_site.url}/live/events?after=0").status_code == 401

    key = session_of(cast.officer)
    run_async(story())
