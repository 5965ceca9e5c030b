"""PAT-10: cells drawn by lot, and whether what happened in them is more than the lot brings. Seeds are fixed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.analytics.effect import effect, expected_detectable
from patrol.analytics.randomise import choose_apart, draw, redraws, ring
from patrol.analytics.trial_world import World, one_trial


def trial(rng, cells, mean, theta):
    return one_trial(World(cells, mean, theta), rng)


def test_where_patrols_do_nothing_as_many_trials_find_something_as_the_level_says():
    rng = np.random.default_rng(5)
    found = [trial(rng, 60, 6, 1.0) for _n in range(400)]
    assert 0.03 <= np.mean([one.p <= 0.05 for one in found]) <= 0.075
    assert 0.925 <= np.mean([one.low <= 1 <= one.high for one in found]) <= 0.97
    assert all((one.p <= 0.05) == (one.found != "none") for one in found)


def test_a_planted_reduction_of_30_percent_is_found_with_the_power_that_was_stated():
    rng = np.random.default_rng(6)
    found = [trial(rng, 100, 12, 0.7) for _n in range(200)]
    assert 0.74 <= np.mean([one.found == "helped" for one in found]) <= 0.92
    assert np.mean([one.low <= 0.7 <= one.high for one in found]) >= 0.9
    assert 0.24 <= np.median([one.detectable for one in found]) <= 0.32, "30 % is about what four of five trials find"
    assert not any(one.found == "harmed" for one in found)


def test_a_small_trial_says_none_rather_than_something():
    rng = np.random.default_rng(7)
    found = [trial(rng, 12, 2, 0.7) for _n in range(50)]
    assert np.mean([one.found == "none" for one in found]) > 0.85


def test_an_arm_without_any_incident_has_no_ratio_and_no_bound():
    treated = np.array([True, False] * 4)
    zeros = np.zeros(8)
    found = effect(zeros, np.where(treated, 0, 3), treated, redraws(np.ones(8, int), ~treated, draws=199, rng=np.random.default_rng(1)))
    assert np.isnan(found.ratio) and found.low == 0 and found.high == np.inf and found.found == "none"


def test_the_ratio_is_that_of_the_four_sums():
    treated = np.array([True] * 4 + [False] * 4)
    before, during = np.full(8, 10.0), np.where(treated, 5.0, 10.0)
    found = effect(before, during, treated, redraws(np.ones(8, int), ~treated, draws=99, rng=np.random.default_rng(1)))
    assert found.ratio == pytest.approx((20.5 / 40.5) / (40.5 / 40.5))
    assert (found.treated_before, found.treated_during, found.control_before, found.control_during) == (40, 20, 40, 40)


def test_arms_and_columns_that_do_not_fit_are_refused():
    some = np.ones(8)
    with pytest.raises(ValueError, match="one row a cell"):
        effect(some, some[:7], some > 0, np.ones((9, 8), bool))
    with pytest.raises(ValueError, match="arms"):
        effect(some, some, some > 0, np.ones((9, 8), bool))


def test_more_incidents_detect_smaller_reductions():
    arms = np.arange(40) % 2 == 0
    little, much = (expected_detectable(np.full(40, n), arms, days_before=90, days_during=56) for n in (3.0, 60.0))
    assert much < little < 1


cells = st.lists(
    st.tuples(st.integers(-40, 40), st.integers(-40, 40), st.integers(0, 30)), min_size=8, max_size=60, unique_by=lambda c: c[:2]
)


@settings(max_examples=100, deadline=None)
@given(cells, st.integers(1, 6), st.floats(0.2, 0.8), st.integers(0, 2**62))
def test_a_draw_keeps_its_share_fills_both_arms_of_each_stratum_and_can_be_drawn_again(given_cells, strata, share, seed):
    columns, rows, counts = (np.array(part) for part in zip(*given_cells, strict=True))
    strata = min(strata, len(columns) // 2)
    one = draw(columns, rows, counts, strata=strata, holdout_share=share, seed=seed)
    for number in range(1, strata + 1):
        held = one.is_control[one.stratum == number]
        assert 0 < held.sum() < len(held)
    assert counts[one.stratum == 1].max() <= counts[one.stratum == strata].min() or strata == 1
    mixed = np.random.default_rng(0).permutation(len(columns))
    again = draw(columns[mixed], rows[mixed], counts[mixed], strata=strata, holdout_share=share, seed=seed)
    assert (again.is_control == one.is_control[mixed]).all(), "the order the cells come in changes nothing"
    others = redraws(one.stratum, one.is_control, draws=20, rng=np.random.default_rng(seed % 1000))
    assert ((~others).sum(axis=1) == one.is_control.sum()).all()


def test_the_share_held_out_is_kept_over_all_strata():
    columns, counts = np.arange(30), np.arange(30)
    one = draw(columns, np.zeros(30, int), counts, strata=5, holdout_share=0.25, seed=1)
    assert one.is_control.sum() in (7, 8)


def test_each_cell_of_a_stratum_is_held_out_as_often_as_any_other():
    columns, counts = np.arange(16), np.array([3] * 12 + [9] * 4)
    often = np.mean([draw(columns, columns, counts, strata=2, holdout_share=0.5, seed=seed).is_control for seed in range(2000)], axis=0)
    assert np.abs(often - 0.5).max() < 0.05


@pytest.mark.parametrize(("size", "strata", "share"), [(7, 2, 0.5), (8, 5, 0.5), (8, 2, 0.0), (8, 2, 1.0), (8, 0, 0.5)])
def test_what_cannot_be_drawn_is_refused(size, strata, share):
    with pytest.raises(ValueError):
        draw(np.arange(size), np.arange(size), np.ones(size, int), strata=strata, holdout_share=share, seed=1)


def test_chosen_cells_lie_so_far_apart_that_their_rings_do_not_meet():
    rng = np.random.default_rng(3)
    right, up = (part.ravel() for part in np.meshgrid(np.arange(30), np.arange(30)))
    chosen = choose_apart(right, up, rng.random(900), count=60, buffer_cells=1)
    around, along, owner = ring(right[chosen], up[chosen], buffer_cells=1)
    assert len(chosen) == 60 and len(set(zip(around.tolist(), along.tolist(), strict=True))) == len(owner) == 60 * 8
    assert not set(zip(around.tolist(), along.tolist(), strict=True)) & set(zip(right[chosen].tolist(), up[chosen].tolist(), strict=True))


def test_cells_without_risk_are_not_studied():
    assert len(choose_apart(np.arange(9) * 5, np.zeros(9, int), np.zeros(9), count=5, buffer_cells=1)) == 0
