"""What a page is sent, and who may be sent it. Knows no domain noun: the settings name who presents the events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol, cast

import orjson
from django.conf import settings
from django.utils.module_loading import import_string

from core.models import Event

REPLAY_LIMIT = 1_000  # further back than this a page reloads its list: cheaper for it and for us

MAX_SEQ = 2**53 - 1  # what a browser counts exactly


class Jurisdiction(Protocol):
    def admits(self, *, agency_id: int | None, governorate_id: int | None) -> bool: ...


_KINDS = frozenset({"all", "governorate", "agency", "subject"})


@dataclass(frozen=True)
class Room:
    """What a page shows: everything its viewer may see, one governorate, one agency, one subject, or a room of its own kind."""

    kind: str = "all"
    id: int | None = None

    def admits(self, shown: Shown) -> bool:
        if shown.only_in or self.kind not in _KINDS:
            return self.kind == shown.only_in
        if self.kind == "all":
            return True
        if self.kind == "subject":
            return shown.subject_id == self.id
        if shown.is_notice:
            return True
        return self.id == (shown.governorate_id if self.kind == "governorate" else shown.agency_id)


@dataclass(slots=True, weakref_slot=True)
class Shown:
    """A subject as it stands now, ready to send in each language (JSON members without their braces).

    A ``notice`` says only that many things changed at once and carries no facts: whoever follows the log may have it, unless
    it names an agency. One that ``starts_over`` makes every page load anew what it shows. What is ``only_in`` a kind of room is told
    in no other.
    """

    subject_id: int | None
    agency_id: int | None
    governorate_id: int | None
    texts: dict[str, str] = field(default_factory=dict)
    is_notice: bool = False
    starts_over: bool = False
    only_in: str = ""

    def visible_to(self, jurisdiction: Jurisdiction) -> bool:
        if self.is_notice and self.agency_id is None:
            return True
        return jurisdiction.admits(agency_id=self.agency_id, governorate_id=self.governorate_id)

    def become(self, newer: Shown) -> None:
        self.agency_id, self.governorate_id, self.texts = newer.agency_id, newer.governorate_id, newer.texts


@dataclass(slots=True)
class Push:
    """One event on its way to the pages. ``shown`` is ``None`` where there is nothing to show for it."""

    seq: int
    type: str
    opening: str  # the members that say what happened
    subject: tuple[str, int | None]
    shown: Shown | None

    @classmethod
    def of(cls, event: Event, shown: Shown | None) -> Push:
        assert event.seq is not None
        opening = orjson.dumps({"type": event.type, "at": event.occurred_at.astimezone(UTC)}).decode()[1:-1]
        return cls(event.seq, event.type, opening, (event.subject_type, event.subject_id), shown)

    def admitted(self, jurisdiction: Jurisdiction, room: Room) -> bool:
        return self.shown is not None and self.shown.visible_to(jurisdiction) and room.admits(self.shown)

    def frame(self, *, prev: int, language: str) -> str:
        assert self.shown is not None
        return f'{{"t":"event","seq":{self.seq},"prev":{prev},{self.opening},{self.shown.texts[language]}}}'


class Presenter(Protocol):
    """Named by ``settings.LIVE_PRESENTER``; stands above the domain."""

    viewer_events: Collection[str]  # after these, who may see what is looked at again at once

    def room(self, viewer: Any, name: str) -> Room | None:
        """The room of that name, if there is one and ``viewer`` may be in it."""

    def show(self, events: Sequence[Event], languages: Collection[str]) -> list[Shown | None]:
        """For each event its subject as it stands now (read with its present jurisdiction), in each language."""


@cache
def presenter() -> Presenter:
    return cast(Callable[[], Presenter], import_string(settings.LIVE_PRESENTER))()


def read_pushes(*, after: int, until: int, languages: Collection[str]) -> list[Push] | None:
    """The log from behind ``after`` up to ``until``; ``None`` where it does not reach back so far."""
    events = list(Event.objects.numbered_after(after).filter(seq__lte=until))
    if len(events) != until - after:
        return None
    return [Push.of(event, shown) for event, shown in zip(events, presenter().show(events, languages), strict=True)]


def language_of(wanted: str, user: object) -> str:
    """The language of the page, when it says one we have; else its user's."""
    known = [code for code, _name in settings.LANGUAGES]
    own = getattr(user, "language", "")
    return next((code for code in (wanted.split("-")[0].lower(), own) if code in known), known[0])


def seq_from(text: str) -> int | None:
    """A number of the log as somebody outside wrote it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= MAX_SEQ else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def hello(*, head: int, after: int) -> str:
    return f'{{"t":"hello","head":{head},"after":{after},"now":"{_now()}"}}'


def beat(*, head: int, prev: int, lag_s: float) -> str:
    """All up to ``head`` was considered for this page, ``prev`` was the last it was given; the log was last followed ``lag`` s ago."""
    return f'{{"t":"beat","head":{head},"prev":{prev},"lag":{lag_s:.1f},"now":"{_now()}"}}'


def reset(*, head: int) -> str:
    """What this page misses cannot be told one by one: load the list anew, and follow from ``head``."""
    return f'{{"t":"reset","head":{head},"now":"{_now()}"}}'
