"""IOT-6, OPS-1: the demo's devices have weeks behind them, made up and labelled so, once; what nights say of them is there at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from demo.services import devices as demo_devices
from demo.services import weeks
from demo.services.devices import Fleet, create_demo_devices
from demo.services.weeks import WEEKS, WEEKS_OF_CROWDS, look_back, tell_weeks
from incidents.models import Incident
from iot.models import CrowdResult, Datastream, Device, Insight, RollupDay, RollupHour, ZoneRisk
from iot.services.partitions import keep_days_ready

HOUR = timedelta(hours=1)


@pytest.fixture
def now():
    return datetime.now(UTC)


@pytest.fixture
def fleet(cast, places, settings, tmp_path, monkeypatch, now):
    """Crowd sensors in Salmiya and Sharq, motion sensors, thermometers."""
    settings.VAR_DIR = tmp_path
    fleets = (
        Fleet("crowd", "police", "CRD", 8, ("people", "density")),
        Fleet("motion", "police", "MOT", 4, ("motion", "motion_events")),
        Fleet("air", "fire", "AIR", 2, ("temperature",)),
    )
    monkeypatch.setattr(demo_devices, "FLEETS", fleets)
    monkeypatch.setattr(weeks, "CROWDED_AREAS", 1)
    keep_days_ready(now=now)
    create_demo_devices(region=places.region, now=now)
    return places


def happened(report, now, rng, count, **given):
    first = report(occurred_at=now - timedelta(days=2), **given)
    rows = []
    for hours_ago in rng.uniform(48, WEEKS_OF_CROWDS * 168 - 8, count):
        row = Incident.objects.get(pk=first.pk)
        row.pk, row.occurred_at = None, now - timedelta(hours=float(hours_ago))
        rows.append(row)
    Incident.objects.bulk_create(rows)


def test_weeks_end_where_the_day_of_readings_begins_and_are_told_once(fleet, now):
    kept = tell_weeks(now=now)
    in_use = Device.objects.filter(state=Device.State.ACTIVE)
    streams = Datastream.objects.filter(device__in=in_use)
    crowds = streams.filter(device__profile__code="crowd").count()
    assert kept == 168 * (WEEKS_OF_CROWDS * crowds + WEEKS * (streams.count() - crowds)) and tell_weeks(now=now) == 0
    device = in_use.filter(profile__code="air").earliest("pk")
    hours = list(RollupHour.objects.filter(datastream__device=device).order_by("at"))
    last_told = datetime.fromtimestamp((now.timestamp() - 86_400) // 3600 * 3600, UTC) - HOUR
    assert hours[0].at == last_told - (WEEKS * 168 - 1) * HOUR
    assert all(later.at - one.at == HOUR for one, later in pairwise(hours) if later.at <= last_told + HOUR)
    assert {row.n for row in hours if row.at <= last_told} == {3600 // device.profile.expected_every_s}
    assert all(-20 <= (row.min or 0) <= (row.last or 0) <= (row.max or 0) <= 80 for row in hours)
    days = RollupDay.objects.filter(datastream__device=device)
    assert WEEKS * 7 <= days.count() <= WEEKS * 7 + 3
    assert sum(days.values_list("n", flat=True)) == sum(row.n for row in hours)
    assert not in_use.filter(registered_at__gt=hours[0].at).exists() and not Device.objects.filter(is_synthetic=False).exists()


def test_an_evening_is_livelier_at_the_weekend(fleet, now):
    tell_weeks(now=now)
    rows = RollupHour.objects.filter(datastream__metric__code="people", at__hour=17).values_list("at", "sum", "n")  # eight in Kuwait
    level: dict[bool, list[float]] = {True: [], False: []}
    for at, total, n in rows.filter(at__lt=now - timedelta(days=2)):
        level[at.weekday() in (4, 5)].append(total / n)
    assert np.mean(level[True]) > 1.15 * np.mean(level[False])


def test_incidents_follow_crowds_in_one_area_and_not_in_another_and_the_nights_pages_are_filled(fleet, now, report):
    rng = np.random.default_rng(1)
    happened(report, now, rng, 200, location=fleet.in_salmiya)
    happened(report, now, rng, 150, location=fleet.in_sharq)
    tell_weeks(now=now)
    said = look_back(now=now)
    rows = {row.zone.code: row for row in CrowdResult.objects.newest().filter(type=None).select_related("zone")}
    crowded = set(Device.objects.filter(profile__kind="crowd", state="active").values_list("area__code", flat=True))
    assert {"T-SAL", "T-SHA"} <= crowded == set(rows)
    assert rows["T-SAL"].verdict == "evidence" and (rows["T-SAL"].low or 0) > 1.2
    assert rows["T-SHA"].verdict == "no_evidence" and all(row.is_synthetic for row in rows.values())
    assert said["with evidence"] >= 1 and said["scores"] >= 2
    assert not ZoneRisk.objects.current().filter(notes__contains=[{"code": "too_little_motion"}]).exists()
    assert not ZoneRisk.objects.current().filter(notes__contains=[{"code": "too_little_crowd"}]).exists()
    assert ZoneRisk.objects.current().exists()
    motion = Insight.objects.filter(code=Insight.Code.LATE_NIGHT_MOTION)
    assert motion.exists() and all(row.is_synthetic for row in motion)
