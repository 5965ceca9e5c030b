"""The search itself: PyVRP, given days cut into stretches between what is kept."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patrol.analytics.route_slots import Slot
from patrol.analytics.route_timing import NO_WAY_S, Day, Item, Ways
from patrol.analytics.routes import StopDemand

PATIENCE, PATIENCE_A_SLOT = 1000, 8  # rounds without anything better before a question is taken as answered


@dataclass(frozen=True)
class Stretch:
    """A piece of a unit's day between two things that are kept: where and when it begins and must end, and its patrol time."""

    day: int
    after: int  # how many of the day's items lie before it
    start: int
    end: int
    from_s: int
    until_s: int
    budget: int


@dataclass(frozen=True)
class Searched:
    """Slots in their order for each stretch; how many rounds were made, and whether the clock ended them."""

    orders: list[tuple[Stretch, list[int]]]
    iterations: int
    cut_by_clock: bool


def stretches(number: int, day: Day, ways: Ways) -> list[Stretch]:
    """The free pieces of a day; its patrol time is shared out by their length, once the ways that must be driven are paid."""
    corners = [(day.start, day.start_s, day.start_s)]
    corners += [(item.place, item.early, item.early + item.length) for item in day.items]
    corners.append((day.end, day.end_s, day.end_s))
    pieces = list(pairwise(corners))
    ways_s = [ways.seconds[begin[0]][end[0]] for begin, end in pieces]
    lengths = [max(0, end[1] - begin[2]) for begin, end in pieces]
    kept_s = sum(item.length for item in day.items if item.stop >= 0)
    left = day.budget - day.spent - kept_s - sum(ways_s)
    if left <= 0 or not sum(lengths):
        return []
    return [
        Stretch(number, after, begin[0], end[0], begin[2], end[1], way + left * length // sum(lengths))
        for after, ((begin, end), way, length) in enumerate(zip(pieces, ways_s, lengths, strict=True))
        if length > way
    ]


def search(
    days: Sequence[Day],
    stops: Sequence[StopDemand],
    slots: Sequence[Slot],
    stop_places: Sequence[int],
    ways: Ways,
    *,
    seed: int,
    iterations: int,
    budget_s: float,
    prize: float,
) -> Searched:
    """Choose and order the slots.

    Driving and dosage together are what PyVRP [1]_ knows as distance: limited per stretch (the unassigned share of the shift), and the
    cost that a visit's prize must pay for. Each place of a stop stands twice, for odd and even visits, with no way from one to the
    other: no unit serves the same stop twice running.

    References
    ----------
    .. [1] Wouda, N. A., Lan, L. & Kool, W. (2024). PyVRP: a high-performance VRP solver package. INFORMS J. on Computing 36(4), 943-955.
    """
    pieces = [piece for number, day in enumerate(days) for piece in stretches(number, day, ways)]
    if not pieces or not slots:
        return Searched([], 0, False)
    from pyvrp import Client, Depot, Location, ProblemData, VehicleType, solve
    from pyvrp.exceptions import PenaltyBoundWarning
    from pyvrp.stop import MaxIterations, MaxRuntime, MultipleCriteria, NoImprovement

    origin = min(piece.from_s for piece in pieces)  # the caller's may lie anywhere; PyVRP's times begin at 0
    used = sorted({slot.stop for slot in slots})
    row = {stop: place for place, stop in enumerate(used)}
    gates = sorted({place for piece in pieces for place in (piece.start, piece.end)})
    gate = {place: number for number, place in enumerate(gates)}
    at = np.array([*gates, *[stop_places[stop] for stop in used], *[stop_places[stop] for stop in used]])
    seconds = ways.array[np.ix_(at, at)].copy()
    service = np.array([0] * len(gates) + 2 * [stops[stop].dosage_s for stop in used])
    busy = seconds + service[None, :]
    odd, even = np.arange(len(used)) + len(gates), np.arange(len(used)) + len(gates) + len(used)
    busy[odd, even] = busy[even, odd] = NO_WAY_S
    np.fill_diagonal(busy, 0)
    np.fill_diagonal(seconds, 0)
    profiles: dict[frozenset[int], int] = {}
    distances: list[Any] = []
    for piece in pieces:
        allowed = days[piece.day].stops & set(used)
        if allowed not in profiles:
            profiles[allowed] = len(distances)
            distances.append(_closed_to(busy, [row[stop] for stop in used if stop not in allowed], len(gates), len(used)))
    data = ProblemData(
        [Location(0, 0) for _ in at],
        [
            Client(
                location=len(gates) + row[slot.stop] + len(used) * (slot.number % 2),
                service_duration=stops[slot.stop].dosage_s,
                tw_early=max(slot.early - origin, 0),
                tw_late=max(slot.late - origin, 0),
                prize=round(slot.worth * prize) + stops[slot.stop].dosage_s,  # presence costs nothing, its way does
                required=False,
            )
            for slot in slots
        ],
        [Depot(location=number) for number in range(len(gates))],
        [
            VehicleType(
                start_depot=gate[piece.start],
                end_depot=gate[piece.end],
                tw_early=piece.from_s - origin,
                tw_late=piece.until_s - origin,
                max_distance=piece.budget,
                unit_distance_cost=1,
                profile=profiles[frozenset(days[piece.day].stops & set(used))],
            )
            for piece in pieces
        ],
        distances,
        [seconds] * len(distances),
    )
    patience = max(PATIENCE, PATIENCE_A_SLOT * len(slots))
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PenaltyBoundWarning)  # "no way" is a very large number, and meant
        found = solve(
            data,
            MultipleCriteria([MaxIterations(iterations), NoImprovement(patience), MaxRuntime(max(budget_s, 0.1))]),
            seed=seed % 2**31,
            collect_stats=False,
            display=False,
        )
    orders = [(pieces[route.vehicle_type()], [activity.idx for activity in route if activity.is_client()]) for route in found.best.routes()]
    cut = found.num_iterations < iterations and time.perf_counter() - began >= budget_s
    return Searched(orders, found.num_iterations, cut)


def _closed_to(busy: NDArray[np.int64], closed: list[int], gates: int, used: int) -> NDArray[np.int64]:
    """The ways of units that may not go to the stops of these rows."""
    if not closed:
        return busy
    shut = np.array(closed)
    own = busy.copy()
    own[:, gates + shut] = own[:, gates + used + shut] = NO_WAY_S
    np.fill_diagonal(own, 0)
    return own


def as_item(slot: Slot, number: int, stops: Sequence[StopDemand], stop_places: Sequence[int]) -> Item:
    return Item(stop_places[slot.stop], stops[slot.stop].dosage_s, slot.early, slot.late, slot.stop, number)
