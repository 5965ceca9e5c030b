"""Two counts, one question: is the difference more than chance brings?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv

FloatArray = NDArray[np.float64]
LEAST_WEEKS = 12  # fewer say too little about how much a count swings


@dataclass(frozen=True)
class Rates:
    """Columns of equal length: the later rate over the earlier one, its interval, and how often chance alone brings as much.

    ``ratio`` is NaN where nothing was counted before, infinite never: ``high`` is infinite then. ``p`` is two-sided.
    """

    ratio: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray


def rate_ratio(
    now: ArrayLike,
    before: ArrayLike,
    *,
    days_now: ArrayLike = 1.0,
    days_before: ArrayLike = 1.0,
    dispersion: ArrayLike = 1.0,
    level: float = 0.95,
) -> Rates:
    """Compare counts ``now`` over ``days_now`` with counts ``before`` over ``days_before``.

    Given the sum of both, the later count is binomial: the exact interval and test of two Poisson rates (Clopper-Pearson on the share).
    Counts of incidents swing more than Poisson counts do; where they are known to, by a variance of ``dispersion`` times the mean,
    both counts are taken as worth ``1 / dispersion`` of themselves, which widens the interval by the square root of it (quasi-Poisson).

    Parameters
    ----------
    now, before : array_like of int, shape (n,)
        Counts, not below 0.
    days_now, days_before : array_like of float
        How long each was counted; above 0.
    dispersion : array_like of float
        Variance over mean, at least 1.

    Raises
    ------
    ValueError
        For counts below 0, days not above 0 or a dispersion below 1.

    References
    ----------
    Przyborowski & Wilenski (1940), Biometrika 31, 313-323; Clopper & Pearson (1934), Biometrika 26, 404-413;
    McCullagh & Nelder (1989), Generalized Linear Models, 6.2 (quasi-likelihood).

    Examples
    --------
    >>> found = rate_ratio([30, 12, 0], [10, 10, 0])
    >>> found.ratio.round(2).tolist(), found.p.round(3).tolist()
    ([3.0, 1.2, nan], [0.002, 0.832, 1.0])
    """
    later, earlier, t1, t0, swing = np.broadcast_arrays(*(np.asarray(a, float) for a in (now, before, days_now, days_before, dispersion)))
    if (later < 0).any() or (earlier < 0).any():
        raise ValueError("A count is not below 0.")
    if not ((t1 > 0).all() and (t0 > 0).all()):
        raise ValueError("Counting takes time: the days must be above 0.")
    if not (swing >= 1).all():
        raise ValueError("The dispersion is at least 1.")
    a, b = later / swing, earlier / swing
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        lowest = np.where(a > 0, betaincinv(np.maximum(a, 1e-12), b + 1, tail), 0.0)
        highest = np.where(b > 0, betaincinv(a + 1, np.maximum(b, 1e-12), 1 - tail), 1.0)
        scale = t0 / t1
        as_many = np.where(a > 0, betainc(np.maximum(a, 1e-12), b + 1, t1 / (t0 + t1)), 1.0)
        as_few = np.where(b > 0, 1 - betainc(a + 1, np.maximum(b, 1e-12), t1 / (t0 + t1)), 1.0)
        return Rates(
            ratio=np.where(earlier > 0, later / earlier * scale, np.nan),
            low=lowest / (1 - lowest) * scale,
            high=np.where(highest < 1, highest / (1 - highest) * scale, np.inf),
            p=np.clip(2 * np.minimum(as_many, as_few), 0.0, 1.0),
        )


def dispersion(weeks: ArrayLike) -> FloatArray:
    """How much counts swing from week to week: variance over mean, at least 1 (Poisson), NaN with fewer than 12 weeks.

    Taken from the differences of successive weeks, so that a slow rise or a season is no swing.

    Parameters
    ----------
    weeks : array_like of int, shape (series, weeks)
        In the order of time.

    References
    ----------
    von Neumann (1941), Ann. Math. Stat. 12, 367-395: the mean square successive difference.

    Examples
    --------
    >>> dispersion([[4, 4] * 10, [0, 16] * 10]).round(1).tolist()
    [1.0, 16.0]
    """
    counts = np.atleast_2d(np.asarray(weeks, float))
    if counts.shape[1] < LEAST_WEEKS:
        return np.full(len(counts), np.nan)
    squares = (np.diff(counts, axis=1) ** 2).mean(axis=1)
    mean = counts.mean(axis=1)
    return np.maximum(1.0, np.divide(squares, 2 * mean, out=np.ones_like(mean), where=mean > 0))
