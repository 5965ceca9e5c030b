"""In or out of a fence, and since when: signed distances, and the steps of a visit. No Django, no clock.

A border is a band, not a line: a unit is in once it is inside the line, and out once it is farther outside than the margin (or than its
own accuracy, where that is worse). A fix that is less accurate than the fence is wide says nothing. So a receiver that wanders about the
line makes one visit, not a storm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from patrol.analytics.motion import METRES_A_DEGREE, metres_between


@dataclass(frozen=True)
class Circle:
    lon: float
    lat: float
    radius_m: float

    @property
    def width_m(self) -> float:
        return self.radius_m

    def outside_by_m(self, lon: float, lat: float) -> float:
        """Metres to the line, negative inside."""
        return metres_between(self.lon, self.lat, lon, lat) - self.radius_m

    def box(self, margin_m: float) -> tuple[float, float, float, float]:
        """West, south, east, north, grown by ``margin_m``."""
        up = (self.radius_m + margin_m) / METRES_A_DEGREE
        across = up / max(math.cos(math.radians(self.lat)), 0.01)
        return self.lon - across, self.lat - up, self.lon + across, self.lat + up


class Shape:
    """A polygon with its holes, in a plane of its own about its middle."""

    def __init__(self, rings: Sequence[Sequence[tuple[float, float]]]) -> None:
        outline = np.asarray(rings[0], dtype=np.float64)
        self.west, self.south = outline.min(axis=0)
        self.east, self.north = outline.max(axis=0)
        self.lon, self.lat = (self.west + self.east) / 2, (self.south + self.north) / 2
        self.scale = np.array([METRES_A_DEGREE * math.cos(math.radians(self.lat)), METRES_A_DEGREE])
        ends = [self._metres(np.asarray(ring, dtype=np.float64)) for ring in rings]
        self.start = np.concatenate([ring[:-1] for ring in ends])
        self.step = np.concatenate([np.diff(ring, axis=0) for ring in ends])
        self.length2 = np.maximum((self.step**2).sum(axis=1), 1e-9)
        area = sum((1 if index == 0 else -1) * _area(ring) for index, ring in enumerate(ends))
        self.width_m = math.sqrt(max(area, 0.0) / math.pi)

    def _metres(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        moved: NDArray[np.float64] = (points - (self.lon, self.lat)) * self.scale
        return moved

    def outside_by_m(self, lon: float, lat: float) -> float:
        point = self._metres(np.array([lon, lat]))
        to_point = point - self.start
        along = np.clip((to_point * self.step).sum(axis=1) / self.length2, 0.0, 1.0)
        distance = float(np.sqrt(((to_point - along[:, None] * self.step) ** 2).sum(axis=1).min()))
        # A ray to the east crosses the line an odd number of times from within.
        y0, y1 = self.start[:, 1], self.start[:, 1] + self.step[:, 1]
        crosses = (y0 > point[1]) != (y1 > point[1])
        at_x = self.start[crosses, 0] + (point[1] - y0[crosses]) / self.step[crosses, 1] * self.step[crosses, 0]
        is_inside = int((at_x > point[0]).sum()) % 2 == 1
        return -distance if is_inside else distance

    def box(self, margin_m: float) -> tuple[float, float, float, float]:
        across, up = margin_m / self.scale
        return self.west - across, self.south - up, self.east + across, self.north + up


def _area(ring: NDArray[np.float64]) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(abs((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2)


Place = Circle | Shape


@dataclass(frozen=True, slots=True)
class FenceRule:
    margin_m: float = 25.0
    dwell_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Seconds since 1970. ``left_at``: the first fix that was out for certain; the unit went at some time since ``last_inside_at``."""

    entered_at: float
    last_inside_at: float
    dwelt_at: float | None = None
    left_at: float | None = None


ENTERED, DWELT, LEFT = "entered", "dwelt", "left"


def says_nothing(accuracy_m: float | None, width_m: float) -> bool:
    """Whether a fix is too blunt for a fence of this width (a circle's radius)."""
    return accuracy_m is not None and accuracy_m > width_m


def step(
    visit: Visit | None,
    *,
    at: float,
    outside_by_m: float,
    accuracy_m: float | None,
    width_m: float,
    rule: FenceRule,
    is_active: bool = True,
) -> tuple[Visit | None, tuple[str, ...]]:
    """One fix against one fence: the visit as it stands now (``None``: none) and what happened, in order.

    Outside its hours a fence is nowhere: nobody enters, and who is in has left.
    """
    if visit is not None and not is_active:
        return replace(visit, left_at=at), (LEFT,)
    if not is_active or says_nothing(accuracy_m, width_m):
        return visit, ()
    if visit is None:
        return (Visit(at, at), (ENTERED,)) if outside_by_m <= 0 else (None, ())
    if outside_by_m > max(rule.margin_m, accuracy_m or 0.0):
        return replace(visit, left_at=at), (LEFT,)
    if outside_by_m > 0:
        return visit, ()  # in the band: neither in nor out
    visit = replace(visit, last_inside_at=at)
    if visit.dwelt_at is None and at - visit.entered_at >= rule.dwell_s:
        return replace(visit, dwelt_at=at), (DWELT,)
    return visit, ()
