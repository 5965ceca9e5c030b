"""What is kept of a step that ran: in its row, in the alert's log, in the event log, and when the next is due. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from alerts import events
from alerts.analytics.escalating import Then
from alerts.models import Alert, AlertLog, EscalationRun, StepRun
from alerts.services.escalation.targets import Target
from core.events import unpublished
from core.models import Event

Outcome = StepRun.Outcome


def came_of(row: StepRun, *, outcome: str, paged: Sequence[Target], facts: Mapping[str, Any], owner: str) -> None:
    users = [target.user.pk for target in paged if target.user is not None]
    contacts = [target.contact.pk for target in paged if target.contact is not None]
    row.outcome, row.reached = outcome, sum(1 for target in paged if target.is_reachable)
    row.facts = {**facts, "users": users, "contacts": contacts, "owner": owner}


def line_of(alert: Alert, row: StepRun, facts: Mapping[str, Any]) -> AlertLog:
    """Of the alert's log."""
    kind = AlertLog.Kind.NOBODY if row.outcome in (Outcome.NOBODY, Outcome.FAILED) else AlertLog.Kind.STEP
    place = {"step_run": row.pk, "kind": row.kind, "step": row.step_no + 1, "loop": row.loop + 1, "repeat": row.repeat_no + 1}
    return AlertLog(alert=alert, kind=kind, facts={**place, "outcome": row.outcome, "reached": row.reached, **facts})


def paged_event(alert: Alert, row: StepRun) -> Event:
    return unpublished(
        events.ALERT_PAGED,
        subject=alert,
        data={"users": row.facts["users"], "contacts": row.facts["contacts"], "step": row.step_no + 1},
        agency_id=alert.agency_id,
        governorate_id=alert.governorate_id,
    )


def next_place(run: EscalationRun, then: Then, now: datetime) -> dict[str, Any]:
    """The next step is due so long after this one was RUN (not after it was due)."""
    next_at = now + timedelta(seconds=then.wait_s)
    if then.place is None:  # the last wait is waited too, and then the fallback is told that nobody answered
        return {"step_no": len(run.snapshot.get("steps") or []), "repeat_no": 0, "next_at": next_at, "failures": 0}
    place = {"loop": then.place.loop, "step_no": then.place.step_no, "repeat_no": then.place.repeat_no}
    return {**place, "next_at": next_at, "failures": 0, "last_error": ""}
