"""IOT-1: what devices send becomes measurements by their profile's settings; what is wrong with settings is named."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest

from iot.decoders import InvalidSettings, Measurement, Undecodable, decoder

AT = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


def values(found):
    return {one.metric: one.value for one in found}


# --- JSON ---------------------------------------------------------------------------------------------------------------------------------


def test_json_is_read_by_paths_with_unit_and_time():
    read = decoder(
        "json_path",
        {
            "fields": [
                {"metric": "temperature_c", "path": "data.t", "factor": 0.1, "offset": -40},
                {"metric": "motion", "path": "data.flags[-1]", "values": {"ON": 1, "OFF": 0}},
                {"metric": "dotted", "path": '["a.b"]'},
                {"metric": "door", "path": "data.door"},
            ],
            "time": {"path": "ts", "format": "epoch_ms"},
        },
    )
    body = b'{"ts": 1767592800000, "a.b": "7.5", "data": {"t": 615, "flags": ["x", "ON"], "door": true}}'
    assert read(body) == [
        Measurement("temperature_c", 21.5, AT),
        Measurement("motion", 1.0, AT),
        Measurement("dotted", 7.5, AT),
        Measurement("door", 1.0, AT),
    ]


def test_a_list_of_readings_is_read_one_by_one():
    read = decoder("json_path", {"each": "e", "fields": [{"metric": "v", "path": "v"}], "time": {"path": "t", "format": "epoch_s"}})
    found = read(b'{"e": [{"t": 1767592800, "v": 1}, {"t": 1767592860, "v": null}, {"v": 3}]}')
    assert [(one.value, one.at) for one in found] == [(1.0, AT), (3.0, None)]


@pytest.mark.parametrize(
    ("written", "how", "extra"),
    [
        ("1767592800", "epoch_s", {}),
        ('"2026-01-05T09:00:00.123456789+03:00"', "iso", {}),
        ('"2026-01-05T06:00:00Z"', "iso", {}),
        ('"2026-01-05T09:00:00"', "iso", {"utc_offset_minutes": 180}),
    ],
)
def test_times_in_every_format_are_instants(written, how, extra):
    read = decoder("json_path", {"fields": [{"metric": "v", "path": "v"}], "time": {"path": "t", "format": how, **extra}})
    (one,) = read(f'{{"v": 1, "t": {written}}}'.encode())
    assert one.at is not None and one.at.replace(microsecond=0) == AT


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"v": NaN}', "not JSON"),
        (b'{"v": Infinity}', "not JSON"),
        (b'{"v": 1e400}', "not JSON"),
        (b'{"v": 1' + b"0" * 400 + b"}", "not JSON"),
        (b'{"v": "many"}', "not a number"),
        (b'{"v": {}}', "not a number"),
        (b'{"w": 1}', "none of the fields"),
        (b"[1]", "none of the fields"),
        (b'{"v": 1, "t": "2026-01-05T09:00:00"}', "without a time zone"),
        (b'{"v": 1, "t": "0001-01-01T00:00:00+14:00"}', "out of range"),
        (b'{"v": 1, "t": 5}', "not an ISO 8601 time"),
        (b"[" * 5000 + b"]" * 5000, "JSON"),
        (b"[" * 60 + b"]" * 60, "nested too deeply"),
        (b" " * 300_000, "larger than"),
        (b'"\xff\xfe"', "not JSON"),
    ],
)
def test_hostile_json_ends_as_one_error_with_its_reason(body, reason):
    read = decoder("json_path", {"fields": [{"metric": "v", "path": "v"}], "time": {"path": "t", "format": "iso"}})
    with pytest.raises(Undecodable, match=reason) as refused:
        read(body)
    assert refused.value.__context__ is None  # the parser's own error would carry the document into every log


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (None, "settings"),
        ({}, "fields"),
        ({"fields": []}, "fields"),
        ({"fields": [{"metric": "v", "path": "v"}] * 2}, "fields"),
        ({"fields": [{"metric": "V!", "path": "v"}]}, "fields[0].metric"),
        ({"fields": [{"metric": "v"}]}, "fields[0].path"),
        ({"fields": [{"metric": "v", "path": "a..b"}]}, "fields[0].path"),
        ({"fields": [{"metric": "v", "path": "a[x]"}]}, "fields[0].path"),
        ({"fields": [{"metric": "v", "path": "v", "factor": 0}]}, "fields[0].factor"),
        ({"fields": [{"metric": "v", "path": "v", "factor": float("nan")}]}, "fields[0].factor"),
        ({"fields": [{"metric": "v", "path": "v", "factr": 1}]}, "fields[0].factr"),
        ({"fields": [{"metric": "v", "path": "v", "required": 1}]}, "fields[0].required"),
        ({"fields": [{"metric": "v", "path": "v", "values": {"ON": "1"}}]}, "fields[0].values.ON"),
        ({"fields": [{"metric": "v", "path": "v"}], "time": {"path": "t", "format": "julian"}}, "time.format"),
        (
            {"fields": [{"metric": "v", "path": "v"}], "time": {"path": "t", "format": "iso", "utc_offset_minutes": 9000}},
            "time.utc_offset_minutes",
        ),
    ],
)
def test_what_is_wrong_with_the_settings_is_named(wrong, where):
    with pytest.raises(InvalidSettings) as refused:
        decoder("json_path", wrong)
    assert refused.value.where == where


def test_a_required_field_must_be_there():
    read = decoder("json_path", {"fields": [{"metric": "a", "path": "a"}, {"metric": "b", "path": "b", "required": True}]})
    with pytest.raises(Undecodable, match="b: missing"):
        read(b'{"a": 1}')


def test_an_unknown_decoder_is_named():
    with pytest.raises(InvalidSettings, match="there is no 'morse'; there are json_path"):
        decoder("morse", {})


# --- binary -------------------------------------------------------------------------------------------------------------------------------

FRAME = {
    "length": 14,
    "fields": [
        {"metric": "battery_v", "at": 0, "type": "u16", "mask": 0x3FFF, "factor": 0.001},
        {"metric": "alarm", "at": 0, "type": "u16", "mask": 0x8000},
        {"metric": "temperature_c", "at": 2, "type": "i16", "factor": 0.01, "absent": -32768},
        {"metric": "level_mm", "at": 4, "type": "u24", "order": "little"},
        {"metric": "flow", "at": 7, "type": "f32", "order": "little"},
    ],
}


def frame(temperature=-550, flow=2.5):
    return struct.pack(">Hh", 0x8000 | 3600, temperature) + (70_000).to_bytes(3, "little") + struct.pack("<f", flow) + b"\0\0\0"


def test_a_binary_frame_is_read_by_offsets_masks_and_byte_orders():
    found = decoder("binary_fields", FRAME)(frame())
    assert values(found) == {"battery_v": 3.6, "alarm": 1.0, "temperature_c": -5.5, "level_mm": 70_000.0, "flow": 2.5}


def test_what_was_not_measured_is_left_out():
    assert "temperature_c" not in values(decoder("binary_fields", FRAME)(frame(temperature=-32768)))


@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_frame_may_come_as_text(encoding):
    import base64

    text = frame().hex().encode() if encoding == "hex" else base64.b64encode(frame())
    assert values(decoder("binary_fields", {**FRAME, "encoding": encoding})(text))["flow"] == 2.5
    with pytest.raises(Undecodable, match=encoding[:3]):
        decoder("binary_fields", {**FRAME, "encoding": encoding})(b"~~~")


def test_a_frame_may_carry_its_time():
    read = decoder("binary_fields", {"fields": [{"metric": "v", "at": 4, "type": "u8"}], "time": {"at": 0, "type": "u32"}})
    assert read(struct.pack(">IB", 1_767_592_800, 9)) == [Measurement("v", 9.0, AT)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (frame()[:-1], "13 bytes instead of 14"),
        (b"", "0 bytes"),
        (frame(flow=float("nan")), "flow: not a finite"),
        ({"a": 1}, "not a binary frame"),
    ],
)
def test_a_bad_frame_is_refused(payload, reason):
    with pytest.raises(Undecodable, match=reason):
        decoder("binary_fields", FRAME)(payload)


def test_a_frame_cut_short_is_refused_where_no_length_is_set():
    with pytest.raises(Undecodable, match="level_mm: the frame ends before it"):
        decoder("binary_fields", {key: value for key, value in FRAME.items() if key != "length"})(frame()[:6])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"length": 5}, "length"),
        ({"fields": [{"metric": "v", "at": 0, "type": "u12"}]}, "fields[0].type"),
        ({"fields": [{"metric": "v", "at": -1, "type": "u8"}]}, "fields[0].at"),
        ({"fields": [{"metric": "v", "at": 0, "type": "u8", "mask": 256}]}, "fields[0].mask"),
        ({"fields": [{"metric": "v", "at": 0, "type": "f32", "mask": 1}]}, "fields[0].mask"),
        ({"order": "middle"}, "order"),
    ],
)
def test_wrong_binary_settings_are_named(change, where):
    with pytest.raises(InvalidSettings) as refused:
        decoder("binary_fields", FRAME | change)
    assert refused.value.where == where


# --- Cayenne ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        ("03670110056700FF", {"temperature_c_3": 27.2, "temperature_c_5": 25.5}),
        ("0167FFD7", {"temperature_c_1": -4.1}),
        ("067104D2FB2E0000", {"acceleration_g_x_6": 1.234, "acceleration_g_y_6": -1.234, "acceleration_g_z_6": 0.0}),
        ("018806765FF2960A0003E8", {"position_lat_1": 42.3519, "position_lon_1": -87.9094, "position_altitude_m_1": 10.0}),
        ("02682801020064", {"humidity_pct_2": 20.0, "analog_in_1": 1.0}),
    ],
)
def test_cayenne_frames_of_the_description_are_read(frame, found):
    assert values(decoder("cayenne_lpp", {})(bytes.fromhex(frame))) == found


def test_cayenne_values_may_be_renamed_and_the_others_left_out():
    read = decoder("cayenne_lpp", {"names": {"temperature_c_3": "water_temp_c"}, "only_named": True})
    assert values(read(bytes.fromhex("03670110056700FF"))) == {"water_temp_c": 27.2}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [("", "nothing"), ("01", "ends after a channel"), ("01FF00", "no type 255"), ("016701", "ends within"), ("0167000001670000", "twice")],
)
def test_a_bad_cayenne_frame_is_refused(frame, reason):
    with pytest.raises(Undecodable, match=reason):
        decoder("cayenne_lpp", {})(bytes.fromhex(frame))


@pytest.mark.parametrize(
    ("names", "where"), [({"warmth_1": "a"}, "names.warmth_1"), ({"temperature_c_300": "a"}, "names.temperature_c_300")]
)
def test_wrong_cayenne_names_are_named(names, where):
    with pytest.raises(InvalidSettings) as refused:
        decoder("cayenne_lpp", {"names": names})
    assert refused.value.where == where


# --- SMS ----------------------------------------------------------------------------------------------------------------------------------

WORDS = {"words": {"LEVEL": {"metric": "level_m"}, "BAT": {"metric": "battery_pct"}, "منسوب": {"metric": "level_ar_m"}}}


@pytest.mark.parametrize(
    "text", ["LEVEL 3.2 BAT 81", "level=3.2;bat=81", "ID 7 LEVEL: 3,2, BAT: 81 OK", "Level3.2 Bat81", "LEVEL ٣٫٢ BAT ٨١"]
)
def test_a_text_message_is_read_as_people_and_modems_write_it(text):
    assert values(decoder("sms_text", WORDS)(text.encode())) == {"level_m": 3.2, "battery_pct": 81.0}


def test_words_may_be_arabic():
    assert values(decoder("sms_text", WORDS)("منسوب ٣٫٢")) == {"level_ar_m": 3.2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"HELLO", "none of the words"),
        (b"LEVEL", "no number"),
        (b"LEVEL high", "not a number"),
        (b"LEVEL 1 LEVEL 2", "twice"),
        (b"\xff", "not UTF-8"),
        (b"LEVEL 1 " * 400, "not a text message"),
        (b"LEVEL nan", "not a number"),
    ],
)
def test_a_bad_text_message_is_refused(text, reason):
    with pytest.raises(Undecodable, match=reason):
        decoder("sms_text", WORDS)(text)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"words": {}}, "words"),
        ({"words": {"two words": {"metric": "v"}}}, "words.two words"),
        ({"words": {"A": {"metric": "v"}, "a": {"metric": "w"}}}, "words.a"),
        ({"words": {"A": {"metric": "v"}, "B": {"metric": "v"}}}, "words"),
    ],
)
def test_wrong_words_are_named(wrong, where):
    with pytest.raises(InvalidSettings) as refused:
        decoder("sms_text", wrong)
    assert refused.value.where == where
