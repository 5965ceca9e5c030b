"""ANA-1, ANA-5, ANA-6: what the analytics learn from, as columns; ANA-8, ANA-9: what was issued stays as it was."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from geography.models import Region
from incidents.models import Forecast, ModelCard, PipelineRun
from incidents.services.pipeline.loading import load_points, utc_offsets


def test_incidents_come_as_columns_in_metres_on_the_local_clock_in_order_of_time(report, places):
    late = report(occurred_at=datetime(2026, 3, 6, 22, 30, tzinfo=UTC), severity=4)  # a Saturday, 01:30 in Kuwait
    early = report(occurred_at=datetime(2026, 3, 5, 9, 0, tzinfo=UTC), location=places.in_sharq)
    points = load_points(places.region, since=None, until=datetime(2026, 4, 1, tzinfo=UTC))
    assert points.at.tolist() == [early.occurred_at.timestamp(), late.occurred_at.timestamp()]
    assert points.hour.tolist() == [12, 1] and points.weekday.tolist() == [3, 5]
    assert points.day.tolist() == [(date(2026, 3, d) - date(1970, 1, 1)).days for d in (5, 7)]
    assert points.governorate_id.tolist() == [places.capital.pk, places.hawalli.pk] and points.severity[1] == 4
    assert points.category.tolist() == ["property", "property"] and not points.is_synthetic.any()
    there = places.in_sharq.transform(32638, clone=True)
    assert np.allclose(points.xy_m[0], (there.x, there.y), atol=0.01)
    assert len(points.where(points.hour > 5)) == 1


def test_the_window_begins_with_its_start_and_ends_before_its_end(report, places):
    at = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
    report(occurred_at=at)
    assert len(load_points(places.region, since=at, until=at + timedelta(seconds=1))) == 1
    assert len(load_points(places.region, since=None, until=at)) == 0
    assert len(load_points(places.region, since=at, until=at + timedelta(days=1), category="fire")) == 0


def test_what_may_not_be_learnt_from_is_not_loaded(report, places, burglary):
    report(origin="discovered")
    report(location=None)
    burglary.enforcement_sensitive = True
    burglary.save()
    report()
    assert len(load_points(places.region, since=None, until=timezone.now())) == 0


def test_a_region_nobody_has_reported_from_gives_no_points(places):
    empty = load_points(places.region, since=None, until=timezone.now())
    assert len(empty) == 0 and empty.xy_m.shape == (0, 2)


def test_the_clock_is_read_hour_by_hour_over_a_change_to_summer_time():
    before = datetime(2017, 3, 12, 7, 59, tzinfo=UTC).timestamp()
    after = datetime(2017, 3, 12, 8, 0, tzinfo=UTC).timestamp()
    assert utc_offsets(np.array([before, after]), ZoneInfo("America/Chicago")).tolist() == [-6 * 3600, -5 * 3600]


@pytest.fixture
def forecast(places):
    run = PipelineRun.objects.create(key="frozen", as_of=timezone.now())
    return Forecast.objects.create(
        run=run, region=Region.objects.get(code="kw"), zone=places.hawalli, day=timezone.localdate(),
        expected=3, low=1, high=6, method="weekday_counts", history_days=90, is_current=True,
    )  # fmt: skip


def test_an_issued_prediction_can_be_followed_by_another_but_never_rewritten_or_deleted(forecast):
    Forecast.objects.filter(pk=forecast.pk).update(is_current=False)
    for change in (lambda rows: rows.update(expected=9), lambda rows: rows.update(expected=9, is_current=True), lambda rows: rows.delete()):
        with pytest.raises(IntegrityError, match="frozen when issued"), transaction.atomic():
            change(Forecast.objects.filter(pk=forecast.pk))
    forecast.refresh_from_db()
    assert (forecast.expected, forecast.is_current) == (3, False)


def test_a_model_card_can_be_added_and_read_and_nothing_else(forecast):
    card = ModelCard.objects.create(run=forecast.run, region=forecast.region, model="weekday_counts", facts={"seed": 1})
    for change in (lambda rows: rows.update(facts={}), lambda rows: rows.delete()):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            change(ModelCard.objects.filter(pk=card.pk))
