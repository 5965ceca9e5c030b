"""IOT-2: who is away and who is back: after three cadences, said once, together where many go, and not at all of one that flaps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.models import Event
from iot.models import Device, DeviceOutage
from iot.services import suspend_device
from iot.services.outages import FLAPS, MANY, sweep

pytestmark = pytest.mark.django_db


def heard(device, at):
    Device.objects.filter(pk=device.pk).update(last_seen_at=at)


def told(type="device.offline"):
    return Event.objects.filter(type=type).count()


@pytest.fixture
def online(sensors):
    heard(sensors.salmiya, sensors.now)
    sweep(now=sensors.now)
    return sensors.salmiya


def after(sensors, **span):
    return sensors.now + timedelta(**span)


def test_silent_for_three_cadences_it_is_offline_and_that_is_said_once(sensors, online):
    assert told("device.online") == 1
    assert sweep(now=after(sensors, seconds=179)).went == 0
    assert sweep(now=after(sensors, seconds=180)).went == 1
    assert sweep(now=after(sensors, hours=1)).went == 0
    event = Event.objects.get(type="device.offline")
    assert event.data["code"] == "AIR-1" and event.governorate_id == online.governorate_id and event.subject_id == online.pk
    outage = DeviceOutage.objects.get()
    assert outage.began_at == sensors.now and outage.ended_at is None


def test_heard_again_it_is_back_and_the_outage_has_an_end(sensors, online):
    sweep(now=after(sensors, minutes=10))
    heard(online, after(sensors, minutes=20))
    assert sweep(now=after(sensors, minutes=20, seconds=5)).came_back == 1
    assert DeviceOutage.objects.get().ended_at == after(sensors, minutes=20)
    assert Event.objects.filter(type="device.online").latest("pk").data["was_offline_s"] == 1200


def test_one_that_was_never_heard_is_nobodys_outage(sensors):
    assert sweep(now=after(sensors, days=1)).went == 0 and Device.objects.get(pk=sensors.salmiya.pk).status == "unheard"


def test_maintenance_and_suspension_are_no_outage(sensors, online, cast):
    Device.objects.filter(pk=online.pk).update(maintenance_until=after(sensors, hours=1))
    assert sweep(now=after(sensors, minutes=30)).went == 0
    assert sweep(now=after(sensors, minutes=61)).went == 1
    suspend_device(device=online, by=cast.supervisor, reason="x")
    assert not DeviceOutage.objects.exists() and sweep(now=after(sensors, hours=2)).went == 0


def many(sensors, count, **given):
    made = [
        Device(
            code=f"M-{n}", profile=sensors.air, agency=sensors.salmiya.agency, governorate=sensors.salmiya.governorate, state="active",
            status="online", last_seen_at=sensors.now, **given,
        )
        for n in range(count)
    ]  # fmt: skip
    return Device.objects.bulk_create(made)


def test_a_governorate_that_goes_at_once_is_one_announcement(sensors, online):
    many(sensors, MANY)
    assert sweep(now=after(sensors, minutes=5)).went == MANY + 1
    event = Event.objects.get(type="devices.offline")
    assert (event.data["count"], event.data["of"], told()) == (MANY + 1, MANY + 1, 0)
    assert event.governorate_id == online.governorate_id and DeviceOutage.objects.count() == MANY + 1


def test_what_goes_with_its_gateway_is_said_of_the_gateway(sensors, online):
    many(sensors, MANY, gateway=online)
    heard(online, after(sensors, minutes=5))
    sweep(now=after(sensors, minutes=5))
    event = Event.objects.get(type="devices.offline")
    assert event.subject_id == online.pk and event.data["gateway"] == "AIR-1"


def test_a_few_of_many_are_said_one_by_one(sensors, online):
    for device in many(sensors, 4 * MANY)[MANY:]:
        heard(device, after(sensors, minutes=5))
    heard(online, after(sensors, minutes=5))
    sweep(now=after(sensors, minutes=5))
    assert told() == MANY and told("devices.offline") == 0


def test_one_that_comes_and_goes_is_said_to_and_then_left_alone_until_it_holds_still(sensors, online):
    at = 0
    for _again in range(FLAPS + 2):
        at += 4
        sweep(now=after(sensors, minutes=at))
        at += 1
        heard(online, after(sensors, minutes=at))
        sweep(now=after(sensors, minutes=at))
    assert (told(), told("device.online"), told("device.flapping")) == (FLAPS - 1, FLAPS, 1)
    for minute in range(at, at + 70, 2):
        heard(online, after(sensors, minutes=minute))
        sweep(now=after(sensors, minutes=minute))
    assert Device.objects.get(pk=online.pk).flapping_since is None
    sweep(now=after(sensors, minutes=at + 90))
    assert told() == FLAPS
