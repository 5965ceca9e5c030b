"""Routes for a shift: which unit stops where and when, so that risk gets as much presence as the unassigned time can carry.

`plan_routes` draws time slots for the stops, lets PyVRP choose and order them, makes the breaks fit, fills what is left and evens out the
work. Its nouns live in `routes`; an independent checker in `checker`. Everything is seeded: the same input and seed give the same plan,
unless the clock had to end the search, which the plan says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from patrol.analytics.route_polish import Board, even_out, fill, seat, spread_starts
from patrol.analytics.route_reasons import dropped, shortfalls, twice_running
from patrol.analytics.route_search import search
from patrol.analytics.route_slots import draw_slots
from patrol.analytics.route_timing import NO_WAY_S, Day, Ways, day_of, route_of
from patrol.analytics.routes import (
    NO_STOPS,
    NO_UNITS,
    Balance,
    Commitment,
    Dropped,
    Key,
    Rest,
    Route,
    RoutePlan,
    RouteRule,
    Shortfall,
    StopDemand,
    UnitDay,
    Visit,
    balance,
    places,
    weighted_dosage,
)
from patrol.analytics.travel import Matrix

__all__ = [
    "Balance",
    "Commitment",
    "Dropped",
    "Rest",
    "Route",
    "RoutePlan",
    "RouteRule",
    "Shortfall",
    "StopDemand",
    "UnitDay",
    "Visit",
    "places",
    "plan_routes",
]

METHOD = "pyvrp"
ITERATIONS = 20_000
WORTH_S = 3600.0  # driving that an average visit is worth
BALANCE_SHARE = 0.05


def plan_routes(
    units: Sequence[UnitDay],
    stops: Sequence[StopDemand],
    matrix: Matrix,
    *,
    rule: RouteRule | None = None,
    seed: int,
    time_limit_s: float = 15.0,
    iterations: int = ITERATIONS,
    worth_s: float = WORTH_S,
    balance_share: float = BALANCE_SHARE,
) -> RoutePlan:
    """Plan who stops where and when.

    Parameters
    ----------
    units : sequence of UnitDay
        Their keys differ. Visits in ``fixed`` keep unit and time; a unit that dropped out is simply left out, with what it has done
        given as the stops' ``visited_s``.
    stops : sequence of StopDemand
        Their keys differ.
    matrix : Matrix
        Ways between all of `places`; more places do no harm.
    rule : RouteRule, optional
    seed : int
        Draws the slots and steers the search: another seed, another order.
    time_limit_s : float
        Seconds for the search at most. It normally ends by ``iterations``, which repeats exactly; ended by the clock the plan says so.
    worth_s : float
        Seconds of driving that a visit of mean weight and length is worth; a visit of twice the weight is worth twice as much. What costs
        more is left out, and said.
    balance_share : float
        Driving that evening out the workload may add, as a share of all patrol time (driving and dosage).

    Returns
    -------
    RoutePlan
        A route for every unit, empty ones too. What could not be done is in ``dropped`` and ``shortfalls``; nothing raises for want of a
        feasible route.

    Raises
    ------
    ValueError
        Keys that repeat, shifts that end before they begin, dosage outside the rule, weights that are negative or undefined, a
        fixed visit at an unknown stop.
    KeyError
        A place the matrix does not have.
    """
    rule = rule or RouteRule()
    _check(units, stops, rule)
    began = time.perf_counter()
    if not units or not stops:
        return _without(units, stops, matrix, rule, seed)
    rng = np.random.default_rng(seed)
    ways = Ways(matrix)
    days = [day_of(unit, stops, matrix, ways, rule) for unit in units]
    stop_places = [matrix.at(stop.place) for stop in stops]
    slots = draw_slots(units, stops, [_open(days, number, place, stops, ways) for number, place in enumerate(stop_places)], rule, rng)
    board = Board(days, stops, slots, stop_places, ways)
    worths = [stop.weight * stop.dosage_s / 60 for stop in stops if stop.weight > 0]
    prize = worth_s / float(np.mean(worths)) if worths else 0.0
    missing = shortfalls(board)
    done, cut = _search_parts(board, seed=seed, iterations=iterations, time_limit_s=time_limit_s, prize=prize)
    fill(board, prize=prize)
    before = balance(_routes(board, matrix))
    if even_out(board, most_extra_share=balance_share):
        fill(board, prize=prize)
    spread_starts(board, rng)
    routes = _routes(board, matrix)
    return RoutePlan(
        routes=routes,
        dropped=tuple(dropped(board, prize=prize)),
        shortfalls=(*missing, *twice_running(board)),
        dosage=weighted_dosage(routes, stops, rule),
        travel_m=sum(route.travel_m for route in routes),
        travel_s=sum(route.travel_s for route in routes),
        before=before,
        after=balance(routes),
        method=METHOD,
        seed=seed,
        iterations=done,
        cut_by_clock=cut,
        seconds=time.perf_counter() - began,
        rule=rule,
    )


def _open(days: Sequence[Day], number: int, place: int, stops: Sequence[StopDemand], ways: Ways) -> tuple[int, int]:
    """From when until when some unit can be at the stop and still get home; the whole time where none can, so that the reason is found."""
    own = [day for day in days if number in day.stops and ways.seconds[day.start][place] < NO_WAY_S > ways.seconds[place][day.end]]
    early = min((day.start_s + ways.seconds[day.start][place] for day in own), default=0)
    late = max((day.end_s - ways.seconds[place][day.end] - stops[number].dosage_s for day in own), default=-1)
    if early > late:
        return min(day.start_s for day in days), max(day.end_s for day in days)
    return early, late


def _search_parts(board: Board, *, seed: int, iterations: int, time_limit_s: float, prize: float) -> tuple[int, bool]:
    """Search each part of the force that shares no stop with the others by itself, which is the same problem and quicker."""
    total, cut = 0, False
    began = time.perf_counter()
    parts = _parts(board.days)
    sizes = [sum(1 for slot in board.slots if slot.stop in reached) for _, reached in parts]
    for place, ((members, reached), size) in enumerate(zip(parts, sizes, strict=True)):
        if not size:
            continue
        own = [number for number, slot in enumerate(board.slots) if slot.stop in reached and slot.worth > 0]
        left_s = (time_limit_s - (time.perf_counter() - began)) * size / sum(sizes[place:])
        found = search(
            [board.days[member] for member in members],
            board.stops,
            [board.slots[number] for number in own],
            board.stop_places,
            board.ways,
            seed=seed + place,
            iterations=max(500, iterations * size // sum(sizes)) if len(parts) > 1 else iterations,
            budget_s=left_s,
            prize=prize,
        )
        seat(board, [(members[piece.day], piece.after, [own[slot] for slot in order]) for piece, order in found.orders])
        total, cut = total + found.iterations, cut or found.cut_by_clock
    return total, cut


def _parts(days: Sequence[Day]) -> list[tuple[list[int], frozenset[int]]]:
    """Units grouped so that no stop is open to two groups."""
    parts: list[tuple[list[int], frozenset[int]]] = []
    for number, day in enumerate(days):
        touching = [part for part in parts if part[1] & day.stops]
        members = sorted([number, *(member for part in touching for member in part[0])])
        reached = day.stops.union(*(part[1] for part in touching))
        parts = [part for part in parts if part not in touching] + [(members, reached)]
    return parts


def _routes(board: Board, matrix: Matrix) -> tuple[Route, ...]:
    return tuple(route_of(day, board.stops, matrix, board.ways) for day in board.days)


def _check(units: Sequence[UnitDay], stops: Sequence[StopDemand], rule: RouteRule) -> None:
    if len({unit.key for unit in units}) < len(units) or len({stop.key for stop in stops}) < len(stops):
        raise ValueError("units and stops have keys of their own")
    known: set[Key] = {stop.key for stop in stops}
    for unit in units:
        if unit.until_s <= unit.from_s:
            raise ValueError(f"the shift of {unit.key} ends before it begins")
        if any(visit.stop not in known for visit in unit.fixed):
            raise ValueError(f"{unit.key} has a visit at a stop that is not given")
        if unit.rest is not None and (unit.rest.length_s <= 0 or unit.rest.until_s - unit.rest.from_s < unit.rest.length_s):
            raise ValueError(f"the break of {unit.key} is longer than its window")
    for stop in stops:
        if not rule.least_dosage_s <= stop.dosage_s <= rule.most_dosage_s:
            raise ValueError(f"{stop.key}: a stop lasts {rule.least_dosage_s} to {rule.most_dosage_s} s, not {stop.dosage_s}")
        if not (np.isfinite(stop.weight) and stop.weight >= 0):
            raise ValueError(f"{stop.key}: the weight is finite and not negative")


def _without(units: Sequence[UnitDay], stops: Sequence[StopDemand], matrix: Matrix, rule: RouteRule, seed: int) -> RoutePlan:
    """The plan where there is nothing to plan: it says what is missing."""
    ways = Ways(matrix)
    routes = tuple(route_of(day_of(unit, stops, matrix, ways, rule), stops, matrix, ways) for unit in units)
    missing = tuple(Shortfall(code) for code, is_so in ((NO_UNITS, not units), (NO_STOPS, not stops)) if is_so)
    even = Balance(0.0, 0.0, 0.0)
    return RoutePlan(routes, (), missing, 0.0, 0.0, 0, even, even, METHOD, seed, rule=rule)
