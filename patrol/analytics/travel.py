"""Times and ways between places: the matrix every provider returns, and the plainest of them, the straight line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Place = tuple[float, float]

DETOUR = 1.4
SPEED_KMH = 35.0

STRAIGHT = "straight"
ROADS = "roads"
SERVER = "server"


@dataclass(frozen=True)
class Matrix:
    """Seconds and metres from each place to each other.

    Attributes
    ----------
    points : float array, shape (n, 2)
        The places as they were given: longitude and latitude by a provider, metres by `straight`.
    seconds, metres : float arrays, shape (n, n)
        From the row's place to the column's; infinite where there is no way.
    name : str
        Who measured: `STRAIGHT`, `ROADS` or `SERVER`.
    fell_back_from : str
        The provider that should have measured and could not; empty where all went well.
    why : str
        Code of what went wrong then, or of what the reader should know.
    details : dict
        Plain values about the making: detour factor, network, places far from a road.
    """

    points: FloatArray
    seconds: FloatArray = field(repr=False)
    metres: FloatArray = field(repr=False)
    name: str = STRAIGHT
    fell_back_from: str = ""
    why: str = ""
    details: dict[str, float | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.seconds.shape != (n, n) or self.metres.shape != (n, n):
            raise ValueError(f"{n} places need {n} × {n} ways, not {self.seconds.shape} and {self.metres.shape}")
        if np.isnan(self.seconds).any() or np.isnan(self.metres).any() or (self.seconds < 0).any() or (self.metres < 0).any():
            raise ValueError("ways are not negative; infinite where there is none")

    @property
    def note(self) -> str:
        """``server:timed_out`` where another had to step in; empty where all went well."""
        return f"{self.fell_back_from}:{self.why}" if self.fell_back_from else ""

    @cached_property
    def _row(self) -> dict[Place, int]:
        return {(float(x), float(y)): row for row, (x, y) in enumerate(self.points)}

    def at(self, place: Place) -> int:
        """The row of a place.

        Raises
        ------
        KeyError
            The place was not among those the matrix was made for.
        """
        return self._row[(float(place[0]), float(place[1]))]

    def between(self, start: Place, end: Place) -> tuple[float, float]:
        """Seconds and metres from one place to another."""
        row, column = self.at(start), self.at(end)
        return float(self.seconds[row, column]), float(self.metres[row, column])


def straight(xy: ArrayLike, *, detour: float = DETOUR, speed_kmh: float = SPEED_KMH) -> Matrix:
    """Straight lines times a detour factor, at one speed.

    Roads are about 1.2 to 1.5 times as long as the straight line [1]_; 1.4 is used where nothing better is known.

    Parameters
    ----------
    xy : array-like, shape (n, 2)
        Metres of a projection.
    detour : float
        Way over straight line, at least 1.
    speed_kmh : float
        Mean speed, stops at lights included.

    Raises
    ------
    ValueError
        Places that are not finite pairs, a detour below 1 or a speed of 0.

    References
    ----------
    .. [1] Ballou, R. H., Rahardja, H. & Sakai, N. (2002). Selected country circuity factors for road travel distance estimation.
       Transportation Research A 36(9), 843-848.

    Examples
    --------
    >>> float(straight([(0, 0), (3000, 4000)]).metres[0, 1])
    7000.0
    """
    places = as_places(xy)
    if not detour >= 1 or not speed_kmh > 0 or not math.isfinite(speed_kmh * detour):
        raise ValueError("the detour is at least 1, the speed above 0")
    metres = detour * np.hypot(places[:, None, 0] - places[None, :, 0], places[:, None, 1] - places[None, :, 1])
    return Matrix(places, metres / (speed_kmh / 3.6), metres, STRAIGHT, details={"detour": detour, "speed_kmh": speed_kmh})


def as_places(xy: ArrayLike) -> FloatArray:
    """An array of shape (n, 2), of finite numbers; refuses anything else."""
    places = np.asarray(xy, dtype=float)
    if places.size == 0:
        return places.reshape(0, 2)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise ValueError(f"places are finite pairs, not {places.shape}")
    return places
