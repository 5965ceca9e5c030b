"""What goes down to a LoRaWAN device, and by which way: the API of the server it was heard by, or that server's own topics at our broker.

By the broker where the network has no address of its API, is in use, has an account there, and was heard by it. See docs/decisions/0317.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from iot.models import DeviceNetwork, LoraSession

MOST_BYTES = 242  # the longest frame of LoRaWAN
OURS = "khareetaty:"  # before a command's reference, among a message's correlation ids


class CannotSend(Exception):
    """Why, in a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Downlink:
    port: int
    data: bytes
    is_confirmed: bool


def downlink_of(payload: dict[str, Any]) -> Downlink:
    """``{"hex": "01ff", "port": 10, "confirmed": true}``, or ``base64`` in the place of ``hex``."""
    port, is_confirmed = payload.get("port", 1), payload.get("confirmed", False)
    data: bytes | None = None
    try:
        if isinstance(payload.get("hex"), str):
            data = bytes.fromhex(payload["hex"])
        elif isinstance(payload.get("base64"), str):
            data = base64.b64decode(payload["base64"], validate=True)
    except ValueError:
        data = None
    if not data or len(data) > MOST_BYTES:
        raise CannotSend("hex or base64 of 1 to 242 bytes")
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 223 or not isinstance(is_confirmed, bool):
        raise CannotSend("port from 1 to 223, confirmed true or false")
    return Downlink(port, data, is_confirmed)


def chirpstack_item(downlink: Downlink) -> dict[str, Any]:
    """As ChirpStack wants it on a queue."""
    return {"confirmed": downlink.is_confirmed, "fPort": downlink.port, "data": base64.b64encode(downlink.data).decode()}


def ttn_row(downlink: Downlink, reference: object) -> dict[str, Any]:
    """As The Things Stack wants it on a queue; ``reference`` comes back with what became of it."""
    return {
        "frm_payload": base64.b64encode(downlink.data).decode(), "f_port": downlink.port, "confirmed": downlink.is_confirmed,
        "priority": "NORMAL", "correlation_ids": [f"{OURS}{reference}"],
    }  # fmt: skip


def goes_by_broker() -> Q:
    """Of commands: those whose device's server listens for them at our broker."""
    heard = LoraSession.objects.filter(network__in=DeviceNetwork.objects.let_in_by_broker(), network__base_url="").exclude(command_topic="")
    return Q(device_id__in=heard.values("device_id"))
