"""What each cell has seen, looked at from many moments: counts that fade at several speeds, spread over several distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.sparse import coo_array, csr_array
from scipy.special import ndtr

from incidents.analytics.grid import Cells

_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]

STEP_DAYS = 7
_FINEST = 5  # a cell is cut into 5 × 5: an incident at its border also speaks for the next cell
_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Happened:
    """Incidents as columns of equal length, in any order.

    Attributes
    ----------
    xy_m : ndarray of float64, shape (n, 2)
        Easting and northing in metres of one projection.
    day : ndarray of float64, shape (n,)
        Local days since any fixed day, with their fraction: 12.5 is noon of day 12.
    own : ndarray of bool, shape (n,)
        Those of the kind to predict; the others are what else happened.
    """

    xy_m: _FloatArray
    day: _FloatArray
    own: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.xy_m.shape != (len(self.day), 2) or self.own.shape != self.day.shape:
            raise ValueError("Points, days and kinds must be columns of equal length.")
        if not (np.isfinite(self.xy_m).all() and np.isfinite(self.day).all()):
            raise ValueError("A coordinate or a time is not a finite number.")

    def before(self, day: float) -> Happened:
        earlier = self.day < day
        return Happened(self.xy_m[earlier], self.day[earlier], self.own[earlier])


@dataclass(frozen=True)
class Source:
    """A family of components: which incidents, how fast they fade (mean life in days), how far they spread (sigma in metres)."""

    name: str
    lives_days: tuple[float, ...]
    spreads_m: tuple[float, ...]


# Chosen by walk-forward backtests on nine series of four cities (docs/decisions/0130): fewer lose, more gain nothing.
SOURCES = (
    Source("own", (7, 28, 112, 448, 3000), (0, 100, 250, 800)),
    Source("days", (112, 448, 3000), (0, 100)),  # a place counts once a day: ten victims of one event are one event
    Source("others", (28, 448), (0, 250)),
)
SMOOTH = (Source("own", (448,), (0, 250)),)
SEASON_SPREADS_M = (0, 250)
_SEASON_YEARS, _SEASON_WEEKS = (52, 104, 156, 209), 3


@dataclass(frozen=True)
class Components:
    """``values[o, c, k]``: incidents a week that component k alone would expect in cell c from what lies before ``origins[o]``."""

    values: NDArray[np.float32]
    origins: _FloatArray
    names: tuple[str, ...]


def part_name(component: str) -> str:
    """
    >>> [part_name(name) for name in ("own 3000 0", "days 112 0", "own 28 250", "others 28 0", "season 0", "flat")]
    ['long_run', 'recent', 'near_repeat', 'others', 'season', 'background']
    """
    kind, *figures = component.split(" ")
    if kind in ("others", "season"):
        return kind
    if kind == "flat":
        return "background"
    life, spread = float(figures[0]), float(figures[1])
    if spread == 0:
        return "long_run" if life > 200 else "recent"
    return "neighbours" if life > 40 else "near_repeat"


def components(happened: Happened, cells: Cells, origins: _FloatArray, *, keep: int, sources: Sequence[Source] = SOURCES) -> Components:
    """Look back from each origin, one week apart; only incidents before an origin enter what is seen from it.

    Parameters
    ----------
    happened : Happened
    cells : Cells
    origins : ndarray of float64, shape (o,)
        Days, ascending, exactly a week apart, from near the first incident on.
    keep : int
        Return the last ``keep`` origins only (the earlier ones are needed for the fading).

    Returns
    -------
    Components
        With ``len(origins) == keep``; the components are the same for every call with the same ``sources`` except that "others"
        is left out where nothing else happened.
    """
    if len(origins) > 1 and not np.allclose(np.diff(origins), STEP_DAYS):
        raise ValueError("Origins must be a week apart.")
    seen = happened.day < origins[-1]
    xy, day, own = happened.xy_m[seen], happened.day[seen], happened.own[seen]
    week = np.ceil((day - origins[0]) / STEP_DAYS + 1e-12).astype(np.int64)  # the first origin that sees it
    week = np.maximum(week, 0)
    on_origin = day >= origins[week]  # an incident exactly at an origin is not before it
    week = np.minimum(week + on_origin, len(origins) - 1)
    weeks_seen = np.maximum(origins - (day.min() if len(day) else origins[0]), 1.0)

    distances = {0.0, *SEASON_SPREADS_M, *(metres for source in sources for metres in source.spreads_m)}
    spread = {metres: Smear(xy, cells, metres) for metres in distances}
    members = {"own": own, "days": _first_of_day_and_place(spread[0.0].place_of, day, own), "others": ~own}
    there = [source for source in sources if source.name != "others" or members["others"].any()]
    names = [f"{source.name} {life:g} {metres:g}" for source in there for life in source.lives_days for metres in source.spreads_m]
    names += [*(f"season {metres:g}" for metres in SEASON_SPREADS_M), "flat"]
    values = np.ones((min(keep, len(origins)), len(cells), len(names)), dtype=np.float32)  # filled column by column: the last is flat
    number = 0
    for source in there:
        mine = np.flatnonzero(members[source.name])
        age = origins[week[mine]] - day[mine]
        for life in source.lives_days:
            weights = np.exp(-age / life)
            fade = float(np.exp(-STEP_DAYS / life))
            lived = life * (1 - np.exp(-weeks_seen / life)) / STEP_DAYS
            for metres in source.spreads_m:
                fresh = spread[metres].by_week(mine, weights, week[mine], len(origins))
                faded = lfilter([1.0], [1.0, -fade], fresh, axis=1)
                values[:, :, number] = (faded / lived)[:, -keep:].T
                number += 1
    mine = np.flatnonzero(own)
    for metres in SEASON_SPREADS_M:
        values[:, :, number] = _season(spread[metres].by_week(mine, np.ones(len(mine)), week[mine], len(origins)))[-keep:]
        number += 1
    return Components(values, origins[-keep:], tuple(names))


class Smear:
    """Points smeared by a Gaussian of ``sigma_m`` (0: as they are) over the cells.

    Points are first put into small squares, ``per`` to a cell's side; the wider the smear, the coarser they may be.
    """

    def __init__(self, xy_m: _FloatArray, cells: Cells, sigma_m: float) -> None:
        per = _FINEST if sigma_m < cells.cell_m else 2 if sigma_m < 2 * cells.cell_m else 1
        self._place, self.place_of = _places(xy_m, cells.cell_m / per)
        self._share = _shares(self._place, cells, sigma_m, per)

    def by_week(self, chosen: _IntArray, weights: _FloatArray, week: _IntArray, weeks: int) -> _FloatArray:
        """(cells, weeks): what the ``chosen`` points, each with a weight and a week, come to in each cell."""
        table = csr_array(coo_array((weights, (self.place_of[chosen], week)), shape=(len(self._place), weeks)))
        return np.asarray((self._share @ table).toarray())

    def over(self, stretch: slice) -> _FloatArray:
        """(cells,): how many of a stretch of the points come to lie in each cell."""
        return np.asarray(self._share @ np.bincount(self.place_of[stretch], minlength=len(self._place)).astype(np.float64))


def _places(xy_m: _FloatArray, fine_m: float) -> tuple[_IntArray, _IntArray]:
    """The small squares that hold incidents (column, row), and which of them each incident lies in."""
    if not len(xy_m):
        return np.empty((0, 2), np.int64), np.empty(0, np.int64)
    at = np.floor(xy_m / fine_m).astype(np.int64)
    low = at.min(axis=0)
    height = int(at[:, 1].max() - low[1]) + 1
    keys, back = np.unique((at[:, 0] - low[0]) * height + (at[:, 1] - low[1]), return_inverse=True)
    return np.stack([keys // height, keys % height], axis=1) + low, back


def _first_of_day_and_place(place: _IntArray, day: _FloatArray, own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    first = np.zeros(len(day), dtype=bool)
    mine = np.flatnonzero(own)
    if len(mine):
        today = np.floor(day[mine]).astype(np.int64)
        today -= today.min()
        _, at = np.unique(place[mine] * (int(today.max()) + 1) + today, return_index=True)
        first[mine[at]] = True
    return first


def _shares(place: _IntArray, cells: Cells, sigma_m: float, per: int) -> csr_array:
    """(cells, places): the share of an incident in each place that falls into each cell when it is smeared."""
    cell_m, fine_m = cells.cell_m, cells.cell_m / per
    reach = int(np.ceil(3 * sigma_m / cell_m)) if sigma_m else 0
    offsets = np.arange(-reach, reach + 1)
    within = (np.arange(per) + 0.5) * fine_m
    if sigma_m:
        edges = (offsets[None, :] * cell_m - within[:, None]) / sigma_m
        one = ndtr(edges + cell_m / sigma_m) - ndtr(edges)
    else:
        one = np.ones((per, 1))
    column, row = place[:, 0] // per, place[:, 1] // per
    in_x, in_y = place[:, 0] % per, place[:, 1] % per
    parts = []
    for a, across in enumerate(offsets):
        for b, up in enumerate(offsets):
            share = one[in_x, a] * one[in_y, b]
            number = cells.find(column + across, row + up)
            lands = np.flatnonzero((number >= 0) & (share > _LEAST_SHARE))
            parts.append((share[lands], number[lands], lands))
    share, number, lands = (np.concatenate(column_) for column_ in zip(*parts, strict=True))
    return csr_array(coo_array((share, (number, lands)), shape=(len(cells), len(place))))


def _season(counts: _FloatArray) -> NDArray[np.float32]:
    """Incidents a week around the same time of the years before: (cells, weeks) in, (weeks, cells) out; 0 in the first year."""
    cells, weeks = counts.shape
    summed = np.concatenate([np.zeros((cells, 1)), np.cumsum(counts, axis=1)], axis=1)
    out = np.zeros((weeks, cells), dtype=np.float32)
    width = 2 * _SEASON_WEEKS + 1
    for week in range(weeks):
        starts = [week + 1 - back - _SEASON_WEEKS for back in _SEASON_YEARS if week + 1 - back - _SEASON_WEEKS >= 0]
        if starts:
            out[week] = sum(summed[:, start + width] - summed[:, start] for start in starts) / (width * len(starts))
    return out
