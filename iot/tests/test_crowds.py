"""IOT-6: whether incidents follow crowds, as rows of a run: found where they do, "no evidence" where not, and how many were looked at."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from incidents.models import Incident
from iot.models import CrowdResult, Device
from iot.services.crowds import correlate_crowds, crowd_of, hour_of_week
from iot.services.risk.levels import HOUR
from iot.tests.watching import Watch


def half_a_year(watch: Watch, device: Device, report: Any, *, ratio: float, seed: int, weeks: int = 16, **given: Any) -> None:
    """Hours of a crowd that is unusual now and then, and incidents ``ratio`` times as likely in the hour after."""
    rng = np.random.default_rng(seed)
    hours = weeks * 168
    crowd = rng.gamma(4, 25, hours)
    start = watch.at - timedelta(weeks=weeks)
    watch.hours(device, "people", {start + n * HOUR: float(level) for n, level in enumerate(crowd)})
    after = np.r_[False, crowd[:-1] > np.quantile(crowd, 0.8)]
    first = report(occurred_at=start, **given)
    rows = []
    for hour in np.flatnonzero(rng.poisson(np.where(after, 0.05 * ratio, 0.05))):
        row = Incident.objects.get(pk=first.pk)
        row.pk, row.occurred_at = None, start + int(hour) * HOUR + timedelta(minutes=20)
        rows.append(row)
    Incident.objects.bulk_create(rows)


def of(zone: Any, type: str | None = None) -> CrowdResult:
    return CrowdResult.objects.newest().get(zone=zone, type__code=type) if type else CrowdResult.objects.newest().get(zone=zone, type=None)


def test_incidents_that_follow_crowds_are_found_and_others_are_no_evidence(watch: Watch, places: Any, report: Any) -> None:
    follows = watch.device("C-1", "crowd", places.in_salmiya, is_heard=True)
    chance = watch.device("C-2", "crowd", places.in_jabriya, is_heard=True)
    half_a_year(watch, follows, report, ratio=4.0, seed=1)
    half_a_year(watch, chance, report, ratio=1.0, seed=2, location=places.in_jabriya)
    run = correlate_crowds(now=watch.at + timedelta(minutes=10))
    assert (run.looked_at, run.judged) == (4, 4) and run.found == 2  # of one type, and all types together
    found, none = of(places.salmiya, "burglary"), of(places.jabriya, "burglary")
    assert found.verdict == "evidence" and 1 < (found.low or 0) < (found.ratio or 0) < (found.high or 0) and (found.q or 1) <= 0.05
    assert none.verdict == "no_evidence" and none.why == "" and (none.low or 9) <= 1 <= (none.high or 0)
    assert found.run == run and found.sensors == 1 and found.lag_h == 2


def test_too_little_is_said_with_its_figures(watch: Watch, places: Any, report: Any) -> None:
    device = watch.device("C-1", "crowd", places.in_salmiya, is_heard=True)
    half_a_year(watch, device, report, ratio=3.0, seed=3, weeks=5)
    run = correlate_crowds(now=watch.at)
    row = of(places.salmiya)
    assert (run.judged, run.found) == (0, 0) and row.verdict == "too_little" and row.why == "few_weeks" and row.weeks <= 6
    assert row.ratio is None and row.q is None


def test_what_chance_brings_among_many_is_not_called_evidence(watch: Watch, places: Any, report: Any, monkeypatch: Any) -> None:
    device = watch.device("C-1", "crowd", places.in_salmiya, is_heard=True)
    half_a_year(watch, device, report, ratio=3.0, seed=4)
    monkeypatch.setattr("iot.services.crowds.q_values", lambda p: np.full_like(p, 0.2))  # as it is when hundreds are looked at
    correlate_crowds(now=watch.at)
    row = of(places.salmiya, "burglary")
    assert (row.low or 0) > 1 and row.verdict == "no_evidence" and row.why == "many_looked_at" and row.q == 0.2


def test_an_agency_looks_at_its_own_sensors_and_incidents(watch: Watch, places: Any, report: Any, cast: Any) -> None:
    device = watch.device("C-1", "crowd", places.in_salmiya, agency=cast.fire, is_heard=True)
    half_a_year(watch, device, report, ratio=3.0, seed=5)
    correlate_crowds(now=watch.at)
    row = of(places.salmiya)
    assert row.agency == cast.fire and row.after_crowds == 0 and row.why == "few_incidents"
    assert not CrowdResult.objects.visible_to(cast.supervisor).exists() and CrowdResult.objects.visible_to(cast.firefighter).exists()


def test_several_sensors_count_alike_and_hours_nobody_spoke_are_unknown(watch: Watch, places: Any) -> None:
    small, large = (watch.device(code, "crowd", places.in_salmiya) for code in ("C-1", "C-2"))
    start = watch.at - 4 * HOUR
    watch.hours(small, "people", {start: 1.0, start + HOUR: 2.0, start + 2 * HOUR: 1.0})
    watch.hours(large, "people", {start: 1000.0, start + HOUR: 1000.0})
    streams = (watch.stream(small, "people").pk, watch.stream(large, "people").pk)
    levels = crowd_of(streams, start, watch.at)
    assert levels[:3] == pytest.approx([1.0, 1.5, 1.0]) and np.isnan(levels[3])
    assert hour_of_week(watch.at) == (2 * 24 + 9)  # a Wednesday, nine in UTC


def test_an_old_run_goes_with_its_rows(watch: Watch, places: Any) -> None:
    watch.stream(watch.device("C-1", "crowd", places.in_salmiya, is_heard=True), "people")
    correlate_crowds(now=watch.at - timedelta(days=100))
    correlate_crowds(now=watch.at)
    assert CrowdResult.objects.count() == 1
