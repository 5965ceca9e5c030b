"""Do incidents follow crowds? The rate in the hours after an unusual crowd over the rate in other hours, like hours against like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from iot.analytics.batch import FloatArray, IntArray

HOURS = 168
LEAST_WEEKS = 8
LEAST_INCIDENTS = 20
LEAST_EXPECTED = 5.0
SEASON_WEEKS = 13
EVIDENCE, NO_EVIDENCE, TOO_LITTLE = "evidence", "no_evidence", "too_little"
FEW_WEEKS, FEW_INCIDENTS, FEW_EXPECTED = "few_weeks", "few_incidents", "few_expected"


@dataclass(frozen=True)
class CrowdRatio:
    """What was found for one zone and one type of incident.

    Attributes
    ----------
    verdict : str
        ``evidence`` where the interval leaves out 1, ``no_evidence`` where it holds it, ``too_little`` with ``why`` where there is
        nothing to judge by.
    ratio, low, high : float or None
        The rate ratio and its interval.
    p : float or None
        Two-sided, of no difference: for whoever asks of many zones and types at once, and must mind the false discoveries.
    after_crowds, other : int
        Incidents in the hours after an unusual crowd, and in the others they are compared with.
    hours_after, hours_other : int
    expected : float
        Incidents after crowds there would be at the rate of the others.
    weeks : int
    lag_h : int
    why : str
        With ``too_little``: ``few_weeks``, ``few_incidents`` or ``few_expected``; the figures are beside it, what it takes above.
    """

    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    after_crowds: int
    other: int
    hours_after: int
    hours_other: int
    expected: float
    weeks: int
    lag_h: int
    why: str = ""


def crowd_correlation(
    incidents: IntArray,
    crowd: FloatArray,
    *,
    first_hour_of_week: int = 0,
    lag_h: int = 2,
    quantile: float = 0.8,
    season_weeks: int = SEASON_WEEKS,
    confidence: float = 0.95,
) -> CrowdRatio:
    """Compare the hours that follow an unusual crowd with other hours of the same name in the same season.

    An hour has an unusual crowd when it is among the highest of its hour of the week; an hour is "after" one when any of the ``lag_h``
    hours before it has (the hour itself does not count: a fight draws a crowd). Only hours of the same hour of the week, within
    ``season_weeks`` weeks, are compared, so neither the time of day nor the season can make a ratio. The interval is the wider of that for
    counts without clustering and of one from leaving out each week in turn, because what happens in an evening happens together. A ratio
    is no cause: a match or a holiday brings both.

    Parameters
    ----------
    incidents : ndarray of int64, shape (hours,)
        Of one type in one zone, hour by hour without a hole.
    crowd : ndarray of float64, shape (hours,)
        The crowd measured; NaN where no sensor spoke: such hours, and those after them, are compared with nothing.
    first_hour_of_week : int
        Which of the 168 the first hour is, on the local clock.
    lag_h : int
    quantile : float
        What is unusual: above this share of the hours of the same name.
    season_weeks : int
    confidence : float

    Raises
    ------
    ValueError
        For columns of different lengths, negative counts, or settings out of range.

    References
    ----------
    Mantel-Haenszel for rates and its variance: Greenland & Robins (1985), Biometrics 41, 55-68. The jackknife over clusters: Efron &
    Tibshirani (1993), An Introduction to the Bootstrap, chap. 11.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> crowd = rng.gamma(2, 50, 52 * 168)
    >>> after = np.roll(crowd > np.quantile(crowd, 0.8), 1)
    >>> found = crowd_correlation(rng.poisson(np.where(after, 0.15, 0.05)), crowd, lag_h=1)
    >>> found.verdict, found.low < 3 < found.high
    ('evidence', True)
    """
    counts, levels = np.asarray(incidents, dtype=np.int64), np.asarray(crowd, dtype=np.float64)
    if counts.shape != levels.shape or counts.ndim != 1 or (counts < 0).any():
        raise ValueError(f"{counts.shape} counts and {levels.shape} crowds; counts are not below 0.")
    if lag_h < 1 or not 0.5 <= quantile < 1 or not 0 < confidence < 1 or not 0 <= first_hour_of_week < HOURS or season_weeks < 4:
        raise ValueError("A lag of an hour at least, a quantile from 0.5 to below 1, a season of four weeks at least.")
    slot = (np.arange(len(counts)) + first_hour_of_week) % HOURS
    week = (np.arange(len(counts)) + first_hour_of_week) // HOURS
    is_after, is_known = _after(levels, slot, lag_h, quantile)
    seasons = max((int(week[-1]) + 1) // season_weeks, 1) if len(week) else 1  # what is left over belongs to the last
    stratum = slot + HOURS * np.minimum(week // season_weeks, seasons - 1)
    weeks = int(np.unique(week[is_known]).size)

    kept = is_known & _informative(stratum, is_after, is_known)
    after, others = kept & is_after, kept & ~is_after
    sums = _Sums.of(counts, after, others, stratum, week)
    a, b = int(counts[after].sum()), int(counts[others].sum())
    known = {
        "after_crowds": a,
        "other": b,
        "hours_after": int(after.sum()),
        "hours_other": int(others.sum()),
        "expected": sums.expected,
        "weeks": weeks,
        "lag_h": lag_h,
    }
    why = ""
    if weeks < LEAST_WEEKS:
        why = FEW_WEEKS
    elif a + b < LEAST_INCIDENTS:
        why = FEW_INCIDENTS
    elif sums.expected < LEAST_EXPECTED or not a or not b:
        why = FEW_EXPECTED
    if why:
        return CrowdRatio(TOO_LITTLE, None, None, None, None, why=why, **known)  # type: ignore[arg-type]
    log_ratio, variance = sums.log_ratio_and_variance()
    error = float(np.sqrt(max(variance, sums.jackknifed())))
    freedom = max(weeks - 1, 1)
    reach = float(student.ppf(0.5 + confidence / 2, freedom)) * error
    low, high = float(np.exp(log_ratio - reach)), float(np.exp(log_ratio + reach))
    p = float(2 * student.sf(abs(log_ratio) / error, freedom))
    verdict = NO_EVIDENCE if low <= 1 <= high else EVIDENCE
    return CrowdRatio(verdict, float(np.exp(log_ratio)), low, high, p, **known)  # type: ignore[arg-type]


def _after(levels: FloatArray, slot: IntArray, lag_h: int, quantile: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which hours are after an unusual crowd, and of which it is known."""
    high = np.zeros(len(levels), dtype=bool)
    for one in range(HOURS):
        mine = slot == one
        there = levels[mine][np.isfinite(levels[mine])]
        if len(there) and there.min() < there.max():
            high[mine] = levels[mine] > np.quantile(there, quantile)
    is_after, is_known = np.zeros(len(levels), dtype=bool), np.ones(len(levels), dtype=bool)
    for lag in range(1, lag_h + 1):
        is_after[lag:] |= high[:-lag]
        is_known[lag:] &= np.isfinite(levels[:-lag])
        is_known[:lag] = False
    return is_after, is_known


def _informative(stratum: IntArray, is_after: NDArray[np.bool_], is_known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Hours whose stratum has hours of both kinds: the others compare with nothing."""
    size = int(stratum.max(initial=0)) + 1
    with_crowd = np.bincount(stratum[is_known & is_after], minlength=size) > 0
    without = np.bincount(stratum[is_known & ~is_after], minlength=size) > 0
    return (with_crowd & without)[stratum]


@dataclass(frozen=True)
class _Sums:
    """Incidents and hours after crowds (``a``, ``t1``) and in others (``b``, ``t0``): by stratum, and the same by week and stratum."""

    a: FloatArray
    b: FloatArray
    t1: FloatArray
    t0: FloatArray
    by_week: FloatArray
    stratum_of: IntArray
    week_of: IntArray

    @classmethod
    def of(cls, counts: IntArray, after: NDArray[np.bool_], others: NDArray[np.bool_], stratum: IntArray, week: IntArray) -> _Sums:
        size = int(stratum.max(initial=0)) + 1
        a, b = (np.bincount(stratum[kind], weights=counts[kind], minlength=size).astype(np.float64) for kind in (after, others))
        t1, t0 = (np.bincount(stratum[kind], minlength=size).astype(np.float64) for kind in (after, others))
        kept = after | others
        columns = np.column_stack([counts * after, counts * others, after, others]).astype(float)[kept]
        return cls(a, b, t1, t0, columns, stratum[kept], week[kept])

    @property
    def expected(self) -> float:
        total = np.maximum(self.t0, 1e-12)
        return float((self.b * self.t1 / total)[self.t0 > 0].sum())

    def log_ratio_and_variance(self) -> tuple[float, float]:
        total = self.t1 + self.t0
        there = total > 0
        above = (self.a[there] * self.t0[there] / total[there]).sum()
        below = (self.b[there] * self.t1[there] / total[there]).sum()
        spread = ((self.a + self.b)[there] * self.t1[there] * self.t0[there] / total[there] ** 2).sum()
        return float(np.log(above / below)), float(spread / (above * below))

    def jackknifed(self) -> float:
        """The variance of the log ratio by leaving out each week in turn; a week without which no ratio is left counts as the whole."""
        order = np.argsort(self.week_of, kind="stable")
        weeks, starts = np.unique(self.week_of[order], return_index=True)
        whole, _variance = self.log_ratio_and_variance()
        left = np.full(len(weeks), whole)
        ends = np.append(starts[1:], len(order))
        total = self.t1 + self.t0
        weights = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        above, below = self.a * self.t0 * weights, self.b * self.t1 * weights
        sum_above, sum_below = above.sum(), below.sum()
        for number in range(len(weeks)):
            rows = order[starts[number] : ends[number]]
            strata, places = np.unique(self.stratum_of[rows], return_inverse=True)
            gone = np.zeros((len(strata), 4))
            np.add.at(gone, places, self.by_week[rows])
            a, b = self.a[strata] - gone[:, 0], self.b[strata] - gone[:, 1]
            t1, t0 = self.t1[strata] - gone[:, 2], self.t0[strata] - gone[:, 3]
            hours = t1 + t0
            share = np.divide(1.0, hours, out=np.zeros_like(hours), where=hours > 0)
            now_above = sum_above - above[strata].sum() + (a * t0 * share).sum()
            now_below = sum_below - below[strata].sum() + (b * t1 * share).sum()
            if now_above > 1e-9 and now_below > 1e-9:
                left[number] = np.log(now_above / now_below)
        n = len(weeks)
        return float((n - 1) / n * ((left - left.mean()) ** 2).sum()) if n > 1 else float("inf")
