"""IOT-1, IOT-4, ING-1: motion, crowds, cameras' health, the air: row by row, by the device itself or by its agency's system."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from interop.services import issue_key
from iot.models import DeadReading, Device, DeviceOutage, Reading
from iot.services import suspend_device
from iot.services.outages import sweep
from iot.stream import Stream

pytestmark = pytest.mark.django_db


@pytest.fixture
def partner(police_system, places, standard):
    return issue_key(partner=police_system, name="vms", scopes=["telemetry:write"], by=None, governorates=[places.hawalli])[1]


def last(device):
    return {stream.metric.code: stream.last_value for stream in device.datastreams.select_related("metric")}


@pytest.mark.parametrize(
    ("path", "profile", "row", "kept"),
    [
        ("motion", "motion", {"detected": True, "events": 4, "level": 62.5}, {"motion": 1, "motion_events": 4, "motion_level": 62.5}),
        ("motion", "camera", {"detected": False}, {"motion": 0}),
        ("crowd-density", "crowd", {"people": 340, "density": 1.8, "occupancy": 71}, {"people": 340, "density": 1.8, "occupancy": 71}),
        ("camera-status", "camera", {"status": "online", "recording": True, "frame_rate": 25},
         {"is_online": 1, "is_recording": 1, "frame_rate": 25}),
        ("environmental", "air", {"temperature": 46.2, "pm10": 310}, {"temperature": 46.2, "pm10": 310}),
        ("environmental", "smoke", {"smoke": 3.1, "smoke_alarm": True}, {"smoke": 3.1, "smoke_alarm": 1}),
        ("environmental", "water", {"pressure": 3.2, "flow": 12}, {"pressure": 3.2, "flow": 12}),
    ],
)  # fmt: skip
def test_each_door_ends_as_readings_of_its_devices_metrics(standard, sensors, drain, path, profile, row, kept):
    answer = standard.post(path, {"at": sensors.ago(seconds=5).isoformat(), **row, "battery_pct": 70}, as_=profile)
    assert answer.json() == {"accepted": len(kept), "refused": 0, "results": []} and answer.status_code == 202
    drain()
    device = standard.devices[profile]
    assert last(device) == kept and set(Reading.objects.values_list("at", flat=True)) == {sensors.ago(seconds=5)}
    device.refresh_from_db()
    assert device.battery_pct == 70


def test_a_partner_sends_for_several_of_its_devices_at_once(standard, partner, drain):
    rows = [{"device": "S-MOTION", "detected": True}, {"device": "S-CAMERA", "detected": True}, {"device": "NOT-THERE", "detected": True}]
    answer = standard.post("motion", {"rows": rows}, key=partner)
    assert answer.status_code == 202 and answer.json()["accepted"] == 2
    assert [(row["index"], row["code"]) for row in answer.json()["results"]] == [(2, "no_such_device")]
    assert Stream().standing()["entries"] == 1
    drain()
    assert last(standard.devices["motion"]) == last(standard.devices["camera"]) == {"motion": 1}


def test_a_foreign_device_is_404_for_a_device_and_a_partner(standard, partner, sensors):
    assert standard.post("motion", {"device": "S-CAMERA", "detected": True}, as_="motion").status_code == 404
    assert standard.post("motion", {"device": "AIR-2", "detected": True}, key=partner).status_code == 404  # of another governorate
    assert standard.post("motion", {"detected": True}, key=partner).status_code == 422
    assert Stream().standing()["entries"] == 0


def test_who_may_not(standard, police_system, places):
    reads = issue_key(partner=police_system, name="r", scopes=["telemetry:read"], by=None, governorates=[places.hawalli])[1]
    assert standard.post("motion", {"detected": True}).status_code == 401
    assert standard.post("motion", {"device": "S-MOTION", "detected": True}, key=reads).status_code == 403
    suspend_device(device=standard.devices["motion"], by=None, reason="Tampered with")
    assert standard.post("motion", {"detected": True}, as_="motion").status_code == 403


def test_a_device_in_quarantine_is_refused_row_by_row(standard, partner):
    Device.objects.filter(code="S-CAMERA").update(state="quarantined")
    rows = [{"device": "S-CAMERA", "detected": True}, {"device": "S-MOTION", "detected": True}]
    assert [row["code"] for row in standard.post("motion", rows, key=partner).json()["results"]] == ["not_in_use"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (5, "not_an_object"),
        ({}, "invalid"),
        ({"detected": "yes"}, "invalid"),
        ({"events": 2.5}, "invalid"),
        ({"events": -1}, "invalid"),
        ({"level": 101}, "invalid"),
        ({"level": "50"}, "invalid"),
        ({"detected": True, "at": "2026-03-02T09:00:05"}, "no_time"),
        ({"detected": True, "at": 0}, "too_old"),
        ({"detected": True, "at": "2099-01-01T00:00:00Z"}, "future"),
        ({"detected": True, "at": {"x": 1}}, "no_time"),
    ],
)
def test_each_thing_that_is_wrong_has_its_word(standard, row, code):
    answer = standard.post("motion", [row, {"detected": True}], as_="motion")
    assert answer.status_code == 202 and answer.json()["accepted"] == 1
    assert [(fate["index"], fate["code"]) for fate in answer.json()["results"]] == [(0, code)]
    alone = standard.post("motion", [row], as_="motion")
    assert alone.status_code == 422 and alone.json()["errors"][0]["code"] == code


def test_what_the_profile_does_not_measure_is_named_and_the_rest_taken(standard):
    answer = standard.post("environmental", {"temperature": 30, "noise": 60}, as_="heat").json()
    assert (answer["accepted"], [row["code"] for row in answer["results"]]) == (1, ["unknown_metric"])


def test_broken_huge_and_empty_bodies(standard):
    for raw, status in ((b"{", 400), (b'{"level": NaN}', 400), (b"[]", 422), (b'{"rows": 5}', 422), (b"x" * 1_000_000, 413)):
        assert standard.post("motion", None, raw=raw, as_="motion").status_code == status, raw
    assert standard.post("motion", [{"detected": True}] * 1_001, as_="motion").status_code == 422
    assert Stream().standing()["entries"] == 0


def test_a_device_that_floods_is_limited_and_another_of_the_same_partner_is_not(standard, partner):
    rows = [{"device": "S-TANK-SMS", "level": 1.0, "at": n} for n in range(900)]
    rows += [{"device": "S-WATER", "level": 1.0}]
    assert standard.post("environmental", rows[:900], key=partner).status_code == 422  # 1970: refused, and counted against its limit
    answer = standard.post("environmental", rows, key=partner).json()
    assert answer["accepted"] == 1 and {row["code"] for row in answer["results"]} == {"too_many"}


def test_a_camera_reported_offline_is_offline_although_its_report_came(standard, partner, drain, sensors):
    device = standard.devices["camera"]

    def report(word, seconds):
        standard.post("camera-status", {"device": device.code, "status": word, "at": sensors.ago(seconds=seconds).isoformat()}, key=partner)
        drain()
        swept = sweep(now=sensors.now + timedelta(seconds=1))
        device.refresh_from_db()
        return swept.went, swept.came_back, device.status

    assert report("online", 30) == (0, 1, "online")
    assert report("offline", 20) == (1, 0, "offline")
    assert report("offline", 19) == (0, 0, "offline")
    assert report("online", 10) == (0, 1, "online")
    assert DeviceOutage.objects.get().ended_at is not None


def test_of_a_camera_nothing_it_wrote_is_kept_among_the_dead(standard):
    body = {"metric": "PLATE-10-12345", "value": 1}
    assert standard.post("readings", body, as_="camera").status_code == 422
    assert standard.post("readings", [{"values": {"PLATE-10-12345": "x"}}, body], as_="plates").status_code == 422
    assert standard.post("readings", body, as_="water").status_code == 422
    kept = {dead.device.code: bytes(dead.raw) for dead in DeadReading.objects.select_related("device")}
    assert kept["S-CAMERA"] == kept["S-PLATES"] == b"" and json.loads(kept["S-WATER"]) == body
