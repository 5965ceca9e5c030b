"""Who follows the event log: each app's ``subscribers.py`` names its readers in one list, ``SUBSCRIBERS``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps
from django.db import transaction

from core.models import Event, EventCursor


@dataclass(frozen=True)
class Subscriber:
    """A named reader of the log.

    ``handle`` is called with events in the log's order, inside the transaction that moves the reader's cursor: what it writes is
    kept exactly when the events count as read. What leaves the database (a message, a call) it must not do itself: it leaves a
    row to be claimed. If it raises, the same events come again later; they hold up nobody but this reader.
    """

    name: str
    handle: Callable[[Sequence[Event]], None]
    types: frozenset[str] | None = None  # None: every event
    batch: int = 500
    from_the_start: bool = False  # a new reader begins with what happens next, unless it asks for history
    is_gentle: bool = False  # may be late: works a quarter of the time, so that in a rush those who page people are not held up by it


def find_subscribers() -> list[Subscriber]:
    """The readers of every installed app, in the order of ``INSTALLED_APPS``."""
    found: list[Subscriber] = []
    for app in apps.get_app_configs():
        if app.name != "core" and find_spec(f"{app.name}.subscribers") is not None:
            found += import_module(f"{app.name}.subscribers").SUBSCRIBERS
    names = [subscriber.name for subscriber in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two subscribers have one name: {sorted(names)}")
    return found


def enlist(subscriber: Subscriber, *, head: int) -> None:
    """Give a reader met for the first time its cursor."""
    EventCursor.objects.get_or_create(name=subscriber.name, defaults={"seq": 0 if subscriber.from_the_start else head})


@transaction.atomic
def advance(subscriber: Subscriber, *, limit: int | None = None) -> int:
    """Hand the reader what it has not seen, at most one batch, and move its cursor. Returns how many events it went past."""
    cursor = EventCursor.objects.select_for_update().get(name=subscriber.name)
    events = list(Event.objects.numbered_after(cursor.seq)[: limit or subscriber.batch])
    if not events:
        return 0
    wanted = [event for event in events if subscriber.types is None or event.type in subscriber.types]
    if wanted:
        subscriber.handle(wanted)
    cursor.seq = events[-1].seq or cursor.seq
    cursor.save(update_fields=["seq", "moved_at"])
    return len(events)
