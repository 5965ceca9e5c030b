"""Did it help? The ratio of what happened where patrols went to what happened where they were held out, and what chance brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
DRAWS = 1999
LEVEL = 0.95
LEAST_INCIDENTS = 20  # in both arms together, during the trial: fewer can hardly tell any effect from chance
_FURTHEST = 50.0  # a ratio beyond it, or below one part of it, is called open
_Z = 1.959964 + 0.841621  # 95 % two-sided, 80 % power


@dataclass(frozen=True)
class Effect:
    """A rate ratio: (treated during / treated before) over (held out during / held out before). Below 1 there were fewer where
    patrols went.

    Attributes
    ----------
    ratio : float
        NaN where an arm had nothing before and during.
    low, high : float
        95 %, by randomisation; 0 and infinity where the data set no bound.
    p : float
        How often a draw that did nothing brings as much, either way.
    detectable : float
        The reduction (0.3: 30 %) that so many cells and incidents would find in four of five trials; NaN where none.
    """

    ratio: float
    low: float
    high: float
    p: float
    detectable: float
    treated_before: float
    treated_during: float
    control_before: float
    control_during: float

    @property
    def found(self) -> str:
        """``helped``, ``harmed``, or ``none``: the interval has 1 in it."""
        return "helped" if self.high < 1 else "harmed" if self.low > 1 else "none"


def effect(before: ArrayLike, during: ArrayLike, is_treated: BoolArray, redrawn: BoolArray, *, level: float = LEVEL) -> Effect:
    """The difference in differences of counts, as a ratio, with the interval and test of the draw that was made.

    The cells were drawn by lot, so the lot itself says what chance brings: the same counts, the arms drawn again in every way the draw
    could have come out. No assumption is made about how incidents swing, cluster or follow one another within a cell (Fisher's
    randomisation test). The interval holds every ratio that the test would not reject when the treated cells' counts are divided by it
    (test inversion). Half an incident is added to each sum, so that an arm without any still has a ratio.

    Parameters
    ----------
    before, during : ndarray of float64, shape (n,)
        Incidents of each cell in the days before the draw and during the trial.
    is_treated : ndarray of bool, shape (n,)
    redrawn : ndarray of bool, shape (draws, n)
        See ``randomise.redraws``.

    Raises
    ------
    ValueError
        For an empty arm or columns of different length.

    References
    ----------
    Fisher (1935), The Design of Experiments; Rosenbaum (2002), Observational Studies, 2.6 (test inversion); Braga, Turchan, Papachristos &
    Hureau (2019), Campbell Systematic Reviews 15, e1046 (hot-spots policing: counts of treated over control places).

    Examples
    --------
    >>> import numpy as np
    >>> from patrol.analytics.randomise import redraws
    >>> rng = np.random.default_rng(4)
    >>> treated = np.arange(40) % 2 == 0
    >>> before, during = rng.poisson(20, 40), rng.poisson(np.where(treated, 10, 20))
    >>> found = effect(before, during, treated, redraws(np.ones(40, int), ~treated, draws=999, rng=rng))
    >>> round(found.ratio, 2), round(found.low, 2), round(found.high, 2), found.found
    (0.46, 0.36, 0.57, 'helped')
    """
    earlier, later = np.asarray(before, np.float64), np.asarray(during, np.float64)
    treated = np.asarray(is_treated, bool)
    if not (len(earlier) == len(later) == len(treated) == redrawn.shape[1]):
        raise ValueError("Every column has one row a cell.")
    if treated.all() or not treated.any():
        raise ValueError("Both arms need a cell.")
    arms = np.vstack([treated, redrawn]).astype(np.float64)
    # Nothing about the days before depends on the ratio that is tried.
    base = _log_ratio(arms @ earlier, earlier.sum() - arms @ earlier)

    def p_of(log_ratio: float) -> float:
        without = later * np.exp(np.where(treated, -log_ratio, 0.0))
        found = _log_ratio(arms @ without, without.sum() - arms @ without) - base
        return float((np.abs(found) >= abs(found[0]) - 1e-12).mean())

    here = later @ treated, later @ ~treated, earlier @ treated, earlier @ ~treated
    estimate = float(_log_ratio(np.array(here[0]), np.array(here[1])) - base[0])
    spread = float((_log_ratio(arms @ later, later.sum() - arms @ later) - base)[1:].std())
    anything = here[0] + here[2] > 0 and here[1] + here[3] > 0
    return Effect(
        ratio=float(np.exp(estimate)) if anything else np.nan,
        low=float(np.exp(_bound(p_of, estimate, -1, 1 - level))) if anything else 0.0,
        high=float(np.exp(_bound(p_of, estimate, 1, 1 - level))) if anything else np.inf,
        p=p_of(0.0),
        detectable=float(1 - np.exp(-_Z * spread)) if spread > 0 else np.nan,
        treated_before=float(here[2]),
        treated_during=float(here[0]),
        control_before=float(here[3]),
        control_during=float(here[1]),
    )


def _log_ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.log((a + 0.5) / (b + 0.5)))


def _bound(p_of: Callable[[float], float], estimate: float, side: int, alpha: float) -> float:
    """Where the test begins to reject, seen from the estimate; infinitely far where it never does."""
    inner, outer = estimate, estimate + side * np.log(_FURTHEST)
    if p_of(outer) > alpha:
        return side * np.inf
    for _step in range(30):
        middle = (inner + outer) / 2
        if p_of(middle) > alpha:
            inner = middle
        else:
            outer = middle
    return outer


def expected_detectable(before: ArrayLike, is_treated: BoolArray, *, days_before: float, days_during: float) -> float:
    """The reduction that a trial yet to run would find in four of five cases, if incidents go on as before and swing as Poisson counts
    do: they swing more, so that it is rather more than this.

    Examples
    --------
    >>> import numpy as np
    >>> round(expected_detectable(np.full(40, 20.0), np.arange(40) % 2 == 0, days_before=90, days_during=90), 2)
    0.24
    """
    earlier = np.asarray(before, np.float64)
    arms = [earlier[is_treated].sum(), earlier[~np.asarray(is_treated, bool)].sum()]
    during = [count * days_during / days_before for count in arms]
    variance = sum(1 / (count + 0.5) for count in (*arms, *during))
    return float(1 - np.exp(-_Z * np.sqrt(variance)))
