"""The stretches of days that are set side by side. Pure: dates in, dates out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)
EARLIEST = date(1900, 1, 1)  # leaves room for the years looked back


@dataclass(frozen=True, order=True)
class Span:
    """Whole days on the region's clock, ``first`` to ``last``, both within."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def end(self) -> date:
        """The day after."""
        return self.last + DAY

    def overlap(self, other: Span) -> int:
        """Days in both."""
        return max(0, (min(self.last, other.last) - max(self.first, other.first)).days + 1)

    def holds_leap_day(self) -> bool:
        return any(self.first <= day <= self.last for day in map(leap_day, range(self.first.year, self.last.year + 1)) if day)


@dataclass(frozen=True)
class Period:
    """One question: ``now`` against the stretch just ``before`` it and against the same days ``last_year``."""

    key: str
    now: Span
    before: Span
    last_year: Span

    def spans(self) -> dict[str, Span]:
        return {"now": self.now, "before": self.before, "last_year": self.last_year}


PERIODS = ("7d", "28d", "ytd")


def periods(until: date) -> tuple[Period, ...]:
    """7 days, 28 days and the year so far, all ending with ``until``.

    The same days last year are the same dates; 29 February meets the 28th. The year so far is set beside as many days before 1 January.
    """
    found = []
    for key, length in (("7d", 7), ("28d", 28)):
        now = Span(until - (length - 1) * DAY, until)
        then = year_before(until)
        found.append(Period(key, now, Span(now.first - length * DAY, now.first - DAY), Span(then - (length - 1) * DAY, then)))
    january = date(until.year, 1, 1)
    year = Span(january, until)
    before = Span(january - year.days * DAY, january - DAY)
    found.append(Period("ytd", year, before, Span(date(until.year - 1, 1, 1), year_before(until))))
    return tuple(found)


def year_before(day: date) -> date:
    """The same date a year earlier; the 28th for 29 February."""
    return day.replace(year=day.year - 1, day=28) if (day.month, day.day) == (2, 29) else day.replace(year=day.year - 1)


def leap_day(year: int) -> date | None:
    try:
        return date(year, 2, 29)
    except ValueError:
        return None


def edges(spans: Iterable[Span]) -> list[date]:
    """The days at which some span begins or has ended: between two of them each day is in the same spans."""
    return sorted({day for span in spans for day in (span.first, span.end)})
