"""IOT-1, OPS-1: synthetic devices speak LoRaWAN, text messages, MQTT and TCP through the real doors, each with what is its own there."""

from __future__ import annotations

import json
import re
import shutil
import stat
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from demo.devices.protocols import DOORS, Away, Coap, Each, LoRaWan, Mqtt, Refused, Sms
from demo.devices.protocols.lorawan import cayenne
from demo.devices.protocols.tcp import Tcp
from demo.services import devices as demo_devices
from demo.services.devices import FLEETS, Fleet, add_devices, known_keys, synthetic
from demo.services.doors import open_doors, protocol_of, words_file
from iot.ca import Authority
from iot.gateways import coap
from iot.models import Device, DeviceCredential, DeviceNetwork, LoraSession, Reading
from iot.services import revoke_certificate
from iot.services.partitions import keep_days_ready
from iot.tests.mqtt_broker import beside, broker, gateway, layout, read_again, until, work
from iot.tests.test_coap import Door
from iot.tests.test_tcp import Gateways

__all__ = ["beside", "broker", "gateway", "layout"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(sensors, places, settings, tmp_path, monkeypatch):
    """Two devices of each profile named; what they need at their doors is there."""
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(demo_devices, "FLEETS", tuple(Fleet(one.profile, "police", one.prefix, one.size, one.metrics) for one in FLEETS))
    keep_days_ready(now=datetime.now(UTC))

    def made(profile, protocol="own"):
        add_devices(2, region=places.region, profile=profile)
        chosen = {"keys": known_keys(), "faults": (), "protocol": protocol}
        return synthetic(words=open_doors({one.pk: one.protocol for one in synthetic(**chosen)}), **chosen)

    return made


def inside(door, client):
    """The door's own words, posted to the site without a socket between."""

    def post(self, path, body, headers):
        answer = client.post(path, json.dumps(body), content_type="application/json", headers=headers)
        if answer.status_code != 202:
            raise Refused(str(answer.status_code))
        return answer.content

    return type("Inside", (door,), {"post": post})("http://127.0.0.1:1")


def told(device):
    now = datetime.now(UTC).timestamp()
    return {**device.body(now), **device.facts(now)}


def values(device):
    return dict(Reading.objects.filter(datastream__device__code=device.code).values_list("datastream__metric__code", "value"))


def test_a_frame_is_taken_with_the_networks_token_and_read_by_the_profiles_decoder(fleet, client, drain):
    first, second = fleet("air_lora")
    assert (first.protocol, second.protocol) == ("lorawan", "lorawan") and first.address != second.address
    door = inside(LoRaWan, client)
    body = told(first)
    door.send(first, body)
    drain()
    assert values(first)["temperature"] == pytest.approx(body["values"]["temperature"], abs=0.06)
    assert values(first)["humidity"] == pytest.approx(body["values"]["humidity"], abs=0.26)
    door.send(first, told(first))
    assert LoraSession.objects.get(device__code=first.code).counter == 1, "frames are counted"
    again = inside(LoRaWan, client)
    again._begun = door._begun ^ 1
    again.send(first, told(first))  # begun anew it is another session, not a frame told again
    with pytest.raises(Refused, match="401"):
        door.send(replace(second, word="kn_00000000_wrong"), told(second))
    with pytest.raises(Refused, match="stranger"):
        door.send(replace(second, address="0200000000000001"), told(second))


def test_a_text_is_read_by_its_words_and_its_number_calls_nobody(fleet, client, drain):
    tank = fleet("tank_sms")[0]
    assert tank.protocol == "sms" and tank.address.startswith("+96500")
    body = told(tank)
    inside(Sms, client).send(tank, body)
    drain()
    assert values(tank) == {"level": pytest.approx(body["values"]["level"], abs=0.01)}
    assert Device.objects.get(code=tank.code).battery_pct == pytest.approx(body["battery_pct"], abs=0.1)


@pytest.mark.skipif(shutil.which("mosquitto", path="/usr/bin:/usr/sbin") is None, reason="Mosquitto is not installed here")
def test_a_message_is_sent_when_the_broker_has_it_and_becomes_rows(fleet, beside, gateway, drain):
    first, second = fleet("water")
    assert first.protocol == "mqtt" and first.word
    read_again(beside)
    door = Mqtt("http://127.0.0.1:1")
    door._port = beside.sensor_port
    for device in (first, second, first):
        door.send(device, told(device))
    assert work(gateway, expected=3) == 3
    drain()
    assert set(values(first)) == set(values(second)) == {"pressure", "flow"}
    door.close()
    with pytest.raises(Refused, match="password"):
        door.send(replace(first, word="wrong"), told(first))
    door._port = None
    with pytest.raises(Away, match="no broker"):
        door.send(first, told(first))


@pytest.mark.django_db(transaction=True)
def test_a_connection_to_the_real_gateway_takes_what_a_device_says(fleet, drain):
    device = fleet("smoke")[0]
    assert device.protocol == "tcp"
    gateways = Gateways()
    try:
        door = Tcp("http://127.0.0.1:1")
        door._where = ("127.0.0.1", gateways().port)
        door.send(device, told(device))
        door.send(device, told(device))
        with pytest.raises(Refused, match="ERR"):
            door.send(replace(device, code="OTHER", key="kd_00000000_wrong"), told(device))
        door.close()
    finally:
        gateways.end()
    drain()
    assert set(values(device)) == {"smoke", "carbon_monoxide", "temperature", "smoke_alarm"}


@pytest.mark.django_db(transaction=True)
def test_a_module_with_its_certificate_is_acknowledged_by_the_real_gateway(fleet, drain, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(coap, "LOOK_EVERY_S", 0.05)
    settings.IOT_CA_DIR = tmp_path / "ca"
    device, other = fleet("air", "coap")
    assert device.protocol == "coap" and device.word.count("BEGIN CERTIFICATE") == 2 and device.word != other.word
    gateway = Door(None)
    try:
        settings.IOT_COAP_PORT = gateway.port
        door = Coap("http://127.0.0.1:1")
        for who in (device, other, device):
            door.send(who, told(who))
        with pytest.raises(Refused, match=r"4\.04 no_such_device"):
            door.send(device, {**told(device), "device": other.code})
        strange = Authority.made(now=datetime.now(UTC)).pem.decode()
        with pytest.raises(Refused, match="certificate"):
            door.send(replace(device, code="OTHER", word=device.word.replace(words(device)[2], strange)), told(device))
        with pytest.raises(Refused, match="no certificate"):
            door.send(replace(device, code="NONE", word=""), told(device))
        revoke_certificate(credential=DeviceCredential.objects.get(device__code=other.code, kind="certificate"), by=None)
        assert until(lambda: not goes(door, other)), "its session is ended by the gateway"
        door.close()
    finally:
        gateway.end()
    drain()
    assert values(device) and values(device).keys() == values(other).keys()
    # Asked for again, they have what they had; the one that was revoked has a new one.
    before = {one.code: one.word for one in (device, other)}
    again = open_doors({one.pk: "coap" for one in (device, other)})
    assert again.certificates[device.code] in before[device.code] and again.certificates[other.code] not in before[other.code]


def goes(door, device):
    try:
        door.send(device, told(device))
    except (Refused, Away):
        return False
    return True


def words(device):
    """Certificate, key, authority."""
    return [part + "-----\n" for part in re.findall(r"-----BEGIN [^-]+-----[^-]+-----END [^-]+", device.word)]


def test_what_is_needed_at_a_door_is_made_once_and_kept_for_ourselves_alone(fleet):
    fleet("air_lora")
    fleet("water")
    before = (DeviceCredential.objects.count(), DeviceNetwork.objects.count(), words_file().read_text())
    assert before[1] == 1 and stat.S_IMODE(words_file().stat().st_mode) == 0o600
    open_doors({one.pk: one.protocol for one in synthetic(keys=known_keys())})
    assert (DeviceCredential.objects.count(), DeviceNetwork.objects.count(), words_file().read_text()) == before


def test_each_speaks_by_its_own_protocol_and_by_http_where_there_is_no_broker():
    assert [protocol_of(code, "own", has_broker=True) for code in ("water", "tank_sms", "air_lora", "camera")] == [
        "mqtt", "sms", "lorawan", "http",
    ]  # fmt: skip
    assert protocol_of("water", "own", has_broker=False) == "http" and protocol_of("air_lora", "tcp", has_broker=True) == "tcp"
    assert set(DOORS) == {"http", "tcp", "mqtt", "lorawan", "sms", "coap"}
    each = Each("http://127.0.0.1:1")
    each.close()


def test_a_frame_without_a_metric_it_knows_is_not_sent():
    assert cayenne({"temperature": -3.25, "noise": 40}) == bytes.fromhex("0167ffe0")
    assert cayenne({"noise": 40}) == b""
