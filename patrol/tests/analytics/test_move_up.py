"""PAT-3: a station empties: who moves where, and what share of the demand stays within reach; or that no move helps."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.analytics.move_up import NO_DEMAND, NO_FREE_UNITS, NO_MOVE_HELPS, UnitAt, advise

DEMAND = np.array([6.0, 1.0, 1.0, 2.0])
# Three posts in a row: the first alone reaches the busiest cell.
SECONDS = np.array([[60.0, 700.0, 900.0], [700.0, 60.0, 200.0], [900.0, 200.0, 60.0], [900.0, 60.0, 250.0]])
BETWEEN = np.array([[0.0, 600.0, 800.0], [600.0, 0.0, 300.0], [800.0, 300.0, 0.0]])


def test_the_unit_whose_post_is_covered_by_another_moves():
    found = advise(DEMAND, SECONDS, [UnitAt("B", 1), UnitAt("C", 2)], BETWEEN, limit_s=300, before=[0, 1, 2])
    assert found.before == 1.0 and found.now == pytest.approx(0.4) and found.after == 1.0
    (move,) = found.moves
    assert (move.unit, move.from_post, move.to_post, move.way_s) in {("B", 1, 0, 600), ("C", 2, 0, 800)}
    assert move.unit == "B"  # the same cover, the shorter way
    assert move.gains == pytest.approx(0.6) and move.leaves == 0 and move.share_after == 1.0


def test_a_unit_on_a_call_neither_covers_nor_moves():
    found = advise(DEMAND, SECONDS, [UnitAt("B", 1, is_free=False), UnitAt("C", 2, is_free=False, covers=False)], BETWEEN, limit_s=300)
    assert found.notes == (NO_FREE_UNITS,) and found.moves == () and found.after == found.now == pytest.approx(0.4)


def test_nobody_moves_for_little_or_too_far():
    at = [UnitAt("B", 1), UnitAt("C", 2)]
    assert advise(DEMAND, SECONDS, at, BETWEEN, limit_s=300, least_gain=0.7).notes == (NO_MOVE_HELPS,)
    assert advise(DEMAND, SECONDS, at, BETWEEN, limit_s=300, longest_way_s=500).notes == (NO_MOVE_HELPS,)
    assert advise(np.zeros(4), SECONDS, at, BETWEEN, limit_s=300).notes == (NO_DEMAND,)


def test_a_post_that_is_not_there_is_refused():
    with pytest.raises(ValueError):
        advise(DEMAND, SECONDS, [UnitAt("B", 7)], BETWEEN, limit_s=300)
    with pytest.raises(ValueError):
        advise(DEMAND, SECONDS, [], np.zeros((2, 2)), limit_s=300)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_two_moves_are_the_best_of_every_choice(seed):
    rng = np.random.default_rng(seed)
    demand, seconds = rng.integers(1, 9, 8).astype(float), rng.integers(30, 900, (8, 5)).astype(float)
    at = [UnitAt(name, int(rng.integers(5))) for name in "ABC"]
    found = advise(demand, seconds, at, np.ones((5, 5)), limit_s=300, most_moves=2, least_gain=0.02)

    def net(posts):
        share = demand[(seconds[:, list(posts)] <= 300).any(axis=1)].sum() / demand.sum()
        return share - 0.02 * sum(post != unit.post for post, unit in zip(posts, at, strict=True))

    every = [posts for posts in np.ndindex(5, 5, 5) if sum(post != unit.post for post, unit in zip(posts, at, strict=True)) <= 2]
    assert found.after - 0.02 * len(found.moves) == pytest.approx(max(net(posts) for posts in every), abs=1e-4)
    posts = {unit.key: unit.post for unit in at} | {move.unit: move.to_post for move in found.moves}
    assert found.after == pytest.approx(demand[(seconds[:, list(posts.values())] <= 300).any(axis=1)].sum() / demand.sum())
    assert list(permutations(found.moves)) and len(found.moves) <= 2
