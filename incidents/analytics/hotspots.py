"""Hot spots: where incidents crowd, and what can be said about each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from incidents.analytics.dbscan import NOISE, dbscan
from incidents.analytics.outline import inside, outline, ring_area

__all__ = ["NOISE", "SEVERITY_WEIGHTS", "Described", "Events", "clear_peak", "dbscan", "describe", "find_hot_spots"]

# One critical incident counts like eight low ones; the scale doubles from step to step.
SEVERITY_WEIGHTS = {1: 1.0, 2: 2.0, 3: 4.0, 4: 8.0}
_PEAK_P = 0.05


@dataclass(frozen=True)
class Events:
    """Incidents as columns of equal length.

    Attributes
    ----------
    xy_m : ndarray of float64, shape (n, 2)
        Easting and northing in metres.
    severity : ndarray of int, shape (n,)
        1 (low) to 4 (critical).
    kind : ndarray of int, shape (n,)
        A number for the incident's type.
    hour, weekday : ndarray of int, shape (n,)
        In local time; Monday is 0.
    """

    xy_m: NDArray[np.float64]
    severity: NDArray[np.int64]
    kind: NDArray[np.int64]
    hour: NDArray[np.int64]
    weekday: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.xy_m)

    def where(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Events:
        return Events(self.xy_m[chosen], self.severity[chosen], self.kind[chosen], self.hour[chosen], self.weekday[chosen])


@dataclass(frozen=True)
class Described:
    """One hot spot. Metres and square kilometres; hour and weekday in local time, ``None`` where no hour or day stands out."""

    members: NDArray[np.int64]
    ring_m: NDArray[np.float64]
    centre_m: tuple[float, float]
    count: int
    area_km2: float
    density_per_km2: float
    severity_score: float
    previous_count: int
    peak_hour: int | None
    peak_weekday: int | None
    leading_kinds: tuple[tuple[int, int], ...]


def describe(
    events: Events,
    members: NDArray[np.int64],
    *,
    reach_m: float,
    previous_xy_m: NDArray[np.float64],
    leading: int = 3,
) -> Described:
    """Say what one cluster is: its outline, weight, history, clock and contents.

    ``previous_count`` counts the incidents of the window before that fell *inside this outline*. The outline was drawn around
    where incidents crowd now, so a fall from before to now is telling, while a rise is partly the drawing's own doing
    (regression to the mean): a trend read from these two figures leans towards "up".

    Parameters
    ----------
    events : Events
        All incidents of the window.
    members : ndarray of int, shape (k,)
        Indices of the cluster's incidents; k at least 1.
    reach_m : float
        The radius the cluster was found with, in metres.
    previous_xy_m : ndarray of float64, shape (p, 2)
        The incidents of the window before, in metres.
    leading : int
        How many types to name.

    Returns
    -------
    Described

    Raises
    ------
    ValueError
        For a cluster without members, or coordinates that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> n = 12
    >>> one = np.ones(n, dtype=int)
    >>> events = Events(np.zeros((n, 2)), one * 4, one * 7, one * 22, np.arange(n) % 7)
    >>> found = describe(events, np.arange(n), reach_m=300.0, previous_xy_m=np.zeros((3, 2)))
    >>> found.count, found.previous_count, found.severity_score, found.peak_hour, found.peak_weekday, found.leading_kinds
    (12, 3, 96.0, 22, None, ((7, 12),))
    """
    mine = events.where(members)
    ring = outline(mine.xy_m, reach_m=reach_m)
    area_km2 = ring_area(ring) / 1e6
    weights = np.array([SEVERITY_WEIGHTS.get(level, 1.0) for level in range(5)])
    # The member nearest to the middle: a real address, and inside the outline however bent it is.
    off = mine.xy_m - np.median(mine.xy_m, axis=0)
    centre = mine.xy_m[int(np.argmin(np.hypot(off[:, 0], off[:, 1])))]
    counts = sorted(Counter(mine.kind.tolist()).items(), key=lambda item: (-item[1], item[0]))
    return Described(
        members=members,
        ring_m=ring,
        centre_m=(float(centre[0]), float(centre[1])),
        count=len(mine),
        area_km2=area_km2,
        density_per_km2=len(mine) / area_km2,
        severity_score=float(weights[np.clip(mine.severity, 0, 4)].sum()),
        previous_count=int(inside(ring, previous_xy_m).sum()),
        peak_hour=clear_peak(mine.hour, slots=24, width=3),
        peak_weekday=clear_peak(mine.weekday, slots=7, width=1),
        leading_kinds=tuple(counts[:leading]),
    )


def clear_peak(values: NDArray[np.int64] | Sequence[int], *, slots: int, width: int) -> int | None:
    """The middle of the busiest ``width`` slots of a cycle, or ``None`` where none is busier than chance allows.

    The busiest window of an even spread is always above the average; it is named only when a binomial test, corrected for
    having looked at ``slots / width`` windows (Bonferroni), puts it below 5 %.

    >>> clear_peak([21, 22, 22, 23, 22, 21, 22, 9], slots=24, width=3)
    22
    >>> clear_peak([1, 5, 9, 13, 17, 21], slots=24, width=3) is None
    True
    """
    counts = np.bincount(np.asarray(values, dtype=np.int64), minlength=slots)
    total = int(counts.sum())
    window = sum(np.roll(counts, shift) for shift in range(-(width // 2), width - width // 2))
    window = np.asarray(window)
    # Ties go to the window whose middle is busiest itself.
    best = int(np.lexsort((counts, window))[-1])
    p = float(binom.sf(window[best] - 1, total, width / slots)) * (slots / width)
    return best if total and p < _PEAK_P else None


def find_hot_spots(
    events: Events, *, eps_m: float, min_points: int, previous_xy_m: NDArray[np.float64], leading: int = 3
) -> list[Described]:
    """Cluster ``events`` and describe each cluster, heaviest (by severity-weighted score) first.

    Raises ``ValueError`` as :func:`dbscan` does. No incidents, or fewer than ``min_points``, give an empty list.
    """
    labels = dbscan(events.xy_m, eps_m=eps_m, min_points=min_points)
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(labels.max(initial=-1) + 2))
    found = [
        describe(events, order[start:end], reach_m=eps_m, previous_xy_m=previous_xy_m, leading=leading) for start, end in pairwise(bounds)
    ]
    return sorted(found, key=lambda spot: (-spot.severity_score, -spot.count, spot.centre_m))
