"""PAT-11: no call for help is lost, whatever dies between the press and the screen. Real processes, killed with SIGKILL."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.conf import settings

from core.models import Event
from dashboard.sos_tokens import token_for
from patrol.models import Sos
from patrol.services import welfare
from tests.live_server import ROOT, LiveSite, launch_site, quiet_flush, session_of, stop_site
from tests.test_live_faults import OwnRedis

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def site(tmp_path: Path, own_redis: OwnRedis, transactional_db: None) -> Iterator[LiveSite]:
    """A web process of the test's own; no relay, no worker, no beat unless the test starts them."""
    site = launch_site(tmp_path / "site.log", REDIS_URL=own_redis.url)
    with quiet_flush():
        yield site
    stop_site(site)


def press_once(site: LiveSite, body: dict[str, Any]) -> bool:
    try:
        return httpx.post(f"{site.url}/sos/press/", json=body, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def a_press(cast: Any) -> dict[str, Any]:
    body = {"token": token_for(cast.officer), "key": str(uuid4()), "pressed_at": datetime.now(UTC).isoformat()}
    return body | {"lon": 47.92, "lat": 29.35, "accuracy_m": 9}


def shown_on(site: LiveSite, cookie: str) -> list[int]:
    told = httpx.get(f"{site.url}/sos/open.json", cookies={settings.SESSION_COOKIE_NAME: cookie}, timeout=10).json()
    return [alarm["id"] for alarm in told["alarms"] if alarm["kind"] == "sos"]


def test_what_was_answered_is_there_though_the_web_process_dies_at_once_and_redis_relay_and_worker_are_away(site, own_redis, cast, force):
    key = session_of(cast.dispatcher)
    own_redis.kill()
    assert press_once(site, a_press(cast))
    site.stop_web(signal.SIGKILL)
    assert Sos.objects.count() == Event.objects.filter(type="sos.raised").count() == 1
    site.start_web()
    assert shown_on(site, key) == [Sos.objects.get().pk]
    own_redis.start()


def test_with_worker_and_beat_dead_an_open_screen_still_repeats_and_escalates(live_site, cast, force):
    key = session_of(cast.dispatcher)
    assert press_once(live_site, a_press(cast))
    check = welfare.start_welfare(unit=force.p1, by=None, minutes=1)
    long_ago = datetime.now(UTC).replace(year=2020)
    Sos.objects.update(received_at=long_ago)
    type(check).objects.update(due_at=long_ago)
    shown_on(live_site, key)
    assert Event.objects.filter(type="sos.repeated").count() == 1
    assert Event.objects.filter(type="welfare.missed").count() == 1


@pytest.mark.faults
def test_of_sixty_presses_none_is_lost_and_none_doubled_while_everything_is_killed(site, own_redis, cast, force):
    """The phone's own rule: send it until the server says it has it. Web, relay, worker and Redis are killed meanwhile, again and again."""
    rng = random.Random(12)
    key = session_of(cast.dispatcher)
    command = [sys.executable, "-m", "celery", "-A", "khareetaty", "worker", "-B", "-s", str(site.log.with_suffix(".beat")), "-c", "1"]
    command += ["--queues", "critical,default", "--loglevel", "error"]
    started: list[subprocess.Popen[bytes]] = []

    def start_worker() -> None:
        started.append(subprocess.Popen(command, cwd=ROOT, env=os.environ | site.environment, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True))  # fmt: skip

    def kill_worker() -> None:
        os.killpg(started[-1].pid, signal.SIGKILL)
        started[-1].wait()

    start_worker()
    site.start_relay()
    waiting: list[dict[str, Any]] = []
    keys: set[str] = set()
    killed: list[str] = []
    mend: list[Any] = []
    try:
        while len(keys) < 60 or waiting:
            if len(keys) < 60:
                waiting.append(a_press(cast))
                keys.add(waiting[-1]["key"])
            for body in list(waiting):
                if press_once(site, body) and rng.random() < 0.8:  # one answer in five is lost on the way back
                    waiting.remove(body)
            while mend:
                mend.pop()()
            if rng.random() < 0.25 and len(keys) < 60:
                fault = rng.choice(["web", "relay", "worker", "redis"])
                killed.append(fault)
                if fault == "web":
                    site.stop_web(signal.SIGKILL)
                    mend.append(site.start_web)
                elif fault == "relay":
                    site.relays[-1].kill()
                    site.relays[-1].wait()
                    mend.append(site.start_relay)
                elif fault == "worker":
                    kill_worker()
                    mend.append(start_worker)
                else:
                    own_redis.kill()
                    mend.append(own_redis.start)
        assert {str(one) for one in Sos.objects.values_list("key", flat=True)} == keys
        assert Event.objects.filter(type="sos.raised").count() == 60
        assert len(shown_on(site, key)) == 60
        deadline = time.monotonic() + 60
        while Event.objects.filter(type="sos.raised", seq=None).exists():
            assert time.monotonic() < deadline, "the relay never numbered them"
            time.sleep(0.2)
    finally:
        kill_worker()
    assert len(killed) >= 8
    print(f"60 presses; killed: {killed}")
