"""How much to expect where and at what hour: five views of it, each kept visible, and their weighted mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]

HOURS_OF_WEEK = 168
HISTORY, TREND, FORECAST, RISK, SENSORS = "history", "trend", "forecast", "risk", "sensors"
PARTS = (HISTORY, TREND, FORECAST, RISK, SENSORS)
# They add up to 1 without the sensors, which have theirs beside it (a setting): where none speak, nothing changes.
WEIGHTS = {HISTORY: 0.25, TREND: 0.15, FORECAST: 0.35, RISK: 0.25}
PRIOR_WEEKS = 8.0
RECENT_WEEKS = 4
LEAST_TREND, MOST_TREND = 0.5, 2.0


@dataclass(frozen=True)
class Table:
    """Expected incidents by area (row) and hour (column), from each part and together.

    Attributes
    ----------
    parts : dict of str to ndarray of float64, shape (areas, hours)
        Only the parts there were.
    weights : dict of str to float
        Of each part in the mean; they add up to 1. A part that is missing leaves its weight to the others.
    expected : ndarray of float64, shape (areas, hours)
    """

    parts: dict[str, _FloatArray]
    weights: dict[str, float]
    expected: _FloatArray


def weekly_profile(counts: _FloatArray, weeks: float, *, prior_weeks: float = PRIOR_WEEKS) -> _FloatArray:
    """Expected incidents an hour of the week, by area, with what little an area has leaning on the whole.

    Each area's count in an hour of the week is shrunk to its share of the rhythm of all areas, as if that had been watched for
    ``prior_weeks``: the posterior mean of a Poisson rate under a gamma prior.

    Parameters
    ----------
    counts : ndarray of float64, shape (areas, 168)
        Incidents in each hour of the week (Monday 00:00 first) over all weeks.
    weeks : float
        How many weeks they were counted over, above 0.
    prior_weeks : float

    Returns
    -------
    ndarray of float64, shape (areas, 168)
        Adds up to each area's weekly mean.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.zeros((2, 168)); counts[0, 5] = 8; counts[1, 5] = 4
    >>> weekly_profile(counts, 4.0)[:, 5].round(2).tolist()
    [1.28, 0.64]
    """
    counts = np.asarray(counts, np.float64)
    if counts.ndim != 2 or counts.shape[1] != HOURS_OF_WEEK or not weeks > 0 or prior_weeks < 0:
        raise ValueError("counts are of shape (areas, 168), over a positive number of weeks")
    total = counts.sum(axis=0)
    # The rhythm of all areas, an hour either way smoothed, with an incident spread over the week so that no hour is impossible.
    rhythm = 0.25 * np.roll(total, 1) + 0.5 * total + 0.25 * np.roll(total, -1) + 1.0 / HOURS_OF_WEEK
    rhythm /= rhythm.sum()
    mean = counts.sum(axis=1, keepdims=True) / weeks
    return (counts + prior_weeks * mean * rhythm) / (weeks + prior_weeks)


def trend_ratio(recent: _FloatArray, recent_weeks: float, mean_a_week: _FloatArray, *, prior_weeks: float = PRIOR_WEEKS) -> _FloatArray:
    """Lately over before, by area, each area leaning on all together; from a half to twice, for more than that is chance or a change of
    recording.

    Examples
    --------
    >>> import numpy as np
    >>> trend_ratio(np.array([16.0, 0.0]), 4, np.array([2.0, 0.0])).round(2).tolist()
    [2.0, 2.0]
    """
    recent, mean = np.asarray(recent, np.float64), np.asarray(mean_a_week, np.float64)
    expected = mean * recent_weeks
    whole = float(recent.sum() / expected.sum()) if expected.sum() > 0 else 1.0
    lean = mean * prior_weeks
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.where(expected + lean > 0, (recent + whole * lean) / (expected + lean), whole)
    return np.clip(own, LEAST_TREND, MOST_TREND)


def by_profile(day_totals: _FloatArray, profile: _FloatArray, hours: _IntArray, days: _IntArray) -> _FloatArray:
    """A day's total spread over its hours as the weekly profile has them.

    Parameters
    ----------
    day_totals : ndarray of float64, shape (areas, d)
        Expected on each day; undefined where nobody knows.
    profile : ndarray of float64, shape (areas, 168)
    hours : ndarray of int64, shape (h,)
        Hour of the week of each column asked for.
    days : ndarray of int64, shape (h,)
        Which column of ``day_totals`` each hour belongs to.
    """
    of_day = hours // 24
    daily = profile.reshape(len(profile), 7, 24).sum(axis=2)[:, of_day]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(daily > 0, profile[:, hours] / daily, 1 / 24)
    return day_totals[:, days] * share


def blend(parts: dict[str, _FloatArray], *, weights: dict[str, float] | None = None) -> Table:
    """The weighted mean of the parts there are. An area a part does not know (undefined) is taken from the others.

    Examples
    --------
    >>> import numpy as np
    >>> table = blend({"history": np.array([[1.0]]), "forecast": np.array([[3.0]])}, weights={"history": 1, "forecast": 3})
    >>> table.expected.tolist(), table.weights
    ([[2.5]], {'history': 0.25, 'forecast': 0.75})
    """
    if not parts:
        raise ValueError("there is nothing to blend")
    wanted = weights or WEIGHTS
    total = sum(wanted[name] for name in parts)
    given = {name: wanted[name] / total for name in parts}
    stacked = np.stack([parts[name] for name in parts])
    weigh = np.array([given[name] for name in parts])[:, None, None] * np.isfinite(stacked)
    sums = weigh.sum(axis=0)
    expected = np.where(sums > 0, (np.nan_to_num(stacked) * weigh).sum(axis=0) / np.where(sums > 0, sums, 1), 0.0)
    return Table({name: np.nan_to_num(parts[name]) for name in parts}, given, expected)


def shares_within(values: _FloatArray, groups: _IntArray, count: int) -> _FloatArray:
    """Each cell's share of its area: by ``values``, evenly where they add up to nothing."""
    values = np.where(np.isfinite(values), np.maximum(values, 0), 0.0)
    sums = np.bincount(groups, weights=values, minlength=count)[groups]
    members = np.bincount(groups, minlength=count)[groups]
    return np.where(sums > 0, values / np.where(sums > 0, sums, 1), 1 / np.maximum(members, 1))
