"""IOT-4: vehicles are counted, by message, by camera and hour, by zone and hour; the salt of an hour is gone with it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from iot.decoders.lpr import sightings
from iot.models import DeviceProfile, PlateHour
from iot.services import plates, register_device
from iot.services.plates import forget_salts, hour_of, measured, salt_at, write_down_plates
from iot.services.standard_profiles import ensure_profiles

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_salts(settings, tmp_path):
    settings.IOT_SALT_DIR = str(tmp_path)
    plates._held.clear()


@pytest.fixture
def counters(sensors, cast, places):
    """One plate counter in Salmiya, one in Jabriya: two areas of one governorate."""
    ensure_profiles()
    profile = DeviceProfile.objects.get(code="plates")
    return [
        register_device(code=code, profile=profile, agency=cast.police, by=None, location=where)
        for code, where in (("LPR-1", places.in_salmiya), ("LPR-2", places.in_jabriya))
    ]


def counted(device, names, now, at=None):
    body = {"hits": [{"plate": name, **({"at": at.isoformat()} if at else {})} for name in names]}
    return {one.metric: one.value for one in measured(sightings(body, salt=salt_at(now)), device_id=device.pk, now=now)}


def test_a_vehicle_that_comes_again_within_the_hour_is_one_vehicle(counters, sensors):
    now, first = sensors.now, counters[0]
    assert counted(first, ["10/1", "10/2", "10 1"], now) == {"vehicles_read": 3, "vehicles_distinct": 2, "vehicles_distinct_hour": 2}
    assert counted(first, ["10/2", "10/3"], now)["vehicles_distinct_hour"] == 3


def test_a_zone_counts_a_vehicle_once_whatever_cameras_saw_it(counters, sensors, places, cast):
    for device, names in zip(counters, (["1", "2", "3"], ["3", "4"]), strict=True):
        counted(device, names, sensors.now)
    assert write_down_plates(now=sensors.now) == 3
    found = {row.zone.code: row.vehicles_distinct for row in PlateHour.objects.select_related("zone")}
    assert found == {"T-SAL": 3, "T-JAB": 2, "T-HA": 4}
    assert not PlateHour.objects.visible_to(cast.firefighter).exists() and PlateHour.objects.visible_to(cast.supervisor).count() == 3
    assert not PlateHour.objects.visible_to(cast.stranger).exists()
    # Said again, and after Redis forgot: it does not fall.
    assert write_down_plates(now=sensors.now) == 3
    PlateHour.objects.update(vehicles_distinct=100)
    write_down_plates(now=sensors.now)
    assert set(PlateHour.objects.values_list("vehicles_distinct", flat=True)) == {100}


def test_a_message_of_an_hour_that_is_over_counts_as_read_and_no_more(counters, sensors):
    late = counted(counters[0], ["1", "2"], sensors.now, at=sensors.now - timedelta(hours=2))
    assert late == {"vehicles_read": 2, "vehicles_distinct": 2}


def test_processes_of_a_machine_share_the_salt_and_nobody_has_it_when_the_hour_is_over(settings, sensors):
    salt = salt_at(sensors.now)
    plates._held.clear()  # another process
    assert salt_at(sensors.now) == salt and len(salt) == 32
    (folder,) = Path(settings.IOT_SALT_DIR).iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700 and [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    later = sensors.now + timedelta(hours=1)
    assert salt_at(later) != salt
    forget_salts(later)
    assert [path.name for path in folder.iterdir()] == [str(hour_of(later))]
    assert salt_at(sensors.now) != salt


def test_where_there_is_no_place_of_our_own_each_process_has_its_own_salt(settings, sensors, tmp_path):
    settings.IOT_SALT_DIR = str(tmp_path / "missing")
    assert len(salt_at(sensors.now)) == 32 and not list(tmp_path.iterdir())
    settings.IOT_SALT_DIR = str(tmp_path)
    plates._held.clear()
    salt_at(sensors.now)
    (folder,) = tmp_path.iterdir()
    folder.chmod(0o755)  # others may read here
    plates._held.clear()
    before = {path.read_bytes() for path in folder.iterdir()}
    assert salt_at(sensors.now) not in before


def test_without_redis_vehicles_are_counted_by_the_message_alone(counters, sensors, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert counted(counters[0], ["1", "1"], sensors.now) == {"vehicles_read": 2, "vehicles_distinct": 1}


def test_what_lies_in_a_sketch_cannot_be_followed_from_place_to_place(counters):
    token = "0" * 32
    assert plates._blinded(token, "1-2") != plates._blinded(token, "1-3")
