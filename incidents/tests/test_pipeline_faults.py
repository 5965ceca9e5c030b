"""ANA-11: a night survives kill -9 of its processes, a database and a Redis that go away, and two beats. Real processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.gis.geos import Point
from django.db import connection
from django.utils import timezone

from core.models import Event
from incidents.models import Forecast, HotSpot, Incident, NearRepeat, PipelineRun, PipelineStep
from incidents.services import pipeline
from incidents.services.pipeline import kinds
from incidents.tests import slow_steps
from incidents.tests.conftest import NIGHT

ROOT = Path(__file__).resolve().parents[2]
REAL_NIGHT = """
import django, sys
django.setup()
from datetime import datetime
from incidents.services.pipeline import run_pipeline
run_pipeline(trigger="nightly", as_of=datetime.fromisoformat(sys.argv[1]), regions=["kw"], only=["hotspots", "forecasts"])
"""
COMMAND = """
import django, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background with Ctrl-C ignored
django.setup()
from incidents.tests import slow_steps
slow_steps.use_slow_steps()
from django.core.management import call_command
call_command("run_pipeline", "--region", "kw", "--json")
"""
CELERY = ["-m", "celery", "-A", "khareetaty", "worker", "--loglevel", "warning"]
WAKE = """
import sys
from celery import Celery
app = Celery(broker=sys.argv[1])
app.conf.broker_transport_options = {"global_keyprefix": "celery:"}
app.send_task("incidents.run_pipeline", args=[int(sys.argv[2])], queue="bulk")
"""
pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def slow(monkeypatch):
    """The steps of this process, too, are the slow ones."""
    monkeypatch.setattr(kinds, "KINDS", kinds.KINDS)
    slow_steps.use_slow_steps()


@pytest.fixture
def started():
    """``started("nightly", NIGHT)`` starts a process; those still there at the end are killed."""
    processes = []

    def start(*words, **surroundings):
        given = connection.settings_dict
        url = f"postgis://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
        env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "khareetaty.settings", "SLOW_STEPS": "1", **surroundings}
        if words[0] in ("nightly", "due"):
            words = ("-m", "incidents.tests.slow_steps", words[0], words[1].isoformat())
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=env, start_new_session=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            kill(process)


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("waited in vain")


def everybody_went_silent():
    long_ago = timezone.now() - pipeline.STALE_AFTER - timedelta(minutes=1)
    PipelineStep.objects.filter(status="running").update(heartbeat_at=long_ago)
    PipelineStep.objects.exclude(finished_at=None).update(finished_at=long_ago)


def assert_done_once():
    run = PipelineRun.objects.get()
    assert (run.status, run.counts["made"]) == ("done", 6), run.error
    assert Counter(NearRepeat.objects.values_list("category", flat=True)) == Counter(slow_steps.PARTS)
    assert Event.objects.filter(type="pipeline.finished").count() == 1
    return run


def test_a_step_whose_process_is_killed_is_handed_on_and_nothing_is_stored_twice(places, slow, started):
    process = started("nightly", NIGHT, STEP_SECONDS="0.6")
    wait_for(lambda: PipelineStep.objects.filter(status="done").exists() and PipelineStep.objects.filter(status="running").exists())
    kill(process)
    (cut_off,) = PipelineStep.objects.filter(status="running")
    done = set(NearRepeat.objects.values_list("pk", flat=True))
    assert done and not NearRepeat.objects.filter(category=cut_off.part).exists()
    assert PipelineStep.objects.filter(status="done").count() == len(done)

    PipelineStep.objects.exclude(pk=cut_off.pk).filter(finished_at__isnull=False).update(finished_at=timezone.now() - timedelta(minutes=1))
    assert pipeline.run_due_pipelines(now=NIGHT) == []  # nobody knows yet that it is dead
    everybody_went_silent()
    pipeline.run_due_pipelines(now=NIGHT)
    assert_done_once()
    cut_off.refresh_from_db()
    assert cut_off.attempts == 2 and done < set(NearRepeat.objects.values_list("pk", flat=True))


def test_ctrl_c_stops_the_run_and_stores_nothing_of_the_step_in_hand(places, slow, started):
    process = started("-c", COMMAND, STEP_SECONDS="1.5")  # nine seconds in all: it is interrupted long before its end
    wait_for(lambda: PipelineStep.objects.filter(status="done").exists() and PipelineStep.objects.filter(status="running").exists())
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    run = PipelineRun.objects.get()
    done = set(run.steps.filter(status="done").values_list("name", flat=True))
    assert run.status == "cancelled" and run.cancel_reason == "Interrupted at the command line"
    assert set(run.steps.exclude(status="done").values_list("status", flat=True)) == {"cancelled"}
    assert {f"slow:kw:{category}" for category in NearRepeat.objects.values_list("category", flat=True)} == done
    assert Event.objects.get(type="pipeline.finished").data["status"] == "cancelled"


@pytest.mark.faults
def test_the_night_ends_whatever_becomes_of_its_workers(places, slow, started):
    rng = random.Random(11)
    for _round in range(4):
        workers = [started("due", NIGHT) for _n in range(2)]
        wait_for(lambda: PipelineStep.objects.filter(status="running").exists() or not PipelineRun.objects.unfinished().exists())
        time.sleep(rng.uniform(0, 0.8))
        for worker in workers:
            kill(worker)
        everybody_went_silent()
        if PipelineRun.objects.filter(status="done").exists():
            break
    # Three attempts a step: two rounds may have cut the same step off, never more than the tests' rounds allow for.
    PipelineStep.objects.filter(status="running").update(attempts=1)
    pipeline.run_due_pipelines(now=NIGHT)
    assert_done_once()


@pytest.mark.faults
def test_two_beats_make_one_night_and_share_it(places, slow, started):
    beats = [started("due", NIGHT) for _n in range(3)]
    assert [beat.wait(60) for beat in beats] == [0, 0, 0]
    run = assert_done_once()
    assert run.key == "nightly:2026-03-10" and set(run.steps.values_list("attempts", flat=True)) == {1}


@pytest.mark.faults
def test_a_database_that_restarts_costs_the_step_under_way_and_no_more(places, slow, started):
    process = started("nightly", NIGHT)
    for _time in range(2):
        wait_for(lambda: PipelineStep.objects.filter(status="running").exists())
        time.sleep(0.1)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    assert process.wait(60) == 0
    run = assert_done_once()
    assert sum(run.steps.values_list("attempts", flat=True)) <= 8


@pytest.mark.faults
def test_a_redis_that_goes_away_stops_no_night(places, slow, started, tmp_path):
    from tests.test_live_faults import OwnRedis

    redis = OwnRedis(tmp_path)
    words = [
        "-m",
        "celery",
        "-A",
        "khareetaty",
        "worker",
        "--queues",
        "bulk",
        "--concurrency",
        "2",
        "--loglevel",
        "warning",
        "--include",
        "incidents.tests.slow_steps",
    ]
    try:
        worker = started(*words, REDIS_URL=redis.url)
        run = pipeline.create_run(trigger="nightly", as_of=NIGHT)
        subprocess.run([sys.executable, "-c", WAKE, redis.url, str(run.pk)], check=True, cwd=ROOT)
        wait_for(lambda: PipelineStep.objects.filter(status="running").count() == 2)  # two processes share it
        redis.kill()
        wait_for(lambda: PipelineRun.objects.filter(status="done").exists())
        assert_done_once()
        assert len(set(run.steps.values_list("worker", flat=True))) == 2
        kill(worker)
    finally:
        redis.kill()


@pytest.mark.faults
def test_a_wake_up_that_redis_lost_is_made_up_for_by_the_sweep(places, slow, cast, settings):
    asked = pipeline.request_pipeline_run(by=cast.analyst)  # nobody listens on this queue: as good as lost
    PipelineRun.objects.update(started_at=NIGHT - timedelta(hours=2))
    pipeline.run_due_pipelines(now=NIGHT - timedelta(hours=1))
    assert assert_done_once() == asked


# --- the real steps --------------------------------------------------------------------------------------------------
@pytest.fixture
def town(police_112, burglary, places, cast):
    """A crowded fortnight in Salmiya and 150 busy days, so that the forecasts take a while."""
    now = timezone.now()
    rows = [
        Incident(
            region=places.region,
            source=police_112,
            agency=cast.police,
            type=burglary,
            priority=2,
            severity=2,
            location=Point(47.92 + (n % 7) * 1e-4, 29.35, srid=4326),
            governorate=places.hawalli,
            area=places.salmiya,
            occurred_at=now - timedelta(days=n % 150, minutes=n % 1000 + 5),
            reported_at=now,
        )
        for n in range(3_000)
    ]
    Incident.objects.bulk_create(rows)
    return now


@pytest.mark.faults
def test_a_real_night_whose_process_is_killed_goes_on_where_it_was(town, started):
    process = started("-c", REAL_NIGHT, town.isoformat())
    wait_for(lambda: PipelineStep.objects.filter(status="done").exists())
    kill(process)
    run = PipelineRun.objects.get()
    issued = set(HotSpot.objects.values_list("pk", flat=True)), set(Forecast.objects.values_list("pk", flat=True))
    everybody_went_silent()
    pipeline.execute_run(run=run)
    run.refresh_from_db()
    assert run.status == "done", run.error
    assert issued[0] <= set(HotSpot.objects.values_list("pk", flat=True))
    assert issued[1] <= set(Forecast.objects.values_list("pk", flat=True))
    assert (
        Forecast.objects.filter(is_published=True).count() == run.counts["forecasts"] > 0
        and HotSpot.objects.count() == run.counts["hot_spots"] > 0
    )
    assert Event.objects.filter(type="pipeline.finished").count() == 1


@pytest.mark.faults
def test_three_processes_that_start_a_real_night_at_once_share_it(town, started):
    processes = [started("-c", REAL_NIGHT, town.isoformat()) for _ in range(3)]
    assert [process.wait(180) for process in processes] == [0, 0, 0]
    wait_for(lambda: not PipelineRun.objects.unfinished().exists())
    run = PipelineRun.objects.get()
    assert run.status == "done" and set(run.steps.values_list("attempts", flat=True)) == {1}
    assert Event.objects.filter(type="pipeline.finished").count() == 1
    assert (
        Forecast.objects.filter(is_published=True).count() == run.counts["forecasts"] and HotSpot.objects.count() == run.counts["hot_spots"]
    )
