"""What patrol hears from the event log."""

from __future__ import annotations

from collections.abc import Sequence

from core.models import Event
from core.subscribers import Subscriber
from incidents.events import INCIDENT_MOVED
from patrol.services.assignments import end_with_incidents, ends_its_assignments


def _end_with_incidents(events: Sequence[Event]) -> None:
    end_with_incidents(happened=[event for event in events if ends_its_assignments(event)])


SUBSCRIBERS: list[Subscriber] = [
    Subscriber("patrol.incidents_closed", _end_with_incidents, types=frozenset({INCIDENT_MOVED})),
]
