"""The lines and frames of a TCP connection: what one holds, and what it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import orjson

from core.errors import NotFound
from iot.decoders.errors import Undecodable
from iot.gateways import tcp_frame
from iot.gateways.together import Verdict, judge_all
from iot.services.senders import Sender
from iot.services.speaking import MOST_ROWS, Read, read_body

DOOR = "tcp"


class Wire(Protocol):
    sender: Sender | None
    metrics: tuple[str, ...]


W = TypeVar("W", bound=Wire)


@dataclass(slots=True)
class Message(Generic[W]):
    """A whole line, or a whole frame."""

    connection: W
    raw: bytes
    is_frame: bool

    def answer(self, verdict: Verdict) -> bytes:
        return tcp_frame.answer(tcp_frame.seq_of(self.raw), verdict.code, verdict.taken) if self.is_frame else verdict.line()


def judge(messages: Sequence[Message[W]]) -> list[Verdict]:
    return judge_all(messages, door=DOOR, read=_read)


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
