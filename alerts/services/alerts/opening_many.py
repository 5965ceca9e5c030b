"""Many alerts at once, as a busy minute brings them: what ``open_alert`` and ``join`` write for one, in a handful of statements for all."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction

from alerts import events
from alerts.choices import Through
from alerts.models import Alert, AlertLog, EscalationPolicy
from alerts.services.alerts import paging
from alerts.services.alerts.opening import MOST_TITLE, Seen, opened_facts, quiet_down, quiet_others
from alerts.services.alerts.quiets import Quiets
from core.events import wake_relay
from core.models import Event


@dataclass(frozen=True)
class Draft:
    """An alert that is not written yet, with what it stands for. ``labels`` spare the reading of its agency and zones."""

    alert: Alert
    policy: EscalationPolicy | None
    seen: Sequence[Seen]
    hurry_percent: int
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Joining:
    """What happened, and the open alert it belongs to, whose row the caller holds. No worse than that alert."""

    alert: Alert
    seen: Sequence[Seen]
    measure: float | None
    threshold: float | None
    facts: Mapping[str, Any]
    title: tuple[str, str]
    is_synthetic: bool
    resolve_after_min: int


_KEEP = """
INSERT INTO alerts_occurrence (alert_id, event_id, at, incident_id, measure)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::float8[])
ON CONFLICT DO NOTHING RETURNING alert_id
"""
_GROW = """
UPDATE alerts_alert SET last_seen_at = %s, occurrence_count = given.count, resolve_due_at = given.due, measure = given.measure,
    threshold = given.threshold, facts = given.facts, title_en = given.title_en, title_ar = given.title_ar, is_synthetic = given.synthetic
FROM jsonb_to_recordset(%s::jsonb) AS given(
    id bigint, count int, due timestamptz, measure float8, threshold float8, facts jsonb, title_en text, title_ar text, synthetic bool
)
WHERE alerts_alert.id = given.id
"""


@transaction.atomic
def open_new(*, drafts: Sequence[Draft], quiets: Quiets, now: datetime) -> dict[str, Alert]:
    """Write those whose fingerprint has no open alert; the answer is what was written, by fingerprint. The caller sees to the others."""
    for draft in drafts:
        draft.alert.key = uuid.uuid4()
    Alert.objects.bulk_create([draft.alert for draft in drafts], ignore_conflicts=True)
    stored = dict(Alert.objects.filter(key__in=[draft.alert.key for draft in drafts]).values_list("key", "pk"))
    made = [draft for draft in drafts if draft.alert.key in stored]
    for draft in made:
        draft.alert.pk, draft.alert._state.adding = stored[draft.alert.key], False
    _keep((draft.alert, draft.seen) for draft in made)
    AlertLog.objects.bulk_create(
        AlertLog(alert=draft.alert, kind=AlertLog.Kind.OPENED, through=Through.SYSTEM, facts=opened_facts(draft.alert)) for draft in made
    )
    Event.objects.bulk_create(
        _event(
            events.ALERT_FIRED,
            draft.alert,
            kind=draft.alert.kind,
            level=draft.alert.level,
            **({"rule": draft.alert.rule.code} if draft.alert.rule else {}),
        )
        for draft in made
    )
    wake_relay()
    loud: dict[tuple[int | None, int], list[Draft]] = defaultdict(list)
    for draft in made:
        if not quiet_down(draft.alert, quiets, now=now, labels=draft.labels):
            loud[draft.policy.pk if draft.policy else None, draft.hurry_percent].append(draft)
    for (_policy, hurry_percent), mine in loud.items():
        paging.start_many(alerts=[draft.alert for draft in mine], policy=mine[0].policy, now=now, hurry_percent=hurry_percent)
    for draft in made:
        quiet_others(draft.alert, quiets, now=now, labels=draft.labels)
    return {draft.alert.fingerprint: draft.alert for draft in made}


@transaction.atomic
def join_known(*, joining: Sequence[Joining], now: datetime) -> None:
    """Let each open alert grow by what is new to it; where nothing is, leave it as it is."""
    kept = _keep([(one.alert, one.seen) for one in joining])
    grown: list[Joining] = []
    for one in joining:
        new = kept[one.alert.pk] if one.seen else 1
        if not new:
            continue
        alert = one.alert
        alert.last_seen_at, alert.occurrence_count = now, alert.occurrence_count + new
        alert.resolve_due_at = max(alert.resolve_due_at, now + timedelta(minutes=one.resolve_after_min))
        if one.measure is not None:
            alert.measure, alert.threshold = one.measure, one.threshold
        alert.facts = dict(one.facts)
        if alert.kind == Alert.Kind.RULE:
            alert.title_en, alert.title_ar = one.title[0][:MOST_TITLE], one.title[1][:MOST_TITLE]
        alert.is_synthetic = alert.is_synthetic or one.is_synthetic
        grown.append(one)
    if not grown:
        return
    rows = [
        {
            "id": alert.pk, "count": alert.occurrence_count, "due": alert.resolve_due_at, "measure": alert.measure,
            "threshold": alert.threshold, "facts": alert.facts, "title_en": alert.title_en, "title_ar": alert.title_ar,
            "synthetic": alert.is_synthetic,
        }
        for alert in (one.alert for one in grown)
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_GROW, [now, orjson.dumps(rows).decode()])
    AlertLog.objects.bulk_create(
        AlertLog(
            alert=one.alert,
            kind=AlertLog.Kind.JOINED,
            through=Through.SYSTEM,
            facts={"count": one.alert.occurrence_count, "measure": one.measure},
        )
        for one in grown
    )
    Event.objects.bulk_create(
        _event(events.ALERT_GREW, one.alert, count=one.alert.occurrence_count, level=one.alert.level) for one in grown
    )
    wake_relay()


def _keep(seen: Iterable[tuple[Alert, Sequence[Seen]]]) -> Counter[int]:
    """Write what is new among them; how many were, by alert."""
    rows = [(alert.pk, one.event_id, one.at, one.incident_id, one.measure) for alert, mine in seen for one in mine]
    if not rows:
        return Counter()
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])
        return Counter(pk for (pk,) in cursor.fetchall())


def _event(type: str, alert: Alert, **data: Any) -> Event:
    return Event(
        type=type,
        subject_type=Alert._meta.model_name or "",
        subject_id=alert.pk,
        agency_id=alert.agency_id,
        governorate_id=alert.governorate_id,
        data=data,
    )
