"""IOT-1: whatever comes, a decoder answers with measurements or with ``Undecodable``: nothing else is raised, no value is infinite."""

from __future__ import annotations

import math

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot.decoders import Undecodable, chirpstack_v4, decoder, frigate, lpr, ttn_v3

SALT = bytes(range(32))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["deviceInfo", "devEui", "rxInfo", "data", "object", "time", "fCnt", "end_device_ids", "dev_eui", "uplink_message", "rx_metadata"]
KEYS += [
    "type",
    "after",
    "label",
    "camera",
    "frame_time",
    "start_time",
    "entered_zones",
    "hook",
    "results",
    "data_type",
    "plate",
    "webhook_type",
]
WORDS = [
    "up",
    "new",
    "end",
    "alpr_results",
    "lpr",
    "0101010101010101",
    "person",
    "ns:uplink:1",
    "cam",
    "2026-01-05T06:00:00Z",
    "NaN",
    "1e400",
]
SHAPED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)
DECODERS = {
    "json_path": {
        "fields": [{"metric": "a", "path": "a"}, {"metric": "b", "path": "a[0].b", "factor": 1e10}],
        "time": {"path": "t", "format": "iso", "utc_offset_minutes": 180},
    },
    "binary_fields": {
        "fields": [{"metric": "a", "at": 0, "type": "f64", "factor": 1e15}, {"metric": "b", "at": 3, "type": "i24", "mask": 0xF0}],
        "time": {"at": 2, "type": "u64", "format": "epoch_ms"},
    },
    "cayenne_lpp": {},
    "sms_text": {"words": {"A": {"metric": "a", "factor": 1e15}, "B": {"metric": "b"}}},
}


def answers(read, *given_):
    try:
        found = read(*given_)
    except Undecodable as error:
        refused = error
    else:
        return found
    assert refused.reason and refused.__context__ is None
    return []


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=150, deadline=None)
@given(payload=st.binary(max_size=60) | JSON.map(orjson.dumps) | st.text("AB0123456789.eE+- ,=", max_size=30).map(str.encode))
def test_a_decoder_measures_or_refuses(name, payload):
    for one in answers(decoder(name, DECODERS[name]), payload):
        assert math.isfinite(one.value) and (one.at is None or one.at.tzinfo is not None)


@settings(max_examples=150, deadline=None)
@given(body=SHAPED)
def test_values_read_already_are_measured_or_refused_too(body):
    read = decoder("json_path", {"fields": [{"metric": "a", "path": "data"}, {"metric": "b", "path": "results[0].fCnt"}]})
    for one in answers(read, body):
        assert math.isfinite(one.value)


@settings(max_examples=300, deadline=None)
@given(body=SHAPED, event=st.sampled_from(chirpstack_v4.EVENTS))
def test_an_envelope_is_read_or_refused(body, event):
    answers(chirpstack_v4.read, body, event)
    answers(ttn_v3.read, body)
    answers(frigate.event, body)
    answers(lambda given_: lpr.sightings(given_, salt=SALT), body)


@settings(max_examples=200, deadline=None)
@given(device=SHAPED, message=SHAPED)
def test_an_envelope_of_the_right_shape_with_anything_in_it_is_read_or_refused(device, message):
    answers(
        chirpstack_v4.read,
        {"deviceInfo": {"devEui": "0101010101010101"}, "deduplicationId": "d", "rxInfo": device, "object": message},
        "up",
    )
    answers(ttn_v3.read, {"end_device_ids": {"dev_eui": "0101010101010101"}, "uplink_message": message, "correlation_ids": device})
    answers(lambda given_: lpr.sightings(given_, salt=SALT), {"data_type": "alpr_results", "camera_id": device, "results": message})
    answers(lambda given_: lpr.sightings(given_, salt=SALT), {"webhook_type": "lpr", "data": message})


@settings(max_examples=150, deadline=None)
@given(frame=st.binary(max_size=40))
def test_a_cayenne_frame_is_read_whole_or_not_at_all(frame):
    found = answers(decoder("cayenne_lpp", {}), frame)
    if found:
        assert answers(decoder("cayenne_lpp", {}), frame + b"\x00") == []  # a channel without a type
