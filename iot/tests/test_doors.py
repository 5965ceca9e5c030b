"""IOT-1: what each door took and refused of late: as exact as the stream, bounded whoever calls, and on the page of the streams."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from redis import Redis

from iot.doors import DOORS, KEPT_S, OTHER, Tally, base_key, note, tallies
from iot.gateways import coap, mqtt, mqtt_cameras, tcp_messages
from iot.models import DeadReading, DeviceProfile
from iot.services import lorawan, texts
from iot.services.dying import Dead, bury
from iot.services.speaking import MOST_ROWS, note_many_limited, write_down_limited
from iot.stream import Envelope, Stream, StreamFull

pytestmark = pytest.mark.django_db
URL = "/api/v1/iot/readings"


def hours() -> dict[str, Tally]:
    """Those that counted something."""
    return {door: hour for door, (_minute, hour) in tallies(Stream().client).items() if hour}


def test_each_way_in_is_a_door_that_is_counted():
    spoken = {lorawan.DOOR, texts.DOOR, mqtt.DOOR, mqtt_cameras.DOOR, tcp_messages.DOOR, coap.DOOR}
    assert spoken | {"http", "partner"} == set(DOORS)


def test_what_is_taken_is_counted_as_it_is_taken_and_what_is_refused_once_that_is_committed(sensors, django_capture_on_commit_callbacks):
    DeviceProfile.objects.update(most_per_min=1)  # its allowance does not come back while the test runs
    good = [{"metric": "temperature", "value": n, "at": sensors.ago(seconds=n).isoformat()} for n in range(5)]

    def send(body: Any) -> int:
        return Client().post(URL, body, content_type="application/json", headers={"Authorization": f"Device {sensors.key}"}).status_code

    with django_capture_on_commit_callbacks(execute=True):
        assert send({"readings": [*good, {"metric": "weight", "value": 1}]}) == 202
        assert hours() == {"http": Tally(messages=1, readings=5)}
    assert hours() == {"http": Tally(messages=1, readings=5, refused=1)}
    assert send({"readings": [good[0]] * MOST_ROWS}) == 429
    limited = hours()["http"].limited
    assert limited == MOST_ROWS - 1, "the door had taken one before it read the body"
    with django_capture_on_commit_callbacks(execute=True):
        assert write_down_limited(now=sensors.now) == limited
    assert hours()["http"].limited == limited and hours()["http"].refused == 1, "written down, and not counted twice"


def test_what_a_full_stream_refuses_is_not_taken(sensors, settings):
    stream = Stream()
    stream.offer([sensors.envelope(("temperature", 1.0, sensors.now))])
    before = hours()
    settings.IOT_STREAM_MOST = 1
    with pytest.raises(StreamFull):
        stream.offer([sensors.envelope(("temperature", 2.0, sensors.now))])
    assert hours() == before and stream.offer([]) == 0


def test_several_doors_in_one_offer_a_word_without_readings_and_a_door_nobody_knows(sensors):
    doors = ["tcp", "tcp", "sms", *(f"door-{n}" for n in range(500))]
    Stream().offer([Envelope(sensors.salmiya.pk, door, sensors.now, []) for door in doors])
    assert hours() == {"tcp": Tally(messages=2), "sms": Tally(messages=1), OTHER: Tally(messages=500)}
    client: Any = Stream().client
    (key,) = client.keys(f"{base_key()}:*")
    assert client.hlen(key) == 6 and 0 < client.ttl(key) <= KEPT_S, "small, and gone after an hour"


def test_the_minute_shown_is_the_last_full_one_and_the_hour_ends_after_sixty(sensors):
    client: Any = Stream().client
    now = int(client.time()[0]) // 60
    for minutes, n in ((0, 1), (1, 20), (59, 300), (60, 4_000)):
        client.hincrby(f"{base_key()}:{now - minutes}", "mqtt:readings", n)
    minute, hour = tallies(client)["mqtt"]
    if int(client.time()[0]) // 60 == now:
        assert minute.readings == 20 and hour.readings == 321


def test_what_was_undone_is_not_counted_and_redis_away_refuses_nobody(sensors, django_capture_on_commit_callbacks):
    dead = Dead("coap", DeadReading.Why.UNREADABLE, b"?", sensors.now, sensors.salmiya.pk, n=3)
    with django_capture_on_commit_callbacks():
        bury([dead])
    assert hours() == {}, "not committed yet"
    with django_capture_on_commit_callbacks(execute=True):
        bury([dead, Dead("stream", DeadReading.Why.BROKE_WRITER, b"?", sensors.now)])
    assert hours() == {"coap": Tally(refused=3)}, "a writer is no door"
    note(Redis(port=1, socket_connect_timeout=0.2), {"http": 1}, "refused")
    note_many_limited({}, door="http")
    assert hours() == {"coap": Tally(refused=3)}


def test_the_page_of_the_streams_shows_them_in_both_languages(sensors, cast, client):
    Stream().offer([Envelope(sensors.salmiya.pk, "lorawan", sensors.now - timedelta(seconds=1), [])])
    client.force_login(cast.superadmin)
    page = client.get("/sensors/streams/").content.decode()
    table = page[page.index('id="doors-title"') : page.index('id="letters-title"')]
    assert table.count("<tr") == 2 + len(DOORS) and table.count('class="is-quiet"') == len(DOORS) - 1 and "LoRaWAN" in table
    assert "Camera recorders, MQTT" in table and "of all agencies" in table
    client.force_login(cast.officer)
    assert client.get("/sensors/streams/").status_code == 403
