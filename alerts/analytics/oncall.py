"""Who is on call when: rotating layers, what overrides them, and the holes that are left.

Everything is reckoned by the clock on the schedule's wall and only then turned into instants, so that a handover at seven stays at
seven when the clocks change. An hour that the clocks skip becomes the instant of the change, an hour they repeat is its first passing:
the step from wall to instant never goes backwards, and so what does not overlap on the wall does not overlap in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MOST_DAYS = 400
DAY = timedelta(days=1)
# Turns are looked for this much before and after the asked window: a part of a day may begin on the day before.
MARGIN = timedelta(days=2)

Window = tuple[datetime, datetime]


@dataclass(frozen=True)
class Layer:
    """One rotation. ``people`` take turns in their order; a turn lasts ``every`` days, weeks or hours from ``handover_at``.

    ``ends_on`` is the last day on which a turn may begin: the layer ends at the next day's handover. ``only_from`` to ``only_to`` is
    a part of each day, over midnight where it ends before it begins; a weekday of ``only_weekdays`` (0 is Monday) is the day it begins.
    """

    id: int
    position: int
    rotation: str  # daily, weekly, hours
    every: int
    starts_on: date
    handover_at: time
    people: tuple[int, ...]
    ends_on: date | None = None
    only_from: time | None = None
    only_to: time | None = None
    only_weekdays: frozenset[int] = frozenset()

    @property
    def turn(self) -> timedelta:
        return {"daily": timedelta(days=self.every), "weekly": timedelta(weeks=self.every), "hours": timedelta(hours=self.every)}[
            self.rotation
        ]


@dataclass(frozen=True)
class Override:
    """Somebody takes a span whatever the layers say; ``user_id`` None is a hole made on purpose. The highest ``id`` wins."""

    id: int
    user_id: int | None
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Schedule:
    """``absent``: people who cannot be on call at all (their account is closed). Their turn is nobody's in their layer, so a lower one
    takes it; nobody else's turn moves. An override for such a person counts as none."""

    time_zone: str
    layers: tuple[Layer, ...] = ()
    overrides: tuple[Override, ...] = ()
    absent: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Span:
    """From ``start`` up to but without ``end`` (both aware, in UTC) ``user_id`` is on call; None: nobody, by an override."""

    start: datetime
    end: datetime
    user_id: int | None
    layer: int | None = None
    override_id: int | None = None


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the zone's clock shows ``wall`` (naive). Never decreases as ``wall`` grows."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    # The clocks skip this hour: the change lies between the two readings of it. Offsets change on whole seconds.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    new = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == new:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def spans(schedule: Schedule, start: datetime, end: datetime) -> list[Span]:
    """Who is on call between ``start`` and ``end``: in order of time, apart from one another, cut to the window.

    Parameters
    ----------
    schedule : Schedule
    start, end : datetime
        Aware. At most ``MOST_DAYS`` days apart.

    Returns
    -------
    list of Span
        Where nothing is listed nobody is on call.

    Raises
    ------
    ValueError
        The window is naive, turned round or too long.

    Examples
    --------
    >>> week = Layer(1, 1, "weekly", 1, date(2026, 11, 1), time(7), (10, 11))
    >>> found = spans(Schedule("Asia/Kuwait", (week,)), datetime(2026, 11, 8, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC))
    >>> [(span.start.hour, span.end.hour, span.user_id) for span in found]
    [(0, 4, 10), (4, 0, 11)]
    """
    _check(start, end)
    sources = [_overridden(one, start, end) for one in sorted(schedule.overrides, key=lambda one: -one.id) if not _is_absent(schedule, one)]
    sources += [layer_spans(schedule, layer, start, end) for layer in sorted(schedule.layers, key=lambda one: (-one.position, -one.id))]
    final: list[Span] = []
    for found in sources:
        if found:
            final = sorted([*final, *_minus(found, final)], key=lambda span: span.start)
    return _joined(final)


def layer_spans(schedule: Schedule, layer: Layer, start: datetime, end: datetime) -> list[Span]:
    """What one layer alone says, before any other layer or override."""
    _check(start, end)
    if not layer.people:
        return []
    zone = ZoneInfo(schedule.time_zone)
    from_, to = _on_wall(start, zone) - MARGIN, _on_wall(end, zone) + MARGIN
    found = []
    for begins, ends, user_id in _turns(layer, from_, to):
        if user_id in schedule.absent:
            continue
        for left, right in _allowed(layer, begins, ends):
            span_start, span_end = max(instant(left, zone), start), min(instant(right, zone), end)
            if span_start < span_end:
                found.append(Span(span_start, span_end, user_id, layer=layer.id))
    return _joined(found)


def gaps(found: Sequence[Span], start: datetime, end: datetime) -> list[Window]:
    """The parts of the window in which nobody is on call; ``found`` is what ``spans`` gave for it."""
    holes, at = [], start.astimezone(UTC)
    for span in found:
        if span.user_id is None:
            continue
        if span.start > at:
            holes.append((at, span.start))
        at = max(at, span.end)
    if at < end:
        holes.append((at, end.astimezone(UTC)))
    return holes


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


def _check(start: datetime, end: datetime) -> None:
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("a window has instants, not times on a wall")
    if end < start:
        raise ValueError("the window ends before it begins")
    if end - start > timedelta(days=MOST_DAYS):
        raise ValueError(f"a window has at most {MOST_DAYS} days")


def _on_wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _is_absent(schedule: Schedule, override: Override) -> bool:
    return override.user_id is not None and override.user_id in schedule.absent


def _overridden(override: Override, start: datetime, end: datetime) -> list[Span]:
    left, right = max(override.starts_at, start).astimezone(UTC), min(override.ends_at, end).astimezone(UTC)
    return [Span(left, right, override.user_id, override_id=override.id)] if left < right else []


def _turns(layer: Layer, from_: datetime, to: datetime) -> Iterable[tuple[datetime, datetime, int]]:
    """Turns on the wall that touch the window."""
    first = datetime.combine(layer.starts_on, layer.handover_at)
    last = datetime.combine(layer.ends_on + DAY, layer.handover_at) if layer.ends_on is not None else to
    to = min(to, last)
    number = max((from_ - first) // layer.turn, 0)
    while (begins := first + number * layer.turn) < to:
        yield begins, min(begins + layer.turn, to), layer.people[number % len(layer.people)]
        number += 1


def _allowed(layer: Layer, begins: datetime, ends: datetime) -> Iterable[Window]:
    """The parts of a turn in which the layer works: its hours of the day, its days of the week."""
    if layer.only_from is None and layer.only_to is None and not layer.only_weekdays:
        yield begins, ends
        return
    opens, closes = layer.only_from or time(), layer.only_to or time()
    day = begins.date() - DAY
    while (left := datetime.combine(day, opens)) < ends:
        right = datetime.combine(day if closes > opens else day + DAY, closes)
        if (not layer.only_weekdays or day.weekday() in layer.only_weekdays) and (cut := max(left, begins)) < (stop := min(right, ends)):
            yield cut, stop
        day += DAY


def _minus(found: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    """``found`` without what ``taken`` covers; both in order and without overlap."""
    left, number = [], 0
    for span in found:
        at = span.start
        while number < len(taken) and taken[number].end <= at:
            number += 1
        ahead = number
        while ahead < len(taken) and taken[ahead].start < span.end:
            if taken[ahead].start > at:
                left.append(replace(span, start=at, end=taken[ahead].start))
            at = max(at, taken[ahead].end)
            ahead += 1
        if at < span.end:
            left.append(replace(span, start=at))
    return left


def _joined(found: Sequence[Span]) -> list[Span]:
    """Neighbours of one person by one layer or override become one."""
    joined: list[Span] = []
    for span in found:
        last = joined[-1] if joined else None
        if last is not None and last.end == span.start and replace(last, start=span.start, end=span.end) == span:
            joined[-1] = replace(last, end=span.end)
        else:
            joined.append(span)
    return joined
