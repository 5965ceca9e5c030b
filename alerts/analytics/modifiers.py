"""Which of a rule's modifiers are in force at a moment, and what they make of its thresholds, waits and levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

LEVELS = ("low", "medium", "high", "critical")  # from the mildest to the worst
SHORTEST = 0.05  # no sum of modifiers makes a wait or a threshold less than a twentieth of what it was


@dataclass(frozen=True)
class When:
    """All that is given must hold. ``start`` to ``end`` is a stretch of the day, the end without; past midnight where it ends before it
    begins, and then it belongs to the day it began on. ``weekdays``: 0 is Monday. ``period``: the kind of a special period."""

    start: time | None = None
    end: time | None = None
    weekdays: tuple[int, ...] = ()
    period: str = ""


@dataclass(frozen=True)
class Modifier:
    """What is otherwise while ``when`` holds: thresholds lower (or higher) by so many percent, waits shorter by so many percent, the level
    raised, or nothing heard at all."""

    when: When
    threshold_percent: float = 0.0
    escalate_percent: float = 0.0
    level_up: int = 0
    mute: bool = False


@dataclass(frozen=True)
class Period:
    """A special time of the year, by its local days, both with."""

    kind: str
    starts_on: date
    ends_on: date


@dataclass(frozen=True)
class InForce:
    """What all modifiers in force come to. ``which`` names them by their place in the rule's list."""

    threshold_factor: float = 1.0
    wait_factor: float = 1.0
    level_up: int = 0
    is_muted: bool = False
    which: tuple[int, ...] = ()

    @property
    def hurry_percent(self) -> int:
        """By how much waits are shortened, in whole percent: what ``start_run`` takes."""
        return round(100 * (1 - self.wait_factor))


NOTHING = InForce()


def in_force(modifiers: Sequence[Modifier], at: datetime, zone: tzinfo, periods: Iterable[Period] = ()) -> InForce:
    """What ``modifiers`` come to at ``at``, by the clock of ``zone``. Several at once: percents multiply, levels add up, one mute suffices.

    Parameters
    ----------
    at : an aware moment
    zone : whose wall clock and calendar the modifiers mean
    periods : the special periods there are

    Raises
    ------
    ValueError
        For a moment without a time zone.

    Examples
    --------
    >>> from datetime import UTC
    >>> from zoneinfo import ZoneInfo
    >>> night = Modifier(When(start=time(22), end=time(5)), escalate_percent=50)
    >>> weekend = Modifier(When(weekdays=(4, 5)), threshold_percent=-20)
    >>> in_force([night, weekend], datetime(2026, 11, 20, 20, 30, tzinfo=UTC), ZoneInfo("Asia/Kuwait"))  # Friday, 23:30
    InForce(threshold_factor=0.8, wait_factor=0.5, level_up=0, is_muted=False, which=(0, 1))
    """
    if at.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    if not modifiers:
        return NOTHING
    here = at.astimezone(zone)
    known = tuple(periods)
    threshold = wait = 1.0
    up, muted = 0, False
    which: list[int] = []
    for number, modifier in enumerate(modifiers):
        if not holds(modifier.when, here, known):
            continue
        which.append(number)
        threshold *= 1 + modifier.threshold_percent / 100
        wait *= 1 - modifier.escalate_percent / 100
        up += modifier.level_up
        muted = muted or modifier.mute
    return InForce(max(threshold, SHORTEST), max(wait, SHORTEST), up, muted, tuple(which))


def holds(when: When, here: datetime, periods: Sequence[Period] = ()) -> bool:
    """Whether ``when`` holds at the local moment ``here``."""
    day, clock = here.date(), here.time()
    if when.start is not None and when.end is not None:
        if when.start < when.end:
            if not when.start <= clock < when.end:
                return False
        elif when.start > when.end:
            if when.end <= clock < when.start:
                return False
            if clock < when.end:
                day -= timedelta(days=1)  # it is still the night of the day before
    if when.weekdays and day.weekday() not in when.weekdays:
        return False
    return not when.period or any(period.kind == when.period and period.starts_on <= day <= period.ends_on for period in periods)


def level_for(measure: float, thresholds: dict[str, float], *, factor: float = 1.0) -> tuple[str, float] | None:
    """The worst level whose threshold, times ``factor``, the measure has reached, and that threshold; ``None`` beneath them all.

    >>> level_for(4, {"medium": 3, "high": 5}), level_for(4, {"medium": 3, "high": 5}, factor=0.8), level_for(2, {"medium": 3})
    (('medium', 3.0), ('high', 4.0), None)
    """
    reached = [(LEVELS.index(level), least * factor) for level, least in thresholds.items() if measure >= least * factor - 1e-9]
    if not reached:
        return None
    rank, least = max(reached)
    return LEVELS[rank], float(least)


def raised(level: str, by: int) -> str:
    """``level``, ``by`` steps worse, critical at most.

    >>> raised("medium", 1), raised("high", 3), raised("low", 0)
    ('high', 'critical', 'low')
    """
    return LEVELS[min(LEVELS.index(level) + max(by, 0), len(LEVELS) - 1)]
