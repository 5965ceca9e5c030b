"""What would have become of a rule's firings: opened, joined, held back, a storm. The engine's gates over the past, without its tables."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Shot:
    """One firing. ``what`` is given back; ``seen`` names what it stands for; ``rank`` is its level's."""

    at: datetime
    group: str
    rank: int
    zone: Hashable = None
    type: str = ""
    seen: frozenset[Hashable] = frozenset()
    what: object = None


@dataclass(frozen=True)
class Gates:
    """A rule's own: quiet per zone and per type, how long what comes joins, how many an hour, how long one stays open."""

    zone_quiet: timedelta
    type_quiet: timedelta
    joins_within: timedelta
    most_per_hour: int
    open_for: timedelta


@dataclass
class Rehearsed:
    """``opened``: when, and the firing that opened it. What joined, was held back (and opened or joined later), belonged to a storm, or
    was told of already."""

    opened: list[tuple[datetime, Shot]] = field(default_factory=list)
    joined: int = 0
    held: int = 0
    storms: int = 0
    stormed: int = 0
    known: int = 0


@dataclass
class _Open:
    opened_at: datetime
    last_at: datetime


def rehearse(shots: Iterable[Shot], gates: Gates) -> Rehearsed:
    """Pass ``shots`` through ``gates``, in the order of their times.

    Everybody is taken to acknowledge at once, so that what comes after ``joins_within`` is a new alert: with slower people there are fewer
    alerts, never more. What is held back by a quiet time opens when that ends, as the engine does it.

    Examples
    --------
    >>> from datetime import UTC
    >>> gates = Gates(timedelta(minutes=30), timedelta(0), timedelta(minutes=60), 60, timedelta(days=1))
    >>> noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    >>> found = rehearse([Shot(noon + timedelta(minutes=m), "a", 1, "z") for m in (0, 40, 120)], gates)
    >>> len(found.opened), found.joined
    (2, 1)
    """
    return _Run(gates).over(sorted(shots, key=lambda shot: shot.at))


class _Run:
    def __init__(self, gates: Gates) -> None:
        self.gates = gates
        self.done = Rehearsed()
        self.open: dict[str, _Open] = {}
        self.told: dict[str, set[Hashable]] = {}
        self.recent: deque[tuple[datetime, Shot]] = deque()
        self.in_hour: deque[datetime] = deque()
        self.storm_until: datetime | None = None
        self.due: list[tuple[datetime, int, str]] = []
        self.held: dict[str, Shot] = {}

    def over(self, shots: list[Shot]) -> Rehearsed:
        for shot in shots:
            self.release(shot.at)
            self.take(shot, shot.at, is_due=False)
        self.release(None)
        return self.done

    def release(self, until: datetime | None) -> None:
        while self.due and (until is None or self.due[0][0] <= until):
            at, _number, group = heapq.heappop(self.due)
            self.take(self.held.pop(group), at, is_due=True)

    def take(self, shot: Shot, at: datetime, *, is_due: bool) -> None:
        told = self.told.setdefault(shot.group, set())
        if shot.seen and shot.seen <= told:
            self.done.known += 1
            return
        known = self.open.get(shot.group)
        is_open = known is not None and at < known.opened_at + self.gates.open_for and at <= known.last_at + self.gates.joins_within
        if is_open and known is not None:
            known.last_at = at
            told |= shot.seen
            self.done.joined += 1
            return
        wait = None if is_due else self.quiet_until(shot, at)
        if wait is not None:
            self.hold(shot, wait)
            return
        while self.in_hour and self.in_hour[0] <= at - HOUR:
            self.in_hour.popleft()
        told |= shot.seen
        if len(self.in_hour) >= self.gates.most_per_hour:
            self.storm(at)
            return
        self.in_hour.append(at)
        self.open[shot.group] = _Open(at, at)
        self.recent.append((at, shot))
        self.done.opened.append((at, shot))

    def storm(self, at: datetime) -> None:
        """What is beyond the hour's most is one alert that says so."""
        self.done.stormed += 1
        if self.storm_until is None or at > self.storm_until:
            self.done.storms += 1
        self.storm_until = at + self.gates.joins_within

    def quiet_until(self, shot: Shot, at: datetime) -> datetime | None:
        longest = max(self.gates.zone_quiet, self.gates.type_quiet)
        while self.recent and self.recent[0][0] <= at - longest:
            self.recent.popleft()
        until = at
        for opened_at, other in self.recent:
            if shot.rank > other.rank:
                continue  # what is worse gets through
            if shot.zone is not None and shot.zone == other.zone:
                until = max(until, opened_at + self.gates.zone_quiet)
            if shot.type and shot.type == other.type:
                until = max(until, opened_at + self.gates.type_quiet)
        return until if until > at else None

    def hold(self, shot: Shot, until: datetime) -> None:
        self.done.held += 1
        before = self.held.get(shot.group)
        if before is None:
            heapq.heappush(self.due, (until, len(self.done.opened) + self.done.held, shot.group))
            self.held[shot.group] = shot
            return
        worse = shot if shot.rank >= before.rank else before
        self.held[shot.group] = Shot(shot.at, shot.group, worse.rank, worse.zone, worse.type, shot.seen | before.seen, worse.what)
