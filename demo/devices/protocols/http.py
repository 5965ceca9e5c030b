"""``POST /api/v1/iot/readings`` with the device's own key, over a connection that stays open."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from demo.devices.device import SyntheticDevice
from demo.devices.protocols.door import Away, Refused

TIMEOUT_S = 15
IDLE_S = 3.0  # a server may close what was silent for five seconds; that is no door away


class Posting:
    """A connection that JSON is posted over; what is not answered with 202 is refused."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_S)
        self._spoke_at = time.monotonic()

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
        if time.monotonic() - self._spoke_at > IDLE_S:
            self._connection.close()  # opened anew by the request
        try:
            self._connection.request("POST", path, orjson.dumps(body), {"Content-Type": "application/json", **headers})
            answer = self._connection.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Away(str(error)) from error
        finally:
            self._spoke_at = time.monotonic()
        if answer.status == 503:
            raise Away("503")
        if answer.status != 202:
            raise Refused(str(answer.status))
        return told

    def close(self) -> None:
        self._connection.close()


class Http(Posting):
    def send(self, device: SyntheticDevice, body: dict[str, Any]) -> None:
        self.post("/api/v1/iot/readings", body, {"Authorization": f"Device {device.key}"})


class ByNetwork(Posting):
    """Through the webhook of a network that speaks for the device, with the network's token."""

    def hand_on(self, path: str, device: SyntheticDevice, body: Mapping[str, Any]) -> None:
        answer = orjson.loads(self.post(path, body, {"X-Network-Token": device.word}))
        if answer["outcome"] != "taken":
            raise Refused(str(answer["outcome"]))
