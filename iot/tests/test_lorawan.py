"""IOT-1: LoRaWAN servers tell of frames, joins and batteries; each frame counts once and none backwards."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from iot.models import DeadReading, Device, DeviceNetwork, DeviceProfile, LoraSession, Reading
from iot.services import register_device, suspend_device
from iot.services.networks import issue_network_token, keep_network
from iot.services.standard_profiles import ensure_profiles
from iot.stream import Stream
from iot.tests.decoders.test_envelopes import PAYLOADS, needs_payloads

pytestmark = pytest.mark.django_db
EUI = "0101010101010101"
AIR = bytes.fromhex("0167010e026850")  # 27.0 °C, 40 %


@dataclass
class Servers:
    """Called, it does what a server does: posts a message with its token."""

    networks: dict[str, DeviceNetwork]
    tokens: dict[str, str]

    def __call__(self, path: str, body: Any, *, token: str | None = None, raw: bytes | None = None) -> Any:
        kind = "ttn" if path.endswith("ttn") else "chirpstack"
        data = raw if raw is not None else json.dumps(body)
        headers = {"X-Network-Token": self.tokens[kind] if token is None else token}
        return Client().post(f"/api/v1/iot/lorawan/{path}", data, content_type="application/json", headers=headers)


@pytest.fixture
def lora(sensors, cast, places):
    """A ChirpStack and a TTN of the police, a device on each, a gateway; and how they call."""
    ensure_profiles()
    profile = DeviceProfile.objects.get(code="air_lora")
    networks = {
        kind: keep_network(
            network=DeviceNetwork(agency=cast.police, name=kind, kind=kind, profile_for_strangers=profile), by=cast.superadmin
        )
        for kind in ("chirpstack", "ttn")
    }
    tokens = {kind: issue_network_token(network=network, by=cast.superadmin) for kind, network in networks.items()}
    where = {"agency": cast.police, "by": None, "location": places.in_salmiya}
    register_device(code="L-1", profile=profile, identities={"dev_eui": EUI}, **where)
    register_device(code="L-2", profile=profile, identities={"dev_eui": "0004A30B001C0530"}, **where)
    gateway = DeviceProfile.objects.get(code="gateway")
    register_device(code="GW-1", profile=gateway, identities={"dev_eui": "0016c001f153a14c"}, **where)

    return Servers(networks, tokens)


def up(counter, at, *, session="00189440", dedup="", eui=EUI, data=AIR, **more):
    return {
        "deduplicationId": dedup or f"d-{session}-{counter}", "time": at.isoformat(), "deviceInfo": {"devEui": eui}, "devAddr": session,
        "fCnt": counter, "fPort": 1, "data": base64.b64encode(data).decode(),
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -36, "snr": 10.5}, {"gatewayId": "b", "rssi": -90, "snr": 1}], **more,
    }  # fmt: skip


def join(at, session):
    return {"deduplicationId": f"j-{session}", "time": at.isoformat(), "deviceInfo": {"devEui": EUI}, "devAddr": session}


def word(answer):
    assert answer.status_code == 202, answer.content
    return answer.json()["outcome"]


def test_a_frame_is_on_the_stream_when_it_is_answered_and_tells_of_signal_and_gateway(lora, sensors, drain):
    answer = lora("chirpstack?event=up", up(7, sensors.ago(seconds=9)))
    assert answer.json() == {"outcome": "taken", "taken": 2, "refused": 0}
    drain()
    assert {row.value for row in Reading.objects.filter(at=sensors.ago(seconds=9))} == {27, 40}
    device = Device.objects.get(code="L-1")
    held = LoraSession.objects.get(device=device)
    assert (held.counter, held.gateway, held.gateways, held.rssi_dbm, held.snr_db) == (7, "0016c001f153a14c", 2, -36, 10.5)
    assert device.signal_dbm == -36 and Device.objects.get(code="GW-1").last_seen_at is not None


def test_the_same_frame_twice_is_taken_once_and_a_counter_never_runs_backwards(lora, sensors, drain):
    at = sensors.ago(seconds=60)
    said = [lora("chirpstack?event=up", body) for body in (
        up(5, at), up(5, at), up(5, at, dedup="another"), up(4, at), up(0, at, dedup="zero"), up(9, sensors.ago(seconds=1)),
    )]  # fmt: skip
    assert [word(answer) for answer in said] == ["taken", "repeated", "replayed", "replayed", "replayed", "taken"]
    drain()
    assert Reading.objects.count() == 4
    held = LoraSession.objects.get()
    assert (held.counter, held.refused, held.missed) == (9, 3, 3)
    dead = DeadReading.objects.get()
    assert (dead.why, dead.n, bytes(dead.raw)) == ("replayed", 3, b"")


def test_after_a_join_the_counter_begins_anew_and_the_old_session_is_over(lora, sensors):
    at = sensors.ago(seconds=60)
    assert word(lora("chirpstack?event=up", up(900, at))) == "taken"
    assert word(lora("chirpstack?event=join", join(at, "01aa"))) == "news"
    assert word(lora("chirpstack?event=up", up(0, sensors.ago(seconds=50), session="01aa"))) == "taken"
    assert word(lora("chirpstack?event=up", up(901, sensors.ago(seconds=40)))) == "replayed"
    # A join that is told late, or again, begins nothing.
    for session in ("01aa", "00189440"):
        lora("chirpstack?event=join", join(at, session))
    assert word(lora("chirpstack?event=up", up(0, at, session="01aa", dedup="x"))) == "replayed"
    # And frames that come before their join is told: their address is another.
    assert word(lora("chirpstack?event=up", up(0, sensors.ago(seconds=30), session="02bb"))) == "taken"


def test_a_status_tells_of_the_battery(lora, sensors, drain):
    status = {"deduplicationId": "s", "deviceInfo": {"devEui": EUI}, "margin": 10, "batteryLevel": 88.3}
    assert word(lora("chirpstack?event=status", status)) == "news"
    drain()
    device = Device.objects.get(code="L-1")
    assert (device.battery_pct, LoraSession.objects.get().margin_db) == (88.3, 10) and device.last_seen_at is not None


def test_the_things_stack_by_session_and_counter(lora, sensors, drain):
    def message(counter, session, decoded=None):
        return {
            "end_device_ids": {"device_id": "dev1", "dev_eui": "0004A30B001C0530"}, "received_at": sensors.ago(seconds=5).isoformat(),
            "uplink_message": {
                "session_key_id": session, "f_cnt": counter, "frm_payload": base64.b64encode(AIR).decode(),
                "rx_metadata": [{"gateway_ids": {"eui": "0016C001F153A14C"}, "rssi": -35, "snr": 5}],
                "received_at": sensors.ago(seconds=5 - counter * 0.1).isoformat(),
            },
        }  # fmt: skip

    accept = {"end_device_ids": {"dev_eui": "0004A30B001C0530"}, "join_accept": {"session_key_id": "two"}}
    bodies = [message(3, "one"), message(3, "one"), message(2, "one"), accept, message(0, "two"), message(4, "one")]
    assert [word(lora("ttn", body)) for body in bodies] == ["taken", "repeated", "replayed", "news", "taken", "replayed"]
    drain()
    assert Reading.objects.count() == 4


@needs_payloads
def test_real_messages_of_both_servers(lora):
    for event in ("up", "join", "status", "ack", "txack", "log", "location", "integration"):
        answer = lora(f"chirpstack?event={event}", None, raw=(PAYLOADS / f"chirpstack-v4/event_{event}.json").read_bytes())
        assert answer.status_code == 202, (event, answer.content)
    for name in ("uplink_message", "join_accept", "downlink_ack"):
        answer = lora("ttn", None, raw=(PAYLOADS / f"ttn-v3/{name}.json").read_bytes())
        assert answer.status_code == 202, (name, answer.content)


def test_a_stranger_waits_in_quarantine_and_another_agencys_device_is_no_stranger_and_not_told_of(lora, sensors, cast):
    at = sensors.ago(seconds=1)
    assert word(lora("chirpstack?event=up", up(1, at, eui="aa" * 8))) == "stranger"
    made = Device.objects.get(dev_eui="aa" * 8)
    assert (made.state, made.code, made.agency) == ("quarantined", "lora-" + "aa" * 8, cast.police)
    assert word(lora("chirpstack?event=up", up(2, at, eui="aa" * 8))) == "not_in_use"
    register_device(code="F-1", profile=made.profile, agency=cast.fire, by=None, identities={"dev_eui": "bb" * 8})
    assert word(lora("chirpstack?event=up", up(1, at, eui="bb" * 8))) == "stranger"
    assert Stream().standing()["entries"] == 0 and Device.objects.get(dev_eui="bb" * 8).agency == cast.fire
    DeviceNetwork.objects.update(profile_for_strangers=None)
    assert word(lora("chirpstack?event=up", up(1, at, eui="cc" * 8))) == "stranger" and not Device.objects.filter(dev_eui="cc" * 8).exists()


def test_who_may_call(lora, cast, sensors):
    body = up(1, sensors.now)
    assert Client().post("/api/v1/iot/lorawan/chirpstack?event=up", body, content_type="application/json").status_code == 401
    for token in ("", "kn_x", sensors.key, lora.tokens["chirpstack"][:-1], "é"):
        assert lora("chirpstack?event=up", body, token=token).status_code == 401
    assert lora("chirpstack?event=up", body, token=lora.tokens["ttn"]).status_code == 403
    before = lora.tokens["chirpstack"]
    issue_network_token(network=lora.networks["chirpstack"], by=cast.superadmin)
    assert lora("chirpstack?event=up", body, token=before).status_code == 401
    suspend_device(device=Device.objects.get(code="L-2"), by=None, reason="Tampered with")
    assert not LoraSession.objects.exists()


@pytest.mark.parametrize(
    ("event", "raw", "status"),
    [
        ("up", b"{", 400), ("up", b"[]", 422), ("up", b'{"fCnt": NaN}', 400), ("up", b"x" * 1_000_000, 413), ("none", b"{}", 422),
        ("", b"{}", 422), ("up", b'{"deviceInfo": {"devEui": "xyz"}}', 422),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_and_counted(lora, event, raw, status):
    assert lora(f"chirpstack?event={event}", None, raw=raw).status_code == status
    if status != 413:
        assert DeadReading.objects.get().why == "unreadable"


def test_payloads_that_cannot_be_used_are_counted_and_the_counter_moves_on(lora, sensors):
    at = sensors.ago(seconds=1)
    assert word(lora("chirpstack?event=up", up(1, at, data=b"\xff\xff\xff"))) == "refused"
    assert word(lora("chirpstack?event=up", up(2, at, data=b""))) == "taken"
    for counter, time in ((3, "1970-01-01T00:00:00Z"), (4, "2099-01-01T00:00:00Z")):
        assert word(lora("chirpstack?event=up", up(counter, at) | {"time": time})) == "refused"
    assert {dead.why: dead.n for dead in DeadReading.objects.exclude(why="x")} == {"unreadable": 1} | {
        dead.why: dead.n for dead in DeadReading.objects.filter(why__in=("too_old", "future"))
    }
    assert LoraSession.objects.get().counter == 4


def test_a_servers_own_decoding_is_taken_where_the_profile_has_no_decoder(lora, sensors, drain):
    Device.objects.filter(code="L-1").update(profile=sensors.air)
    told = up(1, sensors.ago(seconds=1), object={"temperature": 30.5, "nonsense": 1, "battery_pct": 77})
    assert lora("chirpstack?event=up", told).json() == {"outcome": "taken", "taken": 1, "refused": 0}
    drain()
    assert Device.objects.get(code="L-1").battery_pct == 77


def test_while_the_stream_is_away_nothing_is_taken_and_the_frame_may_come_again(lora, sensors, settings):
    url, body = settings.STREAMS_URL, up(1, sensors.ago(seconds=1))
    settings.STREAMS_URL = "redis://127.0.0.1:1/0"
    assert lora("chirpstack?event=up", body).status_code == 503
    settings.STREAMS_URL = url
    assert word(lora("chirpstack?event=up", body)) == "taken"
