"""The relay's part, inside a test's own transaction: nobody else can see what it has published."""

from __future__ import annotations

from core.events import LOG_CURSOR, log_head
from core.models import Event, EventCursor


def number_events() -> int:
    """Give every event its number, in their order; the log's head then."""
    waiting = list(Event.objects.unnumbered())
    first = log_head() + 1
    for seq, event in enumerate(waiting, start=first):
        Event.objects.filter(pk=event.pk).update(seq=seq)
    EventCursor.objects.update_or_create(name=LOG_CURSOR, defaults={"seq": first + len(waiting) - 1})
    return first + len(waiting) - 1
