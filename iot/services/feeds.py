"""How the streams stand: what waits, how long, who writes, what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from iot.doors import Tally, tallies
from iot.stream import READINGS, stream_of

WRITER_IDLE_S = 60  # a consumer that has asked for nothing for so long is no writer any more


@dataclass(frozen=True)
class Feed:
    """``lag`` are entries nobody has taken, ``pending`` those a writer has taken and not finished; ``oldest_at`` the first of all."""

    kind: str
    entries: int
    readings: int
    most: int
    lag: int
    pending: int
    dead: int
    oldest_at: datetime | None
    writers: int
    durability: str

    @property
    def waits_s(self) -> float:
        return (timezone.now() - self.oldest_at).total_seconds() if self.oldest_at is not None else 0.0

    @property
    def is_durable(self) -> bool:
        return self.durability == "always"


@dataclass(frozen=True)
class Door:
    """What came in by it, of all agencies: in the last full minute, and in the last hour."""

    name: str
    minute: Tally
    hour: Tally


@dataclass(frozen=True)
class Feeds:
    rows: Sequence[Feed]
    doors: Sequence[Door] = ()
    is_away: bool = False


def feeds(kinds: Sequence[str] = (READINGS,)) -> Feeds:
    """Raises ``redis.RedisError`` while Redis is away."""
    counted = tallies(stream_of(kinds[0]).client)
    doors = [Door(name, minute, hour) for name, (minute, hour) in counted.items()]
    return Feeds([_of(stream_of(kind).standing()) for kind in kinds], doors)


def _of(standing: dict[str, Any]) -> Feed:
    writers = sum(consumer["idle_s"] < WRITER_IDLE_S for consumer in standing["consumers"])
    names = ("kind", "entries", "readings", "most", "lag", "pending", "dead", "oldest_at", "durability")
    return Feed(**{name: standing[name] for name in names}, writers=writers)
