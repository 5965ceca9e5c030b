"""OPS-1: the synthetic history has the structure it claims, and one seed makes one history."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from demo.generator import KINDS, Place, draw, in_ramadan

KUWAIT = ZoneInfo("Asia/Kuwait")
PLACES = [Place(47.95 + 0.02 * (n % 8), 29.25 + 0.02 * (n // 8), 900.0, 1.0) for n in range(48)]


def history(count=40_000, seed=7):
    return draw(
        places=PLACES, count=count, start=datetime(2024, 6, 1, tzinfo=UTC), end=datetime(2026, 6, 1, tzinfo=UTC), zone=KUWAIT, seed=seed
    )


@pytest.fixture(scope="module")
def drawn():
    return history()


def index(code):
    return next(i for i, kind in enumerate(KINDS) if kind.code == code)


def test_about_as_many_as_asked_oldest_first_inside_the_window(drawn):
    assert 0.97 < drawn.at.size / 40_000 < 1.03
    assert (np.diff(drawn.at) >= 0).all()
    assert drawn.at[0] >= datetime(2024, 6, 1, tzinfo=UTC).timestamp() and drawn.at[-1] < datetime(2026, 6, 1, tzinfo=UTC).timestamp()


def test_one_seed_makes_one_history_and_another_seed_another(drawn):
    again, other = history(), history(seed=8)
    assert np.array_equal(drawn.at, again.at) and np.array_equal(drawn.lon, again.lon)
    assert drawn.at.size != other.at.size or not np.array_equal(drawn.at, other.at)


def test_a_few_places_stay_hot_for_both_years(drawn):
    cells = np.round(drawn.lon / 0.0026).astype(int) * 100_000 + np.round(drawn.lat / 0.00225).astype(int)
    early = drawn.at < np.median(drawn.at)
    names, counts = np.unique(cells[early], return_counts=True)
    hottest = names[np.argsort(counts)[-20:]]
    share_early, share_late = np.isin(cells[early], hottest).mean(), np.isin(cells[~early], hottest).mean()
    assert share_early > 0.06 and share_late > 0.8 * share_early


def test_burglaries_repeat_nearby_more_than_chance_would(drawn):
    mine = drawn.kind == index("burglary")
    at, x, y = drawn.at[mine], drawn.lon[mine] * 97_000, drawn.lat[mine] * 111_320
    by_chance = [np.random.default_rng(n).permutation(at) for n in range(5)]

    def close_pairs(times):
        near = np.hypot(x[:, None] - x[None], y[:, None] - y[None]) < 200
        soon = np.abs(times[:, None] - times[None]) < 14 * 86_400
        return (near & soon).sum() - times.size

    assert close_pairs(at) > 1.1 * max(close_pairs(times) for times in by_chance)


def test_heat_illness_is_a_summer_thing_and_congestion_a_working_day_one(drawn):
    local = [datetime.fromtimestamp(t, KUWAIT) for t in drawn.at]
    months = np.array([t.month for t in local])
    weekend = np.array([t.weekday() in (4, 5) for t in local])
    heat, jam = drawn.kind == index("heat-illness"), drawn.kind == index("congestion")
    assert np.isin(months[heat], (6, 7, 8)).mean() > 0.4
    assert weekend[jam].mean() < 0.2


def test_in_ramadan_the_evening_moves_behind_the_fast(drawn):
    mine = drawn.kind == index("road-accident")
    local = [datetime.fromtimestamp(t, KUWAIT) for t in drawn.at[mine]]
    fasting = np.array([in_ramadan(t.date()) for t in local])
    late = np.array([t.hour in (20, 21) for t in local])
    assert late[fasting].mean() > 1.25 * late[~fasting].mean()


def test_an_empty_window_is_refused():
    with pytest.raises(ValueError):
        draw(places=PLACES, count=10, start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, tzinfo=UTC), zone=KUWAIT, seed=1)
