"""ANA-4: Knox's test finds planted repeats, calls chance by its name, and says the same twice."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from incidents.analytics.near_repeat import near_repeats

DAY = 86_400.0


def chance(n, seed, spread_m=4_000, days=365):
    """Places crowd and times drift, but neither knows of the other."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform(0, spread_m, (8, 2))
    xy = middles[rng.integers(0, 8, n)] + rng.normal(0, 300, (n, 2))
    return xy, np.sqrt(rng.random(n)) * days * DAY


def test_the_example_in_the_docstring_holds():
    found = doctest.testmod(importlib.import_module("incidents.analytics.near_repeat"))
    assert found.attempted and not found.failed


def test_the_counts_are_those_of_looking_at_every_pair():
    xy, at = chance(300, 1)
    found = near_repeats(xy, at, permutations=99)
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    days = np.abs(at[:, None] - at[None]) / DAY
    upper = np.triu(np.ones((300, 300), dtype=bool), 1)
    assert found.observed == int((upper & (apart <= 200) & (days <= 14)).sum())
    for band in found.bands:
        is_in = (apart <= band.to_m) & ((apart > band.from_m) | (band.from_m == 0))
        is_in &= (days <= band.to_days) & ((days > band.from_days) | (band.from_days == 0))
        assert band.observed == int((upper & is_in).sum())
    assert len(found.bands) == 12 and found.tested == found.incidents == 300


def test_chance_is_called_significant_no_oftener_than_promised():
    p = np.array([near_repeats(*chance(120, seed), permutations=199, seed=seed).p for seed in range(150)])
    assert (p <= 0.05).mean() <= 0.05 + 2 * (0.05 * 0.95 / 150) ** 0.5
    assert 0.4 < p.mean() < 0.65


def test_planted_repeats_are_found():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        xy, at = chance(160, seed)
        again = rng.integers(0, 160, 30)
        xy = np.concatenate([xy, xy[again] + rng.uniform(-100, 100, (30, 2))])
        at = np.concatenate([at, at[again] + rng.uniform(0.2, 12, 30) * DAY])
        answer = near_repeats(xy, at, permutations=199, seed=seed)
        found += answer.p <= 0.05 and (answer.ratio or 0) > 1.2
    assert found >= 19


def test_the_same_seed_says_the_same_whatever_the_order():
    xy, at = chance(200, 3)
    turned = np.random.default_rng(9).permutation(200)
    one, other = near_repeats(xy, at, seed=7, permutations=199), near_repeats(xy[turned], at[turned], seed=7, permutations=199)
    assert one == other
    assert near_repeats(xy, at, seed=8, permutations=199).expected != one.expected


def test_too_many_pairs_are_sampled_and_it_says_so():
    xy, at = chance(2_000, 3)
    rng = np.random.default_rng(1)
    xy = np.concatenate([xy, xy[:400] + rng.uniform(-60, 60, (400, 2))])
    at = np.concatenate([at, at[:400] + rng.uniform(1, 9, 400) * DAY])
    whole = near_repeats(xy, at, permutations=99, max_pairs=10**7)
    sampled = near_repeats(xy, at, permutations=99, max_pairs=40_000)
    assert whole.tested == whole.incidents == 2_400
    assert sampled.incidents == 2_400 and 200 < sampled.tested < 1_200
    assert sampled == near_repeats(xy, at, permutations=99, max_pairs=40_000)


def test_a_thousand_on_one_point_and_all_at_one_time_are_answered():
    at = np.random.default_rng(1).uniform(0, 300 * DAY, 1_000)
    on_a_point = near_repeats(np.zeros((1_000, 2)), at, permutations=99)
    assert on_a_point.ratio == pytest.approx(1) and on_a_point.p == 1
    at_once = near_repeats(*(chance(100, 1)[0], np.zeros(100)), permutations=99)
    assert at_once.ratio == pytest.approx(1) and at_once.p == 1
    scattered = near_repeats(np.arange(200.0).reshape(100, 2) * 5_000, np.arange(100.0) * DAY, permutations=99)
    assert scattered.observed == 0 and scattered.ratio is None and scattered.p == 1


def test_what_cannot_be_answered_is_refused():
    xy, at = chance(40, 1)
    with pytest.raises(ValueError, match="needs 30 incidents, not 29"):
        near_repeats(xy[:29], at[:29])
    with pytest.raises(ValueError, match="finite"):
        near_repeats(xy, np.full(40, np.nan))
    with pytest.raises(ValueError, match="edges of the bands"):
        near_repeats(xy, at, within_m=250)
    with pytest.raises(ValueError, match="must rise"):
        near_repeats(xy, at, distances_m=(200, 100))
    with pytest.raises(ValueError, match="99"):
        near_repeats(xy, at, permutations=9)
