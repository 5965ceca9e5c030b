"""The doors sensors speak at, and what each has taken and refused of late: counted by the minute in the streams' Redis for an hour.

What was taken is counted by the script that takes it (``iot/stream.py``), so the count is what is on the disk; what was refused is counted
once that is committed. A minute is one small hash that goes by itself: eight doors, four numbers. See docs/decisions/0321.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import redis
from django.conf import settings

DOORS = ("http", "partner", "mqtt", "frigate", "tcp", "coap", "lorawan", "sms")
OTHER = "other"
# What stands as the door of a dead reading and is none: the writer, and what was over a limit, which is counted when it happens.
NONE = ("stream", "door")
KEPT_MINUTES = 60
KEPT_S = (KEPT_MINUTES + 2) * 60


@dataclass(frozen=True)
class Tally:
    """Messages and readings taken; readings refused, for whatever is wrong with them; readings over their device's limit."""

    messages: int = 0
    readings: int = 0
    refused: int = 0
    limited: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in NAMES)


NAMES = tuple(field.name for field in fields(Tally))


def base_key() -> str:
    return f"{settings.IOT_STREAM_PREFIX}:doors"


def door_of(name: str) -> str:
    """A name that is no door's is counted as ``other``: whoever calls, the hash stays small."""
    return name if name in DOORS else OTHER


def note(client: redis.Redis, counted: Mapping[str, int], what: str) -> None:
    """So many by each door, now; ``what`` is a name of a ``Tally``. While Redis is away nobody counts: never raises."""
    by_door: Counter[str] = Counter()
    for name, n in counted.items():
        if n > 0 and name not in NONE:
            by_door[door_of(name)] += n
    if not by_door:
        return
    with contextlib.suppress(redis.RedisError):
        key = f"{base_key()}:{_minute(client)}"
        pipeline = client.pipeline(transaction=False)
        for door, n in by_door.items():
            pipeline.hincrby(key, f"{door}:{what}", n)
        pipeline.expire(key, KEPT_S)
        pipeline.execute()


def tallies(client: redis.Redis) -> dict[str, tuple[Tally, Tally]]:
    """Of each door the last full minute, and the last hour with the minute that is going on. Raises ``redis.RedisError``."""
    now = _minute(client)
    pipeline = client.pipeline(transaction=False)
    for minute in range(now, now - KEPT_MINUTES, -1):
        pipeline.hgetall(f"{base_key()}:{minute}")
    minutes = [_read(row) for row in pipeline.execute()]
    names = (*DOORS, *((OTHER,) if any(OTHER in minute for minute in minutes) else ()))
    return {door: (minutes[1].get(door, Tally()), _sum(minute[door] for minute in minutes if door in minute)) for door in names}


def _read(row: Mapping[bytes, bytes]) -> dict[str, Tally]:
    found: dict[str, dict[str, int]] = {}
    for name, n in row.items():
        door, _colon, what = name.decode().partition(":")
        found.setdefault(door, {})[what] = int(n)
    return {door: Tally(**{name: said.get(name, 0) for name in NAMES}) for door, said in found.items()}


def _sum(some: Iterable[Tally]) -> Tally:
    whole = Tally()
    for one in some:
        whole += one
    return whole


def _minute(client: redis.Redis) -> int:
    seconds: Any = client.time()
    return int(seconds[0]) // 60
