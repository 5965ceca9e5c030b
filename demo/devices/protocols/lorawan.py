"""``POST /api/v1/iot/lorawan/chirpstack?event=up``: what ChirpStack v4 tells of a frame, in Cayenne LPP, with the demo network's token.

A door is a radio session: devices begin anew with an address on the air of their own, and count their frames from 0.
"""

from __future__ import annotations

import base64
import secrets
import struct
from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from demo.devices.device import SyntheticDevice
from demo.devices.protocols.door import Refused
from demo.devices.protocols.http import ByNetwork

# Channel, type and steps a unit, as the profile ``air_lora`` reads them.
FIELDS = {"temperature": (1, 103, ">h", 10), "humidity": (2, 104, ">B", 2)}


def cayenne(values: Mapping[str, float]) -> bytes:
    """
    >>> cayenne({"temperature": 21.5, "humidity": 40}).hex()
    '016700d7026850'
    """
    found = b""
    for name, value in values.items():
        if name in FIELDS:
            channel, kind, form, steps = FIELDS[name]
            found += bytes([channel, kind]) + struct.pack(form, round(value * steps))
    return found


class LoRaWan(ByNetwork):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._begun = secrets.randbits(32)
        self._frames: Counter[str] = Counter()

    def send(self, device: SyntheticDevice, body: dict[str, Any]) -> None:
        payload = cayenne(body["values"])
        if not payload:
            raise Refused("no frame for its metrics")
        number = self._frames[device.code]
        self._frames[device.code] += 1
        said = {
            "deduplicationId": str(uuid4()),
            "time": body["at"],
            "deviceInfo": {"devEui": device.address, "deviceName": device.code},
            "devAddr": f"{(self._begun + device.pk) % 2**32:08x}",
            "adr": True,
            "dr": 3,
            "fCnt": number,
            "fPort": 2,
            "confirmed": False,
            "data": base64.b64encode(payload).decode(),
            "rxInfo": [{"gatewayId": device.heard_by or "0200000000000000", "rssi": int(body.get("signal_dbm", -90)), "snr": 7.5}],
        }
        self.hand_on("/api/v1/iot/lorawan/chirpstack?event=up", device, said)
