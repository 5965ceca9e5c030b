"""What the incidents hear from the event log."""

from __future__ import annotations

from collections.abc import Sequence

from core.models import Event
from core.subscribers import Subscriber
from geography.events import ZONES_CHANGED
from incidents.events import INCIDENT_OPENED
from incidents.services.duplicates import find_duplicates
from incidents.services.near_repeats import raise_near_repeats
from incidents.services.rezoning import reresolve_incidents


def _rezone(events: Sequence[Event]) -> None:
    reresolve_incidents(region_ids={event.subject_id for event in events if event.subject_id is not None})


def _look_for_near_repeats(events: Sequence[Event]) -> None:
    """One incident at a time: what is imported in bulk is announced by its batch, and never looked at."""
    raise_near_repeats(incident_ids={event.subject_id for event in events if event.subject_id is not None})


def _look_for_duplicates(events: Sequence[Event]) -> None:
    """Here too what is imported in bulk is passed over: it is history, and nobody waits to decide about it."""
    find_duplicates(incident_ids={event.subject_id for event in events if event.subject_id is not None})


SUBSCRIBERS = [
    Subscriber("incidents.rezoning", _rezone, types=frozenset({ZONES_CHANGED}), from_the_start=True),
    Subscriber("incidents.near_repeat", _look_for_near_repeats, types=frozenset({INCIDENT_OPENED}), batch=50, is_gentle=True),
    Subscriber("incidents.duplicates", _look_for_duplicates, types=frozenset({INCIDENT_OPENED}), batch=20, is_gentle=True),
]
