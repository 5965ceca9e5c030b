"""Who follows the event log: each app's ``subscribers.py`` names its readers in one list, ``SUBSCRIBERS``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps
from django.db import transaction
from django.db.models import Q

from core.events import log_head
from core.models import Event, EventCursor
from core.querysets import EventQuerySet


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
    deaf_to: tuple[str, ...] = ()  # how the types begin that it passes over, where it hears of no type in particular
    batch: int = 500
    from_the_start: bool = False  # a new reader begins with what happens next, unless it asks for history
    is_gentle: bool = False  # may be late: works a quarter of the time, so that in a rush those who page people are not held up by it

    def hears(self, type: str) -> bool:
        return type in self.types if self.types is not None else not type.startswith(self.deaf_to)

    def heard(self, events: EventQuerySet) -> EventQuerySet:
        """Of ``events`` those it hears: the same rule, asked of the database."""
        if self.types is not None:
            return events.filter(type__in=self.types)
        passed_over = Q()
        for beginning in self.deaf_to:
            passed_over |= Q(type__startswith=beginning)
        return events.exclude(passed_over) if self.deaf_to else events


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
    # Asked before the events are: whatever has a number up to it can then be seen.
    head = log_head()
    if head <= cursor.seq:
        return 0
    most = limit or subscriber.batch
    events = list(subscriber.heard(Event.objects.numbered_after(cursor.seq).filter(seq__lte=head))[:most])
    if events:
        subscriber.handle(events)
    reached = (events[-1].seq or head) if len(events) == most else head
    past = reached - cursor.seq
    cursor.seq = reached
    cursor.save(update_fields=["seq", "moved_at"])
    return past
