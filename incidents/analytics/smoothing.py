"""Two classics from statsforecast as challengers: exponential smoothing and Theta, kept to counts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.panel import Panel
from incidents.analytics.prophet_counts import anscombe, busy_enough, counted

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Smoothing:
    """Additive error, no trend, additive week (ETS), or Theta with the week taken out; both on Anscombe's square root.

    References
    ----------
    Hyndman, Koehler, Ord, Snyder (2008), Forecasting with Exponential Smoothing. Fiorucci et al. (2016), International Journal of
    Forecasting 32(4) (the optimised Theta).

    Examples
    --------
    >>> Smoothing("ets").name
    'ets'
    """

    kind: str = "ets"
    least_days: int = 120
    least_a_day: float = 2.0
    most_days: int = 731
    is_slow: bool = True

    @property
    def name(self) -> str:
        return self.kind

    def means(self, panel: Panel, horizon: int) -> _FloatArray:
        """NaN for series too short or too sparse to be smoothed as if Gaussian, and where the answer is no count."""
        from statsforecast.models import AutoETS, DynamicOptimizedTheta  # takes seconds to import

        answer = np.full((panel.series, horizon), np.nan)
        for row in np.flatnonzero(busy_enough(panel, days=self.least_days, a_day=self.least_a_day)):
            scaled = _filled(anscombe(panel.counts[row, -self.most_days :]))
            model: Any = AutoETS(season_length=7, model="ANA") if self.kind == "ets" else DynamicOptimizedTheta(season_length=7)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                said = model.forecast(y=scaled, h=horizon, fitted=True)
            answer[row] = counted(np.asarray(said["mean"], float), float(np.nanvar(scaled - said["fitted"])))
        return answer


def _filled(values: _FloatArray) -> _FloatArray:
    """These methods know no unknown day: it takes the value of the same weekday before it, else the mean."""
    values = values.copy()
    for day in np.flatnonzero(~np.isfinite(values)):
        values[day] = values[day - 7] if day >= 7 else np.nanmean(values)
    return values
