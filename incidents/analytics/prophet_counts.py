"""Prophet, kept to counts."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.counts import count_interval, spread
from incidents.analytics.history import History, Predicted, TooLittleHistory
from incidents.analytics.weekday_counts import WeekdayCounts

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ProphetCounts:
    """Trend, week and (where the history allows) year by Prophet, on the scale on which counts have one variance.

    Prophet believes in Gaussian noise and knows no zero; on sparse counts it answers with negative days. Cutting those off would
    hide that the model does not fit, so it is asked only where it does: at ``least_a_day`` incidents a day or more over the
    last ``least_days`` days. It is fitted to ``2·sqrt(y + 3/8)`` (Anscombe), whose noise is close to Gaussian with variance 1 for a
    Poisson count, which is then squared back with the correction that keeps the mean. The interval is not Prophet's but a negative
    binomial one around its mean, as wide as the counts of the last year fell around the fit, or as they fell around plain counting a
    week ahead (:class:`WeekdayCounts`), whichever is wider.

    References
    ----------
    Taylor, Letham (2018), The American Statistician 72(1). Anscombe (1948), Biometrika 35(3-4). On sparse counts: prophet
    issues 337, 1153, 1214, 1522, 1668.

    Examples
    --------
    >>> ProphetCounts().name
    'prophet'
    """

    least_days: int = 120
    least_a_day: float = 5.0
    yearly_from_days: int = 730
    name: str = "prophet"

    def suits(self, history: History) -> bool:
        recent = history.counts[-self.least_days :]
        known = np.isfinite(recent)
        return len(recent) >= self.least_days and known.mean() >= 0.8 and float(recent[known].mean()) >= self.least_a_day

    def fit_predict(self, history: History, *, horizon: int, interval: float) -> Predicted:
        """Raises ``TooLittleHistory`` for a series too short or too sparse for Prophet."""
        if not self.suits(history):
            raise TooLittleHistory(f"Prophet needs {self.least_days} days with {self.least_a_day:g} incidents a day.")
        counts = history.counts
        n = len(counts)
        scaled = self._fitted(history, 2 * np.sqrt(counts + 3 / 8), horizon)
        noise = float(np.nanvar(scaled[:n] - 2 * np.sqrt(counts + 3 / 8)))
        mean = (np.maximum(scaled, 0.0) ** 2 + noise) / 4 - 3 / 8
        if not np.isfinite(mean).all() or (mean <= 0).any():
            raise TooLittleHistory("Prophet's answer is no count.")
        year = slice(max(0, n - 364), n)
        # A fit is always closer to the days it has seen. It may not claim to be surer of the next ones than counting has been.
        phi = max(spread(counts[year], mean[year]), WeekdayCounts().spread_ahead(history))
        expected = mean[n:]
        return Predicted(expected, *count_interval(expected, expected * phi, share=interval), method=self.name)

    def _fitted(self, history: History, scaled: _FloatArray, horizon: int) -> _FloatArray:
        """Prophet's mean over the history and the days ahead, on the scale it was given."""
        logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)  # else it says, as an error, that there is no plotly
        import pandas as pd  # Both take seconds to import: only a process that forecasts pays for them.
        from prophet import Prophet

        for talker in ("cmdstanpy", "prophet"):
            logging.getLogger(talker).setLevel(logging.CRITICAL)  # Prophet sets its own level when it is imported
        n = len(scaled)
        frame = pd.DataFrame({"ds": pd.date_range(history.first_day, periods=n + horizon, freq="D")})
        options: dict[str, Any] = {"growth": "linear", "uncertainty_samples": 0, "daily_seasonality": False, "weekly_seasonality": True}
        model = Prophet(**options, yearly_seasonality=5 if n >= self.yearly_from_days else False)
        for name, values in history.regressors.items():
            model.add_regressor(name)
            frame[name] = values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ways of pandas that Prophet still uses
            model.fit(frame[:n].assign(y=scaled))
            return np.asarray(model.predict(frame)["yhat"], dtype=np.float64)
