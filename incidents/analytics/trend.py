"""Has a hot spot's rate changed? A ratio that takes back what drawing the outline round today's crowd has put in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import beta

from incidents.analytics.dbscan import NOISE, dbscan

DRAWS = 60
LEAST_WINDOWS = 3  # with fewer there is no past to draw a hot spot in and still compare it with
_LIKE = 30  # earlier hot spots of like size that a correction is read from, at least
_LEAST_LIKE = 20
_SIZE_RATIO = 1.5
_NEAR = 1 / 3  # of the radius: ground this close to a member belongs to the hot spot
_MOST_DRAWN = 2_000_000
_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Ratios:
    """For each cluster the rate now over the rate of the windows before, with its 95 % interval; NaN where too little is known to say.

    ``drawn`` is how many hot spots of the past the correction was read from.
    """

    ratio: _FloatArray
    low: _FloatArray
    high: _FloatArray
    drawn: int


def rate_ratios(
    xy_m: _FloatArray,
    labels: _IntArray,
    *,
    past_xy_m: _FloatArray,
    past_age: _FloatArray,
    windows: int,
    eps_m: float,
    min_points: int,
    rng: np.random.Generator,
    draws: int = DRAWS,
    beat: Callable[[], None] = lambda: None,
) -> Ratios:
    """Compare each cluster's count with those of ``windows`` equally long windows before, on the same ground.

    The ground was chosen because today is crowded there, so that even where nothing changed today's count tends to be above the past's
    (regression to the mean). How far above is measured: stretches as long as the window are taken out of the past at random moments,
    clustered in the same way, and their hot spots compared with the rest of the past. The middle of those log ratios, among earlier hot
    spots of like size, is taken off; the interval is the wider of the exact conditional (Clopper-Pearson) one around the corrected ratio
    and of what the earlier hot spots' own spread allows, which holds the bursts that a Poisson count does not know. Today's incidents
    are not drawn from, so that a real rise does not hide itself.

    Parameters
    ----------
    xy_m, labels : ndarray
        Today's incidents and their clusters, as :func:`dbscan` gives them with ``eps_m`` and ``min_points``.
    past_xy_m : ndarray of float64, shape (p, 2)
        Incidents of the windows before, in metres.
    past_age : ndarray of float64, shape (p,)
        How many windows before the beginning of today's each lies: from 0 to ``windows``.
    windows : int
        How many windows the past holds; below three nothing is said.
    rng : numpy.random.Generator
    draws : int
        Stretches taken out of the past; fewer for very many incidents.
    beat : callable
        Called between draws.

    Returns
    -------
    Ratios

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26, 404-413; Przyborowski & Wilenski (1940), Biometrika 31, 313-323 (ratio of two Poisson rates).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(2)
    >>> places = rng.uniform(0, 60_000, (40, 2))
    >>> def window(counts):
    ...     return np.concatenate([place + rng.normal(0, 50, (n, 2)) for place, n in zip(places, counts)])
    >>> past = [window(rng.poisson(16, 40)) for _ in range(6)]
    >>> today = window([80, *[16] * 39])
    >>> said = rate_ratios(today, dbscan(today, eps_m=300, min_points=10), past_xy_m=np.concatenate(past), windows=6, eps_m=300,
    ...     past_age=np.concatenate([k + rng.random(len(xy)) for k, xy in enumerate(past)]), min_points=10, rng=rng)
    >>> bool(said.low[0] > 2), int((said.low[1:] > 1).sum())
    (True, 0)
    """
    clusters = int(labels.max(initial=NOISE)) + 1
    nothing = np.full(clusters, np.nan)
    if not clusters or windows < LEAST_WINDOWS:
        return Ratios(nothing, nothing, nothing, 0)
    now, before = _counts_near(xy_m, labels, past_xy_m, eps_m)
    raw = _log_ratio(now, before, windows)
    sizes, drifts = _drawn_from_the_past(past_xy_m, past_age, windows, eps_m, min_points, rng, _affordable(len(xy_m), draws), beat)
    if len(sizes) < _LEAST_LIKE:
        return Ratios(nothing, nothing, nothing, len(sizes))
    drift_low, drift_middle, drift_high = _quantiles_of_like_size(np.log(now), np.log(sizes), drifts)
    exact_low, exact_high = exact_interval(now, before, windows)
    return Ratios(
        ratio=np.exp(raw - drift_middle),
        low=np.minimum(exact_low * np.exp(-drift_middle), np.exp(raw - drift_high)),
        high=np.maximum(exact_high * np.exp(-drift_middle), np.exp(raw - drift_low)),
        drawn=len(sizes),
    )


def exact_interval(now: _FloatArray, before: _FloatArray, windows: float, *, level: float = 0.95) -> tuple[_FloatArray, _FloatArray]:
    """The conditional interval of the ratio of two Poisson rates, ``now`` over one window and ``before`` over ``windows``.

    >>> import numpy as np
    >>> low, high = exact_interval(np.array([10.0]), np.array([60.0]), 6)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.46], [1.97])
    """
    tail = (1 - level) / 2
    now, before = np.asarray(now, dtype=np.float64), np.asarray(before, dtype=np.float64)
    share_low = np.where(now > 0, beta.ppf(tail, np.maximum(now, 1e-9), before + 1), 0.0)
    share_high = np.where(before > 0, beta.ppf(1 - tail, now + 1, np.maximum(before, 1e-9)), 1.0)
    with np.errstate(divide="ignore"):
        return share_low / (1 - share_low) * windows, share_high / (1 - share_high) * windows


def _counts_near(xy_m: _FloatArray, labels: _IntArray, past_xy_m: _FloatArray, eps_m: float) -> tuple[_FloatArray, _FloatArray]:
    """Incidents of each cluster now, and those of the past on its ground: nearest to one of its members, and near."""
    members = np.flatnonzero(labels >= 0)
    clusters = int(labels.max()) + 1
    tree = cKDTree(xy_m[members], balanced_tree=False, compact_nodes=False)

    def counted(points: _FloatArray) -> _FloatArray:
        distance, nearest = tree.query(points, distance_upper_bound=_NEAR * eps_m) if len(points) else (np.empty(0), np.empty(0, int))
        return np.bincount(labels[members][nearest[np.isfinite(distance)]], minlength=clusters).astype(np.float64)

    return counted(xy_m), counted(past_xy_m)


def _log_ratio(now: _FloatArray, before: _FloatArray, windows: float) -> _FloatArray:
    return np.asarray(np.log(now + 0.5) - np.log((before + 0.5) / windows), dtype=np.float64)


def _affordable(n: int, draws: int) -> int:
    return int(np.clip(_MOST_DRAWN // max(n, 1), 6, draws))


def _drawn_from_the_past(
    past_xy_m: _FloatArray,
    past_age: _FloatArray,
    windows: int,
    eps_m: float,
    min_points: int,
    rng: np.random.Generator,
    draws: int,
    beat: Callable[[], None],
) -> tuple[_FloatArray, _FloatArray]:
    """The size and the log ratio of each hot spot found in stretches of the past, compared with the rest of it."""
    sizes, drifts = [np.empty(0)], [np.empty(0)]
    # Evenly spread moments, begun anywhere: stretches that overlap little say most. The past is taken as a ring.
    for begin in (rng.random() + np.arange(draws) * (windows / draws)) % windows:
        beat()
        taken = (past_age - begin) % windows < 1
        here, rest = past_xy_m[taken], past_xy_m[~taken]
        labels = dbscan(here, eps_m=eps_m, min_points=min_points)
        if labels.max(initial=NOISE) < 0:
            continue
        now, before = _counts_near(here, labels, rest, eps_m)
        sizes.append(now)
        drifts.append(_log_ratio(now, before, windows - 1))
    return np.concatenate(sizes), np.concatenate(drifts)


def _quantiles_of_like_size(size: _FloatArray, sizes: _FloatArray, drifts: _FloatArray) -> tuple[_FloatArray, _FloatArray, _FloatArray]:
    """The 2.5, 50 and 97.5 % points of ``drifts`` among those whose log size is near each ``size``."""
    order = np.argsort(sizes, kind="stable")
    sizes, drifts = sizes[order], drifts[order]
    rows = []
    for one in size:
        first, last = np.searchsorted(sizes, [one - np.log(_SIZE_RATIO), one + np.log(_SIZE_RATIO)])
        if last - first < _LIKE:
            nearest = np.argsort(np.abs(sizes - one), kind="stable")[:_LIKE]
            rows.append(_tails(drifts[nearest]))
        else:
            rows.append(_tails(drifts[first:last]))
    low, middle, high = np.array(rows).T
    return low, middle, high


def _tails(drifts: _FloatArray) -> tuple[float, float, float]:
    """Of few, the furthest: the quantile of n values is read at rank 0.025 (n + 1), never inside of what was seen."""
    n = len(drifts)
    low, high = np.array([0.025, 0.975]) * (n + 1) - 1
    ordered = np.sort(drifts)
    return float(ordered[max(0, int(np.floor(low)))]), float(np.median(drifts)), float(ordered[min(n - 1, int(np.ceil(high)))])
