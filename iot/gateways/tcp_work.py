"""What many connections said, judged together: one question for all limits, one offer, then an answer for each. TCP and CoAP share it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import orjson
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from core.errors import NotFound
from core.limits import limiter
from iot.decoders.errors import Undecodable
from iot.gateways import tcp_frame
from iot.models import DeadReading, Device, DeviceCredential
from iot.services.dying import Dead, bury
from iot.services.senders import Sender
from iot.services.speaking import MOST_ROWS, Read, dead_rows, limit_of, note_many_limited, read_body
from iot.stream import Envelope, StreamAway, StreamFull, offer

DOOR = "tcp"
CERTIFICATE = "certificate:"  # before the fingerprint of one, where others have a key
Kinds = DeviceCredential.Kind
Why = DeadReading.Why


class Speaks(Protocol):
    @property
    def sender(self) -> Sender | None: ...


class Said(Protocol):
    """A whole message of somebody."""

    @property
    def connection(self) -> Speaks: ...
    @property
    def raw(self) -> bytes: ...


class Wire(Protocol):
    sender: Sender | None
    metrics: tuple[str, ...]


S = TypeVar("S", bound=Said)
W = TypeVar("W", bound=Wire)


@dataclass(slots=True)
class Message(Generic[W]):
    """A whole line, or a whole frame."""

    connection: W
    raw: bytes
    is_frame: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """``code``: why nothing of it was taken; empty where it is on the disk. ``refused``: so many readings of it were not."""

    code: str = ""
    taken: int = 0
    refused: str = ""

    def line(self) -> bytes:
        if self.code:
            return f"ERR {self.code}\n".encode()
        return f"OK {self.taken}{' ' + self.refused if self.refused else ''}\n".encode()

    def frame(self, raw: bytes) -> bytes:
        return tcp_frame.answer(tcp_frame.seq_of(raw), self.code, self.taken)


def judge(messages: Sequence[Message[W]]) -> list[Verdict]:
    return judge_all(messages, door=DOOR, read=_read)


def judge_all(messages: Sequence[S], *, door: str, read: Callable[[S, Sender, datetime], Read | Verdict]) -> list[Verdict]:
    """In the order they came. What is not refused is on the disk when this returns."""
    now = timezone.now()
    senders = [message.connection.sender for message in messages]
    reads: list[Read | Verdict] = [
        read(message, sender, now) if sender is not None else Verdict("unauthorized")
        for message, sender in zip(messages, senders, strict=True)
    ]
    allowed = _allowed(senders, reads)
    envelopes: list[Envelope] = []
    limited: Counter[int] = Counter()
    dead: list[Dead] = []
    verdicts: list[Verdict] = []
    for message, sender, found in zip(messages, senders, reads, strict=True):
        if sender is None:
            verdicts.append(Verdict("unauthorized"))
            continue
        cost = found.rows if isinstance(found, Read) else 1
        if allowed[sender.device_id] < cost:
            limited[sender.device_id] += cost
            verdicts.append(Verdict("too_many"))
            continue
        allowed[sender.device_id] -= cost
        if isinstance(found, Verdict):
            dead.append(Dead(door, Why.UNREADABLE, message.raw, now, sender.device_id, detail=found.refused))
            verdicts.append(Verdict(found.code))
            continue
        if found.measurements or found.facts:
            envelopes.append(Envelope(sender.device_id, door, now, found.measurements, found.facts))
        if found.wrong:
            dead += dead_rows(found, sender, door, now)
        verdicts.append(_verdict(found))
    try:
        offer(envelopes)
    except (StreamFull, StreamAway):
        return [verdict if verdict.code else Verdict("later") for verdict in verdicts]
    if limited:
        note_many_limited(limited)
    if dead:
        try:
            close_old_connections()
            bury(dead)
        except (DatabaseError, InterfaceError):
            pass  # refused all the same; PostgreSQL is away, and counting them is not worth a device's wait
    return verdicts


def _verdict(read: Read) -> Verdict:
    if read.wrong and not read.measurements:
        return Verdict(read.wrong[0][1].value)
    return Verdict("", len(read.measurements), f"refused {len(read.wrong)} {read.wrong[0][1].value}" if read.wrong else "")


def _read(message: Message[W], sender: Sender, now: datetime) -> Read | Verdict:
    try:
        if not message.is_frame:
            read = read_body(orjson.loads(message.raw), sender=sender, now=now)
        else:
            found = tcp_frame.read(message.raw, message.connection.metrics)
            at = found[0].at
            body = {"at": at.timestamp() if at is not None else None, "values": {one.metric: one.value for one in found}}
            read = read_body(body, sender=sender, now=now)
    except orjson.JSONDecodeError:
        return Verdict("unreadable", refused="not JSON")
    except tcp_frame.BadCrc as error:
        return Verdict("crc", refused=error.reason)
    except Undecodable as error:
        return Verdict("unreadable", refused=error.reason)
    except NotFound:
        return Verdict("no_such_device", refused="it names another device")
    return read if read.rows <= MOST_ROWS else Verdict("too_long", refused=f"more than {MOST_ROWS} readings")


def _allowed(senders: Sequence[Sender | None], reads: Sequence[Read | Verdict]) -> Counter[int]:
    """How many readings of each device are within its limit."""
    asked: Counter[int] = Counter()
    by_id: dict[int, Sender] = {}
    for sender, read in zip(senders, reads, strict=True):
        if sender is not None:
            by_id[sender.device_id] = sender
            asked[sender.device_id] += max(read.rows, 1) if isinstance(read, Read) else 1
    given = limiter.take_some([(*limit_of(sender), asked[device_id]) for device_id, sender in by_id.items()])
    return Counter(dict(zip(by_id, given, strict=True)))


def alive(secrets: set[str]) -> dict[str, Sender]:
    """Of these keys and certificates the ones that hold still, with their devices as they are now: one question for all."""
    close_old_connections()
    digests = {_digest(secret): secret for secret in secrets}
    rows = DeviceCredential.objects.usable(timezone.now()).filter(kind__in=(Kinds.KEY, Kinds.CERTIFICATE), digest__in=digests)
    of = dict(rows.values_list("digest", "device_id"))
    devices = Device.objects.filter(pk__in=set(of.values())).select_related("profile").defer("location")
    senders = {sender.device_id: sender for sender in Sender.of_each(devices)}
    return {digests[digest]: senders[device_id] for digest, device_id in of.items() if device_id in senders}


def _digest(secret: str) -> str:
    return secret.removeprefix(CERTIFICATE) if secret.startswith(CERTIFICATE) else hashlib.sha256(secret.encode()).hexdigest()
