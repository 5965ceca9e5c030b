"""How an escalation walks through a policy's steps: what comes after what, and when. No clock of its own, no database.

A policy is read as it was kept: a mapping with ``steps`` (each with ``wait_s``, ``repeat_times``, ``only_from`` …), ``repeat_times`` and
``repeat_wait_s``. The walk ends: every place is visited once, and the places are counted before a policy may be saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

MOST_HURRY_PERCENT = 90
LEAST_WAIT_S = 5.0  # what hurrying leaves of a wait that was longer


@dataclass(frozen=True)
class Place:
    """Where a walk stands: the step about to be run, in which loop, for which time."""

    loop: int = 0
    step_no: int = 0
    repeat_no: int = 0


@dataclass(frozen=True)
class Then:
    """What follows a step: the next place, or ``None`` at the end, and the seconds waited before it (or before the end)."""

    place: Place | None
    wait_s: float


def hurried(wait_s: float, hurry_percent: float) -> float:
    """A wait shortened by ``hurry_percent`` (0 to 90); hurrying never leaves less than five seconds of a longer wait.

    >>> hurried(60, 50), hurried(8, 90), hurried(3, 90), hurried(0, 50)
    (30.0, 5.0, 3.0, 0.0)
    """
    share = 1 - min(max(hurry_percent, 0), MOST_HURRY_PERCENT) / 100
    return max(wait_s * share, min(wait_s, LEAST_WAIT_S)) + 0.0


def after(snapshot: Mapping[str, Any], place: Place, *, moves_on: bool) -> Then:
    """What follows ``place``. ``moves_on``: the step reached nobody or did not apply, so nobody is waited for and it is not repeated."""
    steps: Sequence[Mapping[str, Any]] = snapshot.get("steps") or []
    hurry = float(snapshot.get("hurry_percent") or 0)
    step = steps[place.step_no] if place.step_no < len(steps) else {}
    wait_s = 0.0 if moves_on else hurried(float(step.get("wait_s") or 0), hurry)
    if not moves_on and place.repeat_no < int(step.get("repeat_times") or 0):
        return Then(Place(place.loop, place.step_no, place.repeat_no + 1), wait_s)
    if place.step_no + 1 < len(steps):
        return Then(Place(place.loop, place.step_no + 1), wait_s)
    if place.loop < int(snapshot.get("repeat_times") or 0):
        return Then(Place(place.loop + 1), wait_s + hurried(float(snapshot.get("repeat_wait_s") or 0), hurry))
    return Then(None, wait_s)


def applies(step: Mapping[str, Any], *, local: datetime, level: str) -> bool:
    """Whether a step is for this hour, day and level. A span over midnight belongs to the day it begins on.

    >>> night = {"only_from": "22:00", "only_to": "05:00", "only_weekdays": [4]}
    >>> applies(night, local=datetime(2026, 11, 20, 23, 0), level="high"), applies(night, local=datetime(2026, 11, 21, 4, 59), level="high")
    (True, True)
    >>> applies(night, local=datetime(2026, 11, 20, 4, 0), level="high"), applies(night, local=datetime(2026, 11, 21, 5, 0), level="high")
    (False, False)
    """
    levels = step.get("only_levels") or []
    if levels and level not in levels:
        return False
    day = local.weekday()
    if step.get("only_from") or step.get("only_to"):
        start, end, clock = time_of(step.get("only_from")), time_of(step.get("only_to")), local.time()
        if start < end:
            if not start <= clock < end:
                return False
        elif start > end:
            if end <= clock < start:
                return False
            if clock < end:
                day = (day - 1) % 7
    weekdays = step.get("only_weekdays") or []
    return not weekdays or day in weekdays


def time_of(text: object) -> time:
    """``"22:00"`` as a time; nothing is midnight."""
    return time.fromisoformat(str(text)) if text else time(0)


def count_of_places(snapshot: Mapping[str, Any]) -> int:
    """How many times a step is run at most before the policy ends."""
    once = sum(1 + int(step.get("repeat_times") or 0) for step in snapshot.get("steps") or [])
    return once * (1 + int(snapshot.get("repeat_times") or 0))


def walk(snapshot: Mapping[str, Any], start: datetime) -> Iterator[tuple[datetime, Place]]:
    """Every place with the moment it is due if nobody acknowledges, each step applies and each reaches somebody."""
    at, then = start, Then(Place() if snapshot.get("steps") else None, 0.0)
    while then.place is not None:
        yield at, then.place
        then = after(snapshot, then.place, moves_on=False)
        at += timedelta(seconds=then.wait_s)


def lasts_s(snapshot: Mapping[str, Any]) -> float:
    """From the first step to the end of the last one's wait, if nobody acknowledges."""
    total, place = 0.0, Place() if snapshot.get("steps") else None
    while place is not None:
        then = after(snapshot, place, moves_on=False)
        total, place = total + then.wait_s, then.place
    return total
