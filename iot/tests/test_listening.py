"""IOT-2: a silence that is ours (the product was off, nobody wrote, the stream was away) is no device's outage."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from core.models import Event
from iot.models import Device, DeviceOutage
from iot.services.listening import DEAF, listening_since
from iot.services.outages import sweep
from iot.stream import offer, stream_of
from iot.tasks import look_after_devices

pytestmark = pytest.mark.django_db
STEP = timedelta(seconds=15)


@pytest.fixture
def writer(sensors):
    """Somebody who writes: the name is on the stream."""
    stream = stream_of()
    stream.join("a-writer")
    yield stream
    stream.leave("a-writer")


def look(since, times):
    return [listening_since(now=since + n * STEP) for n in range(times)]


def test_while_it_is_looked_at_and_nothing_waits_the_time_goes_on(writer):
    now = timezone.now()
    assert look(now, 8) == [now] * 8


def test_after_a_time_in_which_nobody_looked_it_begins_anew(writer):
    now = timezone.now()
    look(now, 3)
    later = now + 2 * STEP + DEAF
    assert listening_since(now=later) == later and listening_since(now=later + STEP) == later


def test_a_clock_set_back_begins_it_anew(writer):
    now = timezone.now()
    look(now, 3)
    assert listening_since(now=now - timedelta(hours=1)) == now - timedelta(hours=1)


def test_without_a_writer_nothing_is_heard(sensors):
    stream_of().make_group()
    now = timezone.now()
    assert look(now, 3) == [now, now + STEP, now + 2 * STEP]


def test_what_waits_too_long_is_not_heard(writer, sensors):
    now = timezone.now()
    offer([sensors.envelope(("temperature", 20.0, None))])
    assert listening_since(now=now) == now
    assert listening_since(now=now + 2 * STEP) == now
    assert listening_since(now=now + DEAF + 2 * STEP) == now + DEAF + 2 * STEP


def test_without_the_streams_redis_nothing_is_heard(sensors, settings):
    settings.STREAMS_URL = "redis://127.0.0.1:1/0"
    now = timezone.now()
    assert look(now, 2) == [now, now + STEP]


def test_who_fell_silent_while_we_heard_nothing_has_three_cadences_from_then_on(sensors):
    device = sensors.salmiya
    Device.objects.filter(pk=device.pk).update(last_seen_at=sensors.now)
    sweep(now=sensors.now)
    back = sensors.now + timedelta(hours=1)
    assert sweep(now=back + timedelta(seconds=179), listening_since=back).went == 0
    assert sweep(now=back + timedelta(seconds=180), listening_since=back).went == 1
    assert DeviceOutage.objects.get().began_at == sensors.now  # it was last heard then, and that is what is known


def test_who_was_away_before_is_not_back_for_our_sake(sensors):
    Device.objects.filter(pk=sensors.salmiya.pk).update(last_seen_at=sensors.now)
    sweep(now=sensors.now)
    gone = sensors.now + timedelta(minutes=10)
    assert sweep(now=gone).went == 1
    assert sweep(now=gone + STEP, listening_since=gone + STEP).came_back == 0
    assert Device.objects.get(pk=sensors.salmiya.pk).status == "offline"


def test_the_round_says_nobody_went_after_a_night_off(writer, sensors):
    Device.objects.filter(pk=sensors.salmiya.pk).update(last_seen_at=timezone.now() - timedelta(hours=8), status="online")
    look_after_devices()
    assert Device.objects.get(pk=sensors.salmiya.pk).status == "online"
    assert not Event.objects.filter(type="device.offline").exists()
