"""ANA-2: which hot spot of this run is which of the last."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.analytics.tracks import Sighting, follow

REACH = 300.0


def spot(west, south=0.0, *, wide=400.0, tall=400.0, count=20):
    ring = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall], [0, 0]], dtype=float) + np.array([west, south])
    return Sighting(ring, (west + wide / 2, south + tall / 2), count)


def said(before, now):
    followed, gone = follow(before, now, reach_m=REACH)
    return [(one.change, one.same_as, one.merged, one.split_from) for one in followed], gone


def test_the_first_time_every_hot_spot_is_new_and_after_the_last_every_one_is_gone():
    assert said([], [spot(0), spot(5000)]) == ([("born", None, (), None)] * 2, [])
    assert said([spot(0), spot(5000)], []) == ([], [0, 1])


@pytest.mark.parametrize(
    ("count", "change"), [(20, "steady"), (23, "steady"), (24, "grown"), (17, "steady"), (16, "shrunk"), (60, "grown")]
)
def test_a_fifth_more_or_fewer_is_grown_or_shrunk(count, change):
    assert said([spot(0)], [spot(30, count=count)])[0] == [(change, 0, (), None)]


def test_two_incidents_more_in_a_small_hot_spot_are_no_growth():
    assert said([spot(0, count=10)], [spot(0, count=12)])[0][0][0] == "steady"


def test_a_centre_further_off_than_the_radius_has_moved():
    assert said([spot(0, wide=1000)], [spot(350, wide=1000)])[0] == [("moved", 0, (), None)]


def test_a_neighbour_that_touches_is_not_the_same_place():
    assert said([spot(0)], [spot(320)]) == ([("born", None, (), None)], [0])


def test_two_that_grow_together_merge_into_the_one_that_shares_most():
    small, large = spot(0, wide=300), spot(500, wide=700)
    assert said([small, large], [spot(0, wide=1200, count=40)]) == ([("merged", 1, (0,), None)], [])


def test_one_that_falls_apart_goes_on_in_its_larger_part():
    whole = spot(0, wide=1200, count=40)
    followed, gone = said([whole], [spot(0, wide=300, count=12), spot(500, wide=700, count=28)])
    assert followed[0] == ("split", None, (), 0) and followed[1][1] == 0 and gone == []


def test_two_that_trade_places_with_one_between_stay_one_to_one():
    followed, gone = said([spot(0), spot(1000)], [spot(1010), spot(10)])
    assert [one[1] for one in followed] == [1, 0] and gone == []


squares = st.lists(
    st.builds(
        lambda x, y, wide, count: spot(float(x), float(y), wide=float(wide), count=count),
        st.integers(0, 3000),
        st.integers(0, 800),
        st.integers(80, 1500),
        st.integers(10, 90),
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(before=squares, now=squares)
def test_whatever_the_outlines_each_earlier_one_goes_on_once_merges_once_or_is_gone(before, now):
    followed, gone = follow(before, now, reach_m=REACH)
    ends = [one.same_as for one in followed if one.same_as is not None] + [i for one in followed for i in one.merged] + gone
    assert sorted(ends) == list(range(len(before)))
    assert len(followed) == len(now)
    assert follow(before, now, reach_m=REACH) == (followed, gone)


@settings(max_examples=30, deadline=None)
@given(spots=squares)
def test_nothing_changed_is_steady_all_over(spots):
    apart = [spot(4000.0 * i, wide=float(np.ptp(one.ring_m[:, 0])), count=one.count) for i, one in enumerate(spots)]
    followed, gone = follow(apart, apart, reach_m=REACH)
    assert [(one.change, one.same_as) for one in followed] == [("steady", i) for i in range(len(apart))] and gone == []
