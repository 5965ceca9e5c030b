"""What any forecast has to beat: counting."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.panel import Panel, enough_history

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RecentMean:
    """Each day ahead is the mean of the last ``days`` days.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> RecentMean().means(Panel(date(2026, 1, 1), np.full((1, 60), 4.0)), 2)
    array([[4., 4.]])
    """

    days: int = 28
    is_slow: bool = False

    @property
    def name(self) -> str:
        return f"mean_{self.days}"

    def means(self, panel: Panel, horizon: int) -> _FloatArray:
        """NaN below what any method needs (``enough_history``)."""
        return _kept(panel, np.repeat(_mean(panel.counts[:, -self.days :], axis=1)[:, None], horizon, axis=1))


@dataclass(frozen=True)
class SameWeekday:
    """Each day ahead is the mean of that weekday over the last ``weeks`` weeks.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> week = np.array([2.0, 2, 2, 2, 9, 9, 2])
    >>> SameWeekday().means(Panel(date(2026, 1, 5), np.tile(week, 10)[None]), 7)
    array([[2., 2., 2., 2., 9., 9., 2.]])
    """

    weeks: int = 8
    is_slow: bool = False
    name: str = "same_weekday"

    def means(self, panel: Panel, horizon: int) -> _FloatArray:
        """NaN below ``weeks`` weeks, or where a weekday has no data at all."""
        if panel.days < 7 * self.weeks:
            return np.full((panel.series, horizon), np.nan)
        by_weekday = _mean(panel.counts[:, -7 * self.weeks :].reshape(-1, self.weeks, 7), axis=1)  # in the order of the days to come
        return _kept(panel, by_weekday[:, np.arange(horizon) % 7])


@dataclass(frozen=True)
class LastWeek:
    """Each day ahead is the same weekday of the last week.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> LastWeek().means(Panel(date(2026, 1, 5), np.arange(35.0)[None]), 3)
    array([[28., 29., 30.]])
    """

    is_slow: bool = False
    name: str = "last_week"

    def means(self, panel: Panel, horizon: int) -> _FloatArray:
        """NaN where that day had no data."""
        if panel.days < 7:
            return np.full((panel.series, horizon), np.nan)
        return _kept(panel, panel.counts[:, -7:][:, np.arange(horizon) % 7])


def _kept(panel: Panel, means: _FloatArray) -> _FloatArray:
    return np.where(enough_history(panel)[:, None], means, np.nan)


def _mean(values: _FloatArray, axis: int) -> _FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no days is unknown, and said so
        return np.asarray(np.nanmean(values, axis=axis))
