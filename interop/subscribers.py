"""What the exchange hears from the event log: whatever its webhooks tell other systems."""

from __future__ import annotations

from collections.abc import Sequence

from core.models import Event
from core.subscribers import Subscriber
from interop.services.webhooks import CATALOGUE, fan_out


def _tell_others(events: Sequence[Event]) -> None:
    fan_out(events)


SUBSCRIBERS: list[Subscriber] = [
    Subscriber("interop.webhooks", _tell_others, types=frozenset(CATALOGUE)),
]
