"""What the incidents hear from the event log."""

from __future__ import annotations

from collections.abc import Sequence

from core.models import Event
from core.subscribers import Subscriber
from geography.events import ZONES_CHANGED
from incidents.services.rezoning import reresolve_incidents


def _rezone(events: Sequence[Event]) -> None:
    reresolve_incidents(region_ids={event.subject_id for event in events if event.subject_id is not None})


SUBSCRIBERS = [Subscriber("incidents.rezoning", _rezone, types=frozenset({ZONES_CHANGED}), from_the_start=True)]
