"""When a unit is where: times for a given order of visits, with its break, its commitments and the way home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from patrol.analytics.routes import Route, RouteRule, StopDemand, UnitDay, Visit
from patrol.analytics.travel import Matrix

NO_WAY_S = 10_000_000  # stands for "there is no way" where whole numbers are needed


class Item(NamedTuple):
    """Something at a place: a visit (``stop`` is its index) or a commitment (-1). It may begin from ``early`` to ``late``."""

    place: int
    length: int
    early: int
    late: int
    stop: int
    slot: int = -1
    is_fixed: bool = False


class Timed(NamedTuple):
    """Times of an order. ``late`` is by how many seconds, in all, something comes too late: 0 where the order can be driven."""

    late: int
    arrivals: list[int]
    rest_s: int | None
    home_s: int


@dataclass
class Day:
    """A unit's day while it is planned: what binds it, and the order so far."""

    unit: UnitDay
    start: int
    end: int
    start_s: int
    end_s: int
    budget: int
    rest: tuple[int, int, int] | None  # earliest start, latest start, length
    pauses: list[tuple[int, int]]  # fixed times in which it stays where it is
    history: list[Item]
    spent: int  # patrol time of the history
    stops: frozenset[int]  # those it may visit
    items: list[Item] = field(default_factory=list)
    timed: Timed = field(default_factory=lambda: Timed(0, [], None, 0))
    unavoidable: int = 0  # lateness of what is kept, which no plan can cure

    @property
    def visits(self) -> list[Item]:
        """The last visit of the history, and all in the order so far."""
        return self.visits_of(self.items)

    def visits_of(self, items: Sequence[Item]) -> list[Item]:
        """The same with another order."""
        return [item for item in self.history if item.stop >= 0][-1:] + [item for item in items if item.stop >= 0]


class Ways:
    """Whole seconds between places, as lists: quick to read one by one. Metres stay as they are."""

    def __init__(self, travel: Matrix) -> None:
        whole = np.where(np.isfinite(travel.seconds), np.ceil(travel.seconds), NO_WAY_S)
        self.array: NDArray[np.int64] = np.minimum(whole, NO_WAY_S).astype(np.int64)
        self.seconds: list[list[int]] = self.array.tolist()
        self.metres = travel.metres


def day_of(unit: UnitDay, stops: Sequence[StopDemand], travel: Matrix, ways: Ways, rule: RouteRule) -> Day:
    """What binds the unit, with the visits and commitments that are kept already in its order."""
    index = {stop.key: number for number, stop in enumerate(stops)}
    now = unit.free_from_s
    given = [_kept(visit, index[visit.stop], stops, travel) for visit in unit.fixed]
    given += [
        Item(travel.at(one.place), one.until_s - one.from_s, one.from_s, one.from_s, -1, -1, True) for one in unit.commitments if one.place
    ]
    given.sort(key=lambda item: (item.early, item.length))
    history = [item for item in given if now is not None and item.early <= now]
    items = given[len(history) :]
    place, spent = travel.at(unit.start), 0
    for item in history:
        spent += ways.seconds[place][item.place] + (item.length if item.stop >= 0 else 0)
        place = item.place
    if unit.whereabouts is not None and now is not None:
        place = travel.at(unit.whereabouts)
    start_s = max([unit.from_s if now is None else max(now, unit.from_s), *(item.early + item.length for item in history)])
    day = Day(
        unit=unit,
        start=place,
        end=travel.at(unit.end),
        start_s=start_s,
        end_s=unit.until_s,
        budget=unit.budget_s(rule),
        rest=_rest(unit, start_s),
        pauses=_pauses(unit, start_s),
        history=history,
        spent=spent,
        stops=frozenset(number for number, stop in enumerate(stops) if unit.areas is None or stop.area in unit.areas),
        items=items,
    )
    day.timed = time(day, day.items, ways)
    day.unavoidable = day.timed.late
    return day


def _pauses(unit: UnitDay, start_s: int) -> list[tuple[int, int]]:
    """When it stays where it is: commitments of no place, and a break that is being taken."""
    spans = [(one.from_s, one.until_s) for one in unit.commitments if one.place is None]
    spans += [unit.rest_taken] if unit.rest_taken is not None else []
    return sorted((max(begin, start_s), end) for begin, end in spans if end > start_s)


def _kept(visit: Visit, number: int, stops: Sequence[StopDemand], travel: Matrix) -> Item:
    return Item(travel.at(stops[number].place), visit.leave_s - visit.arrive_s, visit.arrive_s, visit.arrive_s, number, -1, True)


def _rest(unit: UnitDay, start_s: int) -> tuple[int, int, int] | None:
    if unit.rest is None or unit.rest_taken is not None:
        return None
    return max(unit.rest.from_s, start_s), unit.rest.until_s - unit.rest.length_s, unit.rest.length_s


def time(day: Day, items: Sequence[Item], ways: Ways) -> Timed:
    """The earliest times of this order, the break put where it makes nothing late, or least.

    Waiting falls where the unit stands, so a break that lies in the waiting costs nothing. It is tried before each way and after it.
    """
    if day.rest is None:
        return _run(day, items, ways, -1, False)
    best: Timed | None = None
    for position in range(len(items) + 2):
        for is_after in (False, True):
            found = _run(day, items, ways, position, is_after)
            if not found.late:
                return found
            if best is None or found.late < best.late:
                best = found
    assert best is not None
    return best


def _run(day: Day, items: Sequence[Item], ways: Ways, rest_at: int, is_after: bool) -> Timed:
    """Times with the break on the way to the item of that position, before driving or after it (one beyond the last: on the way home;
    two: at home)."""
    now, place, late, pause = day.start_s, day.start, 0, 0
    pauses, seconds = day.pauses, ways.seconds
    arrivals: list[int] = []
    rest_s: int | None = None
    count = len(items)
    for position in range(count + 1):
        item = items[position] if position < count else None
        go = seconds[place][item.place if item is not None else day.end]
        early, length = (item.early, item.length) if item is not None else (now, 0)
        if position == rest_at and day.rest is not None:
            if is_after:
                while pause < len(pauses) and now + go > pauses[pause][0]:
                    late += max(0, now - pauses[pause][0])
                    now = max(now, pauses[pause][1])
                    pause += 1
                now, go = now + go, 0
            rest_s, now, pause, missed = _rest_at(day, now, pause)
            late += missed
        arrive = max(now + go, early)
        while pause < len(pauses) and arrive + length > pauses[pause][0]:
            if now + go <= pauses[pause][0]:
                now, go = now + go, 0  # there in time to stay there
            late += max(0, now - pauses[pause][0])
            now = max(now, pauses[pause][1])
            pause += 1
            arrive = max(now + go, early)
        if item is None:
            now = arrive
            break
        if arrive > item.late:
            late += arrive - item.late
            arrive = item.late
        arrivals.append(arrive)
        now, place = arrive + length, item.place
    home_s = now
    if rest_at > count and day.rest is not None:
        rest_s, now, pause, missed = _rest_at(day, now, pause)
        late += missed
    return Timed(late + max(0, now - day.end_s), arrivals, rest_s, home_s)


def _rest_at(day: Day, now: int, pause: int) -> tuple[int, int, int, int]:
    """Start of the break, the moment after it, the next pause, and by how much it comes too late."""
    assert day.rest is not None
    earliest, latest, length = day.rest
    begin, late = max(now, earliest), 0
    while pause < len(day.pauses) and begin + length > day.pauses[pause][0]:
        late += max(0, now - day.pauses[pause][0])
        now = max(now, day.pauses[pause][1])
        begin = max(now, earliest)
        pause += 1
    late += max(0, begin - latest)
    return begin, begin + length, pause, late


def patrol_s(day: Day, items: Sequence[Item], ways: Ways) -> int:
    """Driving and dosage of the whole shift with this order: the history, the visits, the way home."""
    seconds, place, total = ways.seconds, day.start, day.spent
    for item in items:
        total += seconds[place][item.place] + (item.length if item.stop >= 0 else 0)
        place = item.place
    return total + seconds[place][day.end]


def route_of(day: Day, stops: Sequence[StopDemand], travel: Matrix, ways: Ways) -> Route:
    """The day as it is told to others."""
    visits: list[Visit] = []
    place, before = travel.at(day.unit.start), day.unit.from_s
    travel_s, travel_m = 0, 0.0
    for item in day.history:
        go, far = ways.seconds[place][item.place], _far(ways, place, item.place)
        if item.stop >= 0:
            spare = max(0, item.early - before - go)
            visits.append(Visit(stops[item.stop].key, item.early, item.early + item.length, go, far, spare, True))
        travel_s, travel_m = travel_s + go, travel_m + far
        place, before = item.place, item.early + item.length
    place, before = day.start, max(before, day.start_s)
    for item, arrive in zip(day.items, day.timed.arrivals, strict=True):
        go, far = ways.seconds[place][item.place], _far(ways, place, item.place)
        travel_s, travel_m = travel_s + go, travel_m + far
        if item.stop >= 0:
            spare = max(0, arrive - before - go)
            visits.append(Visit(stops[item.stop].key, arrive, arrive + item.length, go, far, spare, item.is_fixed))
        place, before = item.place, arrive + item.length
    back_s, back_m = ways.seconds[place][day.end], _far(ways, place, day.end)
    rest = day.unit.rest_taken
    if day.timed.rest_s is not None and day.rest is not None:
        rest = (day.timed.rest_s, day.timed.rest_s + day.rest[2])
    dosage = sum(visit.leave_s - visit.arrive_s for visit in visits)
    busy = patrol_s(day, day.items, ways)
    away = sum(one.until_s - one.from_s for one in day.unit.commitments) + (rest[1] - rest[0] if rest else 0)
    return Route(
        unit=day.unit.key,
        visits=tuple(visits),
        rest=rest,
        home_s=day.timed.home_s,
        back_s=back_s,
        back_m=back_m,
        patrol_s=busy,
        budget_s=day.budget,
        dosage_s=dosage,
        travel_s=travel_s + back_s,
        travel_m=travel_m + back_m,
        slack_s=max(0, day.unit.until_s - day.unit.from_s - busy - away),
    )


def _far(ways: Ways, start: int, end: int) -> float:
    """Metres; 0 where there is no way (such a leg is only ever in what was given)."""
    metres = float(ways.metres[start, end])
    return metres if np.isfinite(metres) else 0.0
