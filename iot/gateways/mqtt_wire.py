"""As much of MQTT 5 as a gateway needs, by itself: a subscriber that reads hundreds of messages with one call and acknowledges them with
one, when it chooses to.

paho reads each packet with several calls and answers each by itself, which costs more than everything we do with a message (measured:
decision 0286). One thread uses a ``Wire``; nothing here waits longer than it is told to.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 0x10, 2, 3, 4, 0x82, 9, 0xA2, 11
PINGREQ, PINGRESP, DISCONNECT = b"\xc0\x00", 13, 14
AT_ONCE = 1 << 18
LONGEST = 1 << 18  # a packet we take
KEEPALIVE_S = 30
PATIENCE_S = 10.0
_REFUSALS = {
    0x84: "it does not speak MQTT 5", 0x85: "client name not allowed", 0x86: "wrong name or password", 0x87: "not allowed",
    0x88: "it is not available", 0x89: "it is busy", 0x8A: "banned", 0x8E: "another took this session",
}  # fmt: skip


class Lost(Exception):
    """The connection is gone, or was never made. What was not acknowledged comes again."""


class Publish(NamedTuple):
    """``mid`` is 0 where nothing is to be acknowledged (QoS 0)."""

    topic: bytes
    payload: bytes
    mid: int


class Wire:
    """A connection to the broker of ``url``. The session outlives it by ``kept_s``; ``most`` messages may wait to be acknowledged."""

    def __init__(self, url: str, *, client_id: str, kept_s: int, most: int, cafile: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError("a broker's address is mqtt://user:password@host:port, or mqtts:// for TLS")
        self.is_secret = parts.scheme == "mqtts"
        self.host, self.port = parts.hostname, parts.port or (8883 if self.is_secret else 1883)
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        self.client_id, self.kept_s, self.most, self.cafile = client_id, kept_s, most, cafile
        self.answered: list[tuple[int, int]] = []  # what became of our own messages: number and reason
        self._socket: socket.socket | None = None
        self._rest = b""
        self._inbox: list[Publish] = []
        self._others: list[tuple[int, bytes]] = []
        self._mid = 0
        self._sent_at = self._heard_at = 0.0

    # -- coming and going ---------------------------------------------------------------------------------------------------------------

    def connect(self) -> bool:
        """Whether the broker had kept our session."""
        self.close()
        self._rest, self._inbox, self._others, self.answered = b"", [], [], []
        try:
            plain = socket.create_connection((self.host, self.port), PATIENCE_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = plain
            if self.is_secret:
                context = ssl.create_default_context(cafile=self.cafile or None)
                self._socket = context.wrap_socket(plain, server_hostname=self.host)
        except OSError as error:
            raise Lost(f"cannot reach the broker at {self.host}:{self.port}: {error}") from error
        flags = (0x80 if self.user else 0) | (0x40 if self.password else 0)
        kept, most, longest = self.kept_s.to_bytes(4, "big"), self.most.to_bytes(2, "big"), LONGEST.to_bytes(4, "big")
        properties = b"\x11" + kept + b"\x21" + most + b"\x27" + longest
        body = text("MQTT") + bytes([5, flags]) + KEEPALIVE_S.to_bytes(2, "big") + sized(properties) + text(self.client_id)
        body += (text(self.user) if self.user else b"") + (text(self.password) if self.password else b"")
        self._send(bytes([CONNECT]) + sized(body))
        answer = self._await(CONNACK)
        if len(answer) < 2 or answer[1]:
            code = answer[1] if len(answer) > 1 else 0x80
            raise Lost(f"the broker refuses us: {_REFUSALS.get(code, hex(code))}")
        return bool(answer[0] & 1)

    def subscribe(self, filters: Sequence[str], *, retained: bool = True) -> None:
        """At QoS 1. What an earlier session kept may come before the answer; ``read`` gives it out. ``retained``: whether to be sent what
        the broker retains."""
        options = b"\x01" if retained else b"\x21"
        rows = b"".join(text(name) + options for name in filters)
        self._send(bytes([SUBSCRIBE]) + sized(self._next().to_bytes(2, "big") + b"\x00" + rows))
        answer = self._await(SUBACK)
        if refused := [name for name, code in zip(filters, answer[-len(filters) :], strict=False) if code >= 0x80]:
            raise Lost(f"the broker lets us not read {', '.join(refused)}")

    def unsubscribe(self, filters: Sequence[str]) -> None:
        rows = b"".join(text(name) for name in filters)
        self._send(bytes([UNSUBSCRIBE]) + sized(self._next().to_bytes(2, "big") + b"\x00" + rows))
        self._await(UNSUBACK)

    def leave(self, *, for_good: bool = False) -> None:
        """The session stays with the broker, unless ``for_good``."""
        if self._socket is not None:
            with contextlib.suppress(Lost):
                self._send(b"\xe0\x07\x00\x05\x11\x00\x00\x00\x00" if for_good else b"\xe0\x00")
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # -- messages -----------------------------------------------------------------------------------------------------------------------

    def read(self, *, wait_s: float) -> list[Publish]:
        """What is there; waits for the first at most so long."""
        self._fill(0.0 if self._inbox else wait_s)
        found, self._inbox = self._inbox, []
        return found

    def acknowledge(self, mids: Iterable[int]) -> None:
        packets = b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids if mid])
        if packets:
            self._send(packets)

    def publish(self, topic: str, payload: bytes, *, expires_s: int) -> int:
        """At QoS 1; ``answered`` gets its number when the broker has it."""
        mid = self._next()
        properties = b"\x02" + max(expires_s, 1).to_bytes(4, "big")
        self._send(b"\x32" + sized(text(topic) + mid.to_bytes(2, "big") + sized(properties) + payload))
        return mid

    def keep_alive(self) -> None:
        """Say that we are there when nothing else was said for a while. For those who do not read at the moment."""
        if time.monotonic() - self._sent_at > KEEPALIVE_S / 3:
            self._send(PINGREQ)

    # -- packets ------------------------------------------------------------------------------------------------------------------------

    def _await(self, kind: int) -> bytes:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for place, (came, body) in enumerate(self._others):
                if came == kind:
                    del self._others[place]
                    return body
            self._fill(0.2)
        raise Lost("the broker does not answer")

    def _next(self) -> int:
        self._mid = self._mid % 0xFFFF + 1
        return self._mid

    def _send(self, packet: bytes) -> None:
        if self._socket is None:
            raise Lost("not connected")
        try:
            self._socket.sendall(packet)
        except OSError as error:
            self.close()
            raise Lost(f"lost the broker: {error}") from error
        self._sent_at = time.monotonic()

    def _fill(self, wait_s: float) -> None:
        if self._socket is None:
            raise Lost("not connected")
        self.keep_alive()
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        now = time.monotonic()
        if not pending and not select.select([self._socket], [], [], wait_s)[0]:
            if self._heard_at and now - self._heard_at > KEEPALIVE_S * 1.5:
                self.close()
                raise Lost("the broker fell silent")
            return
        try:
            data = self._socket.recv(AT_ONCE)
        except OSError as error:
            self.close()
            raise Lost(f"lost the broker: {error}") from error
        if not data:
            self.close()
            raise Lost("the broker hung up")
        self._heard_at = time.monotonic()
        self._rest = self._parse(self._rest + data if self._rest else data)

    def _parse(self, data: bytes) -> bytes:
        """Take whole packets off the front; what is left belongs to one that is not all there."""
        at, end, inbox = 0, len(data), self._inbox
        while end - at >= 2:
            first, length, start = data[at], data[at + 1], at + 2
            if length & 0x80:
                size, start = _size_at(data, at + 1)
                if size is None:
                    break
                length = size
            if length > LONGEST:
                raise Lost("the broker sends more than we take")
            stop = start + length
            if stop > end:
                break
            if first >> 4 == PUBLISH:
                inbox.append(_published(data, first, start, stop))
            else:
                self._take(first >> 4, data[start:stop])
            at = stop
        return data[at:]

    def _take(self, kind: int, body: bytes) -> None:
        if kind == PUBACK:
            self.answered.append((int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0))
        elif kind == DISCONNECT:
            code = body[0] if body else 0
            raise Lost(f"the broker sends us away: {_REFUSALS.get(code, hex(code))}")
        elif kind != PINGRESP:
            self._others.append((kind, body))


def _published(data: bytes, first: int, start: int, stop: int) -> Publish:
    at = start + 2 + (data[start] << 8 | data[start + 1])
    topic, mid = data[start + 2 : at], 0
    if first & 6:
        mid = data[at] << 8 | data[at + 1]
        at += 2
    skipped = data[at]
    if skipped & 0x80:
        size, at = _size_at(data, at)
        at += size or 0
    else:
        at += 1 + skipped
    return Publish(topic, data[at:stop], mid)


def _size_at(data: bytes, at: int) -> tuple[int | None, int]:
    """A length of up to four bytes, and where what it measures begins; ``None`` while it is not all there."""
    size = 0
    for place in range(4):
        if at + place >= len(data):
            return None, at
        byte = data[at + place]
        size |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return size, at + place + 1
    raise Lost("the broker does not speak MQTT")


def sized(body: bytes) -> bytes:
    size, head = len(body), bytearray()
    while True:
        size, low = size >> 7, size & 0x7F
        head.append(low | (0x80 if size else 0))
        if not size:
            return bytes(head) + body


def text(value: str) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw
