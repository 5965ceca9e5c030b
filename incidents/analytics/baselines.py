"""What any forecast has to beat: counting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.counts import count_interval, spread
from incidents.analytics.history import History, Predicted, TooLittleHistory

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RecentMean:
    """Each day ahead is the mean of the last ``days`` days.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> RecentMean().fit_predict(History(date(2026, 1, 1), np.full(60, 4.0)), horizon=2, interval=0.8)
    Predicted(expected=array([4., 4.]), low=array([2., 2.]), high=array([7., 7.]), method='mean_28')
    """

    days: int = 28

    @property
    def name(self) -> str:
        return f"mean_{self.days}"

    def fit_predict(self, history: History, *, horizon: int, interval: float) -> Predicted:
        """Raises ``TooLittleHistory`` below 28 days (or ``days``) with data."""
        recent = _known(history, self.days)[-self.days :]
        level = float(np.nanmean(recent))
        expected = np.full(horizon, level)
        variance = expected * spread(recent, np.full(len(recent), level), used=1) * (1 + 1 / len(recent))
        return Predicted(expected, *count_interval(expected, variance, share=interval), method=self.name)


@dataclass(frozen=True)
class SameWeekday:
    """Each day ahead is the mean of that weekday over the last ``weeks`` weeks.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> week = np.array([2.0, 2, 2, 2, 9, 9, 2])
    >>> SameWeekday().fit_predict(History(date(2026, 1, 5), np.tile(week, 10)), horizon=7, interval=0.8).expected
    array([2., 2., 2., 2., 9., 9., 2.])
    """

    weeks: int = 8

    @property
    def name(self) -> str:
        return "same_weekday"

    def fit_predict(self, history: History, *, horizon: int, interval: float) -> Predicted:
        """Raises ``TooLittleHistory`` below ``weeks`` weeks, or where a weekday has no data at all."""
        recent = _known(history, 7 * self.weeks)[-7 * self.weeks :]
        by_weekday = np.nanmean(recent.reshape(self.weeks, 7), axis=0)  # in the order of the days to come
        if not np.isfinite(by_weekday).all():
            raise TooLittleHistory("A weekday has no day with data.")
        expected = by_weekday[np.arange(horizon) % 7]
        variance = expected * spread(recent, np.tile(by_weekday, self.weeks), used=7) * (1 + 1 / self.weeks)
        return Predicted(expected, *count_interval(expected, variance, share=interval), method=self.name)


def _known(history: History, days: int) -> _FloatArray:
    known = int(np.isfinite(history.counts[-days:]).sum())
    if len(history.counts) < days or known < min(28, days):
        raise TooLittleHistory(f"Too little history: {min(len(history.counts), known)} days, needs {days}.")
    return history.counts
