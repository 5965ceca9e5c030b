"""PAT-2: demand by area, hour and cell from history, trend, forecast and risk surface, each part visible, and what is missing said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from core.errors import Invalid
from incidents.models import Surface
from incidents.tests.issued import forecast, run_at
from patrol.analytics.demand import blend, by_profile, shares_within, trend_ratio, weekly_profile
from patrol.services.demand import demand_for
from patrol.tests.planning import burglaries


def of_shift(tomorrow: Any) -> Any:
    shift = tomorrow.shift
    return demand_for(governorate=shift.governorate, agency=shift.agency, start=shift.starts_at, end=shift.ends_at)


def test_a_weeks_rhythm_adds_up_to_the_weekly_mean_and_a_day_to_its_forecast() -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.4, (3, 168)).astype(float)
    profile = weekly_profile(counts, 10)
    assert profile.sum(axis=1) == pytest.approx(counts.sum(axis=1) / 10)
    hours = np.arange(24, 48)
    spread = by_profile(np.array([[5.0], [2.0], [np.nan]]), profile, hours, np.zeros(24, np.int64))
    assert spread.sum(axis=1)[:2] == pytest.approx([5, 2]) and np.isnan(spread[2]).all()


def test_a_trend_of_few_leans_on_all_and_never_more_than_doubles() -> None:
    ratio = trend_ratio(np.array([40.0, 0.0, 100.0]), 4, np.array([10.0, 0.1, 1.0]))
    assert ratio[2] == 2.0 and ratio[1] > 0.5


def test_a_part_that_is_missing_leaves_its_weight_to_the_others() -> None:
    table = blend({"history": np.array([[2.0, np.nan]]), "risk": np.array([[4.0, 4.0]])})
    assert table.weights == {"history": 0.5, "risk": 0.5} and table.expected.tolist() == [[3.0, 4.0]]
    with pytest.raises(ValueError, match="nothing"):
        blend({})


def test_shares_of_an_area_without_values_are_even() -> None:
    assert shares_within(np.array([3.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1]), 2).tolist() == [0.75, 0.25, 0.5, 0.5]


def test_too_little_history_is_said_and_not_made_up(tomorrow: Any, burglary: Any, police_112: Any, places: Any) -> None:
    burglaries(burglary, police_112, places, days=6)
    demand = of_shift(tomorrow)
    assert set(demand.parts) == {"risk"} and demand.weights == {"risk": 1.0}
    notes = {note.code: note.facts for note in demand.notes}
    assert notes["too_little_history"] == {"days": 5, "needs": 28} and "no_forecast" in notes


def test_all_four_parts_stand_side_by_side_with_weights_and_provenance(tomorrow: Any, burglary: Any, police_112: Any, places: Any) -> None:
    burglaries(burglary, police_112, places, days=70)
    run = run_at(datetime.now(UTC) - timedelta(hours=1))
    forecast(run, places.hawalli, tomorrow.shift.starts_at.date(), expected=12, low=1, high=20)
    demand = of_shift(tomorrow)
    assert list(demand.parts) == ["history", "trend", "forecast", "risk"] and sum(demand.weights.values()) == pytest.approx(1)
    assert demand.expected.shape == (3, 8) and len(demand.hours) == 8
    assert demand.parts["history"].sum() == pytest.approx(4 * 8 / 24, rel=0.6)
    assert 2 < demand.parts["forecast"].sum() < 7  # eight of twenty-four hours of twelve
    assert demand.of_cells().sum() == pytest.approx(demand.total - demand.unplaced)
    assert demand.provenance["surface"] == tomorrow.surface.pk and demand.provenance["incidents"] == 280
    assert demand.provenance["forecast_run"] == run.pk
    stored = demand.stored()
    assert stored["weights"]["forecast"] == 0.35 and len(stored["parts"]["risk"]) == 3
    assert not demand.is_synthetic


def test_another_agencys_incidents_are_no_police_demand(tomorrow: Any, burglary: Any, police_112: Any, places: Any, cast: Any) -> None:
    burglaries(burglary, police_112, places, days=70)
    police = of_shift(tomorrow)
    fire = demand_for(governorate=places.hawalli, agency=cast.fire, start=tomorrow.shift.starts_at, end=tomorrow.shift.ends_at)
    assert police.total > 0 and fire.total == 0 and fire.provenance["agency_share"] == 0


def test_without_a_surface_the_cells_are_those_where_things_happened(tomorrow: Any, burglary: Any, police_112: Any, places: Any) -> None:
    Surface.objects.update(is_current=False)
    burglaries(burglary, police_112, places, days=70)
    demand = of_shift(tomorrow)
    assert "risk" not in demand.parts and "no_surface" in {note.code for note in demand.notes}
    assert len(demand.places) and demand.of_cells().sum() == pytest.approx(demand.total)


def test_an_hour_that_is_cut_counts_for_its_part_and_two_weeks_are_the_most(tomorrow: Any) -> None:
    start = tomorrow.shift.starts_at
    whole = demand_for(governorate=tomorrow.shift.governorate, agency=tomorrow.shift.agency, start=start, end=start + timedelta(hours=1))
    half = demand_for(
        governorate=tomorrow.shift.governorate,
        agency=tomorrow.shift.agency,
        start=start + timedelta(minutes=30),
        end=start + timedelta(hours=1),
    )
    assert half.total == pytest.approx(whole.total / 2)
    for end in (start, start + timedelta(days=15)):
        with pytest.raises(Invalid):
            demand_for(governorate=tomorrow.shift.governorate, agency=tomorrow.shift.agency, start=start, end=end)
