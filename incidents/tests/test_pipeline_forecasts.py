"""ANA-6, ANA-11: a week ahead for the country, each governorate and each area with enough history, from whole local days alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from incidents.models import Forecast, Incident, IncidentType
from incidents.services import pipeline

KUWAIT = ZoneInfo("Asia/Kuwait")
TODAY = date(2026, 3, 10)
NIGHT = datetime(2026, 3, 10, 2, 0, tzinfo=KUWAIT)


@pytest.fixture
def days(police_112, burglary, places, cast):
    """``days(2.0, n=100)``: about two incidents a day in Salmiya on each of the n days before TODAY, at any hour of the day."""
    rng = np.random.default_rng(8)

    def make(a_day, *, n=100, until=TODAY, **given):
        rows = []
        for back in range(1, n + 1):
            midnight = datetime.combine(until - timedelta(days=back), datetime.min.time(), KUWAIT)
            for _ in range(rng.poisson(a_day)):
                at = midnight + timedelta(hours=float(rng.uniform(0, 24)))
                details = {
                    "region": places.region,
                    "source": police_112,
                    "agency": cast.police,
                    "type": burglary,
                    "priority": 2,
                    "severity": 2,
                    "location": places.in_salmiya,
                    "governorate": places.hawalli,
                    "area": places.salmiya,
                    "occurred_at": at,
                    "reported_at": at,
                }
                rows.append(Incident(**{**details, **given}))
        return Incident.objects.bulk_create(rows)

    return make


def run(**given):
    return pipeline.run_pipeline(**{"trigger": "manual", "as_of": NIGHT, "only": ["forecasts"], **given})


def test_each_zone_with_enough_history_gets_seven_days_from_today_on(days, places):
    days(2.0)
    done = run()
    assert done.status == "done", done.error
    found = Forecast.objects.current()
    assert {(f.zone.code, f.category) for f in found} == {
        ("T-KW", ""),
        ("T-KW", "property"),
        ("T-HA", ""),
        ("T-HA", "property"),
        ("T-SAL", ""),
    }
    salmiya = found.of_zone(places.salmiya.pk)
    assert [f.day for f in salmiya] == [TODAY + timedelta(days=ahead) for ahead in range(7)]
    assert all(f.method == "weekday_counts" and f.interval == 0.8 and f.history_days == 100 for f in salmiya)
    assert all(1.2 < f.expected < 3 and 0 <= f.low <= f.expected <= f.high for f in salmiya)
    assert done.counts["forecasts"] == 5 * 7 and done.steps.get().counts["series"] == 5


def test_a_busy_governorate_is_prophets_and_says_so(days, places):
    days(12.0, n=150)
    done = run()
    assert set(Forecast.objects.of_zone(places.hawalli.pk).filter(category="").values_list("method", flat=True)) == {"prophet"}
    assert done.steps.get().counts["methods"]["prophet"] >= 2


def test_today_is_not_learnt_from(days, places):
    days(2.0)
    before = list(run().forecasts.order_by("zone", "category", "day").values_list("expected", "low", "high"))
    days(30.0, n=1, until=TODAY + timedelta(days=1))  # today, up to any hour
    later = run(as_of=NIGHT + timedelta(hours=20))
    assert list(later.forecasts.order_by("zone", "category", "day").values_list("expected", "low", "high")) == before


def test_what_may_not_be_learnt_from_moves_no_forecast(days, cast):
    days(2.0)
    before = list(run().forecasts.order_by("zone", "category", "day").values_list("expected", flat=True))
    drugs = IncidentType.objects.create(code="drugs-x", name_en="Drugs", category="property", enforcement_sensitive=True)
    days(3.0, origin="discovered")
    days(3.0, type=drugs)
    days(3.0, state="unfounded")
    days(3.0, location=None)
    after = run(as_of=NIGHT + timedelta(minutes=1))
    assert list(after.forecasts.order_by("zone", "category", "day").values_list("expected", flat=True)) == before


@pytest.mark.parametrize(("a_day", "n"), [(3.0, 20), (0.03, 100)], ids=["too short", "too thin"])
def test_too_little_history_gives_no_figure(days, a_day, n):
    days(a_day, n=n)
    counts = run().steps.get().counts
    assert counts["forecasts"] == 0 and not Forecast.objects.exists()
    assert counts["passed_over"].get("too little history", 0) > 0 or counts.get("empty_because")


def test_a_feed_that_stopped_gets_no_forecast_and_the_count_says_since_when(days):
    days(5.0, until=TODAY - timedelta(days=20))
    counts = run().steps.get().counts
    assert counts["forecasts"] == 0 and counts["empty_because"] == "no incidents for two weeks"
    assert counts["newest_incident"] == "2026-02-17"


def test_a_feed_silent_for_three_days_does_not_drag_the_forecast_down(days, places):
    days(25.0, n=60, until=TODAY - timedelta(days=3))
    done = run()
    assert done.steps.get().counts["silent_days"] == 3
    assert all(20 < f.expected < 30 for f in Forecast.objects.current().of_zone(places.salmiya.pk))


def test_a_forecast_made_of_synthetic_incidents_says_so(days):
    days(2.0, is_synthetic=True)
    run()
    assert not Forecast.objects.filter(is_synthetic=False).exists()


def test_each_sees_the_forecasts_of_their_governorates_and_their_areas(days, places, cast):
    days(2.0)
    days(2.0, location=places.in_sharq, governorate=places.capital, area=places.sharq)
    run()
    seen = {
        who: set(Forecast.objects.current().visible_to(getattr(cast, who)).values_list("zone__code", flat=True))
        for who in ("officer", "stranger", "superadmin")
    }
    assert seen == {"officer": {"T-HA", "T-SAL"}, "stranger": {"T-KU", "T-SHA"}, "superadmin": {"T-KW", "T-HA", "T-SAL", "T-KU", "T-SHA"}}
    assert not Forecast.objects.visible_to(None).exists()


def test_a_new_night_supersedes_and_keeps_what_was_issued(days):
    days(2.0)
    first, second = run(), run(as_of=NIGHT + timedelta(days=1))
    assert set(Forecast.objects.current().values_list("run_id", flat=True)) == {second.pk}
    assert first.forecasts.count() == first.counts["forecasts"] == 35


def test_the_database_itself_refuses_an_interval_out_of_order(days):
    days(2.0)
    run()
    for wrong in ({"low": -1}, {"high": 0, "expected": 1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Forecast.objects.update(**wrong)
