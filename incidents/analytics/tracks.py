"""Which hot spot of this run is which of the last: born, grown, shrunk, moved, steady, merged, split, gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.outline import inside, ring_area

BORN, GROWN, SHRUNK, MOVED, STEADY, MERGED, SPLIT = "born", "grown", "shrunk", "moved", "steady", "merged", "split"
MIN_SHARED = 0.25  # of the smaller outline: less is a neighbour, not the same place
_SWALLOWED = 0.5  # of an outline that lies in another one: it has gone into it, or come out of it
_CHANGED, _CHANGED_BY = 0.2, 3  # grown or shrunk: by a fifth at least, and by three incidents
_SAMPLES = 64  # along each side of the box in which two outlines are laid over one another


@dataclass(frozen=True)
class Sighting:
    """One hot spot as one run saw it; ``ring_m`` closed, in metres."""

    ring_m: NDArray[np.float64]
    centre_m: tuple[float, float]
    count: int


@dataclass(frozen=True)
class Followed:
    """What one of the new sightings is.

    ``same_as`` is the index of the earlier sighting it goes on from, ``merged`` those of others that went into it, ``split_from`` that of
    the one it came out of.
    """

    change: str
    same_as: int | None = None
    merged: tuple[int, ...] = ()
    split_from: int | None = None


def follow(before: Sequence[Sighting], now: Sequence[Sighting], *, reach_m: float) -> tuple[list[Followed], list[int]]:
    """Match the hot spots of one run with those of the run before.

    Two sightings whose outlines share at least a quarter of the smaller one are akin. Of all akin pairs the one that shares most ground is
    taken first, and each sighting is taken once, so that identity is one to one. An earlier one left over that lies by half in a new one
    has merged into it; a new one left over that lies by half in an earlier one has split from it. The answer does not depend on
    anything but the arguments; equal shares go to the lower index.

    Parameters
    ----------
    before, now : sequence of Sighting
    reach_m : float
        A centre further than this from where it was has moved.

    Returns
    -------
    followed : list of Followed, one for each of ``now``
    gone : list of int
        Indices of ``before`` that went on nowhere and into nothing.

    Examples
    --------
    >>> import numpy as np
    >>> def square(west, side=200.0, count=20):
    ...     ring = np.array([[0, 0], [side, 0], [side, side], [0, side], [0, 0]]) + [west, 0]
    ...     return Sighting(ring, (west + side / 2, side / 2), count)
    >>> followed, gone = follow([square(0), square(9000)], [square(40, count=30), square(5000)], reach_m=300.0)
    >>> [(f.change, f.same_as) for f in followed], gone
    ([('grown', 0), ('born', None)], [1])
    """
    shared = _shared_areas(before, now)
    areas_before = [abs(ring_area(one.ring_m)) for one in before]
    areas_now = [abs(ring_area(one.ring_m)) for one in now]
    akin = sorted((-common, i, j) for (i, j), common in shared.items() if common >= MIN_SHARED * min(areas_before[i], areas_now[j]))
    goes_on: dict[int, int] = {}
    comes_from: dict[int, int] = {}
    for _, i, j in akin:
        if i not in goes_on and j not in comes_from:
            goes_on[i], comes_from[j] = j, i
    merged: dict[int, list[int]] = {}
    came_out: dict[int, int] = {}
    for common, i, j in akin:
        if i not in goes_on and j in comes_from and -common >= _SWALLOWED * areas_before[i]:
            goes_on[i] = j
            merged.setdefault(j, []).append(i)
        elif j not in comes_from and j not in came_out and -common >= _SWALLOWED * areas_now[j]:
            came_out[j] = i
    followed = []
    for j, sighting in enumerate(now):
        if j in comes_from:
            was = before[comes_from[j]]
            change = MERGED if j in merged else _change(was, sighting, reach_m)
            followed.append(Followed(change, comes_from[j], tuple(sorted(merged.get(j, ())))))
        else:
            followed.append(Followed(SPLIT if j in came_out else BORN, split_from=came_out.get(j)))
    return followed, [i for i in range(len(before)) if i not in goes_on]


def _change(was: Sighting, now: Sighting, reach_m: float) -> str:
    if np.hypot(now.centre_m[0] - was.centre_m[0], now.centre_m[1] - was.centre_m[1]) > reach_m:
        return MOVED
    if abs(now.count - was.count) < max(_CHANGED_BY, _CHANGED * was.count):
        return STEADY
    return GROWN if now.count > was.count else SHRUNK


def _shared_areas(before: Sequence[Sighting], now: Sequence[Sighting]) -> dict[tuple[int, int], float]:
    """The ground two outlines share, in square metres, for each pair that shares any."""
    boxes = [[(one.ring_m.min(axis=0), one.ring_m.max(axis=0)) for one in side] for side in (before, now)]
    shared = {}
    for (i, a), (j, b) in product(enumerate(boxes[0]), enumerate(boxes[1])):
        low, high = np.maximum(a[0], b[0]), np.minimum(a[1], b[1])
        if (low >= high).any():
            continue
        steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
        x, y = np.meshgrid(low[0] + (high[0] - low[0]) * steps, low[1] + (high[1] - low[1]) * steps)
        spots = np.stack([x.ravel(), y.ravel()], axis=1)
        common = float((inside(before[i].ring_m, spots) & inside(now[j].ring_m, spots)).mean() * np.prod(high - low))
        if common > 0:
            shared[i, j] = common
    return shared
