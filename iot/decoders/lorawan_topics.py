"""Where the integrations of LoRaWAN servers write at our broker, each behind the prefix of its own account, and what a topic says.

    ROOT/ACCOUNT/application/ID/device/EUI/event/EVENT   ChirpStack v4: its own topics
    ROOT/ACCOUNT/v3/APP@TENANT/devices/ID/up, …          The Things Stack v3: those of its MQTT server, bridged
    ROOT/ACCOUNT/up, …                                   The Things Stack v3: Pub/Sub with the prefix as its base topic

A topic and its payload name the same application and device, or the message is none: whoever may write one topic speaks for no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iot.decoders.errors import Undecodable
from iot.decoders.values import object_of

ROOT = "khareetaty/networks/"
# What The Things Stack calls a message in a topic, and in the payload.
TTN: dict[str, str] = {
    "up": "uplink_message",
    "join": "join_accept",
    "down/queued": "downlink_queued",
    "down/sent": "downlink_sent",
    "down/ack": "downlink_ack",
    "down/nack": "downlink_nack",
    "down/failed": "downlink_failed",
    "location/solved": "location_solved",
    "service/data": "service_data",
}
DOWN = "down/push"
# Behind ROOT/ACCOUNT/: what a server writes, and what it reads.
WRITTEN = ("application/+/device/+/event/+", *(f"v3/+/devices/+/{name}" for name in TTN), *TTN)
READ = ("application/+/device/+/command/down", f"v3/+/devices/+/{DOWN}", DOWN)


@dataclass(frozen=True, slots=True)
class Place:
    """``event`` is ChirpStack's word for the message (The Things Stack's is in the payload); ``commands`` is where, behind ROOT/ACCOUNT/,
    the server listens for what goes down to the device."""

    event: str
    commands: str


def prefix_of(account: str) -> str:
    return f"{ROOT}{account}/"


def split(topic: str) -> tuple[str, str]:
    """The account, and what stands behind it. Raises ``Undecodable`` for a topic that is none of a network's."""
    account, slash, rest = topic.removeprefix(ROOT).partition("/")
    if not topic.startswith(ROOT) or not account or not slash:
        raise Undecodable("no topic of a network")
    return account, rest


def chirpstack(rest: str, body: object) -> Place:
    """Of ChirpStack's topic. Raises ``Undecodable`` where the payload names another device or application."""
    parts = rest.split("/")
    if len(parts) != 6 or (parts[0], parts[2], parts[4]) != ("application", "device", "event"):
        raise Undecodable("no topic of ChirpStack")
    _word, application, _word, eui, _word, event = parts
    device = object_of(body).get("deviceInfo")
    if not isinstance(device, dict) or not _same(device.get("devEui"), eui):
        raise Undecodable("the topic names another device")
    if not _same(device.get("applicationId", application), application):
        raise Undecodable("the topic names another application")
    return Place(event, f"application/{application}/device/{eui}/command/down")


def things_stack(rest: str, body: object) -> Place:
    """Of The Things Stack's topic. Raises ``Undecodable`` where the payload names another device or application, or is another message."""
    given = object_of(body)
    ids = given.get("end_device_ids")
    if not isinstance(ids, dict):
        raise Undecodable("end_device_ids: missing")
    parts = rest.split("/", 4)
    name, commands = rest, DOWN
    if parts[0] == "v3":
        if len(parts) != 5 or parts[2] != "devices":
            raise Undecodable("no topic of The Things Stack")
        _version, application, _word, device, name = parts
        if not _same(ids.get("device_id"), device):
            raise Undecodable("the topic names another device")
        if not _same(_application_of(ids), application.partition("@")[0]):
            raise Undecodable("the topic names another application")
        commands = f"v3/{application}/devices/{device}/{DOWN}"
    if name not in TTN:
        raise Undecodable("no topic of The Things Stack")
    if [key for key in TTN.values() if key in given] != [TTN[name]]:
        raise Undecodable("the topic names another message")
    return Place("", commands)


def _application_of(ids: dict[str, Any]) -> object:
    named = ids.get("application_ids")
    return named.get("application_id") if isinstance(named, dict) else None


def _same(said: object, topic: str) -> bool:
    return isinstance(said, str) and 0 < len(said) <= 64 and said.lower() == topic.lower()
