"""IOT-1, IOT-4, ING-1: envelopes of network servers, cameras' events and plate readers; a plate never comes out of any of them."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iot.decoders import Undecodable, chirpstack_v4, decoder, frigate, lorawan, lpr, ttn_v3
from iot.decoders.lorawan import DeviceNews, Reception, Uplink

PAYLOADS = Path(os.environ.get("KHAREETATY_SHARED", "/nowhere")) / "data/iot-payloads"
SALT = bytes(range(32))
needs_payloads = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the folder of real payloads (KHAREETATY_SHARED) is not here")


def real(name):
    return (PAYLOADS / name).read_bytes()


def up(**changes):
    body = {
        "deduplicationId": "d-1",
        "time": "2026-01-05T06:00:00.775023242+00:00",
        "deviceInfo": {"devEui": "01020304050607AB"},
        "fCnt": 7,
        "fPort": 2,
        "data": base64.b64encode(bytes.fromhex("03670110")).decode(),
        "rxInfo": [{"gatewayId": "g1", "rssi": -90, "snr": 1.5}, {"gatewayId": "g2", "rssi": -40, "snr": 9}],
    } | changes
    return json.dumps({key: value for key, value in body.items() if value is not None}).encode()


def test_an_uplink_has_its_device_number_gateways_and_readings():
    found = chirpstack_v4.read(up(), "up")
    assert isinstance(found, Uplink)
    assert (found.dev_eui, found.dedup_id, found.counter, found.port) == ("01020304050607ab", "d-1", 7, 2)
    assert found.receptions == (Reception("g2", -40.0, 9.0), Reception("g1", -90.0, 1.5))
    (one,) = lorawan.measured(found, decoder("cayenne_lpp", {}))
    assert (one.metric, one.value, one.at) == ("temperature_c_3", 27.2, datetime(2026, 1, 5, 6, 0, 0, 775023, tzinfo=UTC))


def test_the_servers_own_decoding_is_read_by_paths():
    found = chirpstack_v4.read(up(object={"t": 21}), "up")
    assert isinstance(found, Uplink)
    (one,) = lorawan.measured(found, decoder("json_path", {"fields": [{"metric": "t", "path": "t"}]}))
    assert one.value == 21.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deviceInfo": None}, "deviceInfo"),
        ({"deviceInfo": {"devEui": "zz"}}, "device EUI"),
        ({"deduplicationId": None}, "deduplicationId"),
        ({"fCnt": -1}, "fCnt"),
        ({"fCnt": 2**40}, "fCnt"),
        ({"fCnt": True}, "fCnt"),
        ({"data": "%%%"}, "data: not base64"),
        ({"rxInfo": "near"}, "gateways"),
        ({"rxInfo": [{"gatewayId": "g"}] * 65}, "gateways"),
        ({"rxInfo": [{"gatewayId": "g", "rssi": "loud"}]}, "rssi"),
        ({"object": [1]}, "object"),
        ({"time": "yesterday"}, "time"),
    ],
)
def test_a_forged_uplink_is_refused(change, reason):
    with pytest.raises(Undecodable, match=reason):
        chirpstack_v4.read(up(**change), "up")


def test_an_unknown_event_is_refused():
    with pytest.raises(Undecodable, match="no event of ChirpStack"):
        chirpstack_v4.read(up(), "down")


@pytest.mark.parametrize(
    ("level", "known"), [({"batteryLevel": 88.3}, 88.3), ({"batteryLevel": 0, "batteryLevelUnavailable": True}, None), ({}, None)]
)
def test_a_battery_nobody_could_measure_is_not_an_empty_one(level, known):
    body = {"deduplicationId": "d", "deviceInfo": {"devEui": "0101010101010101"}, "margin": 10} | level
    found = chirpstack_v4.read(body, "status")
    assert isinstance(found, DeviceNews) and found.battery_pct == known and found.margin_db == 10.0


def test_the_things_stack_numbers_a_frame_by_session_and_counter():
    body = {
        "end_device_ids": {"dev_eui": "0004A30B001C0530"},
        "correlation_ids": ["gs:uplink:1", "ns:uplink:2"],
        "uplink_message": {"session_key_id": "S", "f_cnt": 4, "rx_metadata": [{"packet_broker": {}}]},
        "simulated": True,
    }
    found = ttn_v3.read(body)
    assert isinstance(found, Uplink) and found.dedup_id == "S:4" and found.is_simulated and found.payload == b""
    unnamed = body | {"uplink_message": {"f_cnt": 4}}
    assert ttn_v3.read(unnamed).dedup_id == "ns:uplink:2"
    with pytest.raises(Undecodable, match="no message of The Things Stack"):
        ttn_v3.read({"end_device_ids": {"dev_eui": "0004A30B001C0530"}})


# --- cameras ------------------------------------------------------------------------------------------------------------------------------


def camera_event(kind="new", **after):
    state = {
        "id": "1.5-abc",
        "camera": "gate_2",
        "frame_time": 1767592830.5,
        "start_time": 1767592800.0,
        "end_time": None,
        "label": "person",
    }
    state |= {"top_score": 0.9, "entered_zones": ["yard"], "false_positive": False} | after
    return json.dumps({"type": kind, "before": {}, "after": state}).encode()


def test_an_object_counts_once_when_new_and_its_stay_when_it_ends():
    (seen,) = frigate.event(camera_event()).measurements()
    assert (seen.metric, seen.value) == ("person_seen", 1.0)
    assert frigate.event(camera_event("update")).measurements() == []
    (stay,) = frigate.event(camera_event("end", end_time=1767592860.0)).measurements()
    assert (stay.metric, stay.value) == ("person_stay_s", 60.0)
    assert frigate.event(camera_event(false_positive=True)).measurements() == []


def test_nothing_of_a_face_a_plate_or_a_picture_comes_out_of_a_cameras_event():
    secrets = {
        "sub_label": ["Somebody", 0.9],
        "recognized_license_plate": "9jub11",
        "thumbnail": "9jub11",
        "snapshot": {"x": "9jub11"},
        "data": {"description": "9jub11"},
    }
    found = frigate.event(camera_event(label="car", **secrets))
    assert "9jub11" not in repr(found) + repr(found.measurements()) and "Somebody" not in repr(found)
    assert frigate.event(camera_event(label="9jub11")).label == "object"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"camera": "a b"}, "camera"),
        ({"start_time": "now"}, "start_time"),
        ({"top_score": 9}, "score"),
        ({"entered_zones": {}}, "zones"),
        ({"id": 5}, "id"),
    ],
)
def test_a_forged_camera_event_is_refused(change, reason):
    with pytest.raises(Undecodable, match=reason):
        frigate.event(camera_event(**change))


@pytest.mark.parametrize(
    ("topic", "payload", "told"),
    [
        ("frigate/gate_2/motion", b"ON", ("gate_2", "motion", 1.0)),
        ("frigate/gate_2/person", b"12", ("gate_2", "person_in_view", 12.0)),
        ("frigate/gate_2/all", b"0", ("gate_2", "objects_in_view", 0.0)),
        ("frigate/gate_2/status/detect", b"offline", ("gate_2", "is_online", 0.0)),
        ("frigate/available", b"online", ("", "is_online", 1.0)),
        ("frigate/gate_2/person/snapshot", b"\xff\xd8" * 20, None),
        ("frigate/gate_2/9jub11", b"1", None),
        ("frigate/gate_2/person", b"-1", None),
        ("other/gate_2/motion", b"ON", None),
        ("frigate/gate_2/motion", b"x" * 1000, None),
    ],
)
def test_topics_beside_the_events_tell_of_motion_crowds_and_health(topic, payload, told):
    found = frigate.told(topic, payload)
    assert (found and (found[0], found[1][0].metric, found[1][0].value)) == told


# --- plates -------------------------------------------------------------------------------------------------------------------------------


def test_a_plate_is_a_token_under_the_salt_of_its_time_and_none_without():
    one, same = lpr.token_of("9 jub-11", SALT), lpr.token_of("9JUB11", SALT)
    assert one == same != lpr.token_of("9JUB11", bytes(32)) and "9JUB11" not in one.upper() and len(one) == 32
    assert lpr.token_of("١٢ ٣٤٥٦", SALT) == lpr.token_of("12/3456", SALT)
    with pytest.raises(ValueError, match="32 bytes"):
        lpr.sightings({}, salt=b"short")


@pytest.mark.parametrize("plate", [None, "", "  ", "A" * 17, "A" * 1000, ["SECRET99"], {"SECRET99": 1}])
def test_an_unreadable_plate_is_refused_without_repeating_it(plate):
    with pytest.raises(Undecodable) as refused:
        lpr.token_of(plate, SALT)
    assert str(refused.value) == "plate: unreadable" and refused.value.__context__ is None


def rekor(**row):
    return {
        "data_type": "alpr_results",
        "camera_id": 5,
        "epoch_time": 1767592800000,
        "results": [{"plate": "SECRET99", "confidence": 91.0} | row],
    }


@pytest.mark.parametrize("row", [{"confidence": "SECRET99"}, {"confidence": 400}, {"confidence": None}, {"plate": "SECRET99" * 3}])
def test_no_refusal_names_the_plate(row):
    with pytest.raises(Undecodable) as refused:
        lpr.sightings(json.dumps(rekor(**row)).encode(), salt=SALT)
    error = refused.value
    assert "SECRET" not in repr(error) + str(error) and error.__context__ is None and error.__cause__ is None


def test_broken_json_with_a_plate_in_it_carries_nothing_away():
    with pytest.raises(Undecodable) as refused:
        lpr.sightings(b'{"plate": "SECRET99"', salt=SALT)
    assert refused.value.__context__ is None and "SECRET" not in repr(refused.value.__dict__)


def test_vehicles_are_counted_read_and_distinct():
    body = rekor()
    body["results"] = [{"plate": plate, "confidence": sure} for plate, sure in [("A1", 90), ("A-1", 95), ("B2", 80), ("C3", 10)]]
    found = lpr.counted(lpr.sightings(body, salt=SALT), least_confidence=0.5)
    assert {one.metric: one.value for one in found["5"]} == {"vehicles_read": 3.0, "vehicles_distinct": 2.0}


# --- real payloads ------------------------------------------------------------------------------------------------------------------------


@needs_payloads
@pytest.mark.parametrize("event", chirpstack_v4.EVENTS)
def test_every_real_event_of_chirpstack_is_read(event):
    found = chirpstack_v4.read(real(f"chirpstack-v4/event_{event}.json"), event)
    if isinstance(found, Uplink):
        assert (found.payload, found.counter, found.receptions[0].rssi_dbm) == (b"\xaa", 0, -36.0)
        (one,) = lorawan.measured(found, decoder("binary_fields", {"fields": [{"metric": "v", "at": 0, "type": "u8"}]}))
        assert one.value == 170.0
    else:
        assert found.kind == event and found.dedup_id and len(found.dev_eui) == 16
        assert (found.battery_pct, found.margin_db) == ((88.3, 10.0) if event == "status" else (None, None))
        assert found.code == ("UPLINK_MIC" if event == "log" else "")


@needs_payloads
@pytest.mark.parametrize("number", range(5))
def test_a_gateways_own_message_is_refused_as_a_devices(number):
    with pytest.raises(Undecodable):
        chirpstack_v4.read(real(f"chirpstack-v4/gateway_event_{number}.json"), "up")


@needs_payloads
def test_every_real_message_of_the_things_stack_is_read():
    found = ttn_v3.read(real("ttn-v3/uplink_message.json"))
    assert isinstance(found, Uplink)
    assert (found.dev_eui, found.counter, found.payload) == ("0004a30b001c0530", 1, bytes.fromhex("8241de"))
    assert found.receptions == (Reception("9c5c8e00001a05c4", -35.0, 5.0),)
    paths = {"fields": [{"metric": "temperature_c", "path": "temperature"}, {"metric": "light", "path": "luminosity"}]}
    assert [one.value for one in lorawan.measured(found, decoder("json_path", paths))] == [1.0, 0.64]
    others = [ttn_v3.read(real(f"ttn-v3/{name}.json")) for name in ("join_accept", "downlink_ack")]
    assert [one.kind for one in others if isinstance(one, DeviceNews)] == ["join", "ack"]


@needs_payloads
def test_the_real_event_of_frigate_is_read():
    found = frigate.event(real("frigate-mqtt/events_update.json"))
    assert (found.camera, found.label, found.kind, found.zones) == ("front_door", "person", "update", ("yard", "driveway"))


@needs_payloads
@pytest.mark.parametrize(
    ("name", "plate", "camera"),
    [
        ("openalpr_rekor_alpr_results_trimmed", "D2651BF", "1234"),
        ("plate_recognizer_stream_webhook", "9jub11", "camera-1"),
        ("verkada_lpr_webhook", "ABCD123", "38718198-8a78-4718-a60f-68e1a8de30ac"),
    ],
)
def test_every_real_plate_reader_is_read_and_no_plate_comes_out(name, plate, camera):
    found = lpr.sightings(real(f"lpr/{name}.json"), salt=SALT)
    told = repr(found) + repr(lpr.counted(found))
    assert [one.camera for one in found] == [camera] and found[0].token == lpr.token_of(plate, SALT)
    assert plate.lower() not in told.lower() and "sju88y" not in told


@needs_payloads
def test_a_real_page_of_sensorthings_is_read_by_paths():
    paths = {"each": "value", "fields": [{"metric": "v", "path": "result"}], "time": {"path": "phenomenonTime", "format": "iso"}}
    found = decoder("json_path", paths)(real("sensorthings/observations_page.json"))
    assert found and all(one.at is not None for one in found)
