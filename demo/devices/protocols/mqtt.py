"""A session of its own for each device at the sensors' broker, by name and password, QoS 1: sent when the broker has acknowledged it."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any
from urllib.parse import quote

import orjson

from demo.devices.device import SyntheticDevice
from demo.devices.protocols.door import Away, Refused
from deploy.local.layout import HOST, Layout
from iot.gateways.mqtt_wire import Lost, Wire

PATIENCE_S = 15.0
IDLE_S = 20.0  # below the wire's keepalive: who speaks seldom says goodbye in between
MOST_OPEN = 500  # of one thread; the one that was silent longest leaves for a new one
NOT_AUTHORISED = 0x87
WILL_NOT_HAVE_US = ("wrong name or password", "not allowed")


def sensor_port() -> int | None:
    """The broker's port for devices with passwords, beside which this installation runs; ``None`` where there is none."""
    port = Layout.from_environment().remembered("ports", {}).get("mosquitto_sensors")
    return port if isinstance(port, int) else None


class Mqtt:
    """``url`` names nothing here: passwords that are not encrypted stay on this machine."""

    def __init__(self, url: str) -> None:
        self._port = sensor_port()
        self._open: OrderedDict[str, tuple[Wire, float]] = OrderedDict()

    def send(self, device: SyntheticDevice, body: dict[str, Any]) -> None:
        self._leave_idle()
        try:
            wire = self._wire(device)
            reason = self._say(wire, device.code, orjson.dumps(body))
        except Lost as error:
            self._drop(device.code)
            if any(word in str(error) for word in WILL_NOT_HAVE_US):
                raise Refused("password") from error
            raise Away(str(error)) from error
        self._open[device.code] = (wire, time.monotonic())
        self._open.move_to_end(device.code)
        if reason >= 0x80:
            raise Refused("not allowed" if reason == NOT_AUTHORISED else hex(reason))

    def _wire(self, device: SyntheticDevice) -> Wire:
        if device.code in self._open:
            return self._open[device.code][0]
        if self._port is None:
            raise Lost("no broker for sensors on this machine")
        if len(self._open) >= MOST_OPEN:
            self._drop(next(iter(self._open)))
        made = Wire(f"mqtt://{quote(device.code)}:{quote(device.word)}@{HOST}:{self._port}", client_id=device.code, kept_s=0, most=20)
        made.connect()
        return made

    @staticmethod
    def _say(wire: Wire, code: str, payload: bytes) -> int:
        number = wire.publish(f"khareetaty/sensors/{code}/up", payload, expires_s=3_600)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for place, (answered, reason) in enumerate(wire.answered):
                if answered == number:
                    del wire.answered[place]
                    return reason
            wire.read(wait_s=0.5)
        raise Lost("the broker does not answer")

    def _leave_idle(self) -> None:
        late = time.monotonic() - IDLE_S
        while self._open and next(iter(self._open.values()))[1] < late:
            self._drop(next(iter(self._open)))

    def _drop(self, code: str) -> None:
        known = self._open.pop(code, None)
        if known is not None:
            known[0].leave()

    def close(self) -> None:
        for code in list(self._open):
            self._drop(code)
