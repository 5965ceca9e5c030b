"""Checks a plan against its rules, by its own reckoning.

Nothing here comes from the planner, and nothing is shared with it but plain numbers: a mistake there cannot hide itself here. The plan is
told as `PlannedRoute`, what binds it as `UnitFacts`, `StopFacts` and `Limits`. Times are seconds since an origin that is the same for all;
places are whatever ``between`` understands.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]
Between = Callable[[Point, Point], tuple[float, float]]

UNKNOWN_UNIT = "unknown_unit"
UNKNOWN_STOP = "unknown_stop"
UNIT_TWICE = "unit_twice"
WRONG_START = "wrong_start"
WRONG_END = "wrong_end"
BEFORE_SHIFT = "before_shift"
AFTER_SHIFT = "after_shift"
HOME_AFTER_SHIFT = "home_after_shift"
DOUBLE_BOOKED = "double_booked"
TRAVEL_TOO_SHORT = "travel_too_short"
NO_WAY = "no_way"
REST_MISSING = "rest_missing"
REST_TOO_SHORT = "rest_too_short"
REST_OUTSIDE_WINDOW = "rest_outside_window"
REST_OVERLAPS = "rest_overlaps"
COMMITMENT_OVERLAPS = "commitment_overlaps"
DOSAGE_TOO_SHORT = "dosage_too_short"
DOSAGE_TOO_LONG = "dosage_too_long"
OUTSIDE_WINDOW = "outside_window"
OUTSIDE_AREA = "outside_area"
TOO_SOON_AGAIN = "too_soon_again"
STOP_TWICE_AT_ONCE = "stop_twice_at_once"
BACK_TO_BACK = "back_to_back"
OVER_SHARE = "over_share"
BACKWARDS = "backwards"
BEFORE_NOW = "before_now"


@dataclass(frozen=True)
class Limits:
    """Seconds: shortest and longest stop, least time from arrival to arrival at one stop; ``slack_s`` forgives rounding of a way."""

    least_dosage_s: float = 600
    most_dosage_s: float = 960
    least_gap_s: float = 4800
    slack_s: float = 1.0


@dataclass(frozen=True)
class UnitFacts:
    """What binds a unit. ``rest`` is earliest begin, latest end, length. ``commitments`` are from, until and a place or ``None``.

    With ``now_s``, what began by then has happened and is not judged, only counted; nothing new begins before. ``now_at`` is where the unit
    is then, where that is not its last stop. With ``rest_taken`` the break has been had. ``done``, where it is known, are the stop and the
    arrival of each visit that has happened or was promised by then: another one in the past is no plan.
    """

    key: Hashable
    start: Point
    end: Point
    from_s: float
    until_s: float
    patrol_s: float
    rest: tuple[float, float, float] | None = None
    areas: frozenset[str] | None = None
    commitments: tuple[tuple[float, float, Point | None], ...] = ()
    now_s: float | None = None
    now_at: Point | None = None
    rest_taken: bool = False
    done: frozenset[tuple[Hashable, float]] | None = None


@dataclass(frozen=True)
class StopFacts:
    """A stop: where, in which area, when it may be visited, and when it already was (by others)."""

    key: Hashable
    place: Point
    area: str = ""
    window: tuple[float, float] | None = None
    visited_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class PlannedVisit:
    stop: Hashable
    arrive_s: float
    leave_s: float


@dataclass(frozen=True)
class PlannedRoute:
    """A unit's visits and break, from where to where; ``home_s`` is when it is back, if the plan says so."""

    unit: Hashable
    start: Point
    end: Point
    visits: tuple[PlannedVisit, ...]
    rest: tuple[float, float] | None = None
    home_s: float | None = None


@dataclass(frozen=True)
class Violation:
    """A rule that is broken: by whom, where, when, and by how many seconds (0 where it is not a matter of degree)."""

    code: str
    unit: Hashable | None = None
    stop: Hashable | None = None
    at_s: float | None = None
    by_s: float = 0.0
    other: Hashable | None = None


class _Event(NamedTuple):
    """Something at a place."""

    begin: float
    end: float
    place: Point
    stop: Hashable | None


def check(
    routes: Sequence[PlannedRoute], units: Iterable[UnitFacts], stops: Iterable[StopFacts], between: Between, limits: Limits | None = None
) -> list[Violation]:
    """All that is wrong with a plan.

    Parameters
    ----------
    routes : sequence of PlannedRoute
    units, stops : iterables of UnitFacts, StopFacts
    between : callable
        Seconds and metres from one place to another; infinite seconds where there is no way.
    limits : Limits, optional

    Returns
    -------
    list of Violation
        Empty for a plan that keeps every rule.

    Examples
    --------
    >>> unit = UnitFacts("A", (0, 0), (0, 0), 0, 28800, 9600)
    >>> route = PlannedRoute("A", (0, 0), (0, 0), (PlannedVisit("s", 600, 900),))
    >>> [(one.code, one.by_s) for one in check([route], [unit], [StopFacts("s", (1, 0))], lambda a, b: (60.0, 500.0))]
    [('dosage_too_short', 300)]
    """
    limits = limits or Limits()
    by_key = {unit.key: unit for unit in units}
    places = {stop.key: stop for stop in stops}
    found: list[Violation] = []
    seen: set[Hashable] = set()
    for route in routes:
        if route.unit in seen:
            found.append(Violation(UNIT_TWICE, route.unit))
        seen.add(route.unit)
        unit = by_key.get(route.unit)
        unknown = [visit for visit in route.visits if visit.stop not in places]
        found += [Violation(UNKNOWN_STOP, route.unit, visit.stop, visit.arrive_s) for visit in unknown]
        if unit is None:
            found.append(Violation(UNKNOWN_UNIT, route.unit))
            continue
        found += _route(route, unit, places, between, limits)
    found += _stops(routes, by_key, places, limits)
    return found


def _route(route: PlannedRoute, unit: UnitFacts, places: dict[Hashable, StopFacts], between: Between, limits: Limits) -> list[Violation]:
    found: list[Violation] = []
    if route.start != unit.start:
        found.append(Violation(WRONG_START, unit.key))
    if route.end != unit.end:
        found.append(Violation(WRONG_END, unit.key))
    visits = sorted((visit for visit in route.visits if visit.stop in places), key=lambda visit: (visit.arrive_s, visit.leave_s))
    for visit in visits:
        found += _visit(visit, unit, places[visit.stop], limits)
    for first, second in pairwise(visits):
        if first.stop == second.stop and not _past(unit, second.arrive_s):
            found.append(Violation(BACK_TO_BACK, unit.key, second.stop, second.arrive_s))
    events = [_Event(visit.arrive_s, visit.leave_s, places[visit.stop].place, visit.stop) for visit in visits]
    events += [_Event(begin, end, place, None) for begin, end, place in unit.commitments if place is not None]
    events.sort(key=lambda event: (event.begin, event.end))
    found += _overlaps(route, unit, events)
    found += _rest(route, unit)
    found += _ways(route, unit, events, between, limits)
    return found


def _past(unit: UnitFacts, at_s: float) -> bool:
    return unit.now_s is not None and at_s <= unit.now_s


def _visit(visit: PlannedVisit, unit: UnitFacts, stop: StopFacts, limits: Limits) -> list[Violation]:
    def wrong(code: str, by_s: float) -> Violation:
        return Violation(code, unit.key, visit.stop, visit.arrive_s, by_s)

    length = visit.leave_s - visit.arrive_s
    if length < 0:
        return [wrong(BACKWARDS, -length)]
    if unit.now_s is not None and visit.arrive_s <= unit.now_s:
        is_known = unit.done is None or (visit.stop, visit.arrive_s) in unit.done
        return [] if is_known else [wrong(BEFORE_NOW, unit.now_s - visit.arrive_s)]
    found: list[Violation] = []
    if length < limits.least_dosage_s:
        found.append(wrong(DOSAGE_TOO_SHORT, limits.least_dosage_s - length))
    if length > limits.most_dosage_s:
        found.append(wrong(DOSAGE_TOO_LONG, length - limits.most_dosage_s))
    if visit.arrive_s < unit.from_s:
        found.append(wrong(BEFORE_SHIFT, unit.from_s - visit.arrive_s))
    if visit.leave_s > unit.until_s:
        found.append(wrong(AFTER_SHIFT, visit.leave_s - unit.until_s))
    if unit.areas is not None and stop.area not in unit.areas:
        found.append(wrong(OUTSIDE_AREA, 0.0))
    if stop.window is not None:
        outside = max(stop.window[0] - visit.arrive_s, visit.leave_s - stop.window[1])
        if outside > 0:
            found.append(wrong(OUTSIDE_WINDOW, outside))
    return found


def _overlaps(route: PlannedRoute, unit: UnitFacts, events: Sequence[_Event]) -> list[Violation]:
    """No two things at once: visits, commitments with or without a place, the break."""
    found: list[Violation] = []
    visits = [event for event in events if event.stop is not None]
    for place, first in enumerate(visits):
        for second in visits[place + 1 :]:
            both = min(first.end, second.end) - max(first.begin, second.begin)
            if both > 0 and not _past(unit, second.begin):
                found.append(Violation(DOUBLE_BOOKED, unit.key, second.stop, second.begin, both, first.stop))
    for event in visits:
        if _past(unit, event.begin):
            continue
        for begin, end, _ in unit.commitments:
            both = min(end, event.end) - max(begin, event.begin)
            if both > 0:
                found.append(Violation(COMMITMENT_OVERLAPS, unit.key, event.stop, event.begin, both))
        if route.rest is not None:
            both = min(route.rest[1], event.end) - max(route.rest[0], event.begin)
            if both > 0:
                found.append(Violation(REST_OVERLAPS, unit.key, event.stop, event.begin, both))
    if route.rest is not None and not unit.rest_taken:
        for begin, end, _ in unit.commitments:
            both = min(end, route.rest[1]) - max(begin, route.rest[0])
            if both > 0:
                found.append(Violation(REST_OVERLAPS, unit.key, None, begin, both))
    return found


def _rest(route: PlannedRoute, unit: UnitFacts) -> list[Violation]:
    if unit.rest is None or unit.rest_taken:
        return []
    earliest, latest, length = unit.rest
    if route.rest is None:
        return [Violation(REST_MISSING, unit.key, None, None, length)]
    begin, end = route.rest
    found: list[Violation] = []
    if end - begin < length:
        found.append(Violation(REST_TOO_SHORT, unit.key, None, begin, length - (end - begin)))
    outside = max(earliest - begin, end - latest, unit.from_s - begin, end - unit.until_s)
    if outside > 0:
        found.append(Violation(REST_OUTSIDE_WINDOW, unit.key, None, begin, outside))
    return found


def _ways(route: PlannedRoute, unit: UnitFacts, events: Sequence[_Event], between: Between, limits: Limits) -> list[Violation]:
    """Enough time for each way, home before the end, and no more patrol time than there is."""
    found: list[Violation] = []
    pauses = [(begin, end) for begin, end, place in unit.commitments if place is None]
    pauses += [route.rest] if route.rest is not None else []
    place, free = unit.start, unit.from_s
    spent = 0.0
    happened = True
    for event in events:
        over = _past(unit, event.begin)
        if happened and not over and unit.now_s is not None:
            free, happened = max(free, unit.now_s), False
            place = unit.now_at or place
        go = between(place, event.place)[0]
        dosage = event.end - event.begin if event.stop is not None else 0.0
        if go == float("inf"):
            if not over:
                found.append(Violation(NO_WAY, unit.key, event.stop, event.begin))
            go = 0.0
        elif not over:
            short = go - limits.slack_s - (event.begin - free - _within(pauses, free, event.begin))
            if short > 0 and event.begin >= free:  # what overlaps is said elsewhere
                found.append(Violation(TRAVEL_TOO_SHORT, unit.key, event.stop, event.begin, short))
        spent += go + dosage
        place, free = event.place, max(free, event.end)
    if happened and unit.now_s is not None:
        free, place = max(free, unit.now_s), unit.now_at or place
    back = between(place, unit.end)[0]
    if back == float("inf"):
        found.append(Violation(NO_WAY, unit.key))
        back = 0.0
    home = free + back
    for begin, end in sorted(pauses):
        if end > free and begin < home:
            home += end - max(begin, free)
    late = max(home - limits.slack_s, route.home_s if route.home_s is not None else 0.0) - unit.until_s
    if late > 0 and events:
        found.append(Violation(HOME_AFTER_SHIFT, unit.key, None, home, late))
    if route.home_s is not None and route.home_s < home - limits.slack_s:
        found.append(Violation(TRAVEL_TOO_SHORT, unit.key, None, route.home_s, home - limits.slack_s - route.home_s))
    if spent + back > unit.patrol_s + limits.slack_s * (len(events) + 1):
        found.append(Violation(OVER_SHARE, unit.key, None, None, spent + back - unit.patrol_s))
    return found


def _within(pauses: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """Seconds of the pauses that lie between the two."""
    return sum(max(0.0, min(until, end) - max(since, begin)) for since, until in pauses)


def _stops(
    routes: Sequence[PlannedRoute], units: dict[Hashable, UnitFacts], places: dict[Hashable, StopFacts], limits: Limits
) -> list[Violation]:
    """What visits of several units do to one stop: at once, or too soon after another."""
    at: dict[Hashable, list[tuple[float, float, Hashable, bool]]] = {}
    for route in routes:
        unit = units.get(route.unit)
        for visit in route.visits:
            over = unit is not None and _past(unit, visit.arrive_s)
            at.setdefault(visit.stop, []).append((visit.arrive_s, visit.leave_s, route.unit, over))
    found: list[Violation] = []
    for key, visits in at.items():
        earlier: list[tuple[float, float, Hashable | None]] = []
        if key in places:
            earlier = [(when, when, None) for when in places[key].visited_s]
        for begin, end, unit_key, over in sorted(visits, key=lambda visit: visit[:2]):
            last = max((one for one in earlier if one[0] <= begin), key=lambda one: one[0], default=None)
            if last is not None and not over:
                if last[1] > begin and last[2] != unit_key:
                    found.append(Violation(STOP_TWICE_AT_ONCE, unit_key, key, begin, last[1] - begin, last[2]))
                elif begin - last[0] < limits.least_gap_s:
                    found.append(Violation(TOO_SOON_AGAIN, unit_key, key, begin, limits.least_gap_s - (begin - last[0]), last[2]))
            earlier.append((begin, end, unit_key))
    return found
