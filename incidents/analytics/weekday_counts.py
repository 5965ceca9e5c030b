"""An honest forecast of small counts: how many lately, times what the weekday usually does, as wide as it has erred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.counts import count_interval, spread
from incidents.analytics.history import History, Predicted, TooLittleHistory

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class WeekdayCounts:
    """Level × weekday, both shrunk towards what is safe to say of few counts.

    The level is an exponentially weighted mean of recent days (half of its weight in the last ``half_life_days``), pulled
    towards the long-run mean by ``level_prior`` incidents. A weekday's factor is its share in the last year, pulled towards 1 by
    ``weekday_prior`` incidents: a series with five Fridays' worth of data hardly believes in its Fridays. The interval is
    negative binomial, its spread measured on forecasts the method would have made for each of the last 26 weeks, a week ahead.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., sec. 2.6 (gamma-Poisson shrinkage). Hyndman, Athanasopoulos (2021),
    Forecasting: Principles and Practice, 3rd ed., ch. 8.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson(0.3, 400).astype(float)
    >>> ahead = WeekdayCounts().fit_predict(History(date(2025, 1, 1), counts), horizon=7, interval=0.8)
    >>> ahead.method, bool((ahead.expected > 0.1).all() and (ahead.expected < 0.6).all()), float(ahead.high.max())
    ('weekday_counts', True, 1.0)
    """

    half_life_days: float = 21.0
    level_prior: float = 5.0
    weekday_prior: float = 40.0
    least_days: int = 28
    least_incidents: int = 10
    name: str = "weekday_counts"

    def fit_predict(self, history: History, *, horizon: int, interval: float) -> Predicted:
        """Raises ``TooLittleHistory`` below ``least_days`` days with data, or ``least_incidents`` in the last half year."""
        counts = history.counts
        known = int(np.isfinite(counts).sum())
        if known < self.least_days:
            raise TooLittleHistory(f"Too little history: {known} days, needs {self.least_days}.")
        lately = int(np.nansum(counts[-182:]))
        if lately < self.least_incidents:
            raise TooLittleHistory(f"Too little history: {lately} incidents in half a year, needs {self.least_incidents}.")
        n = len(counts)
        expected = self._expected(counts, history.weekdays(horizon), n, horizon)
        return Predicted(expected, *count_interval(expected, expected * self.spread_ahead(history), share=interval), method=self.name)

    def spread_ahead(self, history: History) -> float:
        """How many times wider than Poisson the days of the last 26 weeks fell around what this method said a week ahead."""
        counts, n = history.counts, len(history.counts)
        weekdays = history.weekdays()
        weeks = min(26, (n - self.least_days) // 7)
        if weeks < 4:
            return spread(counts, np.full(n, np.nanmean(counts)), used=1)
        origins = [n - 7 * (week + 1) for week in range(weeks)]
        said = np.concatenate([self._expected(counts[:origin], weekdays, origin, 7) for origin in origins])
        return spread(np.concatenate([counts[origin : origin + 7] for origin in origins]), said)

    def _expected(self, counts: _FloatArray, weekdays: NDArray[np.int64], n: int, horizon: int) -> _FloatArray:
        """From the first ``n`` days alone."""
        known = np.isfinite(counts)
        total = float(np.nansum(counts))
        long_run = total / max(int(known.sum()), 1)
        weight = 0.5 ** (np.arange(n - 1, -1, -1) / self.half_life_days) * known
        weighted = float(np.nansum(counts * weight))
        # level_prior incidents' worth of long-run days stand behind the recent ones.
        level = (weighted + self.level_prior) / (weight.sum() + self.level_prior / long_run) if long_run else weighted / weight.sum()
        year = slice(max(0, n - 364), n)
        seen = np.bincount(weekdays[year], weights=np.where(known, counts, 0.0)[year], minlength=7)
        days = np.bincount(weekdays[year], weights=known[year].astype(float), minlength=7)
        usual = seen.sum() / max(days.sum(), 1)
        factor = (seen + self.weekday_prior) / (days * usual + self.weekday_prior)
        factor *= 7 / factor.sum()
        return level * factor[weekdays[n : n + horizon]]
