"""The demo's desk: sends units to what waits, as advised, and passes on what their crews report."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from core.errors import DomainError
from demo.door import Door
from incidents.lifecycle import Disposition, State
from incidents.models import Incident
from incidents.services import classify_incident, close_incident
from patrol.models import Assignment, AssignmentState, Unit
from patrol.services.units import states_of

logger = logging.getLogger(__name__)

WAITING = (State.RECEIVED, State.CLASSIFIED, State.QUEUED, State.REOPENED)
AT_ONCE = 3
# The rest of the forty patrols: calls take about a third of the time. What is over it is worked off by nameless crews.
MOST_AT_WORK = 14
_FURTHEST = (AssignmentState.ASSIGNED, AssignmentState.ACCEPTED, AssignmentState.EN_ROUTE, AssignmentState.ON_SCENE)


@dataclass(frozen=True)
class Sent:
    """An open assignment as its crew knows it; ``place`` is longitude and latitude, ``until`` the end of a planned stop."""

    id: int
    unit_id: int
    kind: str
    state: str
    place: tuple[float, float] | None
    until: datetime | None = None


class Desk:
    """Acts for the synthetic force alone, through the API: real units that somebody adds are left to people."""

    def __init__(self, door: Door) -> None:
        self.door = door

    def open_assignments(self) -> list[Sent]:
        """What the units are to do now, in the order they are to do it. A stop whose time has passed is left to be closed by time."""
        now = timezone.now()
        rows = Assignment.objects.active().filter(unit__is_synthetic=True).select_related("incident", "plan_stop").in_order()
        found = []
        for row in rows:
            until = row.plan_stop.leave_at if row.plan_stop else None
            if until is not None and until <= now and row.state != AssignmentState.ON_SCENE:
                continue
            at = row.location or (row.incident.location if row.incident else None) or (row.plan_stop.location if row.plan_stop else None)
            found.append(Sent(row.pk, row.unit_id, row.kind, row.state, (at.x, at.y) if at else None, until))
        return sorted(found, key=lambda one: (one.kind != Assignment.Kind.INCIDENT, -_FURTHEST.index(AssignmentState(one.state))))

    def move(self, one: Sent, to: str) -> bool:
        """Pass a crew's step on; somebody else may have been quicker."""
        answer = self.door.post(f"/api/v1/patrol/assignments/{one.id}/move", {"state": to, "expected": one.state})
        if answer.status_code != 200:
            logger.info("not moved: %d", answer.status_code)
            return False
        if to == AssignmentState.DONE and one.kind == Assignment.Kind.INCIDENT:
            self._close(Assignment.objects.select_related("incident").get(pk=one.id).incident)
        return True

    def dispatch_what_waits(self) -> int:
        """Send the advised unit to the most urgent synthetic incidents nobody is on. Returns how many were sent."""
        waiting = (
            Incident.objects.filter(
                is_synthetic=True, state__in=WAITING, agency__units__is_active=True, location__isnull=False, governorate__isnull=False
            )
            .exclude(assignments__in=Assignment.objects.open())
            .distinct()
            .order_by("priority", "pk")
        )
        at_work = Assignment.objects.active().filter(unit__is_synthetic=True, kind=Assignment.Kind.INCIDENT).count()
        sent = 0
        for incident in waiting[: min(AT_ONCE, MOST_AT_WORK - at_work)] if at_work < MOST_AT_WORK else []:
            try:
                if incident.state == State.RECEIVED:
                    classify_incident(incident=incident, by=None)
                sent += self._send(Incident.objects.get(pk=incident.pk))
            except DomainError as refusal:
                logger.info("nobody sent to %s: %s", incident, refusal.message)
        return sent

    def _send(self, incident: Incident) -> bool:
        advice = self.door.post("/api/v1/patrol/recommendations", {"incident": incident.ref})
        if advice.status_code != 201:
            return False
        units = Unit.objects.filter(is_synthetic=True).in_bulk(advice.json()["advised"])
        sent = False
        for pk in units:
            seen = list(states_of([pk])[pk].open_assignments)
            told = {"unit": pk, "incident": incident.ref, "recommendation": advice.json()["id"], "seen": seen}
            sent |= self.door.post("/api/v1/patrol/assignments", told).status_code == 201
        return sent

    def _close(self, incident: Incident | None) -> None:
        if incident is not None and incident.state == State.CLEARED:
            close_incident(incident=incident, by=None, disposition=Disposition.RESOLVED)
