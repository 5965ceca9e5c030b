"""Ends that nobody at the wheel made: the time ran out, or the incident was closed at the desk."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from core.models import Event
from incidents.lifecycle import FINAL as INCIDENT_FINAL
from incidents.models import Incident
from patrol import events
from patrol.lifecycle import OPEN, State
from patrol.models import Assignment
from patrol.services.assignments.keeping import announce, lock_assignment, lock_incident
from patrol.services.assignments.moving import end

MOST_A_ROUND = 500


def close_by_time(*, now: datetime) -> int:
    """Close what was to be closed by now, each in its own transaction, with notice: an event, a log row, and the state that says so on the
    unit's screen. Returns how many."""
    due = Assignment.objects.open().filter(closes_at__lte=now).order_by("closes_at")
    return sum(_close(pk, incident_id, now) for pk, incident_id in list(due.values_list("pk", "incident_id")[:MOST_A_ROUND]))


@transaction.atomic
def _close(pk: int, incident_id: int | None, now: datetime) -> int:
    incident = lock_incident(incident_id)
    current = lock_assignment(pk)
    if current.state not in OPEN or current.closes_at is None or current.closes_at > now:
        return 0
    end(current, to=State.AUTO_CLOSED, by=None, reason="", incident=incident, facts={"closes_at": current.closes_at.isoformat()})
    announce(events.ASSIGNMENT_CLOSED_BY_TIME, current)
    return 1


@transaction.atomic
def end_with_incidents(*, happened: Collection[Event]) -> int:
    """The incident was closed or cancelled at the desk: whoever is there has done it, whoever is not need not go.

    Called with the incidents' own events; what was given out after an event (the incident was opened again) is left alone.
    """
    ended = 0
    for event in sorted(happened, key=lambda it: (it.subject_id or 0, it.pk)):
        if event.subject_id is None or not Incident.objects.filter(pk=event.subject_id).exists():
            continue
        incident = lock_incident(event.subject_id)
        rows = Assignment.objects.open().filter(incident=incident, assigned_at__lte=event.occurred_at).order_by("pk")
        for pk in rows.values_list("pk", flat=True):
            current = lock_assignment(pk)
            there = current.state == State.ON_SCENE
            end(current, to=State.DONE if there else State.CANCELLED, by=None, reason="", facts={"incident": event.data.get("to")})
            ended += 1
    return ended


def ends_its_assignments(event: Event) -> bool:
    return event.data.get("to") in INCIDENT_FINAL
