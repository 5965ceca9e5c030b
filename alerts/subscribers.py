"""What the alerts hear from the event log."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.services.engine import ACTIVATED, hear_patiently
from alerts.services.rules.conditions import OWN_EVENTS
from core.models import Event
from core.subscribers import Subscriber


def _evaluate(events: Sequence[Event]) -> None:
    hear_patiently(events)


SUBSCRIBERS: list[Subscriber] = [
    # Its own alerts and pages make most of the log in a rush, and no rule hears them.
    Subscriber("alerts.rules", _evaluate, deaf_to=tuple(beginning for beginning in OWN_EVENTS if not ACTIVATED.startswith(beginning))),
]
