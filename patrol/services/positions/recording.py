"""A batch of readings becomes rows: judged, written by one statement, and the last place of each unit by another.

Whoever calls this may answer the sender when it returns: what was taken is committed. Fences are judged from the rows afterwards
(``services.fences``), so that nothing in them can refuse or slow a position.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from patrol.analytics.motion import Fix, MotionRule, is_jump, metres_between, walk
from patrol.models import Unit
from patrol.services.positions.reading import Reading, Refused, fault_of, tidied

RULE = MotionRule()
WORST_ACCURACY_M = 100_000.0
FASTEST_SAID_KMH = 1_500.0

_LAST = """
SELECT unit_id, extract(epoch FROM at)::float8, ST_X(location), ST_Y(location), accuracy_m, speed_kmh
FROM patrol_unitposition WHERE unit_id = ANY(%s) ORDER BY unit_id FOR UPDATE
"""
_JUMPS = """
SELECT unit_id, extract(epoch FROM p.at)::float8, ST_X(p.location), ST_Y(p.location), p.accuracy_m, p.speed_kmh
FROM patrol_unitposition u JOIN patrol_position p USING (unit_id)
WHERE unit_id = ANY(%s) AND p.at > u.at AND p.at <= %s AND p.doubt = 'jump' ORDER BY unit_id, p.at
"""
# What was believed just before each late reading.
_BEFORE = """
SELECT given.place, extract(epoch FROM p.at)::float8, ST_X(p.location), ST_Y(p.location), p.accuracy_m, p.speed_kmh
FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[]) AS given (place, unit_id, at)
CROSS JOIN LATERAL (
    SELECT * FROM patrol_position p
    WHERE p.unit_id = given.unit_id AND p.at < given.at AND p.at > given.at - interval '1 hour' AND p.doubt IN ('', 'jitter', 'late')
    ORDER BY p.at DESC LIMIT 1
) AS p
"""
_INSERT = """
INSERT INTO patrol_position (unit_id, at, received_at, location, accuracy_m, speed_kmh, heading_deg, source, doubt)
SELECT unit_id, at, %s, ST_SetSRID(ST_MakePoint(lon, lat), 4326), accuracy_m, speed_kmh, heading_deg, source, doubt
FROM unnest(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::text[], %s::text[])
    AS given (unit_id, at, lon, lat, accuracy_m, speed_kmh, heading_deg, source, doubt)
ON CONFLICT (unit_id, at) DO NOTHING RETURNING unit_id, at
"""
# ``lon`` is null for a unit that stands: its place stays, its time moves on (0, 0 is no place: no reading there is taken). Never backwards.
_UPSERT = """
INSERT INTO patrol_unitposition AS kept (unit_id, at, received_at, location, accuracy_m, speed_kmh, heading_deg, source)
SELECT unit_id, at, %s, ST_SetSRID(ST_MakePoint(coalesce(lon, 0), coalesce(lat, 0)), 4326), accuracy_m, speed_kmh, heading_deg, source
FROM unnest(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::text[])
    AS given (unit_id, at, lon, lat, accuracy_m, speed_kmh, heading_deg, source)
ORDER BY unit_id
ON CONFLICT (unit_id) DO UPDATE SET
    at = excluded.at, received_at = excluded.received_at, accuracy_m = excluded.accuracy_m, speed_kmh = excluded.speed_kmh,
    source = excluded.source, silent_since = NULL,
    location = CASE WHEN {stands} THEN kept.location ELSE excluded.location END,
    heading_deg = CASE WHEN {stands} THEN coalesce(kept.heading_deg, excluded.heading_deg)
        ELSE coalesce(excluded.heading_deg, kept.heading_deg) END
WHERE kept.at < excluded.at
""".format(stands="ST_X(excluded.location) = 0 AND ST_Y(excluded.location) = 0")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one reading: ``accepted``, ``duplicate`` or ``refused`` with its reason; ``doubt`` of an accepted one."""

    outcome: str
    refused: Refused | None = None
    doubt: str = ""


ACCEPTED, DUPLICATE, REFUSED = "accepted", "duplicate", "refused"


@dataclass(frozen=True)
class Recorded:
    """The fate of each reading, in the order given."""

    results: tuple[Taken, ...]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(taken.outcome for taken in self.results)
        return {outcome: found[outcome] for outcome in (ACCEPTED, DUPLICATE, REFUSED)}

    @property
    def accepted(self) -> int:
        return self.counts[ACCEPTED]


def record_positions(readings: Sequence[Reading], *, now: datetime, in_use: Set[int] | None = None) -> Recorded:
    """Keep the readings of units whose right to report was settled by the door. A unit that is not there or not in use is refused.

    Readings may come in any order, twice, late or wrong; each stands for itself. Committed when this returns. ``in_use``: the units
    the door found to be in use a moment ago; without it they are looked up.
    """
    results: list[Taken | None] = [None] * len(readings)
    known = _units_in_use({reading.unit_id for reading in readings}) if in_use is None else in_use
    by_unit: dict[int, list[int]] = defaultdict(list)
    seen: set[tuple[int, datetime]] = set()
    for index, reading in enumerate(readings):
        fault = Refused.UNKNOWN if reading.unit_id not in known else fault_of(reading, now=now)
        if fault is not None:
            results[index] = Taken(REFUSED, fault)
        elif (reading.unit_id, reading.at) in seen:
            results[index] = Taken(DUPLICATE)
        else:
            seen.add((reading.unit_id, reading.at))
            by_unit[reading.unit_id].append(index)
    if by_unit:
        for indexes in by_unit.values():
            indexes.sort(key=lambda index: readings[index].at)
        with transaction.atomic(), connection.cursor() as cursor:
            _write(cursor, readings, by_unit, results, now)
    return Recorded(tuple(taken for taken in results if taken is not None))


def _write(cursor: Any, readings: Sequence[Reading], by_unit: dict[int, list[int]], results: list[Taken | None], now: datetime) -> None:
    units = sorted(by_unit)
    cursor.execute(_LAST, [units])
    last = {row[0]: Fix(*row[1:]) for row in cursor.fetchall()}
    fixes = {unit: [_fix_of(readings[index]) for index in by_unit[unit]] for unit in units}
    walks = {unit: walk(fixes[unit], last.get(unit), RULE) for unit in units}
    jumping = [unit for unit in units if "jump" in walks[unit].doubts]
    if jumping:
        cursor.execute(_JUMPS, [jumping, max(readings[by_unit[unit][-1]].at for unit in jumping)])
        earlier: dict[int, list[Fix]] = defaultdict(list)
        for row in cursor.fetchall():
            earlier[row[0]].append(Fix(*row[1:]))
        for unit in jumping:
            newest = fixes[unit][0].at
            walks[unit] = walk(fixes[unit], last.get(unit), RULE, jumps=[fix for fix in earlier[unit] if fix.at < newest])
    doubts = {index: doubt for unit in units for index, doubt in zip(by_unit[unit], walks[unit].doubts, strict=True)}
    _doubt_late_jumps(cursor, readings, doubts)

    order = [index for unit in units for index in by_unit[unit]]
    rows = [readings[index] for index in order]
    cursor.execute(_INSERT, [now, *_columns(rows, [(row.lon, row.lat) for row in rows]), [doubts[index] for index in order]])
    written = {(unit, at.astimezone(UTC)) for unit, at in cursor.fetchall()}
    for index in order:
        reading = readings[index]
        is_new = (reading.unit_id, reading.at.astimezone(UTC)) in written
        results[index] = Taken(ACCEPTED, doubt=doubts[index]) if is_new else Taken(DUPLICATE)

    newest_rows: list[Reading] = []
    places: list[tuple[float | None, float | None]] = []
    for unit in units:
        found = walks[unit]
        if found.newest is None:
            continue
        newest_rows.append(readings[by_unit[unit][found.newest]])
        anchor = None if found.place is None else readings[by_unit[unit][found.place]]
        places.append((None, None) if anchor is None else (anchor.lon, anchor.lat))
    if newest_rows:
        cursor.execute(_UPSERT, [now, *_columns(newest_rows, places)])


def _doubt_late_jumps(cursor: Any, readings: Sequence[Reading], doubts: dict[int, str]) -> None:
    """A late reading is true for the track unless it lies impossibly far from what was believed just before it."""
    late = [index for index, doubt in doubts.items() if doubt == "late"]
    if not late:
        return
    cursor.execute(_BEFORE, [late, [readings[index].unit_id for index in late], [readings[index].at for index in late]])
    for index, *before in cursor.fetchall():
        fix, other = _fix_of(readings[index]), Fix(*before)
        if is_jump(metres_between(other.lon, other.lat, fix.lon, fix.lat), fix, other, RULE):
            doubts[index] = "jump"


def _units_in_use(ids: Iterable[int]) -> set[int]:
    return set(Unit.objects.active().filter(pk__in=sorted(ids)).values_list("pk", flat=True))


def _fix_of(reading: Reading) -> Fix:
    return Fix(reading.at.timestamp(), reading.lon, reading.lat, _accuracy(reading), tidied(reading.speed_kmh, most=FASTEST_SAID_KMH))


def _accuracy(reading: Reading) -> float | None:
    return tidied(reading.accuracy_m, most=WORST_ACCURACY_M) or None  # a receiver that says 0 says nothing


def _columns(rows: Sequence[Reading], places: Sequence[tuple[float | None, float | None]]) -> list[list[Any]]:
    return [
        [row.unit_id for row in rows],
        [row.at for row in rows],
        [lon for lon, _lat in places],
        [lat for _lon, lat in places],
        [_accuracy(row) for row in rows],
        [tidied(row.speed_kmh, most=FASTEST_SAID_KMH) for row in rows],
        [tidied(row.heading_deg, most=360.0) for row in rows],
        [row.source for row in rows],
    ]
