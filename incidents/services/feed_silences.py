"""When a feed was silent: folded from what was announced of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.dateparse import parse_datetime

from core.models import Event

MOST_EVENTS = 200


@dataclass(frozen=True)
class Silence:
    """``since`` is when it was last heard before, ``until`` when it was heard again; ``None`` while it is silent."""

    since: datetime
    until: datetime | None
    told_at: datetime


def silences(subject_id: int) -> list[Silence]:
    """The feed's last silences, newest first."""
    told = Event.objects.filter(subject_type="feed", subject_id=subject_id, type__in=["feed.silent", "feed.back"])
    return fold(reversed(told.order_by("-pk")[:MOST_EVENTS]))


def fold(events: Iterable[Event]) -> list[Silence]:
    """Marks of one silence become one; what began before the first event we have is left out."""
    found: list[Silence] = []
    open_one: Silence | None = None
    for event in events:
        if event.type == "feed.back":
            if open_one is not None:
                found.append(Silence(open_one.since, event.occurred_at, open_one.told_at))
            open_one = None
        elif open_one is None:
            since = parse_datetime(str(event.data.get("since") or "")) or event.occurred_at
            open_one = Silence(since, None, event.occurred_at)
    if open_one is not None:
        found.append(open_one)
    return found[::-1]
