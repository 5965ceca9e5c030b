"""IOT-6, PAT-2: sensors are one visible part of the demand, with a weight of their own; off where none speak, nothing at weight 0."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from iot.models import Device, DeviceOutage
from iot.services.risk import score_zones
from patrol.services.demand import Demand, demand_for
from patrol.services.sensor_demand import MOST_TIMES
from patrol.tests.planning import burglaries


def of_shift(tomorrow: Any) -> Demand:
    shift = tomorrow.shift
    return demand_for(governorate=shift.governorate, agency=shift.agency, start=shift.starts_at, end=shift.ends_at)


@pytest.fixture
def history(burglary: Any, police_112: Any, places: Any) -> None:
    burglaries(burglary, police_112, places, days=70)


@pytest.fixture
def camera_away(watch: Any, places: Any) -> Device:
    now = datetime.now(UTC)
    device = watch.device("K-1", "camera", places.in_salmiya)
    watch.device("A-1", "environment", places.in_jabriya)
    Device.objects.update(last_seen_at=now)
    DeviceOutage.objects.create(device=device, began_at=now - timedelta(hours=1), noticed_at=now - timedelta(minutes=30))
    score_zones(now=now - timedelta(seconds=5))
    return device


def test_without_sensors_the_part_is_off_and_it_is_said(tomorrow: Any, history: None) -> None:
    demand = of_shift(tomorrow)
    assert "sensors" not in demand.parts and "no_sensors" in {note.code for note in demand.notes}


def test_the_part_is_visible_with_its_weight_and_the_totals_add_up(
    tomorrow: Any, history: None, places: Any, camera_away: Device, settings: Any
) -> None:
    demand = of_shift(tomorrow)
    settings.PATROL_SENSOR_WEIGHT = 0
    without = of_shift(tomorrow)
    assert "sensors" not in without.parts and "no_sensors" not in {note.code for note in without.notes}
    assert sum(demand.weights.values()) == pytest.approx(1) and demand.weights["sensors"] > 0
    mean = sum(demand.weights[name] * table for name, table in demand.parts.items())
    assert np.allclose(mean, demand.expected) and demand.of_cells().sum() == pytest.approx(demand.total - demand.unplaced)
    salmiya, jabriya = (demand.area_ids.index(zone.pk) for zone in (places.salmiya, places.jabriya))
    assert demand.expected[salmiya].sum() > without.expected[salmiya].sum()  # its camera is away, and goes on being so
    assert np.allclose(demand.expected[jabriya], without.expected[jabriya])  # a score of 0 changes nothing
    assert demand.parts["sensors"][salmiya].sum() < MOST_TIMES * without.expected[salmiya].sum()
    assert demand.provenance["sensors"] == 2 and without.provenance["sensors"] is None
    assert demand.stored()["weights"]["sensors"] == pytest.approx(demand.weights["sensors"], abs=1e-4)


def test_weight_nothing_changes_nothing(tomorrow: Any, history: None, settings: Any, request: Any) -> None:
    settings.PATROL_SENSOR_WEIGHT = 0
    before = of_shift(tomorrow)
    request.getfixturevalue("camera_away")
    after = of_shift(tomorrow)
    assert np.array_equal(before.expected, after.expected) and before.weights == after.weights


def test_what_has_ended_fades_until_the_shift_and_another_agencys_sensors_count_for_nothing(
    tomorrow: Any, history: None, places: Any, camera_away: Device, cast: Any
) -> None:
    shift = tomorrow.shift
    ongoing = of_shift(tomorrow).parts["sensors"].sum()
    now = datetime.now(UTC)
    DeviceOutage.objects.update(ended_at=now - timedelta(seconds=4))
    score_zones(now=now)
    assert of_shift(tomorrow).parts["sensors"].sum() < ongoing
    fire = demand_for(governorate=shift.governorate, agency=cast.fire, start=shift.starts_at, end=shift.ends_at)
    assert "sensors" not in fire.parts


def test_a_score_nobody_has_renewed_is_no_part(tomorrow: Any, history: None, camera_away: Device) -> None:
    shift = tomorrow.shift
    late = datetime.now(UTC) + timedelta(hours=3)
    later = demand_for(governorate=shift.governorate, agency=shift.agency, start=late, end=late + timedelta(hours=2), now=late)
    assert "sensors" not in later.parts
