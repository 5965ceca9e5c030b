"""A TCP connection for each device, kept open: ``AUTH <key>`` first, then lines of JSON, each answered when it is on the disk."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings

from demo.devices.device import SyntheticDevice
from demo.devices.protocols.door import Away, Refused

TIMEOUT_S = 15
MOST_OPEN = 500  # of one thread; the oldest is closed for a new one


class Tcp:
    """``url`` names the host alone; the port is ``IOT_TCP_PORT``."""

    def __init__(self, url: str) -> None:
        self._where = (urlsplit(url).hostname or "127.0.0.1", int(settings.IOT_TCP_PORT))
        self._open: dict[str, socket.socket] = {}

    def send(self, device: SyntheticDevice, body: dict[str, Any]) -> None:
        try:
            known = self._open.get(device.code) or self._connect(device)
            answer = _ask(known, orjson.dumps(body))
        except OSError as error:
            self._drop(device.code)
            raise Away(str(error)) from error
        if not answer.startswith("OK"):
            if answer.startswith("ERR"):
                raise Refused(answer[:40])
            self._drop(device.code)
            raise Away("closed")

    def _connect(self, device: SyntheticDevice) -> socket.socket:
        if len(self._open) >= MOST_OPEN:
            self._drop(next(iter(self._open)))
        made = socket.create_connection(self._where, timeout=TIMEOUT_S)
        answer = _ask(made, f"AUTH {device.key}".encode())
        if not answer.startswith("OK"):
            made.close()
            raise Refused(answer[:40] or "closed at AUTH")
        self._open[device.code] = made
        return made

    def _drop(self, code: str) -> None:
        known = self._open.pop(code, None)
        if known is not None:
            known.close()

    def close(self) -> None:
        for code in list(self._open):
            self._drop(code)


def _ask(connection: socket.socket, line: bytes) -> str:
    connection.sendall(line + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        part = connection.recv(4_096)
        if not part:
            break
        answer += part
    return answer.decode("utf-8", "replace").strip()
