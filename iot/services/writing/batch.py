"""Some thousand readings become rows, roll-ups and last values in one transaction. Written twice they are there once.

Whoever calls this acknowledges its entries when it returns. What cannot be taken is counted with its reason among the dead readings,
in the same transaction. See docs/decisions/0271.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import orjson
from django.conf import settings
from django.db import connection, transaction
from numpy.typing import NDArray

from iot.models import DeadReading
from iot.quality import Quality
from iot.services import statements as sql
from iot.services.dying import Dead, bury
from iot.services.judging import FINE, FUTURE, NOT_FINITE, TOO_OLD, Limits, faults_of, flags_of
from iot.services.writing.known import Known, Limit, Noted
from iot.stream import EPOCH, Said
from iot.written import Batch

Why = DeadReading.Why
WHY = {NOT_FINITE: Why.NOT_FINITE, FUTURE: Why.FUTURE, TOO_OLD: Why.TOO_OLD}
NO_TIME = np.iinfo(np.int64).min
LONGEST_FIRMWARE = 48


@dataclass(frozen=True)
class Written:
    """What became of a batch: ``kept`` are new rows, ``repeated`` were there, ``dead`` were refused or are second values."""

    kept: int
    repeated: int
    dead: int
    rows: Batch | None = None  # what was written, for those who watch


@dataclass
class _Flat:
    """The readings of a batch, one after the other. ``place`` leads back to the envelope."""

    limits: list[Limit]
    at: list[int]
    value: list[float]
    received: list[int]
    place: list[int]
    metric: list[str]


def write(envelopes: Sequence[Said], *, known: Known) -> Written:
    """Keep what these envelopes say. Committed when this returns; raises ``django.db.DatabaseError`` and has then done nothing."""
    known.learn(
        {envelope.device_id for envelope in envelopes},
        {(envelope.device_id, metric) for envelope in envelopes for metric, _value, _at in envelope.measurements},
    )
    dead: list[Dead] = []
    flat = _flattened(envelopes, known, dead)
    at, value = np.array(flat.at, np.int64), np.array(flat.value, np.float64)
    received = np.array(flat.received, np.int64)
    stream = np.array([limit.stream_id for limit in flat.limits], np.int64)
    fault = faults_of(at, value, received, np.array([limit.keep_us for limit in flat.limits], np.int64), future_s=settings.IOT_FUTURE_S)
    dead += [
        _dead(WHY[int(fault[index])], envelopes[flat.place[index]], flat.metric[index], flat.value[index], flat.at[index])
        for index in np.nonzero(fault)[0].tolist()
    ]
    good = np.nonzero(fault == FINE)[0]
    order = good[np.lexsort((good, at[good], stream[good]))]
    with transaction.atomic(), connection.cursor() as cursor:
        kept = repeated = 0
        rows = None
        if len(order):
            quality, kept, repeated, second = _store(cursor, flat, order, stream, at, value, received)
            devices = np.array([envelopes[flat.place[index]].device_id for index in order.tolist()], np.int64)
            rows = Batch(stream[order], devices, at[order], value[order], quality, received[order])
            for index, first in second:
                said = envelopes[flat.place[index]]
                dead.append(_dead(Why.CONFLICT, said, flat.metric[index], flat.value[index], flat.at[index], kept=first))
        noted = _note_devices(cursor, envelopes, known)
        bury(dead)
    known.note(noted)
    return Written(kept, repeated, sum(row.n for row in dead), rows if kept else None)


def _flattened(envelopes: Sequence[Said], known: Known, dead: list[Dead]) -> _Flat:
    flat = _Flat([], [], [], [], [], [])
    for place, said in enumerate(envelopes):
        device = known.get(said.device_id)
        if device is None or not device.in_use:
            why = Why.UNKNOWN_DEVICE if device is None else Why.NOT_IN_USE
            raw = orjson.dumps(said.measurements[:8])
            dead.append(
                Dead(said.door, why, raw, _time(said.received_us), said.device_id if device is not None else None,
                     n=max(len(said.measurements), 1))
            )  # fmt: skip
            continue
        streams, received = device.streams, said.received_us
        for metric, value, at in said.measurements:
            limit = streams.get(metric)
            if limit is None:
                dead.append(_dead(Why.UNKNOWN_METRIC, said, metric, value, at))
                continue
            flat.limits.append(limit)
            flat.at.append(received if at is None else at)
            flat.value.append(np.nan if value is None else value)
            flat.received.append(received)
            flat.place.append(place)
            flat.metric.append(metric)
    return flat


def _store(
    cursor: Any,
    flat: _Flat,
    order: NDArray[np.int64],
    stream: NDArray[np.int64],
    at: NDArray[np.int64],
    value: NDArray[np.float64],
    received: NDArray[np.int64],
) -> tuple[NDArray[np.int16], int, int, list[tuple[int, float]]]:
    """Rows, roll-ups, last values. Returns the quality of each, how many are new, how many were there, and the second values with the
    first ones."""
    s_stream, s_at, s_value, s_received = stream[order], at[order], value[order], received[order]
    # The end of each stream's run is its newest here.
    ends = np.append(np.nonzero(s_stream[1:] != s_stream[:-1])[0], len(order) - 1)
    ids = s_stream[ends].tolist()
    cursor.execute(sql.LAST, [ids])
    last = {row[0]: row[1:] for row in cursor.fetchall()}
    last_at, last_value = _last_of(s_stream, ends, ids, last)
    quality = flags_of(s_stream, s_at, s_value, s_received, _limits(flat, order), last_at, last_value)

    cursor.execute(sql.STAGE)
    cursor.execute(sql.EMPTY)
    rows = zip(s_stream.tolist(), s_at.tolist(), s_value.tolist(), quality.tolist(), s_received.tolist(), order.tolist(), strict=True)
    with cursor.copy(sql.COPY) as copy:
        copy.write("".join([f"{ds}\t{us}\t{v!r}\t{q}\t{got}\t{place}\n" for ds, us, v, q, got, place in rows]))
    cursor.execute(sql.WRITE, {"zone": settings.TIME_ZONE})
    kept = cursor.fetchone()[0]
    second: list[tuple[int, float]] = []
    if kept < len(order):
        cursor.execute(sql.CONFLICTS)
        second = cursor.fetchall()
        if second:
            places = [index for index, _first in second]
            cursor.execute(sql.MARK, [int(Quality.DUPLICATE_CONFLICT), stream[places].tolist(), at[places].tolist()])
    # Of several values for one instant the first is the one that was kept.
    begins = np.append(0, ends[:-1] + 1)
    heads = np.array([low + np.searchsorted(s_at[low : end + 1], s_at[end]) for low, end in zip(begins, ends, strict=True)], np.int64)
    new = (s_at[heads], s_value[heads], quality[heads], s_received[heads])
    cursor.execute(sql.MOVE_LAST, [ids, *(column.tolist() for column in new)])
    return quality, kept, len(order) - kept - len(second), second


def _last_of(
    stream: NDArray[np.int64], ends: NDArray[np.int64], ids: list[int], last: dict[int, Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Each reading's stream's last as it stood before the batch."""
    lengths = np.diff(np.append(-1, ends))
    at = [last[id][0] if id in last and last[id][0] is not None else NO_TIME // 2 for id in ids]
    value = [last[id][1] if id in last and last[id][1] is not None and not last[id][2] & Quality.OUT_OF_RANGE else np.nan for id in ids]
    return np.repeat(np.array(at, np.int64), lengths), np.repeat(np.array(value, np.float64), lengths)


def _limits(flat: _Flat, order: NDArray[np.int64]) -> Limits:
    rows = [flat.limits[index] for index in order.tolist()]
    return Limits(
        np.array([row.least for row in rows]),
        np.array([row.most for row in rows]),
        np.array([row.per_min for row in rows]),
        np.array([row.every_s for row in rows], np.float64),
        np.array([row.keep_us for row in rows], np.int64),
    )


def _note_devices(cursor: Any, envelopes: Sequence[Said], known: Known) -> dict[int, Noted]:
    """When each was seen, how far its clock is off, and what it says of itself: of those of whom that was not noted a moment ago."""
    seen: dict[int, Noted] = {}
    for said in envelopes:
        if known.get(said.device_id) is None:
            continue
        facts = said.facts
        before = seen.get(said.device_id)
        if before is None and not facts and known.is_noted(said.device_id, said.received_us):
            continue
        row = before or Noted(said.received_us)
        times = [at for _metric, _value, at in said.measurements if at is not None]
        skew = (max(times) - said.received_us) / 1e6 if times else row.skew_s
        firmware = facts.get("firmware")
        seen[said.device_id] = Noted(
            max(row.seen_us, said.received_us),
            skew if row.skew_s is None or skew is None else max(row.skew_s, skew),
            _between(facts.get("battery_pct"), 0, 100, row.battery_pct),
            _between(facts.get("signal_dbm"), -200, 50, row.signal_dbm),
            firmware.replace("\0", "")[:LONGEST_FIRMWARE] if isinstance(firmware, str) and firmware else row.firmware,
        )
    if seen:
        ids = sorted(seen)
        cursor.execute(sql.SEEN, [ids, *(list(column) for column in zip(*(seen[id] for id in ids), strict=True))])
    return seen


def _between(given: Any, least: float, most: float, otherwise: float | None) -> float | None:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return float(given) if is_number and least <= given <= most else otherwise


def _dead(why: Why, said: Said, metric: str, value: float | None, at: int | None, *, kept: float | None = None) -> Dead:
    raw = orjson.dumps({"metric": metric, "value": value, "at_us": at} | ({"kept": kept} if kept is not None else {}))
    return Dead(
        said.door, why, raw, _time(said.received_us), said.device_id, metric=metric[:64].replace("\0", ""),
        at=_time(at) if why == Why.CONFLICT and at is not None else None,
    )  # fmt: skip


def _time(us: int) -> Any:
    return EPOCH + timedelta(microseconds=us)
