"""Visits from positions: every believed position since the last look, once, in one transaction with what it causes.

``UnitPosition.fenced_until`` is how far each unit has been judged: the rows are the queue. Killed anywhere, the next look does the same
work once; two that look at the same time are kept apart by a lock that lives with the transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from core.events import publish
from patrol import events
from patrol.analytics.fence import DWELT, ENTERED, LEFT, Circle, FenceRule, Place, Visit, step
from patrol.models import Assignment, FenceVisit, Unit
from patrol.services.fences.index import Fence, FenceIndex

_LOCK = 0x4B48_4645_4E43
MOST_UNITS = 2_500
TASK_DWELL_S = 120.0
LEAST_MARGIN_M = 15.0

_BEHIND = """
SELECT unit_id, coalesce(fenced_until, at - interval '1 millisecond') AS since, at FROM patrol_unitposition
WHERE fenced_until IS DISTINCT FROM at ORDER BY unit_id LIMIT %s
"""
# The outer bounds let the planner leave out the days that cannot matter.
_POSITIONS = """
SELECT p.unit_id, p.at, ST_X(p.location), ST_Y(p.location), p.accuracy_m
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS given (unit_id, since, until)
JOIN patrol_position p ON p.unit_id = given.unit_id AND p.at > given.since AND p.at <= given.until
WHERE p.at > %s AND p.at <= %s AND p.doubt IN ('', 'jitter')
ORDER BY p.at, p.unit_id
"""
_LOCK_UNITS = "SELECT 1 FROM patrol_unitposition WHERE unit_id = ANY(%s) ORDER BY unit_id FOR NO KEY UPDATE"
_DONE = """
UPDATE patrol_unitposition kept SET fenced_until = given.until
FROM unnest(%s::bigint[], %s::timestamptz[]) AS given (unit_id, until) WHERE kept.unit_id = given.unit_id
"""

Key = tuple[int, int | None, int | None]  # unit, fence, assignment: one of the two


@dataclass
class Judged:
    """What a look came to."""

    positions: int = 0
    entered: int = 0
    dwelt: int = 0
    left: int = 0
    is_full: bool = False
    """There is more to do at once."""


@dataclass
class _Spot:
    """One place one unit may visit."""

    place: Place
    rule: FenceRule
    fence: Fence | None = None
    since: datetime | None = None
    """A task's place is one from the moment the task is given."""


@dataclass
class _Ledger:
    """The visits of the units looked at, as they stood and as they stand."""

    units: dict[int, Unit]
    standing: dict[Key, Visit] = field(default_factory=dict)
    rows: dict[Key, FenceVisit] = field(default_factory=dict)
    touched: set[Key] = field(default_factory=set)


@transaction.atomic
def judge_fences(*, now: datetime, index: FenceIndex | None = None) -> Judged:
    """Judge what has come since the last look; keep visits and announce what happened. Does nothing while another one looks."""
    judged = Judged()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not (cursor.fetchone() or (False,))[0]:
            return judged
        cursor.execute(_BEHIND, [MOST_UNITS])
        behind = cursor.fetchall()
        if not behind:
            _close_ended()
            return judged
        judged.is_full = len(behind) == MOST_UNITS
        ids, since, until = (list(column) for column in zip(*behind, strict=True))
        cursor.execute(_POSITIONS, [ids, since, until, min(since), max(until)])
        positions = cursor.fetchall()
    judged.positions = len(positions)
    _close_ended()
    _judge(positions, ids, index or FenceIndex.read(), judged, now)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_UNITS, [ids])
        cursor.execute(_DONE, [ids, until])
    return judged


def _judge(positions: list[Any], ids: list[int], index: FenceIndex, judged: Judged, now: datetime) -> None:
    if not positions:
        return
    units = {unit.pk: unit for unit in Unit.objects.filter(pk__in=ids).only("pk", "agency_id", "governorate_id")}
    tasks = _tasks_of(ids, now)
    ledger = _open_visits(ids, units)
    inside: dict[int, set[Key]] = defaultdict(set)
    for key in ledger.standing:
        inside[key[0]].add(key)
    who, _at, lons, lats, _accuracy = zip(*positions, strict=True)
    near = index.near([units[unit_id].agency_id for unit_id in who], lons, lats)
    for (unit_id, at, lon, lat, accuracy_m), fences in zip(positions, near, strict=True):
        spots: dict[Key, _Spot] = {(unit_id, fence.id, None): _Spot(fence.place, fence.rule, fence=fence) for fence in fences}
        for key in inside[unit_id]:
            if key[1] in index.fences:
                fence = index.fences[key[1]]
                spots[key] = _Spot(fence.place, fence.rule, fence=fence)
        spots.update((key, spot) for key, spot in tasks.get(unit_id, ()) if spot.since is None or at >= spot.since)
        for key, spot in spots.items():
            before = ledger.standing.get(key)
            visit, happened = step(
                before,
                at=at.timestamp(),
                outside_by_m=spot.place.outside_by_m(lon, lat),
                accuracy_m=accuracy_m,
                width_m=spot.place.width_m,
                rule=spot.rule,
                is_active=spot.fence is None or spot.fence.is_active(at),
            )
            if visit is None or visit == before:
                continue
            _keep(ledger, key, visit, happened, judged)
            if visit.left_at is None:
                inside[unit_id].add(key)
            else:
                inside[unit_id].discard(key)
    _write(ledger)


def _tasks_of(ids: list[int], now: datetime) -> dict[int, list[tuple[Key, _Spot]]]:
    """The places of the units' own open assignments whose time has come."""
    found: dict[int, list[tuple[Key, _Spot]]] = defaultdict(list)
    for row in Assignment.objects.active(at=now).filter(unit_id__in=ids, location__isnull=False):
        assert row.location is not None
        place = Circle(row.location.x, row.location.y, float(max(row.radius_m, 1)))
        rule = FenceRule(max(LEAST_MARGIN_M, row.radius_m / 4), TASK_DWELL_S)
        since = max(row.assigned_at, row.active_from or row.assigned_at)
        found[row.unit_id].append(((row.unit_id, None, row.pk), _Spot(place, rule, since=since)))
    return found


def _open_visits(ids: Iterable[int], units: dict[int, Unit]) -> _Ledger:
    ledger = _Ledger(units)
    for row in FenceVisit.objects.filter(unit_id__in=list(ids), left_at=None):
        key = (row.unit_id, row.fence_id, row.assignment_id)
        ledger.rows[key] = row
        dwelt = row.dwelt_at.timestamp() if row.dwelt_at else None
        ledger.standing[key] = Visit(row.entered_at.timestamp(), row.last_inside_at.timestamp(), dwelt)
    return ledger


def _keep(ledger: _Ledger, key: Key, visit: Visit, happened: tuple[str, ...], judged: Judged) -> None:
    """Put the visit's new standing into its row; say what happened. The row of a new visit is made at once: events name it."""
    row = ledger.rows.get(key)
    if row is None:
        entered = _instant(visit.entered_at)
        row = FenceVisit.objects.create(unit_id=key[0], fence_id=key[1], assignment_id=key[2], entered_at=entered, last_inside_at=entered)
        ledger.rows[key] = row
    row.last_inside_at = _instant(visit.last_inside_at)
    row.dwelt_at = _instant(visit.dwelt_at) if visit.dwelt_at is not None else None
    row.left_at = _instant(visit.left_at) if visit.left_at is not None else None
    for what in happened:
        _announce(what, row, visit, ledger.units[key[0]])
        judged.entered += what == ENTERED
        judged.dwelt += what == DWELT
        judged.left += what == LEFT
    if visit.left_at is None:
        ledger.standing[key] = visit
        ledger.touched.add(key)
    else:
        # Closed at once: the unit may come in again within the same look.
        row.save(update_fields=["last_inside_at", "dwelt_at", "left_at"])
        del ledger.rows[key]
        ledger.standing.pop(key, None)
        ledger.touched.discard(key)


def _write(ledger: _Ledger) -> None:
    rows = [ledger.rows[key] for key in ledger.touched]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_STILL_IN, [[row.pk for row in rows], [row.last_inside_at for row in rows], [row.dwelt_at for row in rows]])


_STILL_IN = """
UPDATE patrol_fencevisit visit SET last_inside_at = given.last_inside_at, dwelt_at = given.dwelt_at
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS given (id, last_inside_at, dwelt_at) WHERE visit.id = given.id
"""
_EVENT = {ENTERED: events.FENCE_ENTERED, DWELT: events.FENCE_DWELT, LEFT: events.FENCE_LEFT}


def _announce(what: str, row: FenceVisit, visit: Visit, unit: Unit) -> None:
    data: dict[str, Any] = {"unit": row.unit_id}
    if row.fence_id is not None:
        data["fence"] = row.fence_id
    if row.assignment_id is not None:
        data["assignment"] = row.assignment_id
    if what == DWELT and visit.dwelt_at is not None:
        data["seconds"] = round(visit.dwelt_at - visit.entered_at)
    if what == LEFT:
        data["seconds"] = round(visit.last_inside_at - visit.entered_at)
    publish(_EVENT[what], subject=row, data=data, agency_id=unit.agency_id, governorate_id=unit.governorate_id)


def _close_ended() -> None:
    """The place of an assignment that has ended, and a fence taken out of use, are visited no longer. Nobody has moved: no event."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE_ENDED)


_CLOSE_ENDED = """
UPDATE patrol_fencevisit visit SET left_at = greatest(visit.last_inside_at, coalesce(task.ended_at, visit.last_inside_at))
FROM patrol_fencevisit open
LEFT JOIN patrol_assignment task ON task.id = open.assignment_id
LEFT JOIN patrol_geofence fence ON fence.id = open.fence_id
WHERE visit.id = open.id AND open.left_at IS NULL AND (task.ended_at IS NOT NULL OR NOT coalesce(fence.is_active, true))
"""


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
