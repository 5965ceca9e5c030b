"""ANA-1: a hot spot is called significant, or risen, no oftener than it should be where nothing is planted; what is planted is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from incidents.analytics.background import judge
from incidents.analytics.dbscan import dbscan
from incidents.analytics.trend import exact_interval, rate_ratios

SIDE = 20_000.0
FOUND_WITH: dict[str, Any] = {"eps_m": 300.0, "min_points": 10}


def even(rng, n):
    return rng.uniform(0, SIDE, (n, 2))


def towns(rng, n, spread_m=3_000):
    """Most incidents in six towns, the rest anywhere: a smooth background that is far from even."""
    middles, town = rng.uniform(2_000, SIDE - 2_000, (6, 2)), rng.integers(0, 8, n)
    xy = even(rng, n)
    xy[town < 6] = middles[town[town < 6]] + rng.normal(0, spread_m, ((town < 6).sum(), 2))
    return xy


def coast(rng, n):
    """Dense up to a bent shore, and nothing beyond it."""
    xy = even(rng, 3 * n)
    return xy[xy[:, 0] < 8_000 + 2_000 * np.sin(xy[:, 1] / 3_000)][:n]


def judged(xy, rng, draws=39):
    labels = dbscan(xy, **FOUND_WITH)
    return labels, judge(xy, labels, rng=rng, draws=draws, **FOUND_WITH)


@pytest.mark.parametrize(("world", "n"), [(even, 4_000), (towns, 2_500), (coast, 2_000)])
def test_where_nothing_is_planted_the_share_called_significant_stays_within_the_rate(world, n):
    with_any = clusters = flagged = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        q = judged(world(rng, n), rng)[1].q
        clusters, flagged, with_any = clusters + len(q), flagged + int((q <= 0.05).sum()), with_any + bool((q <= 0.05).any())
    assert clusters > 25  # the crowding is there; it is chance
    # At 5 % one world in twenty; four of 25 or more would happen to a sound method once in thirty times.
    assert with_any <= 3
    assert flagged / clusters <= 0.05


def cluster_of(labels):
    """The cluster most of these points lie in; ``None`` where they are noise."""
    clustered = labels[labels >= 0]
    return int(np.bincount(clustered).argmax()) if len(clustered) else None


@pytest.mark.parametrize(("each", "spread_m", "least"), [(25, 80, 0.95), (40, 150, 0.95), (15, 80, 0.85)])
def test_planted_hot_spots_are_found_against_an_uneven_background(each, spread_m, least):
    found, chance = [], 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        middles = rng.uniform(2_000, SIDE - 2_000, (8, 2))
        xy = np.concatenate([towns(rng, 2_000), *(middle + rng.normal(0, spread_m, (each, 2)) for middle in middles)])
        labels, answer = judged(xy, rng)
        called = set(np.flatnonzero(answer.q <= 0.05).tolist())
        planted = [cluster_of(part) for part in np.split(labels[2_000:], 8)]
        found += [cluster in called for cluster in planted]
        chance += len(called - set(planted))
    assert np.mean(found) >= least
    assert chance <= 0.05 * (sum(found) + chance) + 2


def test_what_the_surroundings_would_bring_is_read_without_the_hot_spot_itself():
    rng = np.random.default_rng(4)
    xy = np.concatenate([even(rng, 4_000), np.full((60, 2), SIDE / 2) + rng.normal(0, 60, (60, 2))])
    labels, answer = judged(xy, rng)
    hot = labels[-1]
    assert answer.q[hot] <= 0.05 and answer.expected_per_km2[hot] == pytest.approx(10, rel=0.3)


def test_a_lone_address_in_the_desert_stands_out():
    rng = np.random.default_rng(5)
    xy = np.concatenate([even(rng, 60), np.full((20, 2), 9_000.0)])
    labels, answer = judged(xy, rng)
    assert answer.q[labels[-1]] <= 0.05


def test_a_thousand_on_one_point_and_a_line_and_nothing_are_answered():
    rng = np.random.default_rng(6)
    for xy in (np.zeros((1_000, 2)), np.stack([np.arange(400) * 40.0, np.zeros(400)], axis=1)):
        q = judged(xy, rng, draws=9)[1].q
        assert len(q) == 1 and 0 < q[0] <= 1
    assert len(judged(np.empty((0, 2)), rng)[1].q) == 0
    assert judged(np.zeros((1, 2)), rng)[1].draws == 0


# --- the trend -------------------------------------------------------------------------------------------------------
class City:
    """Places that each bring so many a window, on a thin even ground; six windows of the past."""

    def __init__(self, seed, *, means, ground=600):
        self.rng, self.means, self.ground = np.random.default_rng(seed), means, ground
        self.places = self.rng.uniform(0, 30_000, (len(means), 2))
        windows = [self.window() for _ in range(6)]
        self.past = np.concatenate(windows)
        self.age = np.concatenate([k + self.rng.random(len(xy)) for k, xy in enumerate(windows)])

    def window(self, factor=1.0):
        counts = self.rng.poisson(np.asarray(self.means) * factor)
        crowds = [place + self.rng.normal(0, 80, (n, 2)) for place, n in zip(self.places, counts, strict=True)]
        return np.concatenate([*crowds, self.rng.uniform(0, 30_000, (self.rng.poisson(self.ground), 2))])

    def ratios(self, xy, windows=6):
        labels = dbscan(xy, **FOUND_WITH)
        return labels, rate_ratios(
            xy, labels, past_xy_m=self.past, past_age=self.age, windows=windows, rng=self.rng, draws=40, **FOUND_WITH
        )


@pytest.mark.parametrize("means", [[9.0] * 40, [60.0] * 15, [5.0, 12.0, 20.0, 45.0] * 8])
def test_where_nothing_changed_risen_and_fallen_are_each_said_no_oftener_than_their_rate(means):
    answers = []
    for seed in range(10):
        city = City(seed, means=means)
        answers.append(city.ratios(city.window())[1])
    low, high, ratio = (np.concatenate([getattr(answer, name) for answer in answers]) for name in ("low", "high", "ratio"))
    risen, fallen = np.mean(low > 1), np.mean(high < 1)
    assert len(low) > 100 and not np.isnan(low).any()
    # 2.5 % on each side, and what chance adds to a share of a few hundred.
    allowed = 0.025 + 2 * np.sqrt(0.025 * 0.975 / len(low))
    assert risen <= allowed and fallen <= allowed
    assert np.median(ratio) == pytest.approx(1, abs=0.08)


def test_without_the_correction_the_same_cities_would_be_called_rising():
    raw = []
    for seed in range(10):
        city = City(seed, means=[9.0] * 40)
        xy = city.window()
        labels = dbscan(xy, **FOUND_WITH)
        for cluster in range(labels.max() + 1):
            mine = xy[labels == cluster]
            middle, reach = mine.mean(axis=0), np.hypot(*(mine - mine.mean(axis=0)).T).max()
            raw.append(len(mine) / (np.sum(np.hypot(*(city.past - middle).T) <= reach) / 6))
    assert np.median(raw) > 1.15


def test_three_times_as_many_is_said_to_have_risen_and_a_third_to_have_fallen():
    risen, fallen = [], []
    for seed in range(6):
        city = City(seed, means=[60.0] * 15)
        factor = np.ones(15)
        factor[0], factor[1] = 3, 1 / 3
        xy = city.window(factor)
        labels, answer = city.ratios(xy)
        rose, fell = (cluster_of(labels[np.hypot(*(xy - city.places[place]).T) < 200]) for place in (0, 1))
        risen.append(answer.low[rose] > 1.5)
        fallen.append(answer.high[fell] < 1)
    assert sum(risen) >= 5 and sum(fallen) >= 5


def test_with_too_short_a_past_nothing_is_said():
    city = City(0, means=[30.0] * 10)
    assert np.isnan(city.ratios(city.window(), windows=2)[1].ratio).all()
    lonely = City(1, means=[0.0], ground=20)
    answer = lonely.ratios(np.zeros((40, 2)))[1]
    assert np.isnan(answer.low).all() and answer.drawn < 20


def test_the_exact_interval_is_that_of_the_binomial():
    low, high = exact_interval(np.array([0.0, 20.0, 5.0]), np.array([30.0, 60.0, 0.0]), 6)
    assert low[0] == 0 and high[0] < 1
    assert low[1] < 2 < high[1] and low[1] > 1
    assert low[2] > 1 and np.isinf(high[2])
