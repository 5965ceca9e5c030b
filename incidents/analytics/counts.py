"""What can be said about a count yet to come, once its mean and spread are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import nbdtrik, pdtrik  # scipy.stats takes a second to import

from incidents.analytics.evaluation import count_cdf

_FloatArray = NDArray[np.float64]


def count_interval(mean: _FloatArray, dispersion: _FloatArray | float, *, share: float) -> tuple[_FloatArray, _FloatArray]:
    """The whole numbers between which a count falls with probability ``share``, as nearly as whole numbers can.

    Counts are negative binomial with the given mean and variance over mean, Poisson at a dispersion of 1. A number belongs to the
    interval where the middle of its step of the distribution function, ``P(count < k) + P(count = k) / 2``, lies between the tails:
    over many means such intervals hold their share, where "at least the share" holds three or four points more at twenty a day. The
    tails are equal, but where the interval begins at nought: nothing can fall below it, so all the rest lies above. A rare event still
    covers more than its share: one day in twenty with one incident cannot be cut finer than "0 to 1". The mean always lies inside.

    Parameters
    ----------
    mean, dispersion : ndarray of float64 of one shape
        Incidents a day, not negative; variance over mean, below 1 counts as 1.
    share : float
        Between 0 and 1, e.g. 0.8.

    Returns
    -------
    low, high : ndarray of float64
        Whole numbers, ``0 <= low <= mean <= high``.

    Raises
    ------
    ValueError
        For a share outside (0, 1), or a mean that is negative or not finite.

    References
    ----------
    Lancaster (1961), Significance tests in discrete distributions, JASA 56 (the middle of the step). Cameron, Trivedi (2013),
    Regression Analysis of Count Data, 2nd ed., ch. 3.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = count_interval(np.array([0.05, 4.0, 100.0]), np.array([1.0, 1.0, 4.0]), share=0.8)
    >>> low.tolist(), high.tolist()
    ([0.0, 2.0, 76.0], [1.0, 6.0, 126.0])
    """
    mean = np.atleast_1d(np.asarray(mean, float))
    spread = np.broadcast_to(np.maximum(np.asarray(dispersion, float), 1.0), mean.shape)
    if not 0 < share < 1:
        raise ValueError(f"The share must lie between 0 and 1, not at {share}.")
    if not np.isfinite(mean).all() or (mean < 0).any() or not np.isfinite(spread).all():
        raise ValueError("A mean count must be finite and not negative.")
    tail = np.full(mean.shape, (1 - share) / 2)
    upper = _upper(mean, spread, share)
    low, high = _quantile(mean, spread, tail), _quantile(mean, spread, upper)
    low = np.where(middle_of_step(low, mean, spread) < tail, low + 1, low)
    high = np.where(middle_of_step(high, mean, spread) > upper, high - 1, high)
    return np.maximum(np.minimum(low, np.floor(mean)), 0.0), np.maximum(high, np.ceil(mean))


def middle_of_step(count: _FloatArray, mean: _FloatArray, dispersion: _FloatArray) -> _FloatArray:
    """``P(count < k) + P(count = k) / 2``: where ``count`` lies in its distribution, between 0 and 1."""
    return np.asarray((count_cdf(count - 1, mean, dispersion) + count_cdf(count, mean, dispersion)) / 2)


def covered(observed: _FloatArray, mean: _FloatArray, dispersion: _FloatArray, *, share: float) -> NDArray[np.bool_]:
    """Whether each count lay in its :func:`count_interval`, without working the interval out.

    >>> import numpy as np
    >>> covered(np.array([1.0, 2, 6, 7]), np.full(4, 4.0), np.ones(4), share=0.8).tolist()
    [False, True, True, False]
    """
    tail = (1 - share) / 2
    middle = middle_of_step(observed, mean, dispersion)
    beside = (observed >= np.floor(mean)) & (observed <= np.ceil(mean))
    return np.asarray(beside | ((middle >= tail) & ((middle <= _upper(mean, dispersion, share)) | (observed <= 0))))


def _upper(mean: _FloatArray, dispersion: _FloatArray, share: float) -> _FloatArray:
    """Where the upper end lies: nothing can fall below nought, so an interval that begins there leaves all the rest above itself."""
    tail = (1 - share) / 2
    return np.where(middle_of_step(np.zeros_like(mean), mean, dispersion) >= tail, share, 1 - tail)


def _quantile(mean: _FloatArray, spread: _FloatArray, tail: _FloatArray) -> _FloatArray:
    """The smallest count that at least ``tail`` of the distribution does not exceed."""
    wide = (spread > 1 + 1e-9) & (mean > 0)
    some = np.where(mean > 0, mean, 1.0)
    size = np.where(wide, some / np.where(wide, spread - 1, 1.0), 1.0)
    found = np.where(wide, nbdtrik(tail, size, np.where(wide, 1 / spread, 0.5)), pdtrik(tail, some))
    found = np.ceil(np.where(np.isfinite(found), np.maximum(found, 0.0), 0.0))
    found = np.where((found > 0) & (count_cdf(found - 1, mean, spread) >= tail), found - 1, found)
    found = np.where(count_cdf(found, mean, spread) < tail, found + 1, found)
    return np.where(mean > 0, found, 0.0)
