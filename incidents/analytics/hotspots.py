"""Hot spots: where incidents crowd, and what can be said about each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from incidents.analytics.background import judge
from incidents.analytics.dbscan import NOISE, dbscan
from incidents.analytics.outline import inside, outline, ring_area
from incidents.analytics.trend import rate_ratios

__all__ = [
    "NOISE",
    "SEVERITY_WEIGHTS",
    "Described",
    "Events",
    "Found",
    "Past",
    "Standing",
    "clear_peak",
    "dbscan",
    "describe",
    "find_hot_spots",
]

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
class Past:
    """Incidents of equally long windows before the one looked at.

    Attributes
    ----------
    xy_m : ndarray of float64, shape (p, 2)
    age : ndarray of float64, shape (p,)
        How many windows before the beginning of the one looked at: 0 to 1 for the window right before it.
    has_data : tuple of bool
        One for each window, the latest first: whether any data came in it. A window without (a feed that was silent) says nothing.
    """

    xy_m: NDArray[np.float64]
    age: NDArray[np.float64]
    has_data: tuple[bool, ...]

    @classmethod
    def none(cls) -> Past:
        return cls(np.empty((0, 2)), np.empty(0), ())

    @property
    def window(self) -> NDArray[np.int64]:
        return np.clip(np.floor(self.age).astype(np.int64), 0, max(len(self.has_data) - 1, 0))

    def without_silence(self) -> Past:
        """The windows with data alone, moved together."""
        has_data = np.array(self.has_data, dtype=bool)
        if has_data.all():
            return self
        place = np.cumsum(has_data) - 1
        kept = has_data[self.window]
        window = self.window[kept]
        return Past(self.xy_m[kept], self.age[kept] - window + place[window], (True,) * int(has_data.sum()))


@dataclass(frozen=True)
class Standing:
    """How one hot spot stands against its past and against its surroundings; ``None`` where too little is known to say.

    The ratio is of today's rate over the past's, corrected for the outline having been drawn round today's crowd, with its 95 % interval;
    ``background_count`` is what the surroundings would put inside the outline; ``q_value`` the false-discovery rate of calling it more.
    """

    rate_ratio: float | None = None
    rate_ratio_low: float | None = None
    rate_ratio_high: float | None = None
    background_count: float | None = None
    q_value: float | None = None


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
    previous_counts: tuple[int | None, ...]
    peak_hour: int | None
    peak_weekday: int | None
    leading_kinds: tuple[tuple[int, int], ...]
    standing: Standing = Standing()


def describe(
    events: Events,
    members: NDArray[np.int64],
    *,
    reach_m: float,
    past: Past,
    leading: int = 3,
) -> Described:
    """Say what one cluster is: its outline, weight, history, clock and contents.

    ``previous_counts`` are the incidents of each window before that fell *inside this outline*, ``None`` for a window without data. The
    outline was drawn around where incidents crowd now, so these plain figures lean towards "up"; :func:`trend.rate_ratios` corrects that.

    Parameters
    ----------
    events : Events
        All incidents of the window.
    members : ndarray of int, shape (k,)
        Indices of the cluster's incidents; k at least 1.
    reach_m : float
        The radius the cluster was found with, in metres.
    past : Past
        The incidents of the windows before.
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
    >>> found = describe(events, np.arange(n), reach_m=300.0, past=Past(np.zeros((3, 2)), np.array([0.2, 0.9, 2.5]), (True, False, True)))
    >>> found.count, found.previous_counts, found.severity_score, found.peak_hour, found.peak_weekday, found.leading_kinds
    (12, (2, None, 1), 96.0, 22, None, ((7, 12),))
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
        previous_counts=_counted(past, inside(ring, past.xy_m)),
        peak_hour=clear_peak(mine.hour, slots=24, width=3),
        peak_weekday=clear_peak(mine.weekday, slots=7, width=1),
        leading_kinds=tuple(counts[:leading]),
    )


def _counted(past: Past, chosen: NDArray[np.bool_]) -> tuple[int | None, ...]:
    counts = np.bincount(past.window[chosen], minlength=len(past.has_data))
    return tuple(int(count) if has_data else None for count, has_data in zip(counts, past.has_data, strict=False))


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


@dataclass(frozen=True)
class Found:
    """Hot spots, heaviest first; how often chance was drawn to judge them, and how many hot spots of the past their trends rest on."""

    spots: list[Described]
    draws: int = 0
    drawn_from_past: int = 0


def find_hot_spots(
    events: Events,
    *,
    eps_m: float,
    min_points: int,
    past: Past,
    rng: np.random.Generator,
    leading: int = 3,
    beat: Callable[[], None] = lambda: None,
) -> Found:
    """Cluster ``events``, describe each cluster, and judge it against its past and its surroundings; the heaviest (by severity) first.

    Raises ``ValueError`` as :func:`dbscan` does. No incidents, or fewer than ``min_points``, give an empty list.
    """
    labels = dbscan(events.xy_m, eps_m=eps_m, min_points=min_points)
    if labels.max(initial=NOISE) < 0:
        return Found([])
    same: dict[str, Any] = {"eps_m": eps_m, "min_points": min_points, "rng": rng, "beat": beat}
    judged = judge(events.xy_m, labels, known_xy_m=past.xy_m, **same)
    usable = past.without_silence()
    trend = rate_ratios(events.xy_m, labels, past_xy_m=usable.xy_m, past_age=usable.age, windows=len(usable.has_data), **same)
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(labels.max() + 2))
    spots = []
    for cluster, (start, end) in enumerate(pairwise(bounds)):
        beat()
        spot = describe(events, order[start:end], reach_m=eps_m, past=past, leading=leading)
        standing = Standing(
            rate_ratio=_known(trend.ratio[cluster]),
            rate_ratio_low=_known(trend.low[cluster]),
            rate_ratio_high=_known(trend.high[cluster]),
            background_count=float(judged.expected_per_km2[cluster] * spot.area_km2),
            q_value=float(judged.q[cluster]),
        )
        spots.append(replace(spot, standing=standing))
    spots.sort(key=lambda spot: (-spot.severity_score, -spot.count, spot.centre_m))
    return Found(spots, judged.draws, trend.drawn)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
