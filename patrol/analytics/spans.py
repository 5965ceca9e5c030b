"""Sums over stretches of time, exact to the microsecond. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

Span = tuple[datetime, datetime]


def clipped(spans: Iterable[Span], start: datetime, end: datetime) -> list[Span]:
    """What of ``spans`` lies between ``start`` and ``end``."""
    return [(max(begin, start), min(finish, end)) for begin, finish in spans if begin < end and finish > start]


def merged(spans: Iterable[Span], *, gap: timedelta = timedelta(0)) -> list[Span]:
    """The union, in order; stretches no further apart than ``gap`` are one.

    >>> at = lambda hour: datetime(2030, 1, 6, hour)
    >>> [(a.hour, b.hour) for a, b in merged([(at(9), at(12)), (at(6), at(10)), (at(14), at(15))])]
    [(6, 12), (14, 15)]
    """
    found: list[Span] = []
    for begin, finish in sorted(span for span in spans if span[1] > span[0]):
        if found and begin - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], finish))
        else:
            found.append((begin, finish))
    return found


def total(spans: Iterable[Span]) -> timedelta:
    return sum((finish - begin for begin, finish in spans), timedelta(0))


def overlap(first: Sequence[Span], second: Sequence[Span]) -> timedelta:
    """How long both last at once; each is a union already (``merged``)."""
    found, a, b = timedelta(0), 0, 0
    while a < len(first) and b < len(second):
        begin, finish = max(first[a][0], second[b][0]), min(first[a][1], second[b][1])
        if begin < finish:
            found += finish - begin
        if first[a][1] <= second[b][1]:
            a += 1
        else:
            b += 1
    return found
