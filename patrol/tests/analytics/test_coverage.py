"""PAT-3: posts for units, by maximal covering and p-median, against every choice there is; what is proven is said, what is wrong too."""

from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.analytics import coverage
from patrol.analytics.coverage import cover, judge, p_median

DEMAND = np.array([5.0, 1.0, 3.0, 2.0])
SECONDS = np.array([[60.0, 500.0, 900.0], [400.0, 60.0, 900.0], [900.0, 200.0, 60.0], [900.0, 900.0, 100.0]])


def a_case(seed: int, cells: int = 9, posts: int = 6):
    rng = np.random.default_rng(seed)
    seconds = rng.integers(30, 900, (cells, posts)).astype(float)
    seconds[rng.random((cells, posts)) < 0.1] = np.inf
    return rng.integers(0, 6, cells).astype(float), seconds


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), units=st.integers(1, 4), backup=st.sampled_from([0.0, 0.4, 1.0]), per_post=st.integers(1, 2))
def test_maximal_covering_is_the_best_of_every_choice(seed, units, backup, per_post):
    demand, seconds = a_case(seed)
    found = cover(demand, seconds, units, limit_s=300, per_post=per_post, backup_weight=backup)

    def worth(posts):
        times = (seconds[:, list(posts)] <= 300).sum(axis=1)
        return demand[times >= 1].sum() + backup * demand[times >= 2].sum()

    choices = combinations_with_replacement(range(6), units)
    best = max(worth(posts) for posts in choices if max(posts.count(post) for post in posts) <= per_post)
    assert found.objective == pytest.approx(best)
    if demand.any():
        assert found.is_proven and found.gap <= 0.01
        assert found.bound >= best - 1e-6 and found.greedy and found.greedy.objective <= best + 1e-9


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), units=st.integers(1, 6), is_kept=st.booleans())
def test_p_median_is_the_best_of_every_choice(seed, units, is_kept):
    demand, seconds = a_case(seed)
    kept = [seed % 6] if is_kept else []
    found = p_median(demand, seconds, units, limit_s=300, unreached_s=2000, kept=kept)
    if not demand.any():
        assert found.notes[0] == coverage.NO_DEMAND
        return

    def cost(posts):
        nearest = seconds[:, list(posts)].min(axis=1)
        return (demand * np.where(np.isfinite(nearest), nearest, 2000)).sum()

    best = min(cost(posts) for posts in combinations(range(6), units) if set(kept) <= set(posts))
    assert found.objective == pytest.approx(best)
    assert found.is_proven and found.bound <= best + 1e-6 and found.greedy and found.greedy.objective >= best - 1e-9


def test_what_each_cell_has_is_told():
    found = cover(DEMAND, SECONDS, 2, limit_s=300)
    assert found.posts == (0, 2)
    assert found.cover.tolist() == [True, False, True, True]
    assert found.nearest_s.tolist() == [60, 400, 60, 100]
    assert found.covered_share == pytest.approx(10 / 11)
    assert found.mean_s == pytest.approx((5 * 60 + 400 + 3 * 60 + 2 * 100) / 11)


def test_a_post_that_must_be_kept_is_kept():
    assert 1 in cover(DEMAND, SECONDS, 2, limit_s=300, kept=[1]).posts
    assert 1 in p_median(DEMAND, SECONDS, 1, limit_s=300, kept=[1]).posts


def test_a_second_unit_at_a_post_pays_where_backup_is_worth_something():
    seconds = np.array([[60.0, 900.0], [900.0, 60.0]])
    assert cover(np.array([10.0, 1.0]), seconds, 2, limit_s=300, per_post=2).posts == (0, 1)
    doubled = cover(np.array([10.0, 1.0]), seconds, 2, limit_s=300, per_post=2, backup_weight=0.5)
    assert doubled.posts == (0, 0) and doubled.backed_share == pytest.approx(10 / 11)


@pytest.mark.parametrize("solve", [cover, p_median])
def test_an_empty_question_is_answered_not_crashed(solve):
    assert coverage.NO_POSTS in solve(DEMAND, np.empty((4, 0)), 2, limit_s=300).notes
    assert coverage.NO_UNITS in solve(DEMAND, SECONDS, 0, limit_s=300).notes
    assert coverage.NO_DEMAND in solve(np.zeros(4), SECONDS, 2, limit_s=300).notes
    assert coverage.NO_CELLS in solve(np.empty(0), np.empty((0, 3)), 2, limit_s=300).notes
    assert solve(DEMAND, SECONDS, 0, limit_s=300).posts == ()


@pytest.mark.parametrize("solve", [cover, p_median])
def test_more_units_than_posts_is_said(solve):
    found = solve(DEMAND, SECONDS, 9, limit_s=300)
    assert coverage.MORE_UNITS_THAN_POSTS in found.notes and len(found.posts) <= 3
    assert found.covered_share == 1.0


@pytest.mark.parametrize("solve", [cover, p_median])
def test_cells_nobody_reaches_are_named_and_do_not_spoil_the_rest(solve):
    seconds = SECONDS.copy()
    seconds[1] = np.inf
    found = solve(DEMAND, seconds, 2, limit_s=300)
    assert found.unreachable == (1,) and coverage.UNREACHABLE_CELLS in found.notes
    assert found.nearest_s[1] == np.inf and np.isfinite(found.mean_s)


@pytest.mark.parametrize(
    ("demand", "seconds", "facts"),
    [
        (DEMAND[:3], SECONDS, {}),
        (-DEMAND, SECONDS, {}),
        (DEMAND, -SECONDS, {}),
        (DEMAND * np.nan, SECONDS, {}),
        (DEMAND, SECONDS, {"kept": [7]}),
        (DEMAND, SECONDS, {"kept": [0, 1, 2]}),
        (DEMAND, SECONDS, {"kept": [0, 0]}),
    ],
)
def test_nonsense_is_refused(demand, seconds, facts):
    for solve in (cover, p_median):
        with pytest.raises(ValueError):
            solve(demand, seconds, 2, limit_s=300, **facts)


def test_out_of_time_the_gap_is_not_hidden():
    rng = np.random.default_rng(4)
    demand, places = rng.gamma(0.5, 2, 400), rng.uniform(0, 40_000, (620, 2))
    seconds = np.hypot(*(places[:400, None] - places[None, 400:]).transpose(2, 0, 1)) / 7
    found = p_median(demand, seconds, 12, limit_s=300, budget_s=0.05)
    assert coverage.OUT_OF_TIME in found.notes and not found.is_proven and found.gap > 0.01
    assert len(found.posts) == 12 and found.greedy and found.objective <= found.greedy.objective
    assert found.bound <= p_median(demand, seconds, 12, limit_s=300, budget_s=20).objective + 1e-6


def test_posts_somebody_else_chose_are_judged_the_same_way():
    ours = cover(DEMAND, SECONDS, 2, limit_s=300)
    theirs = judge(DEMAND, SECONDS, [0, 1], limit_s=300)
    assert theirs.covered_share <= ours.covered_share and theirs.posts == (0, 1)
    assert judge(DEMAND, SECONDS, ours.posts, limit_s=300).covered_share == ours.covered_share
    assert judge(DEMAND, SECONDS, [], limit_s=300).covered_share == 0
