"""PAT-7: how the demo's units move."""

from __future__ import annotations

import random

import pytest

from demo.fleet import ARRIVED_M, BEAT_RADIUS_M, Car, bearing, metres

HOME = (48.05, 29.33)


def drive(car: Car, seconds: int) -> list[tuple[float, float]]:
    places = []
    for _step in range(seconds // 5):
        before = (car.lon, car.lat)
        car.step(5)
        assert metres(before, (car.lon, car.lat)) <= 70 / 3.6 * 5
        places.append((car.lon, car.lat))
    return places


def test_a_unit_that_is_sent_somewhere_arrives_and_stays():
    car = Car(HOME, "patrol", random.Random(1))
    car.send((48.08, 29.34))
    drive(car, 1_200)
    assert car.is_there
    here = (car.lon, car.lat)
    drive(car, 60)
    assert (car.lon, car.lat) == here
    assert metres(here, (48.08, 29.34)) <= ARRIVED_M


def test_a_unit_that_is_not_sent_anywhere_keeps_to_its_beat():
    car = Car(HOME, "patrol", random.Random(2))
    places = drive(car, 7_200)
    assert max(metres(HOME, place) for place in places) < BEAT_RADIUS_M + 300
    assert len({(round(lon, 3), round(lat, 3)) for lon, lat in places}) > 20


def test_fixes_lie_near_the_unit_and_say_how_near():
    car = Car(HOME, "patrol", random.Random(3))
    fixes = [car.fix() for _ in range(400)]
    assert all(metres((car.lon, car.lat), (fix.lon, fix.lat)) < 3 * fix.accuracy_m for fix in fixes)
    assert 1 <= sum(fix.accuracy_m > 100 for fix in fixes) <= 30


@pytest.mark.parametrize(("to", "degrees"), [((48.05, 29.34), 0), ((48.06, 29.33), 90), ((48.05, 29.32), 180), ((48.04, 29.33), 270)])
def test_bearings_count_from_north_with_the_clock(to, degrees):
    assert bearing(HOME, to) == pytest.approx(degrees)
