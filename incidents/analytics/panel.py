"""Many series of daily counts over the same days, and what a method says of their next days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]

LEAST_DAYS = 28
LEAST_INCIDENTS = 10
HALF_A_YEAR = 182


@dataclass(frozen=True)
class Panel:
    """Whole local days, oldest first, without holes; one row a series.

    Attributes
    ----------
    first_day : date
    counts : ndarray of float64, shape (series, days)
        Incidents of each day; NaN for a day on which no data came (which is not a day without incidents).
    regressors : mapping of str to ndarray of float64, shape (days + ahead,)
        Known in advance and the same for all series, such as whether a day is a holiday or in Ramadan; they reach at least as far
        ahead as a method is asked. Methods that cannot use them pass them over.

    Raises
    ------
    ValueError
        For counts that are negative, infinite or not two-dimensional, or regressors too short.
    """

    first_day: date
    counts: _FloatArray
    regressors: Mapping[str, _FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts, dtype=np.float64)
        if counts.ndim != 2 or np.isinf(counts).any() or (counts < 0).any():
            raise ValueError("Daily counts must be rows of numbers, none negative or infinite.")
        if any(len(values) < counts.shape[1] for values in self.regressors.values()):
            raise ValueError("A regressor must be known on every day.")
        object.__setattr__(self, "counts", counts)

    @property
    def series(self) -> int:
        return self.counts.shape[0]

    @property
    def days(self) -> int:
        return self.counts.shape[1]

    def weekdays(self, horizon: int = 0) -> NDArray[np.int64]:
        """The weekday (Monday is 0) of every day and of ``horizon`` days behind them."""
        return (self.first_day.weekday() + np.arange(self.days + horizon)) % 7

    def until(self, days: int) -> Panel:
        """As it stood when only the first ``days`` days were known."""
        return replace(self, counts=self.counts[:, :days])

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Panel:
        return replace(self, counts=self.counts[chosen])


class Method(Protocol):
    """A way of saying what to expect. Stateless; its spread is measured by the walk-forward backtest, not claimed by itself."""

    @property
    def name(self) -> str: ...

    @property
    def is_slow(self) -> bool:
        """Whether it takes a fit a series, so that a backtest drops it early where it cannot win."""
        ...

    def means(self, panel: Panel, horizon: int) -> _FloatArray:
        """Expected incidents, shape (series, horizon), from ``panel`` alone; NaN where the method cannot answer honestly."""
        ...


def enough_history(panel: Panel) -> NDArray[np.bool_]:
    """Which series have what any method needs: 28 days with data, and 10 incidents in the last half year.

    >>> import numpy as np
    >>> enough_history(Panel(date(2026, 1, 1), np.array([[1.0] * 27, [2.0] * 27]))).tolist()
    [False, False]
    """
    known = np.isfinite(panel.counts).sum(axis=1)
    lately = np.nansum(panel.counts[:, -HALF_A_YEAR:], axis=1)
    seen_lately = np.isfinite(panel.counts[:, -LEAST_DAYS:]).any(axis=1)
    return np.asarray((known >= LEAST_DAYS) & (lately >= LEAST_INCIDENTS) & seen_lately)


def shortfall(panel: Panel, row: int) -> str | None:
    """Why one series has too little history, in figures; ``None`` where it has enough.

    >>> import numpy as np
    >>> shortfall(Panel(date(2026, 1, 1), np.ones((1, 5))), 0)
    'too little history: 5 days, needs 28'
    """
    if enough_history(panel.rows(np.array([row])))[0]:
        return None
    counts = panel.counts[row]
    known = int(np.isfinite(counts).sum())
    if known < LEAST_DAYS:
        return f"too little history: {known} days, needs {LEAST_DAYS}"
    lately = int(np.nansum(counts[-HALF_A_YEAR:]))
    if lately < LEAST_INCIDENTS:
        return f"too little history: {lately} incidents in half a year, needs {LEAST_INCIDENTS}"
    return f"no data in the last {LEAST_DAYS} days"


def silent_days(total: _FloatArray, *, least_a_day: float = 20.0) -> NDArray[np.bool_]:
    """Which days the feed was silent: none at all in the whole region, where usually (in the median) there are ``least_a_day``.

    With a mean of 20 a day without any comes once in half a thousand million; an outage is likelier. Such days are unknown, not zero.

    >>> silent_days(np.array([30.0, 28, 0, 31, 25])).tolist()
    [False, False, True, False, False]
    >>> silent_days(np.array([3.0, 2, 0, 3, 2])).any()
    np.False_
    """
    busy = total[total > 0]
    usual = float(np.median(busy)) if len(busy) else 0.0
    return np.asarray((total == 0) & (usual >= least_a_day) & (len(busy) * 2 >= len(total) * 0.5))
