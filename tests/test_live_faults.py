"""CMD-4: everything that can die dies, again and again, while a real page loses a fifth of its messages. It ends as the database is."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import websockets
from django.conf import settings
from django.db import connection

from core.events import log_head, publish
from core.live.pushes import REPLAY_LIMIT
from core.models import Event
from deploy.local.layout import HOST, free_port
from tests.live_server import LiveSite, launch_site, quiet_flush, run_async, session_of, stop_site
from tests.test_live_page import City, ends_as_the_database, lose_a_fifth, reaches

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


class OwnRedis:
    """A Redis that may be killed: nobody else uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        for _ in range(200):
            try:
                client.ping()
            except redis.RedisError:
                time.sleep(0.02)
        client.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def own_site(tmp_path: Path, own_redis: OwnRedis, transactional_db: None) -> Iterator[LiveSite]:
    site = launch_site(tmp_path / "site.log", REDIS_URL=own_redis.url)
    site.start_relay()
    with quiet_flush():
        yield site
    stop_site(site)


@pytest.fixture
def tab(browser: Any, own_site: LiveSite, cast: Any) -> Iterator[Any]:
    context = browser.new_context(base_url=own_site.url, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session_of(cast.officer), "url": own_site.url}])
    yield context.new_page()
    context.close()


def cut_the_database() -> None:
    """What a restart of PostgreSQL does to everybody connected but this test."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("address", ["/", "/test/page"])
def test_the_page_ends_as_the_database_whatever_dies(own_site, own_redis, tab, cast, report, places, address):
    rng = random.Random(20)
    counted = lose_a_fifth(tab, rng)
    tab.goto(address)
    tab.mouse.move(1, 1)
    city = City(report, seed=11, places=places)
    city.live_a_little()
    happened: list[str] = []
    mend: list[tuple[float, Any]] = []
    next_fault = time.monotonic() + 3
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        city.live_a_little()
        tab.wait_for_timeout(rng.randint(5, 60))
        now = time.monotonic()
        for due, repair in [one for one in mend if one[0] <= now]:
            mend.remove((due, repair))
            repair()
        if now < next_fault or mend:
            continue
        next_fault = now + rng.uniform(2, 5)
        fault = rng.choice(["relay", "relay", "web", "redis", "database"])
        happened.append(fault)
        if fault == "relay":
            own_site.relays[-1].kill()
            own_site.relays[-1].wait()
            mend.append((now + rng.uniform(0, 2), own_site.start_relay))
        elif fault == "web":
            own_site.stop_web(signal.SIGKILL)
            mend.append((now + rng.uniform(0, 2), own_site.start_web))
        elif fault == "redis":
            own_redis.kill()
            mend.append((now + rng.uniform(0, 3), own_redis.start))
        else:
            cut_the_database()
    for _due, repair in mend:
        repair()
    ends_as_the_database(tab, cast.officer, within_s=45)
    seqs = sorted(seq or 0 for seq in Event.objects.values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1)), "no gap, no repeat"
    if address == "/test/page" and tab.evaluate("window.resets") == 0:
        heard = tab.evaluate("window.heard")
        assert heard == sorted(set(heard)), "each event is told once, in the log's order"
    assert counted["lost"] > 50 and len(happened) >= 8
    print(f"{len(seqs)} events; {counted}; killed: {happened}")


def test_a_dead_relay_is_seen_on_the_page_and_its_return_too(own_site, tab, report, cast):
    tab.goto("/test/page")
    reaches(tab, "live")
    own_site.relays[-1].kill()
    own_site.relays[-1].wait()
    report()
    assert reaches(tab, "stale", within_ms=30_000)["reason"] == "behind"
    own_site.start_relay()
    reaches(tab, "live", within_ms=20_000)
    ends_as_the_database(tab, cast.officer)


def test_without_redis_pages_are_a_second_late_and_with_it_again_they_are_not(own_site, own_redis, cast, report):
    async def story() -> None:
        where = f"{own_site.websocket_url}/ws/live"
        async with websockets.connect(where, additional_headers={"Cookie": f"sessionid={key}"}, origin=own_site.url) as page:

            async def delay_s() -> float:
                started = time.monotonic()
                pk = report().pk
                while (frame := json.loads(await asyncio.wait_for(page.recv(), 10))).get("id") != pk:
                    assert frame["t"] in ("hello", "beat", "event")
                return time.monotonic() - started

            await asyncio.sleep(1)
            await delay_s()
            own_redis.kill()
            await asyncio.sleep(1)
            assert max([await delay_s() for _ in range(5)]) < 2.5
            own_redis.start()
            deadline = time.monotonic() + 40
            while sorted([await delay_s() for _ in range(3)])[1] > 0.4:
                assert time.monotonic() < deadline, "the bell never came back"
                await asyncio.sleep(0.5)

    key = session_of(cast.officer)
    run_async(story())


def test_a_page_that_does_not_read_costs_no_memory_and_starts_over(own_site, cast, report):
    """Eight thousand cards for somebody who reads none of them: the web process grows by a buffer, not by the cards."""
    incident = report(description="x" * 5000)

    def resident_mib() -> float:
        return int(Path(f"/proc/{own_site.web.pid}/statm").read_text().split()[1]) * 4096 / 2**20

    async def story() -> None:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((HOST, int(own_site.url.rsplit(":", 1)[1])))
        raw.setblocking(False)
        headers = {"Cookie": f"sessionid={key}"}
        where = f"{own_site.websocket_url}/ws/live"
        async with (
            websockets.connect(where, sock=raw, additional_headers=headers, origin=own_site.url, max_queue=1, ping_interval=None) as slow,
            websockets.connect(where, additional_headers=headers, origin=own_site.url, max_queue=None) as quick,
        ):
            await slow.recv()
            head = 0
            before = 0.0
            for _round in range(12):
                Event.objects.bulk_create(
                    Event(type="incident.changed", subject_type="incident", subject_id=incident.pk, agency_id=incident.agency_id)
                    for _ in range(REPLAY_LIMIT * 2 // 3 - 1)
                )
                publish("incident.changed", subject=incident, agency_id=incident.agency_id)
                while head < Event.objects.count():
                    head = json.loads(await asyncio.wait_for(quick.recv(), 20)).get("seq", head)
                before = before or resident_mib()
            assert resident_mib() - before < 30
            kinds = []
            while "reset" not in kinds:
                kinds.append(json.loads(await asyncio.wait_for(slow.recv(), 20))["t"])
            assert len(kinds) < 6000

    key = session_of(cast.officer)
    run_async(story())


def until(true: Any, *, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def relays_connected() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'khareetaty relay' AND datname = current_database()")
        return int(cursor.fetchone()[0])


def test_a_relay_process_leaves_at_once_when_asked_and_another_takes_over(own_site):
    publish("test.happened")
    until(lambda: log_head() == 1)
    second = own_site.start_relay()
    until(lambda: relays_connected() == 2)
    first = own_site.relays[0]
    asked_at = time.monotonic()
    first.terminate()
    assert first.wait(10) == 0
    assert time.monotonic() - asked_at < 5
    publish("test.happened")
    until(lambda: log_head() == 2)
    assert second.poll() is None
