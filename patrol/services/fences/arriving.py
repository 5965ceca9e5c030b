"""Arrival sets "on scene", where the unit's profile says so."""

from __future__ import annotations

import logging
from datetime import datetime

from core.errors import DomainError
from patrol.models import AssignmentState, FenceVisit
from patrol.services.assignments import move_assignment

logger = logging.getLogger(__name__)
BEFORE = (AssignmentState.ASSIGNED, AssignmentState.ACCEPTED, AssignmentState.EN_ROUTE)


def arrive(*, now: datetime) -> int:
    """Move on what has arrived: an open visit to a task's own place, of a unit that is to be moved so, whose task is not there yet.

    Told by the rows, not by the moment of entering, so that nothing is lost when somebody stops half-way, and nothing done twice. What
    the dispatcher's machine refuses stays as it is.
    """
    arrived = 0
    visits = FenceVisit.objects.filter(left_at=None, assignment__state__in=BEFORE, unit__arrival_sets_on_scene=True)
    for visit in visits.select_related("assignment", "unit").order_by("pk"):
        assert visit.assignment is not None
        facts = {"by": "position", "visit": visit.pk}
        try:
            move_assignment(assignment=visit.assignment, to=AssignmentState.ON_SCENE, by=None, at=visit.entered_at, facts=facts)
            arrived += 1
        except DomainError as refusal:
            logger.info("arrival of unit %s at assignment %s changes nothing: %s", visit.unit_id, visit.assignment_id, refusal.message)
    return arrived
