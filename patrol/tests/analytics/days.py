"""Shifts to plan for: drawn by a seed, in metres, times in seconds since the shifts' start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from patrol.analytics.routing import Commitment, Rest, RoutePlan, StopDemand, UnitDay

HOUR = 3600


def a_shift(seed: int, *, units: int = 5, stops: int = 40, span_m: float = 9_000, areas: int = 2) -> tuple[list[UnitDay], list[StopDemand]]:
    """Units at stations of their own, some with a break, some starting later, each open to some areas; stops everywhere."""
    rng = np.random.default_rng(seed)
    days = []
    for number in range(units):
        station = tuple(float(one) for one in rng.uniform(0, span_m, 2))
        start = int(rng.choice([0, 0, HOUR]))
        rest = Rest(start + 3 * HOUR, start + 5 * HOUR, int(rng.choice([1800, 2700]))) if rng.random() < 0.8 else None
        own = None if rng.random() < 0.3 else frozenset({f"area {number % areas}"})
        days.append(UnitDay(f"unit {number}", station, station, start, start + 8 * HOUR, rest=rest, areas=own))  # type: ignore[arg-type]
    places = [
        StopDemand(
            f"stop {number}",
            tuple(float(one) for one in rng.uniform(0, span_m, 2)),  # type: ignore[arg-type]
            float(rng.gamma(1, 1)),
            int(rng.integers(10, 17)) * 60,
            area=f"area {number % areas}",
            visited_s=(-int(rng.integers(0, 2 * HOUR)),) if rng.random() < 0.2 else (),
        )
        for number in range(stops)
    ]
    return days, places


def an_awkward_shift(seed: int) -> tuple[list[UnitDay], list[StopDemand], int]:
    """Another such shift with commitments here and there, and an origin that may lie hours before or days after; the shifts' start."""
    rng = np.random.default_rng(seed)
    days, stops = a_shift(seed, units=int(rng.integers(1, 6)), stops=int(rng.integers(3, 50)))
    begin = int(rng.choice([0, -4 * HOUR, 100_000]))
    moved = []
    for day in days:
        commitments, free = [], 0
        for _ in range(int(rng.integers(0, 3))):
            if free >= 7 * HOUR:
                break
            start = int(rng.integers(free, 7 * HOUR))
            end = start + int(rng.integers(300, 4000))
            place = None if rng.random() < 0.5 else a_place(rng)
            commitments.append(Commitment(begin + day.from_s + start, begin + day.from_s + end, place))
            free = end + 60
        rest = None if day.rest is None else Rest(begin + day.rest.from_s, begin + day.rest.until_s, day.rest.length_s)
        start_s, until_s = begin + day.from_s, begin + day.until_s
        moved.append(replace(day, rest=rest, commitments=tuple(commitments), from_s=start_s, until_s=until_s))
    return moved, [replace(stop, visited_s=tuple(begin + at for at in stop.visited_s)) for stop in stops], begin


def half_way(
    seed: int, days: Sequence[UnitDay], stops: Sequence[StopDemand], plan: RoutePlan, begin: int
) -> tuple[list[UnitDay], list[StopDemand]]:
    """The same shift at some moment: what is done stays, some visits to come are set by people, some units dropped out or are elsewhere."""
    rng = np.random.default_rng(seed)
    now = begin + int(rng.integers(1, 8 * HOUR))
    left: list[UnitDay] = []
    over: dict[object, list[int]] = {}
    for day, route in zip(days, plan.routes, strict=True):
        done = [visit for visit in route.visits if visit.arrive_s <= now]
        if len(days) > 1 and rng.random() < 0.25:
            for visit in done:
                over.setdefault(visit.stop, []).append(visit.arrive_s)
            continue
        by_people = [visit for visit in route.visits if visit.arrive_s > now and rng.random() < 0.3]
        is_elsewhere = rng.random() < 0.3 and all(visit.leave_s <= now for visit in done)
        taken = route.rest if route.rest is not None and route.rest[0] <= now else None
        whereabouts = a_place(rng) if is_elsewhere else None
        left.append(replace(day, fixed=tuple(done + by_people), free_from_s=now, rest_taken=taken, whereabouts=whereabouts))
    return left, [replace(stop, visited_s=tuple(sorted((*stop.visited_s, *over.get(stop.key, ()))))) for stop in stops]


def a_place(rng: np.random.Generator) -> tuple[float, float]:
    x, y = rng.uniform(0, 9_000, 2)
    return float(x), float(y)
