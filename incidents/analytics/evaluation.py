"""What a prediction was worth: how much of what happened lay where it pointed, and how far its numbers were off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammaincc

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Hits:
    """What fell into the cells pointed at. Sums, so that several periods can be added up before a ratio is taken.

    Attributes
    ----------
    hits : float
        Incidents in the chosen cells (n); not whole where equal scores were cut.
    incidents : float
        Incidents in all cells (N).
    chosen, cells : float
        Cells chosen (a) and cells in all (A).
    best : float
        The most incidents any choice of as many cells could have caught (n*).
    """

    hits: float
    incidents: float
    chosen: float
    cells: float
    best: float

    def __add__(self, other: Hits) -> Hits:
        return Hits(
            self.hits + other.hits,
            self.incidents + other.incidents,
            self.chosen + other.chosen,
            self.cells + other.cells,
            self.best + other.best,
        )

    @property
    def hit_rate(self) -> float:
        """n / N, a share; NaN where nothing happened."""
        return self.hits / self.incidents if self.incidents else float("nan")

    @property
    def pai(self) -> float:
        """Predictive accuracy index, (n / N) / (a / A): 1 is what chance gets (Chainey, Tompson, Uhlig 2008)."""
        return self.hit_rate / (self.chosen / self.cells) if self.incidents and self.chosen else float("nan")

    @property
    def pei_star(self) -> float:
        """Predictive efficiency index, n / n*: 1 is the best possible with as many cells (Hunt 2016; NIJ 2017)."""
        return self.hits / self.best if self.best else float("nan")


NO_HITS = Hits(0.0, 0.0, 0.0, 0.0, 0.0)


def cells_of(share: float, cells: int) -> int:
    """How many cells a share of the area is: rounded, but at least one.

    >>> cells_of(0.01, 2650), cells_of(0.01, 20)
    (26, 1)
    """
    if not 0 < share <= 1:
        raise ValueError(f"A share of the area lies above 0 and at most at 1, not at {share}.")
    return min(cells, max(1, round(share * cells)))


def hits_at(scores: _FloatArray, counts: _FloatArray, area_share: float) -> Hits:
    """What the highest-scored ``area_share`` of the cells caught.

    Where equal scores straddle the cut, each of those cells counts for the share of them that fits: the expected value of
    choosing among equals at random, which neither rewards nor punishes the order the cells happen to be in.

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
        One score a cell, higher is riskier. Not finite counts as lowest.
    counts : ndarray of float64, shape (n,)
        Incidents that happened in each cell.
    area_share : float
        Above 0 and at most 1.

    Raises
    ------
    ValueError
        For shapes that differ, no cells, negative counts, or a share out of range.

    References
    ----------
    Chainey, Tompson, Uhlig (2008), Security Journal 21, 4-28. National Institute of Justice (2017), Real-Time Crime Forecasting
    Challenge, scoring rules.

    Examples
    --------
    >>> import numpy as np
    >>> found = hits_at(np.array([9.0, 5, 5, 1]), np.array([3.0, 0, 2, 1]), 0.5)
    >>> found.hits, found.best, round(found.pai, 3), found.pei_star
    (4.0, 5.0, 1.333, 0.8)
    """
    scores, counts = np.asarray(scores, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if scores.shape != counts.shape or scores.ndim != 1 or not len(scores):
        raise ValueError(f"Scores and counts must be two rows of equal length, not {scores.shape} and {counts.shape}.")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("Counts must be finite and not negative.")
    n = len(scores)
    take = cells_of(area_share, n)
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    cut = np.partition(scores, n - take)[n - take]
    above, level = scores > cut, scores == cut
    room = take - int(above.sum())
    hits = float(counts[above].sum()) + float(counts[level].mean()) * room
    best = float(np.partition(counts, n - take)[n - take :].sum())
    return Hits(hits, float(counts.sum()), float(take), float(n), best)


def rri(later: Hits, earlier: Hits) -> float:
    """Recapture rate index: the later period's PAI over the earlier one's; 1 is stable (Levine 2008). NaN where either has none."""
    return later.pai / earlier.pai if earlier.pai and np.isfinite(earlier.pai) else float("nan")


def total(several: Sequence[Hits]) -> Hits:
    return sum(several, NO_HITS)


@dataclass(frozen=True)
class Estimate:
    """A figure and the interval it lies in."""

    value: float
    low: float
    high: float


def bootstrap_ratio(numerator: _FloatArray, denominator: _FloatArray, *, seed: int = 1, draws: int = 2000, share: float = 0.95) -> Estimate:
    """``sum(numerator) / sum(denominator)`` over periods, with a percentile interval from drawing whole periods anew.

    Both columns are drawn together, so what the periods have in common (a quiet week is quiet for every model) cancels out.

    Parameters
    ----------
    numerator, denominator : ndarray of float64, shape (periods,)
    seed : int
        The same seed gives the same interval.

    Raises
    ------
    ValueError
        For no periods or shapes that differ.

    References
    ----------
    Efron, Tibshirani (1993), An Introduction to the Bootstrap, ch. 13.

    Examples
    --------
    >>> import numpy as np
    >>> found = bootstrap_ratio(np.full(52, 12.0), np.full(52, 10.0))
    >>> found.value, found.low, found.high
    (1.2, 1.2, 1.2)
    """
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if top.shape != bottom.shape or top.ndim != 1 or not len(top):
        raise ValueError(f"Two rows of equal length are needed, not {top.shape} and {bottom.shape}.")
    drawn = np.random.default_rng(seed).integers(0, len(top), (draws, len(top)))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = top[drawn].sum(axis=1) / bottom[drawn].sum(axis=1)
        value = float(top.sum() / bottom.sum()) if bottom.sum() else float("nan")
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(ratios, [(1 - share) / 2, (1 + share) / 2])
    return Estimate(value, float(low), float(high))


def crps_count(mean: _FloatArray, dispersion: _FloatArray | float, observed: _FloatArray) -> _FloatArray:
    """Continuous ranked probability score of a negative binomial count (Poisson where ``dispersion`` is 1): lower is better.

    The score is the sum over whole numbers x of ``(P(count <= x) - 1{observed <= x})²``, in incidents; for a forecast that is
    certain it is the absolute error.

    Parameters
    ----------
    mean : ndarray of float64, shape (n,)
        Not negative.
    dispersion : ndarray of float64, shape (n,), or float
        Variance over mean; below 1 counts as 1.
    observed : ndarray of float64, shape (n,)
        Whole numbers.

    Raises
    ------
    ValueError
        For values that are negative or not finite.

    References
    ----------
    Gneiting, Raftery (2007), JASA 102, 359-378. Czado, Gneiting, Held (2009), Biometrics 65, 1254-1261.

    Examples
    --------
    >>> import numpy as np
    >>> crps_count(np.array([0.0, 4.0]), 1.0, np.array([3.0, 4.0])).round(3)
    array([3.   , 0.453])
    """
    mean, observed = np.broadcast_arrays(np.atleast_1d(np.asarray(mean, float)), np.asarray(observed, float))
    spread = np.broadcast_to(np.maximum(np.asarray(dispersion, float), 1.0), mean.shape)
    if not (np.isfinite(mean).all() and np.isfinite(observed).all() and np.isfinite(spread).all()):
        raise ValueError("Means, dispersions and counts must be finite.")
    if (mean < 0).any() or (observed < 0).any():
        raise ValueError("Means and counts must not be negative.")
    scores = np.empty(mean.shape)
    reach = np.maximum(mean + 12 * np.sqrt(mean * spread) + 12 * spread, observed).astype(np.int64) + 1
    # Rows of like reach together: one wide row must not make all of them wide.
    order = np.argsort(reach, kind="stable")
    start = 0
    while start < len(order):
        stop = start + max(1, int(np.searchsorted(reach[order[start:]], 2 * reach[order[start]] + 32, side="right")))
        stop = min(stop, start + max(1, 4_000_000 // int(reach[order[stop - 1]] + 1)))
        rows = order[start:stop]
        below = _cdf_to(int(reach[rows].max()), mean[rows], spread[rows])
        scores[rows] = ((below - (np.arange(below.shape[1]) >= observed[rows, None])) ** 2).sum(axis=1)
        start = stop
    return scores


def _cdf_to(last: int, mean: _FloatArray, dispersion: _FloatArray) -> _FloatArray:
    """P(count <= x) for x from 0 to ``last``, shape (n, last + 1): probabilities added up, each from the one before it (in logs, so
    that none is lost), thirty times quicker than asking :func:`count_cdf` for each."""
    x = np.arange(1, last + 1, dtype=np.float64)[None, :]
    mean, excess = np.maximum(mean, 1e-300)[:, None], (dispersion - 1)[:, None]
    # P(x) / P(x - 1) = (mean + (x - 1) · excess) / (x · dispersion), which is Poisson's mean / x where nothing is in excess.
    steps = np.log((mean + (x - 1) * excess) / (x * (1 + excess)))
    none = np.where(excess > 1e-9, -mean * np.log1p(excess) / np.where(excess > 1e-9, excess, 1.0), -mean)
    logs = np.concatenate([none, none + np.cumsum(steps, axis=1)], axis=1)
    return np.asarray(np.minimum(np.cumsum(np.exp(logs), axis=1), 1.0))


def count_cdf(x: _FloatArray, mean: _FloatArray, dispersion: _FloatArray) -> _FloatArray:
    """P(count <= x) of a negative binomial with this mean and variance over mean; Poisson at a dispersion of 1. Shapes broadcast."""
    x, mean, dispersion = np.broadcast_arrays(np.asarray(x, float), np.asarray(mean, float), np.asarray(dispersion, float))
    wide = (dispersion > 1 + 1e-9) & (mean > 0)
    size = np.where(wide, mean / np.where(wide, dispersion - 1, 1.0), 1.0)
    chance = np.where(wide, 1 / np.where(wide, dispersion, 1.0), 0.5)
    at = np.maximum(np.floor(x), 0) + 1
    answer = np.where(wide, betainc(size, at, chance), gammaincc(at, np.where(mean > 0, mean, 1.0)))
    answer = np.where(mean > 0, answer, 1.0)
    return np.where(x < 0, 0.0, answer)
