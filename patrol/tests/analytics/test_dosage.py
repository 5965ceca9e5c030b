"""PAT-10: minutes inside a stop's fence, from tracks made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.analytics.dosage import Fence, Fixes, dosage, presence, ride

FAR = (5000.0, 0.0)
HERE = (0.0, 0.0)


def track(*points, accuracy=8.0, doubted=()):
    """Each point: (second, place). Doubted: numbers of points not believed."""
    at = np.array([point[0] for point in points], float)
    xy = np.array([point[1] for point in points], float).reshape(-1, 2)
    flags = np.array([number in doubted for number in range(len(points))], bool)
    return Fixes.believed(at, xy, np.broadcast_to(np.asarray(accuracy, float), at.shape), flags)


def stop(start=0, end=600, radius=100.0, *, search=None):
    first, last = search or (start, end)
    return Fence(0.0, 0.0, radius, start * 1000, end * 1000, first * 1000, last * 1000)


def minutes(found):
    return tuple(value / 60_000 for value in (found.delivered_ms, found.absent_ms, found.unknown_ms))


def steady(place, start, end, every=30):
    return [(second, place) for second in range(start, end + 1, every)]


def test_a_unit_that_stood_there_all_the_time_delivered_it_all():
    found = dosage(track(*steady(HERE, -60, 660)), stop())
    assert minutes(found) == (10, 0, 0)
    assert found.first_inside_ms == 0 and found.last_inside_ms == 600_000


def test_a_unit_that_was_elsewhere_was_absent_not_unknown():
    assert minutes(dosage(track(*steady(FAR, -60, 660)), stop())) == (0, 10, 0)


def test_no_position_at_all_is_unknown_not_absent():
    found = dosage(track(), stop())
    assert minutes(found) == (0, 0, 10) and found.positions == 0


def test_silence_in_the_middle_is_unknown_however_likely_it_stayed():
    found = dosage(track(*steady(HERE, 0, 180), *steady(HERE, 480, 600)), stop())
    assert minutes(found) == (5, 0, 5)


def test_a_gap_of_the_limit_is_known_and_a_second_more_is_not():
    assert minutes(dosage(track((0, HERE), (90, HERE)), stop(end=90)))[0] == 1.5
    assert dosage(track((0, HERE), (91, HERE)), stop(end=91)).unknown_ms == 91_000


def test_the_fence_is_crossed_where_the_straight_line_crosses_it():
    found = dosage(track((0, (300.0, 0.0)), (60, (0.0, 0.0)), (120, (0.0, 300.0))), stop(end=120))
    assert found.delivered_ms == 40_000 and found.absent_ms == 80_000


def test_nobody_is_inside_by_a_line_drawn_through_the_fence():
    found = dosage(track((0, (-300.0, 0.0)), (60, (300.0, 0.0))), stop(end=60))
    assert found.delivered_ms == 0 and found.absent_ms == 60_000


def test_positions_less_accurate_than_the_fence_say_nothing():
    found = dosage(track(*steady(HERE, 0, 600), accuracy=100.0), stop(radius=100))
    assert minutes(found) == (0, 0, 10) and found.too_blunt == found.positions == 20
    assert minutes(dosage(track(*steady(HERE, 0, 600), accuracy=99.0), stop(radius=100))) == (10, 0, 0)


@pytest.mark.parametrize("accuracy", [np.nan, 0.0, -1.0])
def test_a_receiver_that_does_not_say_how_accurate_it_is_says_nothing(accuracy):
    assert minutes(dosage(track(*steady(HERE, 0, 600), accuracy=accuracy), stop())) == (0, 0, 10)


def test_a_jump_of_300_km_neither_adds_nor_takes_away():
    points = [*steady(HERE, 0, 600)]
    points[10] = (300, (300_000.0, 0.0))
    assert minutes(dosage(track(*points, doubted={10}), stop())) == (10, 0, 0)


def test_doubled_and_disordered_positions_change_nothing():
    points = steady(HERE, 0, 300) + steady(FAR, 330, 600)
    tidy = dosage(track(*points), stop())
    assert dosage(track(*points[::-1], *points[:4]), stop()) == tidy


def test_late_positions_in_doubt_do_not_count():
    points = steady(FAR, 0, 600) + [(second + 7, HERE) for second in range(0, 600, 30)]
    doubted = set(range(21, 21 + 20))
    assert minutes(dosage(track(*points, doubted=doubted), stop())) == (0, 10, 0)


def test_time_before_and_after_the_planned_minutes_is_beyond():
    found = dosage(track(*steady(HERE, -300, 900)), stop(search=(-200, 700)))
    assert found.delivered_ms == 600_000 and found.beyond_ms == 300_000
    late = dashed = dosage(track(*steady(FAR, 0, 600), *steady(HERE, 630, 1230)), stop(search=(-3600, 4200)))
    assert late.delivered_ms < 1_000 and dashed.beyond_ms > 599_000


def test_a_fence_without_size_or_time_is_refused():
    with pytest.raises(ValueError, match="radius"):
        dosage(track(), stop(radius=0))
    with pytest.raises(ValueError, match="radius"):
        dosage(track(), stop(end=0))


numbers = st.floats(-2_000, 2_000, allow_nan=False)
points = st.lists(st.tuples(st.integers(-600, 2_400), st.tuples(numbers, numbers)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(points, st.integers(1, 1_500), st.floats(1, 900), st.floats(0, 400), st.sets(st.integers(0, 60)))
def test_planned_is_delivered_and_absent_and_unknown_to_the_millisecond(given_points, length, radius, accuracy, doubted):
    found = dosage(track(*given_points, accuracy=accuracy, doubted=doubted), stop(end=length, radius=radius, search=(-600, 2_400)))
    assert found.planned_ms == length * 1000 == found.delivered_ms + found.absent_ms + found.unknown_ms
    assert min(found.delivered_ms, found.absent_ms, found.unknown_ms, found.beyond_ms) >= 0
    assert found.beyond_ms <= 3_000_000 - found.delivered_ms


@settings(max_examples=100, deadline=None)
@given(points, st.integers(2, 30))
def test_fewer_positions_never_make_more_known(given_points, every):
    whole, thin = track(*given_points), track(*given_points[::every])
    assert dosage(thin, stop()).unknown_ms >= dosage(whole, stop()).unknown_ms or len(thin) == len(whole)


def test_a_standing_unit_whose_receiver_wavers_drives_nowhere():
    rng = np.random.default_rng(1)
    points = [(second, tuple(rng.normal(0, 4, 2))) for second in range(0, 3600, 10)]
    assert ride(track(*points), 0, 3_600_000).metres == 0


def test_metres_are_those_between_believed_positions_and_not_over_silence():
    points = [(0, (0.0, 0.0)), (30, (500.0, 0.0)), (60, (500.0, 300_000.0)), (90, (1000.0, 0.0)), (500, (9000.0, 0.0))]
    done = ride(track(*points, doubted={2}), 0, 600_000)
    assert done.metres == 1000 and done.known_ms == 90_000


def test_presence_is_split_between_the_cells_of_either_position():
    fixes = track((0, HERE), (60, HERE), (120, FAR))
    assert presence(fixes, np.array([0, 0, -1]), 1, 0, 120_000, most_m=100).tolist() == [90_000]
