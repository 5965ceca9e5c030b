"""Counting incidents for many rules and groups at once: one statement for each kind of zone, whatever the number of rules.

Counted is what occurred in the window, by its own time and not by when we heard of it, and is not cancelled, unfounded or a duplicate:
late reports count where they belong, and a merger of two reports takes one away again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from alerts.services.alerts import Seen
from alerts.services.engine.compiled import CompiledRule, Rules
from alerts.services.rules.conditions import CountCondition
from incidents.lifecycle import EXITS

SKEW = timedelta(minutes=10)  # a source's clock may be so much ahead of ours: incidents.services takes it
MOST_NAMED = 200  # incidents named in an alert's occurrences; the count itself has no limit


@dataclass(frozen=True)
class Ask:
    """How many of a rule in one group, as of a moment. ``zone_id`` is of the condition's kind; the region for a whole country."""

    rule_id: int
    per: str
    zone_id: int
    type_ids: tuple[int, ...] | None
    agency_id: int | None
    as_of: datetime


@dataclass(frozen=True)
class Count:
    now: int
    before: int
    ids: tuple[int, ...]
    times: tuple[datetime, ...]
    is_synthetic: bool

    @property
    def seen(self) -> tuple[Seen, ...]:
        """What it stands for; nothing where it was only counted."""
        return tuple(Seen(at=at, incident_id=pk) for at, pk in zip(self.times, self.ids, strict=True))


@dataclass(frozen=True)
class Touch:
    """Something that may have changed a count: where and of what type an incident is, and when that became known."""

    region_id: int
    governorate_id: int | None
    area_id: int | None
    block_id: int | None
    type_id: int
    agency_id: int
    at: datetime
    event_id: int | None = None
    incident_id: int | None = None


def zone_of(touch: Touch, per: str) -> int | None:
    ids = {"area": touch.area_id, "block": touch.block_id, "governorate": touch.governorate_id, "country": touch.region_id}
    return ids.get(per)


def ask_of(rule: CompiledRule, touch: Touch, rules: Rules) -> Ask | None:
    """What ``rule`` would count because of ``touch``; ``None`` where it does not concern it."""
    condition = rule.condition
    if not isinstance(condition, CountCondition):
        return None
    zone_id = zone_of(touch, condition.per)
    if zone_id is None or (rule.type_ids is not None and touch.type_id not in rule.type_ids):
        return None
    type_ids = rule.type_ids
    if "type" in rule.group_by:
        type_ids = frozenset({touch.type_id})
    elif "category" in rule.group_by:
        known = rules.types.get(touch.type_id)
        of_category = {one.id for one in rules.types.values() if known is not None and one.category == known.category}
        type_ids = frozenset(of_category if rule.type_ids is None else of_category & rule.type_ids)
    return Ask(
        rule_id=rule.pk,
        per=condition.per,
        zone_id=zone_id,
        type_ids=None if type_ids is None else tuple(sorted(type_ids)),
        agency_id=touch.agency_id if "agency" in rule.group_by else None,
        as_of=touch.at,
    )


_COLUMN = {"area": "area_id", "block": "block_id", "governorate": "governorate_id", "country": "region_id"}
_COUNT = """
SELECT ask.n, found.zone_id, found.type_id, found.now, found.before, found.ids, found.times, found.is_synthetic
FROM jsonb_to_recordset(%s::jsonb) AS ask(
    n int, zones bigint[], before timestamptz, since timestamptz, until timestamptz, types bigint[], agencies bigint[], severity int
)
CROSS JOIN LATERAL (
    SELECT i.{column} AS zone_id, i.type_id, count(*) FILTER (WHERE i.occurred_at > ask.since) AS now,
        count(*) FILTER (WHERE i.occurred_at <= ask.since) AS before,
        {named}
        bool_or(i.is_synthetic) FILTER (WHERE i.occurred_at > ask.since) AS is_synthetic
    FROM incidents_incident i
    WHERE i.{column} = ANY(ask.zones) AND i.occurred_at > ask.before AND i.occurred_at <= ask.until AND i.state <> ALL(%s)
        AND (ask.types IS NULL OR i.type_id = ANY(ask.types)) AND (ask.agencies IS NULL OR i.agency_id = ANY(ask.agencies))
        AND (ask.severity IS NULL OR i.severity >= ask.severity){known}
    GROUP BY i.{column}, i.type_id
) found
"""
_NAMED = """(array_agg(i.id ORDER BY i.occurred_at DESC, i.id DESC) FILTER (WHERE i.occurred_at > ask.since))[1:{most}] AS ids,
        (array_agg(i.occurred_at ORDER BY i.occurred_at DESC, i.id DESC) FILTER (WHERE i.occurred_at > ask.since))[1:{most}] AS times,"""
_UNNAMED = "NULL::bigint[] AS ids, NULL::timestamptz[] AS times,"
# In a replay an incident counts from the moment it was known; what came by an import of history is taken as known when it occurred.
_KNOWN = " AND (i.received_at <= ask.until OR i.received_at > i.occurred_at + interval '2 days')"


@dataclass(frozen=True)
class _Scan:
    """What is read once for every ask that differs in its zone and types alone."""

    per: str
    window_h: float
    agencies: tuple[int, ...] | None
    severity: int | None
    as_of: datetime


def count(asks: Sequence[Ask], rules: Rules, *, as_it_was_known: bool = False, with_names: bool = True) -> dict[Ask, Count]:
    """All of them: a statement for each kind of zone, and in it one scan of a window for all zones, rules and types that ask for it.
    ``as_it_was_known``: for a replay, without what was reported only later. ``with_names``: and which incidents they are."""
    scans: dict[_Scan, list[Ask]] = defaultdict(list)
    for ask in dict.fromkeys(asks):
        scans[_scan_of(ask, rules)].append(ask)
    by_kind: dict[str, list[_Scan]] = defaultdict(list)
    for scan in scans:
        by_kind[scan.per].append(scan)
    found: dict[Ask, Count] = {}
    for per, mine in by_kind.items():
        names = _NAMED.format(most=MOST_NAMED) if with_names else _UNNAMED
        sql = _COUNT.format(column=_COLUMN[per], named=names, known=_KNOWN if as_it_was_known else "")
        given = orjson.dumps([_row(number, scan, scans[scan]) for number, scan in enumerate(mine)]).decode()
        of_scan: dict[tuple[int, int], list[tuple[Any, ...]]] = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(sql, [given, sorted(EXITS)])
            for number, zone_id, *row in cursor.fetchall():
                of_scan[number, zone_id].append(tuple(row))
        for number, scan in enumerate(mine):
            for ask in scans[scan]:
                found[ask] = _summed([row for row in of_scan[number, ask.zone_id] if ask.type_ids is None or row[0] in ask.type_ids])
    return found


def _summed(rows: Sequence[tuple[Any, ...]]) -> Count:
    """The types of one ask together, the newest incidents first."""
    named = sorted(((at, pk) for row in rows for pk, at in zip(row[3] or (), row[4] or (), strict=True)), reverse=True)[:MOST_NAMED]
    return Count(
        now=sum(row[1] for row in rows),
        before=sum(row[2] for row in rows),
        ids=tuple(pk for _at, pk in named),
        times=tuple(at for at, _pk in named),
        is_synthetic=any(row[5] for row in rows),
    )


def _scan_of(ask: Ask, rules: Rules) -> _Scan:
    rule = rules.by_id[ask.rule_id]
    assert isinstance(rule.condition, CountCondition)
    agencies = _agencies(rule, ask)
    return _Scan(
        per=ask.per,
        window_h=rule.condition.window_h,
        agencies=tuple(agencies) if agencies is not None else None,
        severity=rule.rule.least_severity,
        as_of=ask.as_of,
    )


def _row(number: int, scan: _Scan, asks: Sequence[Ask]) -> dict[str, Any]:
    window = timedelta(hours=scan.window_h)
    types: set[int] | None = set()
    for ask in asks:
        types = None if types is None or ask.type_ids is None else types | set(ask.type_ids)
    return {
        "n": number,
        "zones": sorted({ask.zone_id for ask in asks}),
        "before": (scan.as_of - 2 * window).isoformat(),
        "since": (scan.as_of - window).isoformat(),
        "until": (scan.as_of + SKEW).isoformat(),
        "types": sorted(types) if types is not None else None,
        "agencies": list(scan.agencies) if scan.agencies is not None else None,
        "severity": scan.severity,
    }


def _agencies(rule: CompiledRule, ask: Ask) -> list[int] | None:
    if ask.agency_id is not None:
        return [ask.agency_id]
    if rule.agency_ids is not None:
        return sorted(rule.agency_ids)
    return [rule.rule.agency_id] if rule.rule.agency_id is not None else None


def longest_window(rules: Iterable[CompiledRule]) -> timedelta:
    hours = [rule.condition.window_h for rule in rules if isinstance(rule.condition, CountCondition)]
    return timedelta(hours=max(hours, default=0.0))
