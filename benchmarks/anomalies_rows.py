"""The detectors with their rows: the watcher's share of a batch, what a night takes to learn a profile, what a look at the hours takes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.report import Report

SECTION = "Anomalies: with their rows"
DEVICES, DAYS = 5_000, 28
BATCHES, WARM = 45, 30
_HOURS = """
INSERT INTO iot_rollup_1h (datastream_id, at, n, min, max, sum, last, last_at, bad_n)
SELECT s.id, h.at, 60, v.value - v.half, v.value + v.half, 60 * v.value, v.value, h.at, 0
FROM iot_datastream s CROSS JOIN generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') AS h (at)
CROSS JOIN LATERAL (
    SELECT 20 + s.id %% 7 + 4 * sin(extract(epoch FROM h.at) / 86400 * 2 * pi()) + random() + random() + random() - 1.5 AS value,
        0.5 + random() / 2 AS half
) AS v
"""


def run(report: Report) -> None:
    from django.core.management import call_command
    from django.db import connection

    from geography.models import Region
    from iot.services.anomalies import fit_profile, look_at_hours

    call_command("migrate", verbosity=0)
    if not Region.objects.exists():
        call_command("load_gazetteer", verbosity=0)
    profile, streams = _world()
    report.row(SECTION, "load of the machine before measuring", os.getloadavg()[0], "", "others' work shows in every time below")
    _watched(report, streams)
    _rules(report, streams)
    now = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_HOURS, [now.replace(minute=0) - timedelta(days=DAYS + 1), now.replace(minute=0)])
        cursor.execute("ANALYZE iot_rollup_1h")
    started = time.perf_counter()
    fit = fit_profile(profile=profile, now=now)
    took = time.perf_counter() - started
    assert fit.model is not None, fit.why
    (figures,) = fit.facts["metrics"]
    note = f"{fit.facts['rows']:,} hours learnt from, {len(fit.model) / 1e6:.1f} MB kept; {figures['alarms']} alarms in "
    note += f"{figures['held_days']:,} held-out days of sensors, at most 1 in {1 / figures['bound']:,.0f}"
    report.row(SECTION, f"a night's fit of one profile, {DEVICES:,} devices, {DAYS} days", took, "s", note)
    took_s, judged, raised = [], 0, 0
    for _look in range(3):
        started = time.perf_counter()
        done = look_at_hours(now=now)
        took_s.append(time.perf_counter() - started)
        judged, raised = done.judged, raised + done.raised
    note = f"both detectors, the median of 3; {judged:,} judged, {raised} raised of a healthy fleet"
    report.row(SECTION, f"a look at the hours just over, {DEVICES:,} devices", float(np.median(took_s)), "s", note)


def _world():  # type: ignore[no-untyped-def]
    from django.contrib.gis.geos import Point

    from accounts.models import Agency
    from incidents.services.vocabulary import ensure_vocabulary
    from iot.models import Datastream, DetectorSetting, Device, DeviceProfile, Metric

    ensure_vocabulary()
    police = Agency.objects.get(slug="police")
    profile = DeviceProfile.objects.create(code="bench", name_en="B", name_ar="B", kind="environment", expected_every_s=60)
    metric = Metric.objects.create(
        profile=profile, code="temperature", name_en="T", name_ar="T", least=-50, most=90, stuck_after_s=3600, most_change_per_min=20
    )
    names = ["threshold", "rate", "robust", "seasonal", "drift", "stuck", "gap", "isolation", "neighbours"]
    DetectorSetting.objects.create(metric=metric, detectors=names, high=60)
    Device.objects.bulk_create(
        Device(
            code=f"B{n}", profile=profile, agency=police, state="active", is_synthetic=True,
            location=Point(47.7 + 0.005 * (n % 80), 29.0 + 0.005 * (n // 80), srid=4326),
        )
        for n in range(DEVICES)
    )  # fmt: skip
    Datastream.objects.bulk_create(Datastream(device=device, metric=metric) for device in Device.objects.filter(profile=profile))
    return profile, np.array(list(Datastream.objects.order_by("pk").values_list("pk", flat=True)), np.int64)


def _watched(report: Report, streams: np.ndarray) -> None:
    """Two readings of each device a batch, a minute apart, through everything the watcher does with them but its wait."""
    from iot.analytics.streaming import warm
    from iot.services.anomalies.watching import Watched

    warm()
    watched, rng = Watched(), np.random.default_rng(1)
    at = datetime.now(UTC) - timedelta(hours=2)
    took = []
    for _batch in range(BATCHES):
        at_s = np.concatenate([np.full(len(streams), at.timestamp()), np.full(len(streams), at.timestamp() + 60)])
        at += timedelta(minutes=2)
        value = np.tile(20 + streams % 7, 2) + rng.normal(0, 0.3, 2 * len(streams))
        started = time.perf_counter()
        watched.hear(np.tile(streams, 2), at_s, value, now=at)
        took.append((time.perf_counter() - started) * 1_000)
    steady = took[WARM:]
    note = f"Watched.hear, seven detectors, with its rows: median of {len(steady)}, the least {min(steady):.1f} ms; goal: under 100"
    report.row(SECTION, f"10,000 readings of {len(streams):,} series heard by the watcher", float(np.median(steady)), "ms", note)


# Beside a limit held for a while and a count, one whose readings all have to be looked at: it rises.
CONDITIONS = (
    {"for_s": 300, "of": {"metric": "temperature", "above": 50, "until": 45}},
    {"count": {"metric": "temperature", "above": 40}, "at_least": 3, "within_s": 3600},
    {"all": [{"metric": "temperature", "below": 5}, {"from": "22:00", "to": "05:00"}]},
)
RISES = {"metric": "temperature", "rises_by": 30, "within_s": 600}


def _rules(report: Report, streams: np.ndarray) -> None:
    """What the watcher does with a batch for rules people wrote; one device in a hundred is too hot, and its rules have fired already."""
    from iot.services.rules.following import Followed

    for conditions, what in ((CONDITIONS, "3 rules"), ((*CONDITIONS, RISES), "4 rules, one of which is a rise")):
        now = datetime.now(UTC)
        _write_rules(conditions)
        followed, rng = Followed(), np.random.default_rng(2)
        started = time.perf_counter()
        followed.refresh(now=now)
        read_s = time.perf_counter() - started
        started = time.perf_counter()
        followed.refresh(now=now)
        again_s = time.perf_counter() - started
        at, took = now.timestamp() - 120 * BATCHES, []
        for _batch in range(BATCHES):
            at_s = np.repeat([at, at + 60], len(streams))
            at += 120
            value = np.tile(np.where(np.arange(len(streams)) % 100 == 0, 60.0, 20.0), 2) + rng.normal(0, 0.3, 2 * len(streams))
            started = time.perf_counter()
            followed.hear(np.tile(streams, 2), at_s, value, now=now)
            took.append((time.perf_counter() - started) * 1_000)
        steady = took[WARM:]
        note = f"Followed.hear, one device in a hundred too hot: median of {len(steady)}, the least {min(steady):.1f} ms"
        report.row(SECTION, f"10,000 readings of {len(streams):,} devices through {what}", float(np.median(steady)), "ms", note)
        note = f"reading all of them anew took {read_s:.2f} s"
        report.row(SECTION, f"a look whether anything about {what} has changed", again_s * 1_000, "ms", note)


def _write_rules(conditions: Sequence[object]) -> None:
    from accounts.models import Agency
    from iot.models import RuleFiring, TelemetryRule

    RuleFiring.objects.all().delete()
    TelemetryRule.objects.all().delete()
    police = Agency.objects.get(slug="police")
    TelemetryRule.objects.bulk_create(
        TelemetryRule(agency=police, name_en=f"R{n}", name_ar=f"R{n}", condition=one, actions=["event"], is_active=True)
        for n, one in enumerate(conditions)
    )
