"""What the alerts hear from the event log."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.services.engine import hear_patiently
from core.models import Event
from core.subscribers import Subscriber


def _evaluate(events: Sequence[Event]) -> None:
    hear_patiently(events)


SUBSCRIBERS: list[Subscriber] = [
    Subscriber("alerts.rules", _evaluate),
]
