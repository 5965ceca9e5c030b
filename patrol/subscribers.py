"""What patrol hears from the event log."""

from __future__ import annotations

from collections.abc import Sequence

from core.models import Event
from core.subscribers import Subscriber
from incidents.events import INCIDENT_MOVED
from patrol.events import ASSIGNMENT_CLOSED_BY_TIME, ASSIGNMENT_MADE, ASSIGNMENT_MOVED, ASSIGNMENTS_HANDED_OVER
from patrol.models import Assignment
from patrol.services.aid import end_aid_of
from patrol.services.assignments import end_with_incidents, ends_its_assignments
from patrol.services.welfare import follow_assignment


def _end_with_incidents(events: Sequence[Event]) -> None:
    over = [event for event in events if ends_its_assignments(event)]
    end_with_incidents(happened=over)
    end_aid_of(incident_ids=[event.subject_id for event in over if event.subject_id is not None])


def time_welfare(heard: Sequence[Event]) -> None:
    """Welfare timers begin and end with what a unit is on scene at: as it stands now, not as the event said it then."""
    wanted = {event.subject_id for event in heard if event.subject_type == "assignment" and event.subject_id is not None}
    for assignment in Assignment.objects.filter(pk__in=wanted).select_related("unit").order_by("pk"):
        follow_assignment(assignment=assignment)


SUBSCRIBERS: list[Subscriber] = [
    Subscriber("patrol.incidents_closed", _end_with_incidents, types=frozenset({INCIDENT_MOVED})),
    Subscriber(
        "patrol.welfare",
        time_welfare,
        types=frozenset({ASSIGNMENT_MADE, ASSIGNMENT_MOVED, ASSIGNMENT_CLOSED_BY_TIME, ASSIGNMENTS_HANDED_OVER}),
    ),
]
