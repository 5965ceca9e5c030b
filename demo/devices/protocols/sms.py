"""``POST /api/v1/iot/sms``: the text a device would send, with the demo provider's token."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from demo.devices.device import SyntheticDevice
from demo.devices.protocols.door import Refused
from demo.devices.protocols.http import ByNetwork

WORDS = {"level": "LEVEL", "battery_pct": "BAT"}  # as the profile ``tank_sms`` reads them


class Sms(ByNetwork):
    def send(self, device: SyntheticDevice, body: dict[str, Any]) -> None:
        said = {**body["values"], **body}
        text = " ".join(f"{word} {said[name]:g}" for name, word in WORDS.items() if name in said)
        if not text:
            raise Refused("no words for its metrics")
        self.hand_on("/api/v1/iot/sms", device, {"id": str(uuid4()), "sender": device.address, "text": text, "at": body["at"]})
