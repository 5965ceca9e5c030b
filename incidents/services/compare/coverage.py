"""Which days have data at all: nothing counted for lack of data is not a fall. Pure: counts by day in, spans out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from incidents.services.compare.periods import DAY, Span

UNLIKELY = 14.0  # so many incidents expected in a silent stretch: chance leaves it empty less than once in a million
NEIGHBOURS = 60  # days either side that say what is usual
NEARLY_WHOLE = 0.9


@dataclass(frozen=True)
class Coverage:
    """``silent``: stretches without data, in order. ``first`` and ``last``: the first and last day with an incident, if there is one."""

    silent: tuple[Span, ...]
    first: date | None
    last: date | None

    def missing(self, span: Span) -> tuple[Span, ...]:
        """The parts of ``span`` without data."""
        return tuple(Span(max(gap.first, span.first), min(gap.last, span.last)) for gap in self.silent if gap.overlap(span))

    def days(self, span: Span) -> int:
        return span.days - sum(part.days for part in self.missing(span))

    def is_enough(self, span: Span) -> bool:
        """Whether nearly all of ``span`` has data: below that it is compared with nothing."""
        if self.first is None or span.last < self.first:
            return False
        return self.days(span) >= NEARLY_WHOLE * span.days


def coverage(counts: Mapping[date, int], whole: Span) -> Coverage:
    """Find the stretches of ``whole`` in which so much was to be expected that finding nothing means there are no data.

    What is usual is the mean of the days within two months of a stretch, the stretch itself left out.
    """
    counted = sorted(day for day, n in counts.items() if n and whole.first <= day <= whole.last)
    if not counted:
        return Coverage((whole,), None, None)
    silent = []
    ends = [whole.first - DAY, *counted, whole.last + DAY]
    for before, after in pairwise(ends):
        if (after - before).days > 1:
            gap = Span(before + DAY, after - DAY)
            if _usual(counts, gap, counted) * gap.days >= UNLIKELY:
                silent.append(gap)
    return Coverage(tuple(silent), counted[0], counted[-1])


def _usual(counts: Mapping[date, int], gap: Span, counted: list[date]) -> float:
    """Incidents a day around the gap, within what lies between the first and the last day that has any."""
    days = []
    for back in range(1, NEIGHBOURS + 1):
        days += [gap.first - timedelta(days=back), gap.last + timedelta(days=back)]
    near = [counts.get(day, 0) for day in days if counted[0] <= day <= counted[-1]]
    return sum(near) / len(near) if near else 0.0
