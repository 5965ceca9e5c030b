"""How a synthetic device reaches the product: one small class a protocol, each through the real door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from demo.devices.device import SyntheticDevice
from demo.devices.protocols.coap import Coap
from demo.devices.protocols.door import Away, Doorway, Refused
from demo.devices.protocols.http import Http
from demo.devices.protocols.lorawan import LoRaWan
from demo.devices.protocols.mqtt import Mqtt
from demo.devices.protocols.sms import Sms
from demo.devices.protocols.tcp import Tcp

# What a command line may name.
DOORS: dict[str, Callable[[str], Doorway]] = {"http": Http, "tcp": Tcp, "mqtt": Mqtt, "lorawan": LoRaWan, "sms": Sms, "coap": Coap}


class Each:
    """Every device by its own protocol."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: dict[str, Doorway] = {}

    def send(self, device: SyntheticDevice, body: dict[str, Any]) -> None:
        if device.protocol not in self._open:
            self._open[device.protocol] = DOORS[device.protocol](self._url)
        self._open[device.protocol].send(device, body)

    def close(self) -> None:
        for door in self._open.values():
            door.close()


__all__ = ["DOORS", "Away", "Coap", "Doorway", "Each", "Http", "LoRaWan", "Mqtt", "Refused", "Sms", "Tcp"]
