"""Small counts, each series on its own: how many lately, times what the weekday usually does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.panel import Panel, enough_history

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class WeekdayCounts:
    """Level × weekday, both shrunk towards what is safe to say of few counts.

    The level is an exponentially weighted mean of recent days (half of its weight in the last ``half_life_days``), pulled
    towards the long-run mean by ``level_prior`` incidents. A weekday's factor is its share in the last year, pulled towards 1 by
    ``weekday_prior`` incidents: a series with five Fridays' worth of data hardly believes in its Fridays.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., sec. 2.6 (gamma-Poisson shrinkage). Hyndman, Athanasopoulos (2021),
    Forecasting: Principles and Practice, 3rd ed., ch. 8.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson(0.3, 400).astype(float)
    >>> ahead = WeekdayCounts().means(Panel(date(2025, 1, 1), counts[None]), 7)
    >>> bool((ahead > 0.1).all() and (ahead < 0.6).all())
    True
    """

    half_life_days: float = 21.0
    level_prior: float = 5.0
    weekday_prior: float = 40.0
    name: str = "weekday_counts"
    is_slow: bool = False

    def means(self, panel: Panel, horizon: int) -> _FloatArray:
        """NaN below what any method needs (``enough_history``)."""
        answer = np.full((panel.series, horizon), np.nan)
        able = enough_history(panel)
        counts, n = panel.counts[able], panel.days
        known = np.isfinite(counts)
        happened = np.where(known, counts, 0.0)
        long_run = happened.sum(axis=1) / known.sum(axis=1)
        weight = 0.5 ** (np.arange(n - 1, -1, -1) / self.half_life_days)
        # level_prior incidents' worth of long-run days stand behind the recent ones.
        level = (happened @ weight + self.level_prior) / (known @ weight + self.level_prior / long_run)
        is_weekday = (panel.weekdays(horizon)[:, None] == np.arange(7)).astype(float)
        year = slice(max(0, n - 364), n)
        seen, days = happened[:, year] @ is_weekday[year], known[:, year] @ is_weekday[year]
        usual = seen.sum(axis=1, keepdims=True) / np.maximum(days.sum(axis=1, keepdims=True), 1)
        factor = (seen + self.weekday_prior) / (days * usual + self.weekday_prior)
        factor *= 7 / factor.sum(axis=1, keepdims=True)
        answer[able] = level[:, None] * (factor @ is_weekday[n:].T)
        return answer
