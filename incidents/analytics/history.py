"""A series of daily counts and what is said about its next days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """Whole local days, oldest first, without holes.

    Attributes
    ----------
    first_day : date
    counts : ndarray of float64, shape (n,)
        Incidents of each day; NaN for a day on which no data came (which is not a day without incidents).
    regressors : dict of str to ndarray of float64, shape (n + horizon,)
        Known in advance, such as whether a day is a holiday or in Ramadan; methods that cannot use them ignore them.
    """

    first_day: date
    counts: _FloatArray
    regressors: dict[str, _FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts, dtype=np.float64)
        if counts.ndim != 1 or np.isinf(counts).any() or (counts < 0).any():
            raise ValueError("Daily counts must be one row of numbers, none negative or infinite.")
        object.__setattr__(self, "counts", counts)

    @property
    def next_day(self) -> date:
        return self.first_day + timedelta(days=len(self.counts))

    def weekdays(self, horizon: int = 0) -> NDArray[np.int64]:
        """The weekday (Monday is 0) of every day of the history and of ``horizon`` days behind it."""
        return (self.first_day.weekday() + np.arange(len(self.counts) + horizon)) % 7


@dataclass(frozen=True)
class Predicted:
    """The days right behind a history. ``0 <= low <= expected <= high`` on each; ``method`` says what made it."""

    expected: _FloatArray
    low: _FloatArray
    high: _FloatArray
    method: str

    def is_sound(self) -> bool:
        """Finite, not negative and in order."""
        values = np.stack([self.low, self.expected, self.high])
        return bool(np.isfinite(values).all() and (values[0] >= 0).all() and (np.diff(values, axis=0) >= 0).all())


class Forecaster(Protocol):
    """A method: stateless, named, fitted and asked in one call."""

    @property
    def name(self) -> str: ...

    def fit_predict(self, history: History, *, horizon: int, interval: float) -> Predicted:
        """Raises ``TooLittleHistory`` where the method cannot answer honestly."""
        ...


class TooLittleHistory(ValueError):
    """The history is too short, or too thin, for this method. The message says what it has and what it needs."""
