"""What happened belongs to alerts that are open: each grows by what is new to it, and what got worse is told again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction

from alerts import events
from alerts.choices import Level
from alerts.models import Alert, AlertLog
from alerts.services.alerts.quiets import QUIETABLE
from alerts.services.alerts.recording import about, line
from alerts.services.alerts.refiring import worsen
from core.events import publish_many

MOST_TITLE = 200


@dataclass(frozen=True)
class Seen:
    """One thing an alert stands for: an event, an incident that was counted, or both."""

    at: datetime
    event_id: int | None = None
    incident_id: int | None = None
    measure: float | None = None


@dataclass(frozen=True)
class Joining:
    """What happened, and the open alert it belongs to, whose row the caller holds. ``facts`` of None: those it has stay."""

    alert: Alert
    seen: Sequence[Seen]
    level: str
    measure: float | None
    threshold: float | None
    facts: Mapping[str, Any] | None
    title: tuple[str, str]
    is_synthetic: bool
    resolve_after_min: int
    hurry_percent: int


_KEEP = """
INSERT INTO alerts_occurrence (alert_id, event_id, at, incident_id, measure)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::float8[])
ON CONFLICT DO NOTHING RETURNING alert_id
"""
_GROW = """
UPDATE alerts_alert SET last_seen_at = %s, occurrence_count = given.count, resolve_due_at = given.due, level = given.level,
    measure = given.measure, threshold = given.threshold, facts = given.facts, title_en = given.title_en, title_ar = given.title_ar,
    is_synthetic = given.synthetic
FROM jsonb_to_recordset(%s::jsonb) AS given(
    id bigint, count int, due timestamptz, level text, measure float8, threshold float8, facts jsonb, title_en text, title_ar text,
    synthetic bool
)
WHERE alerts_alert.id = given.id
"""


@transaction.atomic
def join_all(*, joining: Sequence[Joining], now: datetime) -> None:
    """Let each open alert grow by what is new to it; where nothing is, leave it as it is. What is worse than its alert raises the level,
    and fires again if somebody had it in hand."""
    kept = keep_occurrences((one.alert, one.seen) for one in joining)
    grown = [one for one in joining if not one.seen or kept[one.alert.pk]]  # what names neither event nor incident always is new
    if not grown:
        return
    was = [_grow(one, new=kept[one.alert.pk] or 1, now=now) for one in grown]
    with connection.cursor() as cursor:
        cursor.execute(_GROW, [now, orjson.dumps([_row(one.alert) for one in grown]).decode()])
    lines: list[AlertLog] = []
    for one, before in zip(grown, was, strict=True):
        lines.append(line(one.alert, AlertLog.Kind.JOINED, facts={"count": one.alert.occurrence_count, "measure": one.measure}))
        if before != one.alert.level:
            lines.append(line(one.alert, AlertLog.Kind.RAISED, facts={"from": before, "to": one.alert.level}))
    AlertLog.objects.bulk_create(lines)
    publish_many(about(events.ALERT_GREW, one.alert, count=one.alert.occurrence_count, level=one.alert.level) for one in grown)
    for one, before in zip(grown, was, strict=True):
        if before != one.alert.level:
            worsen(alert=one.alert, hurry_percent=one.hurry_percent, now=now)


def keep_occurrences(seen: Iterable[tuple[Alert, Sequence[Seen]]]) -> Counter[int]:
    """Write what is new among them; how many were, by alert."""
    rows = [(alert.pk, one.event_id, one.at, one.incident_id, one.measure) for alert, mine in seen for one in mine]
    if not rows:
        return Counter()
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])
        return Counter(pk for (pk,) in cursor.fetchall())


def _grow(one: Joining, *, new: int, now: datetime) -> str:
    """In memory; the answer is the level that it had."""
    alert, was = one.alert, one.alert.level
    alert.last_seen_at, alert.occurrence_count = now, alert.occurrence_count + new
    alert.resolve_due_at = max(alert.resolve_due_at, now + timedelta(minutes=one.resolve_after_min))
    if Level(one.level).rank > Level(was).rank:
        alert.level = one.level
    if one.measure is not None:
        alert.measure, alert.threshold = one.measure, one.threshold
    if one.facts is not None:
        alert.facts = dict(one.facts)
    if alert.kind in QUIETABLE:  # what a person or the auditor wrote stays as it was written
        alert.title_en, alert.title_ar = one.title[0][:MOST_TITLE], one.title[1][:MOST_TITLE]
    alert.is_synthetic = alert.is_synthetic or one.is_synthetic
    return was


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "count": alert.occurrence_count,
        "due": alert.resolve_due_at,
        "level": alert.level,
        "measure": alert.measure,
        "threshold": alert.threshold,
        "facts": alert.facts,
        "title_en": alert.title_en,
        "title_ar": alert.title_ar,
        "synthetic": alert.is_synthetic,
    }
