"""Many new alerts at once, as a busy minute brings them: what ``open_alert`` writes for one, in a handful of statements for all."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from alerts import events
from alerts.choices import Through
from alerts.models import Alert, AlertLog, EscalationPolicy
from alerts.services.alerts import paging
from alerts.services.alerts.opening import Seen, opened_facts, quiet_down, quiet_others
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


_KEEP = """
INSERT INTO alerts_occurrence (alert_id, event_id, at, incident_id, measure)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::float8[])
ON CONFLICT DO NOTHING
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
    _occurrences(made)
    AlertLog.objects.bulk_create(
        AlertLog(alert=draft.alert, kind=AlertLog.Kind.OPENED, through=Through.SYSTEM, facts=opened_facts(draft.alert)) for draft in made
    )
    Event.objects.bulk_create(_fired(draft) for draft in made)
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


def _occurrences(drafts: Sequence[Draft]) -> None:
    rows = [(draft.alert.pk, one.event_id, one.at, one.incident_id, one.measure) for draft in drafts for one in draft.seen]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])


def _fired(draft: Draft) -> Event:
    alert = draft.alert
    return Event(
        type=events.ALERT_FIRED,
        subject_type=Alert._meta.model_name or "",
        subject_id=alert.pk,
        agency_id=alert.agency_id,
        governorate_id=alert.governorate_id,
        data={"kind": alert.kind, "level": alert.level, **({"rule": alert.rule.code} if alert.rule else {})},
    )
