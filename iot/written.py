"""What was just written, told to whoever watches: the detectors and the live rooms.

After each commit the writer puts the rows on a stream of the ordinary Redis (``REDIS_URL``), which keeps the last minute. It is best
effort: nothing is owed to it, a writer that cannot tell goes on writing, and who must not miss a reading reads PostgreSQL after a gap. The
stream that must not lose anything is the other one, in front of the writer: see ``iot/stream.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import redis
import redis.asyncio
from django.conf import settings
from numpy.typing import NDArray

logger = logging.getLogger("telemetry")

KEEP_MS = 60_000
TIMEOUT_S = 2.0
COLUMNS = (("stream_id", "<i8"), ("device_id", "<i8"), ("at_us", "<i8"), ("value", "<f8"), ("quality", "<i2"), ("received_us", "<i8"))
_ROW_BYTES = sum(np.dtype(kind).itemsize for _name, kind in COLUMNS)

# KEYS: the stream, its number. ARGV: how long entries are kept (ms), the rows. Entries are numbered, so that a reader sees what it missed.
_TELL = """
local now = redis.call('TIME')
local number = redis.call('INCR', KEYS[2])
local oldest = now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(ARGV[1])
redis.call('XADD', KEYS[1], 'MINID', '=', string.format('%.0f', oldest), '*', 'n', number, 'b', ARGV[2])
return number
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one commit, as columns of one length, by stream and then by time. Times are microseconds since 1970, ``quality`` is
    ``iot.quality.Quality``. A batch may hold what was there already (a repeat) and what is older than what was told before (late)."""

    stream_id: NDArray[np.int64]
    device_id: NDArray[np.int64]
    at_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int16]
    received_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.stream_id)

    def pack(self) -> bytes:
        return b"".join(np.ascontiguousarray(getattr(self, name), np.dtype(kind)).tobytes() for name, kind in COLUMNS)

    @classmethod
    def unpack(cls, raw: bytes) -> Self:
        """Raises ``ValueError`` for what is no batch."""
        count, rest = divmod(len(raw), _ROW_BYTES)
        if rest:
            raise ValueError(f"{len(raw)} bytes are no rows of {_ROW_BYTES}")
        columns, start = {}, 0
        for name, kind in COLUMNS:
            columns[name] = np.frombuffer(raw, np.dtype(kind), count, start)
            start += columns[name].nbytes
        return cls(**columns)


def _names() -> tuple[str, str]:
    name = f"{settings.IOT_STREAM_PREFIX}:written"
    return name, f"{name}:number"


class Teller:
    """The writer's side."""

    def __init__(self) -> None:
        self.client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        self._tell = self.client.register_script(_TELL)
        self._is_silent = False

    def tell(self, batch: Batch) -> bool:
        """Whether it was told. Never raises: who watches catches up by reading the rows."""
        if not len(batch):
            return True
        try:
            self._tell(keys=list(_names()), args=[KEEP_MS, batch.pack()])
        except redis.RedisError as error:
            if not self._is_silent:
                logger.warning("nobody is told what is written: %s", error)
            self._is_silent = True
            return False
        self._is_silent = False
        return True


class _Place:
    """How far somebody has read."""

    def __init__(self, after: str) -> None:
        self.name, self.counter = _names()
        self.after = after
        self.has_gap = False
        self._number: int | None = None

    @property
    def number(self) -> int | None:
        """Of the entry read last; those of one read follow one another."""
        return self._number

    def start(self, newest: Any, told: Any) -> None:
        """At the end of what is there now: all that comes later is read, however long the reader takes."""
        self.after = newest[0][0].decode() if newest else "0-0"
        self._number = int(told or 0)

    def take(self, answer: Any) -> list[Batch]:
        self.has_gap = False
        batches: list[Batch] = []
        for _name, rows in answer or []:
            for id, fields in rows:
                number = int(fields[b"n"])
                if self._number is not None and number != self._number + 1:
                    self.has_gap = True
                self._number = number
                self.after = id.decode()
                batches.append(Batch.unpack(fields[b"b"]))
        return batches


class Follower(_Place):
    """Reads what is written from now on (or after an entry's id). ``has_gap`` after a read says that something came and went unread
    before what was read; a Redis that was emptied is a gap too. One thread's."""

    def __init__(self, *, after: str = "$", client: redis.Redis | None = None) -> None:
        super().__init__(after)
        self.client = client or redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S)
        if after == "$":
            self.start(self.client.xrevrange(self.name, count=1), self.client.get(self.counter))

    def read(self, *, block_ms: int, most: int = 50) -> list[Batch]:
        """At most so many batches; waits for the first. Raises ``redis.RedisError``."""
        return self.take(self.client.xread({self.name: self.after}, count=most, block=block_ms or None))


class AsyncFollower(_Place):
    """The same for an event loop. Call ``open`` once before ``read``."""

    def __init__(self, *, after: str = "$", client: redis.asyncio.Redis | None = None) -> None:
        super().__init__(after)
        self.client = client or redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S)

    async def open(self) -> None:
        if self.after == "$":
            self.start(await self.client.xrevrange(self.name, count=1), await self.client.get(self.counter))

    async def read(self, *, block_ms: int, most: int = 50) -> list[Batch]:
        return self.take(await self.client.xread({self.name: self.after}, count=most, block=block_ms or None))

    async def close(self) -> None:
        await self.client.aclose()


def joined(batches: Iterable[Batch]) -> Batch | None:
    """Several as one, by stream and time again; ``None`` of none."""
    some = [batch for batch in batches if len(batch)]
    if len(some) <= 1:
        return some[0] if some else None
    columns = {name: np.concatenate([getattr(batch, name) for batch in some]) for name, _kind in COLUMNS}
    order = np.lexsort((columns["at_us"], columns["stream_id"]))
    return Batch(**{name: column[order] for name, column in columns.items()})
