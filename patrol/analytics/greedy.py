"""Plain baselines beside the route planner: the list cut in pieces, and the best next stop. Same rules, same visits allowed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from patrol.analytics.route_polish import Board
from patrol.analytics.route_timing import Day, Item, Timed, Ways, day_of, route_of
from patrol.analytics.routes import RoutePlan, RouteRule, StopDemand, UnitDay, balance, weighted_dosage
from patrol.analytics.travel import Matrix

CHUNKS = "chunks"
BEST_NEXT = "best_next"


def chunk_the_list(units: Sequence[UnitDay], stops: Sequence[StopDemand], matrix: Matrix, *, rule: RouteRule | None = None) -> RoutePlan:
    """The sorted list cut in equal pieces: the riskiest stops to the first unit, and so on; each drives its piece in that order.

    Each unit goes through its piece again and again, as soon as a stop may be visited again, as long as shift, break and patrol time allow;
    what does not fit is skipped and the next tried. Units of one jurisdiction share the list of that jurisdiction.
    """
    return _plan(units, stops, matrix, rule or RouteRule(), CHUNKS, _chunks)


def best_next(units: Sequence[UnitDay], stops: Sequence[StopDemand], matrix: Matrix, *, rule: RouteRule | None = None) -> RoutePlan:
    """Each unit in turn drives to where its next minute of patrol time brings most: weight × dosage over driving and dosage together.

    The strongest rule a careful person could follow without planning ahead.
    """
    return _plan(units, stops, matrix, rule or RouteRule(), BEST_NEXT, _best_next)


def _plan(
    units: Sequence[UnitDay],
    stops: Sequence[StopDemand],
    matrix: Matrix,
    rule: RouteRule,
    method: str,
    fill: Callable[[Board, dict[int, list[int]], RouteRule], None],
) -> RoutePlan:
    began = time.perf_counter()
    ways = Ways(matrix)
    days = [day_of(unit, stops, matrix, ways, rule) for unit in units]
    board = Board(days, stops, [], [matrix.at(stop.place) for stop in stops], ways)
    visited = {number: list(stop.visited_s) for number, stop in enumerate(stops)}
    for day in days:
        for item in (*day.history, *day.items):
            if item.stop >= 0:
                visited[item.stop].append(item.early)
    fill(board, visited, rule)
    routes = tuple(route_of(day, stops, matrix, ways) for day in days)
    even = balance(routes)
    return RoutePlan(
        routes=routes,
        dropped=(),
        shortfalls=(),
        dosage=weighted_dosage(routes, stops, rule),
        travel_m=sum(route.travel_m for route in routes),
        travel_s=sum(route.travel_s for route in routes),
        before=even,
        after=even,
        method=method,
        seed=0,
        seconds=time.perf_counter() - began,
        rule=rule,
    )


def _append(board: Board, day: Day, stop: int, visited: dict[int, list[int]], rule: RouteRule) -> bool:
    """The stop at the end of the day's order, as soon as it may be visited again."""
    demand = board.stops[stop]
    if demand.visits is not None and len(visited[stop]) - len(demand.visited_s) >= demand.visits:
        return False
    early, late = day.unit.from_s, day.end_s
    if demand.window is not None:
        early, late = max(early, demand.window[0]), min(late, demand.window[1] - demand.dosage_s)
    early = max([early, *(at + rule.least_gap_s for at in visited[stop])])
    item = Item(board.stop_places[stop], demand.dosage_s, early, late, stop)
    order = [*day.items, item]
    timed: Timed | None = board.try_order(day, order)
    if timed is None:
        return False
    day.items, day.timed = order, timed
    visited[stop].append(timed.arrivals[-1])
    return True


def _chunks(board: Board, visited: dict[int, list[int]], rule: RouteRule) -> None:
    groups: dict[frozenset[int], list[Day]] = {}
    for day in board.days:
        groups.setdefault(day.stops, []).append(day)
    for reached, days in groups.items():
        ranked = sorted(reached, key=lambda number: (-board.stops[number].weight, number))
        size = -(-len(ranked) // len(days))
        for place, day in enumerate(days):
            piece = ranked[place * size : (place + 1) * size]
            while sum(_append(board, day, stop, visited, rule) for stop in piece):
                pass  # another round, as long as it brought a visit


def _best_next(board: Board, visited: dict[int, list[int]], rule: RouteRule) -> None:
    going = list(board.days)
    while going:
        still: list[Day] = []
        for day in going:
            place = day.items[-1].place if day.items else day.start
            free = day.timed.arrivals[-1] + day.items[-1].length if day.items else day.start_s
            ready = [
                stop
                for stop in day.stops
                if all(free + board.ways.seconds[place][board.stop_places[stop]] >= at + rule.least_gap_s for at in visited[stop])
            ]
            ready.sort(key=lambda stop: (-_rate(board, place, stop), stop))
            if any(_append(board, day, stop, visited, rule) for stop in ready[:20]):
                still.append(day)
        going = still


def _rate(board: Board, place: int, stop: int) -> float:
    demand = board.stops[stop]
    return demand.weight * demand.dosage_s / (board.ways.seconds[place][board.stop_places[stop]] + demand.dosage_s)
