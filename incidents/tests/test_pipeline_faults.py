"""ANA-11: a night survives kill -9 of its process, and several processes that start it at once run it once. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.gis.geos import Point
from django.db import connection
from django.utils import timezone

from core.models import Event
from incidents.models import Forecast, HotSpot, Incident, PipelineRun, PipelineStep
from incidents.services import pipeline

ROOT = Path(__file__).resolve().parents[2]
NIGHTLY = """
import django, sys
django.setup()
from datetime import datetime
from incidents.services.pipeline import run_pipeline
run_pipeline(trigger="nightly", as_of=datetime.fromisoformat(sys.argv[1]))
"""
pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


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


def start(now):
    given = connection.settings_dict
    url = f"postgis://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    surroundings = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "khareetaty.settings"}
    return subprocess.Popen([sys.executable, "-c", NIGHTLY, now.isoformat()], cwd=ROOT, env=surroundings, start_new_session=True)


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("waited in vain")


def test_a_night_whose_process_is_killed_goes_on_where_it_was_and_is_announced_once(town):
    process = start(town)
    try:
        wait_for(lambda: PipelineStep.objects.filter(name="forecasts:kw", status="running").exists())
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    cut_off = PipelineRun.objects.get()
    assert cut_off.status == "running" and cut_off.heartbeat_at and not Forecast.objects.exists()
    spots = set(HotSpot.objects.values_list("pk", flat=True))
    assert spots

    assert pipeline.run_due_pipelines(now=town) == []  # nobody knows yet that it is dead
    later = cut_off.heartbeat_at + pipeline.STALE_AFTER + timedelta(seconds=1)
    PipelineRun.objects.update(heartbeat_at=cut_off.heartbeat_at - pipeline.STALE_AFTER - timedelta(minutes=1))
    (resumed,) = pipeline.run_due_pipelines(now=later)
    assert (resumed.pk, resumed.status) == (cut_off.pk, "done")
    assert set(HotSpot.objects.values_list("pk", flat=True)) == spots  # not computed again
    assert Forecast.objects.current().count() == resumed.counts["forecasts"] > 0
    assert Event.objects.filter(type="pipeline.finished").count() == 1


def test_three_processes_that_start_a_night_at_once_run_it_once(town):
    processes = [start(town) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    run = PipelineRun.objects.get()
    assert run.status == "done" and run.steps.count() == 2
    assert Event.objects.filter(type="pipeline.finished").count() == 1
    assert Forecast.objects.count() == run.counts["forecasts"] and HotSpot.objects.count() == run.counts["hot_spots"]
