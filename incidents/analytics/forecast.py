"""One series, the next days: the first method that can answer honestly does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.baselines import RecentMean, SameWeekday
from incidents.analytics.history import Forecaster, History, Predicted, TooLittleHistory
from incidents.analytics.prophet_counts import ProphetCounts
from incidents.analytics.weekday_counts import WeekdayCounts

__all__ = [
    "BASELINES",
    "METHODS",
    "Answer",
    "Forecaster",
    "History",
    "Predicted",
    "ProphetCounts",
    "RecentMean",
    "SameWeekday",
    "TooLittleHistory",
    "WeekdayCounts",
    "forecast",
    "silent_days",
]

METHODS: tuple[Forecaster, ...] = (ProphetCounts(), WeekdayCounts())
BASELINES: tuple[Forecaster, ...] = (RecentMean(), SameWeekday())
_FACTOR = 3.0


@dataclass(frozen=True)
class Answer:
    """``predicted`` is ``None`` where no method could answer; ``refused`` names each method passed over, and why."""

    predicted: Predicted | None
    refused: tuple[tuple[str, str], ...]


def forecast(history: History, *, horizon: int = 7, interval: float = 0.8, methods: Sequence[Forecaster] = METHODS) -> Answer:
    """Ask ``methods`` in turn; the first sound answer stands.

    An answer that is negative, not finite, out of order, or more than threefold above or below what the last four weeks were is
    never mended by cutting it to size: the method has failed on this series, and the next one is asked.

    Parameters
    ----------
    history : History
        Whole days, the last of them the day before the first one forecast.
    horizon : int
        Days ahead.
    interval : float
        The share of days meant to fall between low and high.

    Examples
    --------
    >>> from datetime import date
    >>> answer = forecast(History(date(2026, 1, 1), np.array([1.0, 0, 2, 0, 1])))
    >>> answer.predicted is None, answer.refused[-1]
    (True, ('weekday_counts', 'Too little history: 5 days, needs 28.'))
    """
    refused: list[tuple[str, str]] = []
    for method in methods:
        try:
            predicted = method.fit_predict(history, horizon=horizon, interval=interval)
        except TooLittleHistory as why:
            refused.append((method.name, str(why)))
            continue
        nonsense = _nonsense(history, predicted)
        if nonsense is None:
            return Answer(predicted, tuple(refused))
        refused.append((method.name, nonsense))
    return Answer(None, tuple(refused))


def _nonsense(history: History, predicted: Predicted) -> str | None:
    if not predicted.is_sound():
        return "The answer is negative, not a number or out of order."
    recent = history.counts[-28:]
    recent = recent[np.isfinite(recent)]
    if len(recent) < 14:
        return None
    total, ahead = float(recent.sum()), float(predicted.expected.mean()) * len(recent)
    # Two standard errors of a count, so that a thin series is not called nonsense for its own noise.
    slack = 2 * np.sqrt(total + 1) + 2
    if ahead > _FACTOR * total + slack or ahead * _FACTOR + slack < total:
        return f"The answer ({ahead:.3g} in {len(recent)} days) is out of proportion to the last four weeks ({total:.0f})."
    return None


def silent_days(total: NDArray[np.float64], *, least_a_day: float = 20.0) -> NDArray[np.bool_]:
    """Which days the feed was silent: none at all in the whole region, where usually (in the median) there are ``least_a_day``.

    With a mean of 20 a day without any comes once in half a thousand million; an outage is likelier. Such days are unknown, not zero.

    >>> silent_days(np.array([30.0, 28, 0, 31, 25])).tolist()
    [False, False, True, False, False]
    >>> silent_days(np.array([3.0, 2, 0, 3, 2])).any()
    np.False_
    """
    usual = float(np.median(total)) if len(total) else 0.0
    return (total == 0) & (usual >= least_a_day)
