"""PAT-7: a border is a band; a wandering receiver makes one visit."""

from __future__ import annotations

import math
import random

import pytest

from patrol.analytics.fence import DWELT, ENTERED, LEFT, Circle, FenceRule, Shape, says_nothing, step
from patrol.analytics.motion import METRES_A_DEGREE

CIRCLE = Circle(47.92, 29.35, 100.0)
ACROSS = METRES_A_DEGREE * math.cos(math.radians(29.35))
RULE = FenceRule(margin_m=25, dwell_s=60)


def walk(distances, *, accuracy_m=6.0, every_s=5.0, rule=RULE, is_active=lambda at: True):
    """What happens to a unit whose distances from the line (negative: inside) are these."""
    visit = None
    told: list[str] = []
    for n, outside_by_m in enumerate(distances):
        visit, happened = step(
            visit,
            at=n * every_s,
            outside_by_m=outside_by_m,
            accuracy_m=accuracy_m,
            width_m=100,
            rule=rule,
            is_active=is_active(n * every_s),
        )
        told += happened
        if visit is not None and visit.left_at is not None:
            visit = None
    return told


def test_in_dwelt_and_out_once_each():
    assert walk([200, 50, -10] + [-50] * 20 + [10, 40, 200]) == [ENTERED, DWELT, LEFT]


def test_a_noisy_stand_on_the_border_is_one_visit():
    rng = random.Random(7)
    told = walk([rng.gauss(0, 7) for _ in range(2_000)])
    assert told == [ENTERED, DWELT]


def test_without_the_band_the_same_walk_is_a_storm():
    rng = random.Random(7)
    assert len(walk([rng.gauss(0, 7) for _ in range(2_000)], rule=FenceRule(margin_m=0, dwell_s=60), accuracy_m=0.0)) > 500


def test_a_noisy_drive_through_is_one_coming_and_one_going():
    rng = random.Random(3)
    for _ in range(50):
        told = walk([rng.gauss(0, 6) + abs(x) - 100 for x in range(-300, 300, 10)])
        assert (told.count(ENTERED), told.count(LEFT)) == (1, 1)


def test_a_fix_blunter_than_the_fence_says_nothing():
    assert says_nothing(150, 100) and not says_nothing(50, 100) and not says_nothing(None, 100)
    assert walk([-50, -50, -50], accuracy_m=150) == []


def test_a_blunt_fix_outside_does_not_throw_out_who_is_in():
    assert walk([-50, 40, 40], accuracy_m=45) == [ENTERED]
    assert walk([-50, 60], accuracy_m=45) == [ENTERED, LEFT]


def test_passing_through_quickly_is_no_dwelling():
    assert walk([-50] * 5 + [200]) == [ENTERED, LEFT]


def test_outside_its_hours_a_fence_is_nowhere():
    assert walk([-50] * 40, is_active=lambda at: at < 100) == [ENTERED, DWELT, LEFT]


def test_metres_to_a_circle():
    assert CIRCLE.outside_by_m(47.92, 29.35) == -100
    assert CIRCLE.outside_by_m(47.92 + 150 / ACROSS, 29.35) == pytest.approx(50, abs=0.5)
    west, south, east, north = CIRCLE.box(25)
    assert west < 47.92 < east and (north - south) * METRES_A_DEGREE == pytest.approx(250)


def square(lon, lat, half_m):
    across, up = half_m / ACROSS, half_m / METRES_A_DEGREE
    corners = [(lon - across, lat - up), (lon + across, lat - up), (lon + across, lat + up), (lon - across, lat + up)]
    return [*corners, corners[0]]


def test_metres_to_a_shape_with_a_hole():
    shape = Shape([square(47.92, 29.35, 500), square(47.92, 29.35, 100)])
    assert shape.outside_by_m(47.92, 29.35) == pytest.approx(100, rel=0.01)  # in the hole
    assert shape.outside_by_m(47.92 + 300 / ACROSS, 29.35) == pytest.approx(-200, rel=0.01)
    assert shape.outside_by_m(47.92 + 700 / ACROSS, 29.35) == pytest.approx(200, rel=0.01)
    assert shape.width_m == pytest.approx(math.sqrt((1000**2 - 200**2) / math.pi), rel=0.01)
