"""Prophet, kept to counts."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.panel import Panel

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ProphetCounts:
    """Trend, week and (where the history allows) year by Prophet, on the scale on which counts have one variance.

    Prophet believes in Gaussian noise and knows no zero; on sparse counts it answers with negative days. Cutting those off would
    hide that the model does not fit, so it is asked only where it does: at ``least_a_day`` incidents a day or more over the
    last ``least_days`` days. It is fitted to ``2·sqrt(y + 3/8)`` (Anscombe), whose noise is close to Gaussian with variance 1 for a
    Poisson count, which is then squared back with the correction that keeps the mean.

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
    is_slow: bool = True

    def suits(self, panel: Panel) -> NDArray[np.bool_]:
        """Which series are long and busy enough."""
        return busy_enough(panel, days=self.least_days, a_day=self.least_a_day)

    def means(self, panel: Panel, horizon: int) -> _FloatArray:
        """NaN for series too short or too sparse for Prophet, and where its answer is no count."""
        answer = np.full((panel.series, horizon), np.nan)
        for row in np.flatnonzero(self.suits(panel)):
            counts = panel.counts[row]
            scaled = anscombe(counts)
            fitted = self._fitted(panel, scaled, horizon)
            noise = float(np.nanvar(fitted[: panel.days] - scaled))
            answer[row] = counted(fitted[panel.days :], noise)
        return answer

    def _fitted(self, panel: Panel, scaled: _FloatArray, horizon: int) -> _FloatArray:
        """Prophet's mean over the history and the days ahead, on the scale it was given."""
        logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)  # else it says, as an error, that there is no plotly
        import pandas as pd  # Both take seconds to import: only a process that forecasts pays for them.
        from prophet import Prophet

        for talker in ("cmdstanpy", "prophet"):
            logging.getLogger(talker).setLevel(logging.CRITICAL)  # Prophet sets its own level when it is imported
        n = len(scaled)
        frame = pd.DataFrame({"ds": pd.date_range(panel.first_day, periods=n + horizon, freq="D")})
        options: dict[str, Any] = {"growth": "linear", "uncertainty_samples": 0, "daily_seasonality": False, "weekly_seasonality": True}
        model = Prophet(**options, yearly_seasonality=5 if n >= self.yearly_from_days else False)
        for name, values in panel.regressors.items():
            if np.ptp(values[:n]) > 0:  # what has never been can teach nothing
                model.add_regressor(name, standardize=False)
                frame[name] = values[: n + horizon]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ways of pandas that Prophet still uses
            model.fit(frame[:n].assign(y=scaled))
            return np.asarray(model.predict(frame)["yhat"], dtype=np.float64)


def busy_enough(panel: Panel, *, days: int, a_day: float) -> NDArray[np.bool_]:
    recent = panel.counts[:, -days:]
    known = np.isfinite(recent)
    mean = np.where(known, recent, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray((panel.days >= days) & (known.mean(axis=1) >= 0.8) & (mean >= a_day))


def anscombe(counts: _FloatArray) -> _FloatArray:
    """On this scale a Poisson count has a variance close to 1, whatever its mean."""
    return np.asarray(2 * np.sqrt(counts + 3 / 8))


def counted(scaled: _FloatArray, noise: float) -> _FloatArray:
    """Back to counts, keeping the mean; NaN for all days where one would be below nought."""
    mean = (np.maximum(scaled, 0.0) ** 2 + noise) / 4 - 3 / 8
    return mean if np.isfinite(mean).all() and (mean > 0).all() else np.full(len(mean), np.nan)
