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
SELECT ask.n, found.now, found.before, found.ids, found.times, found.is_synthetic
FROM jsonb_to_recordset(%s::jsonb) AS ask(
    n int, zone bigint, before timestamptz, since timestamptz, until timestamptz, types bigint[], agencies bigint[], severity int
)
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE i.occurred_at > ask.since) AS now,
        count(*) FILTER (WHERE i.occurred_at <= ask.since) AS before,
        (array_agg(i.id ORDER BY i.occurred_at DESC, i.id DESC) FILTER (WHERE i.occurred_at > ask.since))[1:{most}] AS ids,
        (array_agg(i.occurred_at ORDER BY i.occurred_at DESC, i.id DESC) FILTER (WHERE i.occurred_at > ask.since))[1:{most}] AS times,
        bool_or(i.is_synthetic) FILTER (WHERE i.occurred_at > ask.since) AS is_synthetic
    FROM incidents_incident i
    WHERE i.{column} = ask.zone AND i.occurred_at > ask.before AND i.occurred_at <= ask.until AND i.state <> ALL(%s)
        AND (ask.types IS NULL OR i.type_id = ANY(ask.types)) AND (ask.agencies IS NULL OR i.agency_id = ANY(ask.agencies))
        AND (ask.severity IS NULL OR i.severity >= ask.severity){known}
) found
"""
# In a replay an incident counts from the moment it was known; what came by an import of history is taken as known when it occurred.
_KNOWN = " AND (i.received_at <= ask.until OR i.received_at > i.occurred_at + interval '2 days')"


def count(asks: Sequence[Ask], rules: Rules, *, as_it_was_known: bool = False) -> dict[Ask, Count]:
    """All of them, by kind of zone. ``as_it_was_known``: for a replay, without what was reported only later."""
    by_kind: dict[str, list[Ask]] = defaultdict(list)
    for ask in dict.fromkeys(asks):
        by_kind[ask.per].append(ask)
    found: dict[Ask, Count] = {}
    for per, mine in by_kind.items():
        sql = _COUNT.format(column=_COLUMN[per], most=MOST_NAMED, known=_KNOWN if as_it_was_known else "")
        given = orjson.dumps([_row(number, ask, rules) for number, ask in enumerate(mine)]).decode()
        with connection.cursor() as cursor:
            cursor.execute(sql, [given, sorted(EXITS)])
            for number, now, before, ids, times, is_synthetic in cursor.fetchall():
                found[mine[number]] = Count(now, before, tuple(ids or ()), tuple(times or ()), bool(is_synthetic))
    return found


def _row(number: int, ask: Ask, rules: Rules) -> dict[str, Any]:
    rule = rules.by_id[ask.rule_id]
    assert isinstance(rule.condition, CountCondition)
    window = timedelta(hours=rule.condition.window_h)
    return {
        "n": number,
        "zone": ask.zone_id,
        "before": (ask.as_of - 2 * window).isoformat(),
        "since": (ask.as_of - window).isoformat(),
        "until": (ask.as_of + SKEW).isoformat(),
        "types": list(ask.type_ids) if ask.type_ids is not None else None,
        "agencies": _agencies(rule, ask),
        "severity": rule.rule.least_severity,
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
