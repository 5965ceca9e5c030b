"""Many alerts at once, as a busy minute brings them: what ``open_alert`` writes for one, in a handful of statements for all."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from alerts import events
from alerts.models import Alert, AlertLog, EscalationPolicy
from alerts.services.alerts import paging
from alerts.services.alerts.joining import Seen, keep_occurrences
from alerts.services.alerts.opening import fired_data, opened_facts, quiet_down, quiet_others
from alerts.services.alerts.quiets import Quiets
from alerts.services.alerts.recording import about, line
from core.events import publish_many


@dataclass(frozen=True)
class Draft:
    """An alert that is not written yet, with what it stands for. ``labels`` spare the reading of its agency and zones."""

    alert: Alert
    policy: EscalationPolicy | None
    seen: Sequence[Seen]
    hurry_percent: int
    labels: Mapping[str, str]


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
    keep_occurrences((draft.alert, draft.seen) for draft in made)
    AlertLog.objects.bulk_create(line(draft.alert, AlertLog.Kind.OPENED, facts=opened_facts(draft.alert)) for draft in made)
    publish_many(about(events.ALERT_FIRED, draft.alert, **fired_data(draft.alert)) for draft in made)
    loud: dict[tuple[int | None, int], list[Draft]] = defaultdict(list)
    for draft in made:
        if not quiet_down(draft.alert, quiets, now=now, labels=draft.labels):
            loud[draft.policy.pk if draft.policy else None, draft.hurry_percent].append(draft)
    for (_policy, hurry_percent), mine in loud.items():
        paging.start_many(alerts=[draft.alert for draft in mine], policy=mine[0].policy, now=now, hurry_percent=hurry_percent)
    for draft in made:
        quiet_others(draft.alert, quiets, now=now, labels=draft.labels)
    return {draft.alert.fingerprint: draft.alert for draft in made}
