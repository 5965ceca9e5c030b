"""``POST /r`` over DTLS with a certificate of the device's own, in a session that stays open; said again until it is acknowledged."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings

from demo.devices.device import SyntheticDevice
from demo.devices.protocols.door import Away, Refused
from demo.devices.protocols.dtls import Ended, Line

BEGIN_WITHIN_S = 15.0
AGAIN_AFTER_S = (2.0, 4.0, 8.0)  # as RFC 7252, with fewer tries
MOST_OPEN = 300  # of one thread; the one that was silent longest leaves for a new one
JSON = 50
# Confirmable, a token of two bytes, POST, Uri-Path "r", Content-Format.
_FIRST, _POST, _OPTIONS = 0x42, 0x02, b"\xb1r\x11" + bytes([JSON]) + b"\xff"
_ACKNOWLEDGEMENT = 2
_EXTENDED = {13: 1, 14: 2}
LATER = ("4.29", "5.03")


def post(number: int, body: bytes) -> bytes:
    """The datagram that says ``body``, under a number of 16 bits.

    >>> post(258, b"{}").hex()
    '420201020102b1721132ff7b7d'
    """
    mid = number.to_bytes(2, "big")
    return bytes([_FIRST, _POST]) + mid + mid + _OPTIONS + body


def answer_of(datagram: bytes) -> tuple[int, str, str] | None:
    """The number, the code (``2.04``) and the text of an acknowledgement; ``None`` for anything else.

    >>> answer_of(bytes.fromhex("624401020102c0ff4f4b"))
    (258, '2.04', 'OK')
    """
    if len(datagram) < 4 or datagram[0] >> 4 & 3 != _ACKNOWLEDGEMENT:
        return None
    at = 4 + (datagram[0] & 15)
    while at < len(datagram) and datagram[at] != 0xFF:
        delta, length = datagram[at] >> 4, datagram[at] & 15
        at += 1 + _EXTENDED.get(delta, 0)
        if length == 13 and at < len(datagram):
            length = 14 + datagram[at]
        at += length
    code = f"{datagram[1] >> 5}.{datagram[1] & 31:02d}"
    return int.from_bytes(datagram[2:4], "big"), code, datagram[at + 1 :].decode("utf-8", "replace")


class Coap:
    """``url`` names the host alone; the port is ``IOT_COAP_PORT``."""

    def __init__(self, url: str) -> None:
        self._where = (urlsplit(url).hostname or "127.0.0.1", int(settings.IOT_COAP_PORT))
        self._open: OrderedDict[str, tuple[Line, int]] = OrderedDict()

    def send(self, device: SyntheticDevice, body: dict[str, Any]) -> None:
        if device.code in self._open:
            line, number = self._open[device.code]
        else:
            line, number = self._begin(device), 0
        number = number % 0xFFFF + 1
        self._open[device.code] = (line, number)
        self._open.move_to_end(device.code)
        try:
            code, text = _ask(line, number, orjson.dumps(body))
        except (Ended, OSError) as error:
            self._drop(device.code)
            raise Away(str(error)) from error
        if code in LATER:
            raise Away(code)
        if not code.startswith("2."):
            raise Refused(f"{code} {text}"[:40].strip())

    def _begin(self, device: SyntheticDevice) -> Line:
        if len(self._open) >= MOST_OPEN:
            self._drop(next(iter(self._open)))
        try:
            line = Line(*self._where, device.word)
        except ValueError as error:
            raise Refused("no certificate") from error
        deadline = time.monotonic() + BEGIN_WITHIN_S
        try:
            while not line.begin():
                if time.monotonic() > deadline:
                    raise Away("no answer to the handshake")
                line.wait(0.25)
        except Ended as error:
            line.close()
            raise Refused("certificate") from error
        except (Away, OSError):
            line.close()
            raise
        return line

    def _drop(self, code: str) -> None:
        known = self._open.pop(code, None)
        if known is not None:
            known[0].close()

    def close(self) -> None:
        for code in list(self._open):
            self._drop(code)


def _ask(line: Line, number: int, body: bytes) -> tuple[str, str]:
    for patience_s in AGAIN_AFTER_S:
        line.say(post(number, body))
        deadline = time.monotonic() + patience_s
        while (rest_s := deadline - time.monotonic()) > 0:
            line.wait(rest_s)
            for datagram in line.heard():
                told = answer_of(datagram)
                if told is not None and told[0] == number:
                    return told[1:]
    raise Ended("it does not answer")
