"""IOT-1, IOT-3: partners' systems and people read devices and what they said, each their own; partners send for theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from interop.services import issue_key
from interop.tests.conftest import Caller
from iot.models import Datastream, Reading
from iot.services import suspend_device
from iot.services.history import history

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(police_system, places, sensors) -> Caller:
    """The police's own system, in Hawalli."""
    return Caller(
        *issue_key(partner=police_system, name="iot", scopes=["telemetry:read", "telemetry:write"], by=None, governorates=[places.hawalli])
    )


@pytest.fixture
def person(cast):
    def get(who, path):
        client = Client()
        client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
        return client.get(f"/api/v1/iot/{path}")

    return get


def minutes_of(sensors, count, *, step_s=60, value=20.0):
    rows = [("temperature", value + n % 7, sensors.ago(seconds=step_s * (count - n))) for n in range(count)]
    for start in range(0, count, 500):
        sensors.write([sensors.said(*rows[start : start + 500])])


def test_devices_of_the_jurisdiction_and_no_others(reader, sensors):
    answer = reader.get("iot/devices")
    assert [row["code"] for row in answer.json()["results"]] == ["AIR-1"]
    assert answer.json()["results"][0] | {"state": "active", "governorate": "T-HA", "area": "T-SAL"} == answer.json()["results"][0]
    for path in ("", "/last", "/readings?metric=temperature", "/readings.csv", "/readings.jsonl"):
        assert reader.get(f"iot/devices/AIR-2{path}").status_code == 404
        assert reader.get(f"iot/devices/NONE{path}").status_code == 404
    assert reader.get("iot/devices", {"state": "retired"}).json()["results"] == []
    assert reader.get("iot/devices", {"state": "dead"}).status_code == 422


def test_who_may_see_devices_sees_their_own_and_nobody_else_any(sensors, cast, person):
    assert person(cast.dispatcher, "devices").json()["results"][0]["code"] == "AIR-1"
    assert person(cast.officer, "devices").status_code == 403
    assert person(cast.firefighter, "devices").json()["results"] == []
    assert person(cast.dispatcher, "devices/AIR-2").status_code == 404
    assert Client().get("/api/v1/iot/devices").status_code == 401


def test_a_key_without_the_scope_is_refused(caller, sensors):
    assert caller.get("iot/devices").status_code == 403
    assert caller.post("iot/devices/AIR-1/readings", {"metric": "temperature", "value": 1}).status_code == 403


def test_last_values_say_what_is_known_against_them(reader, sensors):
    sensors.write([sensors.said(("temperature", 300.0, sensors.now))])
    (last,) = reader.get("iot/devices/AIR-1/last").json()
    assert (last["metric"], last["value"], last["unit"], last["quality"]) == ("temperature", 300.0, "°C", ["out_of_range"])


def test_few_readings_come_as_they_are_and_many_in_stretches(reader, sensors):
    minutes_of(sensors, 300)
    whole = reader.get("iot/devices/AIR-1/readings", {"metric": "temperature", "points": 1000}).json()
    assert whole["step_s"] == 120 and sum(whole["n"]) == 300 and max(whole["max"]) == 26
    window: dict[str, Any] = {"metric": "temperature", "from": sensors.ago(minutes=100).isoformat(), "to": sensors.now.isoformat()}
    few = reader.get("iot/devices/AIR-1/readings", {**window, "points": 200}).json()
    assert few["step_s"] == 0 and len(few["at"]) == len(few["value"]) == 100 and few["quality"][0] == ["late"]
    thinned = reader.get("iot/devices/AIR-1/readings", {**window, "points": 10}).json()
    assert thinned["step_s"] == 600 and sum(thinned["n"]) >= 100 and len(thinned["at"]) <= 12


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from": "0001-01-01T00:00:00+14:00", "to": "0001-01-02T00:00:00+14:00"}, "from"),
        ({"from": "9999-12-31T00:00:00-14:00", "to": "9999-12-31T23:59:59-14:00"}, "to"),
        ({"to": "2026-03-02T09:00:00"}, "to"), ({"from": "yesterday"}, "from"), ({"from": "2199-12-31T00:00:00Z"}, "to"),
        ({"points": "1"}, "points"), ({"points": "9" * 30}, "points"), ({"points": "x"}, "points"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["readings", "readings.csv", "readings.jsonl"])
def test_a_window_that_cannot_be_reckoned_with_is_refused_by_name(path, asked, field, reader, sensors):
    sensors.write([sensors.said(("temperature", 20.0, sensors.now))])
    answer = reader.get(f"iot/devices/AIR-1/{path}", {"metric": "temperature", **asked})
    assert answer.status_code == 422 and field in {error["field"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("points", [2, 5, 20, 100])
def test_each_width_tells_the_same_as_the_readings(sensors, points):
    minutes_of(sensors, 400, step_s=400)
    stream = Datastream.objects.get(device=sensors.salmiya)
    start = (sensors.ago(days=2)).astimezone(UTC).replace(hour=21, minute=0, second=0, microsecond=0)
    end = start + timedelta(days=3)
    found = history(stream=stream, start=start, end=end, points=points)
    rows = Reading.objects.filter(datastream=stream, at__gte=found.points[0].at, at__lt=end)
    values = list(rows.values_list("value", flat=True))
    assert found.points and sum(point.n for point in found.points) == len(values)
    assert sum((point.mean or 0) * point.n for point in found.points) == pytest.approx(sum(values))
    assert max(point.max or 0 for point in found.points) == max(values) and found.points[-1].last == rows.latest("at").value


@pytest.mark.parametrize(
    "asked",
    [
        {"metric": "radiation"}, {}, {"metric": "temperature", "points": "1"}, {"metric": "temperature", "points": "99999"},
        {"metric": "temperature", "points": "²"}, {"metric": "temperature", "from": "yesterday"},
        {"metric": "temperature", "from": "2026-01-01T00:00:00"}, {"metric": "temperature", "to": "0001-01-01T00:00:00+00:00"},
        {"metric": "temperature", "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"metric": "temperature", "from": "1900-01-01T00:00:00Z"},
    ],
)  # fmt: skip
def test_a_window_that_is_none_is_refused_in_words(reader, sensors, asked):
    minutes_of(sensors, 1)
    assert reader.get("iot/devices/AIR-1/readings", asked).status_code == 422


def test_a_metric_that_has_said_nothing_is_not_there(reader, sensors):
    assert reader.get("iot/devices/AIR-1/readings", {"metric": "humidity"}).status_code == 404


def test_every_reading_as_csv_and_as_lines(reader, sensors):
    minutes_of(sensors, 3)
    sensors.write([sensors.said(("humidity", 400.0, sensors.ago(minutes=1)))])
    text = reader.get("iot/devices/AIR-1/readings.csv").getvalue().decode()
    lines = text.splitlines()
    assert lines[0] == "metric,unit,at,value,quality,received_at" and len(lines) == 5 and "out_of_range" in text
    assert len(reader.get("iot/devices/AIR-1/readings.jsonl", {"metric": "temperature"}).getvalue().splitlines()) == 3


def test_a_partners_system_sends_for_its_devices_alone(reader, sensors, cast, drain):
    body = {"readings": [{"metric": "temperature", "value": 21.0, "at": datetime.now(UTC).isoformat()}]}
    assert reader.post("iot/devices/AIR-1/readings", body).status_code == 202
    assert reader.post("iot/devices/AIR-2/readings", body).status_code == 404
    assert reader.post("iot/devices/AIR-1/readings", {**body, "device": "AIR-2"}).status_code == 404
    drain()
    assert Reading.objects.count() == 1
    suspend_device(device=sensors.salmiya, by=cast.supervisor, reason="x")
    assert reader.post("iot/devices/AIR-1/readings", body).status_code == 409


def test_a_person_sends_nothing_for_a_device(sensors, cast):
    client = Client()
    client.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post("/api/v1/iot/devices/AIR-1/readings", {"metric": "temperature", "value": 1}, content_type="application/json")
    assert answer.status_code == 403
