"""Messages of many devices, taken together: one look at who they are, one question for all limits, one offer for what can be kept.

The door has proven whose each message is; what it may say is judged here. Nothing is raised for what a device sent: each message becomes
an envelope or a dead reading with its reason, so that none comes back for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from core.errors import NotFound
from core.limits import limiter
from iot.decoders.cbor_form import CborForm
from iot.decoders.errors import Undecodable
from iot.models import DeadReading
from iot.services.dying import Dead
from iot.services.speakers import Speaker, Speakers
from iot.services.speaking import MOST_ROWS, TooMany, allow, dead_rows, limit_of, read_body
from iot.stream import Envelope

Why = DeadReading.Why
LONGEST = 65_536


@dataclass
class Taken:
    """``limited``: how many messages of a device were more than it may send."""

    envelopes: list[Envelope] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    limited: Counter[int] = field(default_factory=Counter)


def read_messages(messages: Sequence[tuple[str, bytes]], *, speakers: Speakers, door: str, now: datetime) -> Taken:
    """Pairs of a device's code and what it said. ``speakers`` has learned the codes."""
    taken = Taken()
    left = _allowances(messages, speakers)
    for code, payload in messages:
        speaker = speakers.get(code)
        if speaker is None:
            taken.dead.append(Dead(door, Why.UNKNOWN_DEVICE, payload, now, detail=code))
        elif not (speaker.sender.may_speak and speaker.is_let_in):
            detail = "" if speaker.is_let_in else "it has no credential that holds"
            taken.dead.append(Dead(door, Why.NOT_IN_USE, payload, now, speaker.sender.device_id, detail=detail))
        elif left[code] <= 0:
            taken.limited[speaker.sender.device_id] += 1
        else:
            left[code] -= 1
            _take(taken, speaker, payload, door, now)
    return taken


def _allowances(messages: Sequence[tuple[str, bytes]], speakers: Speakers) -> dict[str, int]:
    """How many messages of each are within its limit: one script in Redis for all of them."""
    asked = [
        (code, (*limit_of(speaker.sender), n))
        for code, n in Counter(code for code, _payload in messages).items()
        if (speaker := speakers.get(code)) is not None and speaker.sender.may_speak and speaker.is_let_in
    ]
    return dict(zip((code for code, _question in asked), limiter.take_some([question for _code, question in asked]), strict=True))


def _take(taken: Taken, speaker: Speaker, payload: bytes, door: str, now: datetime) -> None:
    sender = speaker.sender
    try:
        if len(payload) > LONGEST:
            raise Undecodable("longer than 64 KiB")
        decode = speaker.decode
        if decode is not None and not isinstance(decode, CborForm):
            measurements = decode(payload)
            rows = len(measurements)
            envelope = Envelope(sender.device_id, door, now, measurements)
        else:
            read = read_body(orjson.loads(payload) if decode is None else decode.body(payload), sender=sender, now=now)
            rows = read.rows
            envelope = Envelope(sender.device_id, door, now, read.measurements, read.facts)
            if read.wrong:
                taken.dead += dead_rows(read, sender, door, now)
        if rows > MOST_ROWS:
            raise Undecodable(f"more than {MOST_ROWS} readings")
    except orjson.JSONDecodeError as error:
        taken.dead.append(Dead(door, Why.UNREADABLE, payload, now, sender.device_id, detail=f"no JSON: {error.msg}"))
        return
    except Undecodable as error:
        taken.dead.append(Dead(door, Why.UNREADABLE, payload, now, sender.device_id, detail=error.reason))
        return
    except NotFound:
        taken.dead.append(Dead(door, Why.UNREADABLE, payload, now, sender.device_id, detail="it names another device"))
        return
    if rows > 1:
        try:
            allow(sender, readings=rows - 1, door=door)
        except TooMany:  # counted by it
            taken.limited[sender.device_id] += 1
            return
    if envelope.measurements or envelope.facts:
        taken.envelopes.append(envelope)
