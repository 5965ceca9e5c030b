"""What can be said about a count yet to come, once its mean and spread are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom, poisson

_FloatArray = NDArray[np.float64]


def count_interval(mean: _FloatArray, variance: _FloatArray, *, share: float) -> tuple[_FloatArray, _FloatArray]:
    """The whole numbers between which a count falls with probability ``share`` or a little more.

    Counts are negative binomial with the given mean and variance, Poisson where the variance is not above the mean. They are
    whole, so the interval of a rare event covers more than its nominal share: one day in twenty with one incident cannot be cut
    finer than "0 to 1". The mean always lies inside.

    Parameters
    ----------
    mean, variance : ndarray of float64, shape (n,)
        Incidents a day, not negative; squared for the variance.
    share : float
        Between 0 and 1, e.g. 0.8.

    Returns
    -------
    low, high : ndarray of float64, shape (n,)
        Whole numbers, ``0 <= low <= mean <= high``.

    Raises
    ------
    ValueError
        For a share outside (0, 1), or a mean that is negative or not finite.

    References
    ----------
    Cameron, Trivedi (2013), Regression Analysis of Count Data, 2nd ed., ch. 3.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = count_interval(np.array([0.05, 4.0, 100.0]), np.array([0.05, 4.0, 400.0]), share=0.8)
    >>> low.tolist(), high.tolist()
    ([0.0, 2.0, 75.0], [1.0, 7.0, 126.0])
    """
    mean, variance = np.atleast_1d(np.asarray(mean, float)), np.atleast_1d(np.asarray(variance, float))
    if not 0 < share < 1:
        raise ValueError(f"The share must lie between 0 and 1, not at {share}.")
    if not np.isfinite(mean).all() or (mean < 0).any():
        raise ValueError("A mean count must be finite and not negative.")
    tails = (1 - share) / 2, (1 + share) / 2
    wide = variance > mean * (1 + 1e-9)
    excess = np.where(wide, variance - mean, 1.0)
    size, chance = np.where(wide, mean**2 / excess, 1.0), np.where(wide & (mean > 0), mean / np.where(wide, variance, 1.0), 1.0)
    low, high = (np.where(wide & (mean > 0), nbinom.ppf(tail, np.maximum(size, 1e-12), chance), poisson.ppf(tail, mean)) for tail in tails)
    low, high = np.where(mean > 0, low, 0.0), np.where(mean > 0, high, 0.0)
    return np.minimum(low, np.floor(mean)), np.maximum(high, np.ceil(mean))


def spread(observed: _FloatArray, expected: _FloatArray, *, used: float = 0.0) -> float:
    """How many times wider than Poisson the counts fell around what was expected (Pearson's dispersion), at least 1.

    Days without data (NaN) and days nothing was expected on are left out; ``used`` is the number of fitted parameters.

    >>> import numpy as np
    >>> spread(np.array([2.0, 6.0, 2.0, 6.0]), np.full(4, 4.0))
    1.0
    >>> spread(np.array([0.0, 20.0, 0.0, 20.0]), np.full(4, 10.0))
    10.0
    """
    known = np.isfinite(observed) & (expected > 0)
    n = int(known.sum())
    if n <= used + 1:
        return 1.0
    gap = observed[known] - expected[known]
    return max(1.0, float((gap**2 / expected[known]).sum() / (n - used)))
