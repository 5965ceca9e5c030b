"""Synthetic demand, posts, units and stops on the ground of Kuwait's inhabited areas (our gazetteer), drawn by a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from geography.gazetteer import GOVERNORATES, REGION, read_areas
from patrol.analytics.routing import Rest, StopDemand, UnitDay
from patrol.analytics.travel import DETOUR, SPEED_KMH

FloatArray = NDArray[np.float64]
HOUR = 3600


@dataclass(frozen=True)
class Ground:
    """Circles of inhabited areas in metres, each of an area and a governorate."""

    xy: FloatArray
    radius_m: FloatArray
    governorate: NDArray[np.str_]
    area: NDArray[np.int64]

    def draw(self, rng: np.random.Generator, n: int) -> tuple[FloatArray, NDArray[np.str_]]:
        """Places in areas, each area as likely as another, and their governorates."""
        size = self.radius_m**2
        share = size / np.bincount(self.area, size)[self.area] / len(np.unique(self.area))
        circle = rng.choice(len(share), n, p=share)
        far, turn = self.radius_m[circle] * np.sqrt(rng.random(n)), rng.random(n) * 2 * np.pi
        return self.xy[circle] + np.column_stack([far * np.cos(turn), far * np.sin(turn)]), self.governorate[circle]


def ground() -> Ground:
    to_metres = Transformer.from_crs(4326, REGION["metric_srid"], always_xy=True)
    circles = [
        (*to_metres.transform(circle.longitude, circle.latitude), circle.radius_m, area.governorate, number)
        for number, area in enumerate(read_areas())
        if not area.is_island and not area.is_open_desert
        for circle in area.circles
        if circle.radius_m <= 4_000
    ]
    x, y, radius, governorate, area = zip(*circles, strict=True)
    return Ground(np.column_stack([x, y]), np.array(radius, dtype=float), np.array(governorate), np.array(area))


def coverage_case(seed: int, *, cells: int = 300, posts: int = 100) -> tuple[FloatArray, FloatArray]:
    """Demand of the cells, and seconds from post to cell by straight lines times the detour factor."""
    rng = np.random.default_rng(seed)
    here = ground()
    cell, post = here.draw(rng, cells)[0], here.draw(rng, posts)[0]
    metres = DETOUR * np.hypot(cell[:, None, 0] - post[None, :, 0], cell[:, None, 1] - post[None, :, 1])
    return rng.gamma(0.6, 2.0, cells), metres / (SPEED_KMH / 3.6)


def shift_case(seed: int, *, units: int = 40, stops: int = 400, in_governorates: bool = True) -> tuple[list[UnitDay], list[StopDemand]]:
    """One eight-hour shift: two stations a governorate, units by its share of the stops, each with half an hour's break; uneven risk."""
    rng = np.random.default_rng(seed)
    here = ground()
    places, governorate = here.draw(rng, stops)
    codes = [one.code for one in GOVERNORATES]
    stations = {code: here.xy[rng.choice(np.flatnonzero(here.governorate == code), 2)] for code in codes}
    weight = rng.gamma(0.8, 1.0, stops)
    days = []
    share = np.cumsum([np.mean(governorate == code) for code in codes])
    for number in range(units):
        code = codes[int(np.searchsorted(share, (number + 0.5) / units))]
        x, y = stations[code][number % 2] + rng.normal(0, 5, 2)
        rest = Rest(3 * HOUR, 5 * HOUR, 1800)
        own = frozenset({code}) if in_governorates else None
        days.append(UnitDay(f"unit {number}", (float(x), float(y)), (float(x), float(y)), 0, 8 * HOUR, rest=rest, areas=own))
    demand = [
        StopDemand(number, (float(x), float(y)), float(weight[number]), int(rng.integers(10, 17)) * 60, area=str(governorate[number]))
        for number, (x, y) in enumerate(places)
    ]
    return days, demand
