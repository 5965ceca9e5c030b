"""Shifts to plan for: drawn by a seed, in metres, times in seconds since the shifts' start."""

from __future__ import annotations

import numpy as np

from patrol.analytics.routing import Rest, StopDemand, UnitDay

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
