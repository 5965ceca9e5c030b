"""IOT-1: commands to LoRaWAN devices, through the API of the server each was heard by; its acknowledgement finds the command."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from alerts.tests.servers import HttpServer
from alerts.tests.servers.http import Reply
from interop.services.downlinks import send_downlinks
from iot.models import DeviceCommand, DeviceNetwork, DeviceProfile, LoraSession
from iot.services import register_device, send_command
from iot.services.downlinks import CannotSend, downlink_of
from iot.services.lorawan import take_message
from iot.services.networks import keep_network
from iot.services.standard_profiles import ensure_profiles

pytestmark = pytest.mark.django_db
EUI = "0102030405060708"


@pytest.fixture
def server(settings):
    with HttpServer() as server:
        settings.WEBHOOK_ALLOW = ["127.0.0.1"]
        yield server


@pytest.fixture
def heard(sensors, cast, places, server):
    """A device on LoRaWAN and the network it was heard by."""
    ensure_profiles()

    def by(kind):
        network = keep_network(
            network=DeviceNetwork(agency=cast.police, name=kind, kind=kind, base_url=server.url, application="air"),
            by=None,
            api_token="sesame",
        )
        profile = DeviceProfile.objects.get(code="air_lora")
        device = register_device(
            code="L-9", profile=profile, agency=cast.police, by=None, location=places.in_salmiya, identities={"dev_eui": EUI}
        )
        LoraSession.objects.create(device=device, network=network, server_name="dev-nine")
        return device, network

    return by


def test_chirpstack_has_it_and_its_acknowledgement_finds_the_command(heard, server, sensors):
    device, network = heard("chirpstack")
    command = send_command(device=device, payload={"hex": "01ff", "port": 10, "confirmed": True}, by=None)
    assert command.transport == "lorawan"
    server.script(Reply.json(200, {"id": "item-1"}))
    assert send_downlinks(now=datetime.now(UTC)) == 1 and send_downlinks(now=datetime.now(UTC)) == 0
    (seen,) = server.seen
    assert seen.path == f"/api/devices/{EUI}/queue" and seen.headers["grpc-metadata-authorization"] == "Bearer sesame"
    assert json.loads(seen.body) == {"queueItem": {"confirmed": True, "fPort": 10, "data": base64.b64encode(b"\x01\xff").decode()}}
    command.refresh_from_db()
    assert command.state == "sent" and "sesame" not in repr(list(DeviceNetwork.objects.values()))
    ack = {"deduplicationId": "a", "deviceInfo": {"devEui": EUI}, "queueItemId": "item-1", "acknowledged": True}
    take_message(network=network, body=ack, event="ack", now=sensors.now)
    command.refresh_from_db()
    assert command.state == "acknowledged"


def test_the_things_stack_has_it_and_says_when_it_was_not_confirmed(heard, server, sensors):
    device, network = heard("ttn")
    command = send_command(device=device, payload={"base64": "Af8=", "confirmed": True}, by=None)
    assert send_downlinks(now=datetime.now(UTC)) == 1
    (seen,) = server.seen
    assert seen.path == "/api/v3/as/applications/air/devices/dev-nine/down/push" and seen.headers["authorization"] == "Bearer sesame"
    (row,) = json.loads(seen.body)["downlinks"]
    assert (row["frm_payload"], row["f_port"], row["confirmed"]) == ("Af8=", 1, True)
    body = {"end_device_ids": {"dev_eui": EUI}, "correlation_ids": row["correlation_ids"], "downlink_nack": {}}
    take_message(network=network, body=body, now=sensors.now)
    command.refresh_from_db()
    assert command.state == "failed" and command.problem


def test_another_devices_acknowledgement_ends_nothing(heard, server, sensors, cast):
    device, network = heard("ttn")
    command = send_command(device=device, payload={"hex": "01"}, by=None)
    register_device(code="L-8", profile=device.profile, agency=cast.police, by=None, identities={"dev_eui": "ab" * 8})
    body = {"end_device_ids": {"dev_eui": "ab" * 8}, "correlation_ids": [f"khareetaty:{command.reference}"], "downlink_ack": {}}
    take_message(network=network, body=body, now=sensors.now)
    command.refresh_from_db()
    assert command.state == "queued"


def test_a_server_that_fails_is_asked_again_and_why_is_said(heard, server, sensors, settings):
    device, _network = heard("chirpstack")
    command = send_command(device=device, payload={"hex": "01"}, by=None)
    later = datetime.now(UTC)
    server.script(Reply.json(500, {}))
    assert send_downlinks(now=later) == 0
    command.refresh_from_db()
    assert (command.state, command.problem) == ("queued", "HTTP 500")
    settings.WEBHOOK_ALLOW = []  # the guard: 127.0.0.1 is inside
    DeviceCommand.objects.update(next_try_at=later)
    assert send_downlinks(now=later) == 0 and len(server.seen) == 1
    DeviceNetwork.objects.update(is_active=False)
    DeviceCommand.objects.update(next_try_at=later)
    send_downlinks(now=later)
    command.refresh_from_db()
    assert command.problem == "it was heard by no network that is in use"


@pytest.mark.parametrize(
    "payload",
    [{}, {"hex": "xyz"}, {"hex": ""}, {"base64": "***"}, {"hex": "00" * 243}, {"hex": "01", "port": 0}, {"hex": "01", "port": 224},
     {"hex": "01", "port": True}, {"hex": "01", "confirmed": "yes"}, {"valve": "shut"}],
)  # fmt: skip
def test_what_is_no_frame_is_said(payload):
    with pytest.raises(CannotSend):
        downlink_of(payload)
