"""What several devices said at once, from one caller: each judged by its own profile and its own limit, all put on the stream together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from iot.services.dying import bury
from iot.services.senders import Sender
from iot.services.speaking import Read, TooMany, allow, dead_rows, read_body
from iot.stream import Envelope, offer


@dataclass
class Told:
    """Rows of one device, with their places in the message; ``take_in_all`` says what was read of them, or that its limit refused."""

    sender: Sender
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    read: Read = field(default_factory=Read)
    too_many: TooMany | None = None


def take_in_all(told: Sequence[Told], *, door: str, now: datetime, counted: int = 0) -> None:
    """Durable when this returns. ``counted``: readings that the door has counted against the limit of the only device already."""
    envelopes: list[Envelope] = []
    for one in told:
        one.read = read_body({**one.facts, "readings": one.rows}, sender=one.sender, now=now)
        try:
            if one.read.rows > counted:
                allow(one.sender, readings=one.read.rows - counted, door=door)
        except TooMany as refusal:
            one.too_many = refusal
            continue
        if one.read.measurements or one.read.facts:
            envelopes.append(Envelope(one.sender.device_id, door, now, one.read.measurements, one.read.facts))
    offer(envelopes)
    bury(dead for one in told if one.too_many is None for dead in dead_rows(one.read, one.sender, door, now))


def by_device(rows: Iterable[tuple[int, Sender, Mapping[str, Any], Mapping[str, Any]]]) -> list[Told]:
    """Rows as (place, sender, row, facts), gathered."""
    told: dict[int, Told] = {}
    for place, sender, row, facts in rows:
        one = told.setdefault(sender.device_id, Told(sender))
        one.rows.append(row)
        one.places.append(place)
        one.facts |= facts
    return list(told.values())
