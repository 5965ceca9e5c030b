"""A short message centre: binds, takes messages, sends receipts and replies to whoever is bound. SMPP 3.4, as far as we use it."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass
from typing import Self

BIND_RECEIVER, BIND_TRANSMITTER, SUBMIT, DELIVER, UNBIND, BIND_TRANSCEIVER, ENQUIRE = 1, 2, 4, 5, 6, 9, 0x15
RESPONSE = 0x80000000
UDHI = 0x40


@dataclass(frozen=True)
class Part:
    """One submit_sm."""

    source: str
    to: str
    esm_class: int
    registered: int
    data_coding: int
    data: bytes

    @property
    def is_part(self) -> bool:
        return bool(self.esm_class & UDHI)

    @property
    def place(self) -> tuple[int, int, int]:
        """(reference, how many, which) of a part's header."""
        return (self.data[3], self.data[4], self.data[5]) if self.is_part else (0, 1, 1)

    @property
    def text(self) -> str:
        words = self.data[6:] if self.is_part else self.data
        return words.decode("utf-16-be") if self.data_coding == 8 else words.decode("latin-1")


class SmppServer:
    """``refuse(0x58)`` answers the next submit with that status; ``refuse_bind(0x0E)`` the next bind; ``hang()`` never answers submits."""

    def __init__(self, *, user: str = "khareetaty", password: str = "pw-smpp") -> None:
        self.user, self.password = user, password
        self.parts: list[Part] = []
        self.ids: list[str] = []
        self.acknowledged: list[int] = []  # statuses of deliver_sm_resp
        self._statuses: list[int] = []
        self._binds: list[int] = []
        self._hangs = False
        self._receivers: list[socket.socket] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._sequence = 0

    def refuse(self, *statuses: int) -> Self:
        self._statuses += statuses
        return self

    def refuse_bind(self, *statuses: int) -> Self:
        self._binds += statuses
        return self

    def hang(self) -> Self:
        self._hangs = True
        return self

    @property
    def texts(self) -> list[str]:
        """What a handset would show, whole messages put together from their parts."""
        whole: list[str] = []
        for part in self.parts:
            if part.place[2] == 1:
                whole.append(part.text)
            else:
                whole[-1] += part.text
        return whole

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()
        for receiver in self._receivers:
            receiver.close()

    @property
    def url(self) -> str:
        return f"smpp://{self.user}:{self.password}@127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def has_receiver(self) -> bool:
        return bool(self._receivers)

    def receipt(self, message_id: str, state: str = "DELIVRD", error: str = "000") -> None:
        words = f"id:{message_id} sub:001 dlvrd:001 submit date:2611211500 done date:2611211501 stat:{state} err:{error} text:".encode()
        self._deliver(source="+96550000001", esm_class=0x04, data_coding=0, data=words)

    def reply(self, source: str, text: str) -> None:
        self._deliver(source=source, esm_class=0, data_coding=8, data=text.encode("utf-16-be"))

    def _deliver(self, *, source: str, esm_class: int, data_coding: int, data: bytes) -> None:
        number = source.lstrip("+").encode()
        body = b"\0" + b"\x01\x01" + number + b"\0" + b"\x01\x01" + b"1234\0"
        body += struct.pack(">BBB", esm_class, 0, 0) + b"\0\0" + struct.pack(">BBBBB", 0, 0, data_coding, 0, len(data)) + data
        with self._lock:
            self._sequence += 1
            self._receivers[-1].sendall(struct.pack(">LLLL", 16 + len(body), DELIVER, 0, self._sequence) + body)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            stream = connection.makefile("rb")
            while head := stream.read(16):
                if len(head) < 16:
                    return
                length, command, status, sequence = struct.unpack(">LLLL", head)
                body = stream.read(length - 16)
                if command == DELIVER | RESPONSE:
                    self.acknowledged.append(status)
                    continue
                answer = self._answer(command, body, connection)
                if answer is None:
                    self._over.wait(60)
                    return
                code, content = answer
                said = struct.pack(">LLLL", 16 + len(content), command | RESPONSE, code, sequence) + content
                with self._lock:
                    try:
                        connection.sendall(said)
                    except OSError:
                        return
                if command == UNBIND:
                    return

    def _answer(self, command: int, body: bytes, connection: socket.socket) -> tuple[int, bytes] | None:
        if command in (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER):
            name, password = body.split(b"\0")[:2]
            if self._binds:
                return self._binds.pop(0), b""
            if (name.decode(), password.decode()) != (self.user, self.password):
                return 0x0E, b""  # ESME_RINVPASWD
            if command != BIND_TRANSMITTER:
                self._receivers.append(connection)
            return 0, b"centre\0"
        if command == SUBMIT:
            if self._hangs:
                return None
            if self._statuses and (status := self._statuses.pop(0)):
                return status, b""
            with self._lock:
                self.parts.append(_read(body))
                self.ids.append(f"m{len(self.parts)}")
                return 0, self.ids[-1].encode() + b"\0"
        return 0, b""


def _read(body: bytes) -> Part:
    def text(at: int) -> tuple[str, int]:
        end = body.index(b"\0", at)
        return body[at:end].decode("latin-1"), end + 1

    _service, at = text(0)
    source, at = text(at + 2)
    to, at = text(at + 2)
    esm_class = body[at]
    _schedule, at = text(at + 3)
    _validity, at = text(at)
    registered, _replace, data_coding, _default, length = struct.unpack(">BBBBB", body[at : at + 5])
    return Part(source, to, esm_class, registered, data_coding, body[at + 5 : at + 5 + length])
