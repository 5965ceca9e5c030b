"""What devices said and nobody has written yet: a Redis stream a kind, a consumer group, one function to put things on it.

``offer`` returns when Redis has the envelopes on its disk (``appendfsync always`` on the Redis of ``STREAMS_URL``), so a door may then
answer its device. Many envelopes travel in one entry: an entry costs a write to the disk, an envelope does not. An entry is removed when
its rows are committed, so the stream's length is what waits; readings are counted beside it, and when more wait than
``IOT_STREAM_MOST`` nothing is trimmed: ``offer`` refuses, and the door says "later". See docs/decisions/0270.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import redis
from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import DomainError
from iot.decoders.measurement import Measurement
from iot.doors import KEPT_S, base_key, door_of

READINGS = "readings"
GROUP = "writers"
TOGETHER = 256  # envelopes in one entry
TIMEOUT_S = 5.0
DEAD_MOST = 10_000  # entries of the dead-letter stream; the oldest go first
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# KEYS: the stream, its count, the doors' counts. ARGV: the most that may wait, how long counts are kept (s), how many doors, of each its
# name, messages and readings, then pairs of how many readings and an entry. All or nothing.
_OFFER = """
local coming, first = 0, 4 + 3 * tonumber(ARGV[3])
for i = first, #ARGV, 2 do coming = coming + tonumber(ARGV[i]) end
local waiting = tonumber(redis.call('GET', KEYS[2]) or '0')
if waiting > 0 and waiting + coming > tonumber(ARGV[1]) then return -1 end
for i = first, #ARGV, 2 do redis.call('XADD', KEYS[1], '*', 'n', ARGV[i], 'e', ARGV[i + 1]) end
local minute = string.format('%s:%.0f', KEYS[3], math.floor(tonumber(redis.call('TIME')[1]) / 60))
for i = 4, first - 1, 3 do
  redis.call('HINCRBY', minute, ARGV[i] .. ':messages', ARGV[i + 1])
  redis.call('HINCRBY', minute, ARGV[i] .. ':readings', ARGV[i + 2])
end
redis.call('EXPIRE', minute, ARGV[2])
return redis.call('INCRBY', KEYS[2], coming)
"""
# KEYS: the stream, its count. ARGV: the group, then pairs of an id and how many readings it held. Only what was still there is counted off.
_DONE = """
local gone = 0
for i = 2, #ARGV, 2 do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then gone = gone + tonumber(ARGV[i + 1]) end
end
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('SET', KEYS[2], 0) else redis.call('DECRBY', KEYS[2], gone) end
return gone
"""


class StreamFull(DomainError):
    """More waits than the writers have got round to. Nothing of this was taken."""

    status, code = 503, "busy"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__(_("More readings wait than can be written now. Send this again shortly."))


class StreamAway(DomainError):
    """Redis does not answer: nothing can be taken durably, so nothing is."""

    status, code = 503, "unavailable"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__(_("Readings cannot be kept safe at the moment. Send this again shortly."))


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one device said at once. Its identity was proven by the door; ``facts`` are what it said of itself (battery_pct, firmware …)."""

    device_id: int
    door: str
    received_at: datetime
    measurements: Sequence[Measurement]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """An envelope as it comes off the stream: times in whole microseconds since 1970, ``None`` for what is no number."""

    device_id: int
    door: str
    received_us: int
    measurements: list[tuple[str, float | None, int | None]]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """``tries``: how often it has been handed to a consumer, this time included."""

    id: str
    n: int
    raw: bytes
    tries: int = 1

    def envelopes(self) -> list[Said]:
        """Raises ``ValueError`` for what is no entry of ours."""
        try:
            return [Said(device, door, received, [tuple(m) for m in said], facts) for device, door, received, said, facts in self._parts()]
        except (TypeError, KeyError) as error:
            raise ValueError(str(error)) from error

    def _parts(self) -> Iterator[Any]:
        yield from orjson.loads(self.raw)


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND


def pack(envelopes: Iterable[Envelope]) -> Iterator[tuple[int, bytes]]:
    """Entries for the stream: how many readings each holds, and its bytes. What is not finite becomes ``null``: JSON has no word for it."""
    count, parts = 0, []
    for envelope in envelopes:
        said = [(m.metric, m.value, None if m.at is None else microseconds(m.at)) for m in envelope.measurements]
        parts.append((envelope.device_id, envelope.door, microseconds(envelope.received_at), said, envelope.facts))
        count += len(said)
        if len(parts) == TOGETHER or count >= TOGETHER * 8:
            yield max(count, 1), orjson.dumps(parts)
            count, parts = 0, []
    if parts:
        yield max(count, 1), orjson.dumps(parts)


def packed(said: Sequence[Said]) -> bytes:
    """Envelopes that came off the stream, as an entry again."""
    return orjson.dumps([(one.device_id, one.door, one.received_us, one.measurements, one.facts) for one in said])


class Stream:
    """One stream. Threads may share it."""

    def __init__(self, kind: str = READINGS, *, url: str | None = None) -> None:
        self.kind = kind
        self.name = f"{settings.IOT_STREAM_PREFIX}:{kind}"
        self.count_name = f"{self.name}:waiting"
        self.dead_name = f"{self.name}:dead"
        self.client = redis.Redis.from_url(url or settings.STREAMS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        self._offer = self.client.register_script(_OFFER)
        self._done = self.client.register_script(_DONE)

    def offer(self, envelopes: Iterable[Envelope]) -> int:
        """Put them all on the stream, or none. Returns how many readings wait now; raises ``StreamFull`` and ``StreamAway``."""
        all_of_it = list(envelopes)
        if not all_of_it:
            return 0
        said = Counter(envelope.door for envelope in all_of_it)
        arguments: list[Any] = [settings.IOT_STREAM_MOST, KEPT_S, len(said)]
        for door, messages in said.items():
            readings = sum(len(envelope.measurements) for envelope in all_of_it if envelope.door == door)
            arguments += (door_of(door), messages, readings)
        for count, raw in pack(all_of_it):
            arguments += (count, raw)
        try:
            waiting = int(self._offer(keys=[self.name, self.count_name, base_key()], args=arguments))
        except redis.RedisError as error:
            raise StreamAway from error
        if waiting < 0:
            raise StreamFull
        return waiting

    # -- the consumer's side ------------------------------------------------------------------------------------------------------------

    def make_group(self) -> None:
        try:
            self.client.xgroup_create(self.name, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def take(self, consumer: str, *, most: int, wait_ms: int) -> list[Entry]:
        """New entries; waits for the first at most ``wait_ms``."""
        answer: Any = self._grouped(lambda: self.client.xreadgroup(GROUP, consumer, {self.name: ">"}, count=most, block=wait_ms or None))
        return [entry for _name, rows in answer or [] for entry in _entries(rows)]

    def take_over(self, consumer: str, *, idle_ms: int, most: int) -> list[Entry]:
        """Entries that some consumer took and did not finish: it died, or they broke it."""
        answer: Any = self._grouped(
            lambda: self.client.xautoclaim(self.name, GROUP, consumer, min_idle_time=idle_ms, start_id="0-0", count=most)
        )
        found = _entries(row for row in answer[1] if row[1])
        if not found:
            return []
        asked: Any = self.client.xpending_range(
            self.name, GROUP, min=found[0].id, max=found[-1].id, count=len(found) * 4, consumername=consumer
        )
        tries = {_text(row["message_id"]): int(row["times_delivered"]) for row in asked}
        return [Entry(entry.id, entry.n, entry.raw, tries.get(entry.id, 1)) for entry in found]

    def done(self, entries: Sequence[Entry]) -> None:
        """Their rows are committed: off the stream with them."""
        if entries:
            self._done(keys=[self.name, self.count_name], args=[GROUP, *(part for entry in entries for part in (entry.id, entry.n))])

    def bury(self, entry: Entry, why: str) -> None:
        """To the dead letters, as it came: nothing is thrown away unseen."""
        self.client.xadd(self.dead_name, {"n": entry.n, "e": entry.raw, "why": why[:200]}, maxlen=DEAD_MOST, approximate=True)

    def join(self, consumer: str) -> None:
        """A consumer is seen from its start, and not only once there was something to read."""
        self.make_group()
        self.client.xgroup_createconsumer(self.name, GROUP, consumer)

    def leave(self, consumer: str) -> None:
        """A consumer that ends in order leaves no name behind; what it had not finished stays pending until somebody takes it over."""
        consumers: Any = self.client.xinfo_consumers(self.name, GROUP)
        for row in consumers:
            if _text(row["name"]) == consumer and row["pending"] == 0:
                self.client.xgroup_delconsumer(self.name, GROUP, consumer)

    def _grouped(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self.make_group()  # somebody emptied Redis
            return ask()

    # -- how it stands ------------------------------------------------------------------------------------------------------------------

    def standing(self) -> dict[str, Any]:
        """What the panel shows. Raises ``redis.RedisError`` while Redis is away."""
        length = cast("int", self.client.xlen(self.name))
        waiting = cast("Any", self.client.get(self.count_name))
        groups: Any = self.client.xinfo_groups(self.name) if self.client.exists(self.name) else []
        group = next((row for row in groups if _text(row["name"]) == GROUP), None)
        first: Any = self.client.xrange(self.name, count=1)
        consumers: Any = self.client.xinfo_consumers(self.name, GROUP) if group is not None else []
        return {
            "kind": self.kind,
            "entries": length,
            "readings": int(waiting or 0),
            "most": settings.IOT_STREAM_MOST,
            "pending": int(group["pending"]) if group else 0,
            "lag": length - (int(group["pending"]) if group else 0),
            "oldest_at": EPOCH + timedelta(milliseconds=int(_text(first[0][0]).split("-")[0])) if first else None,
            "dead": cast("int", self.client.xlen(self.dead_name)),
            "consumers": [
                {"name": _text(row["name"]), "pending": int(row["pending"]), "idle_s": int(row["idle"]) / 1000} for row in consumers
            ],
            "durability": self._durability(),
        }

    def _durability(self) -> str:
        """always, everysec, no, off; empty where the server does not tell."""
        try:
            told: Any = self.client.config_get("append*")
        except redis.ResponseError:
            return ""
        return str(told.get("appendfsync", "")) if told.get("appendonly") == "yes" else "off"


def _entries(rows: Iterable[Any]) -> list[Entry]:
    return [Entry(_text(id), int(fields.get(b"n", 1)), bytes(fields.get(b"e", b""))) for id, fields in rows]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_streams: dict[tuple[str, str, str], Stream] = {}


def stream_of(kind: str = READINGS) -> Stream:
    """This process's connection to a stream."""
    name = (settings.STREAMS_URL, settings.IOT_STREAM_PREFIX, kind)
    found = _streams.get(name)
    if found is None:
        found = _streams[name] = Stream(kind)
    return found


def offer(envelopes: Iterable[Envelope], *, kind: str = READINGS) -> int:
    """What every door does with what a device said: see ``Stream.offer``."""
    return stream_of(kind).offer(envelopes)
