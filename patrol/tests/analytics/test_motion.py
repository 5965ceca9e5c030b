"""PAT-7: which reported positions are believed."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.analytics.motion import Fix, MotionRule, metres_between, walk

RULE = MotionRule()
HOME = Fix(0.0, 47.98, 29.37, 8.0, 0.0)
DEGREE_M = 96_900.0  # a degree of longitude at 29.4 N


def moved(at: float, metres: float, *, accuracy_m: float | None = 8.0, speed_kmh: float | None = None) -> Fix:
    return Fix(at, HOME.lon + metres / DEGREE_M, HOME.lat, accuracy_m, speed_kmh)


def test_three_hundred_kilometres_in_five_seconds_are_a_jump_and_move_nothing():
    found = walk([moved(5, 300_000), moved(10, 20)], HOME, RULE)
    assert found.doubts == ("jump", "")
    assert found.place == found.newest == 1


def test_a_tracker_that_was_moved_to_another_car_is_believed_after_a_while():
    swapped = [moved(5.0 * n, 30_000 + 50 * n) for n in range(1, 8)]
    assert walk(swapped, HOME, RULE).doubts == ("jump", "jump", "jump", "", "", "", "")
    # The doubted ones may have come in earlier batches.
    assert walk(swapped[3:4], HOME, RULE, jumps=swapped[:3]).doubts == ("",)


def test_two_receivers_under_one_name_never_agree():
    mixed = [moved(5.0 * n, 30_000 if n % 2 else 20.0 * n) for n in range(1, 20)]
    doubts = walk(mixed, HOME, RULE).doubts
    assert set(doubts[::2]) == {"jump"}
    assert set(doubts[1::2]) == {""}


def test_a_fast_car_on_the_motorway_is_no_jump():
    assert set(walk([moved(5.0 * n, 5.0 * n * 180 / 3.6) for n in range(1, 20)], HOME, RULE).doubts) == {""}


def test_poor_accuracy_is_kept_and_not_believed():
    found = walk([moved(5, 10, accuracy_m=900)], HOME, RULE)
    assert found.doubts == ("blunt",) and found.newest is None


def test_a_standing_unit_keeps_its_place_and_stays_fresh():
    rng = random.Random(1)
    noise = [moved(5.0 * n, rng.gauss(0, 4), speed_kmh=rng.uniform(0, 1.5)) for n in range(1, 200)]
    found = walk(noise, HOME, RULE)
    assert found.doubts.count("jitter") > 190
    assert found.newest == len(noise) - 1


def test_a_slow_walk_adds_up():
    steps = [moved(5.0 * n, 5.5 * n, speed_kmh=None) for n in range(1, 61)]  # 4 km/h
    found = walk(steps, HOME, RULE)
    assert found.place is not None
    assert metres_between(HOME.lon, HOME.lat, steps[found.place].lon, steps[found.place].lat) > 300


def test_what_is_older_than_the_last_is_late():
    assert walk([moved(-5, 10)], HOME, RULE).doubts == ("late",)


def test_the_plane_is_close_enough_to_the_globe():
    assert abs(metres_between(47.0, 29.0, 48.0, 30.0) - 147_400) < 600
    assert metres_between(179.99, 0, -179.99, 0) < 3_000


fixes = st.builds(
    Fix,
    st.floats(-1e3, 1e3),
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.none() | st.floats(0.1, 1e4),
    st.none() | st.floats(0, 300),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(fixes, max_size=30))
def test_whatever_comes_the_believed_ones_go_forward_in_time_and_are_reachable(given_fixes):
    ordered = sorted(given_fixes, key=lambda fix: fix.at)
    found = walk(ordered, HOME, RULE)
    assert len(found.doubts) == len(ordered)
    believed = [fix for fix, doubt in zip(ordered, found.doubts, strict=True) if doubt in ("", "jitter")]
    assert [fix.at for fix in believed] == sorted({fix.at for fix in believed})
