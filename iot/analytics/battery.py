"""How many days a battery lasts: a line through its days, robust against the odd reading, with an interval; or why there is no answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import theilslopes

LEAST_DAYS = 14
JUMP = 15.0
DAY_S = 86_400.0
FARTHEST_DAYS = 3650.0


@dataclass(frozen=True)
class Battery:
    """A forecast, or why there is none.

    Attributes
    ----------
    days_left, low, high : float or None
        Until ``empty`` is reached; the interval of the slope's. ``high`` is ``None`` where the battery may as well last for ever.
    per_day : float or None
        Change a day, in the unit given.
    days : int
        Days of history since the last change of the battery.
    why : str
        "" with a forecast; ``too_little_history``, ``not_falling``, ``no_history`` otherwise.
    needs : int
        Days of history it takes.
    """

    days_left: float | None
    low: float | None
    high: float | None
    per_day: float | None
    days: int
    why: str
    needs: int = LEAST_DAYS


def battery(
    at_s: ArrayLike,
    level: ArrayLike,
    *,
    now_s: float,
    empty: float = 10.0,
    jump: float = JUMP,
    least_days: int = LEAST_DAYS,
    confidence: float = 0.9,
) -> Battery:
    """Forecast when a battery is empty, from its reports.

    The medians of its days since the last rise of more than ``jump`` (a new battery, a charge) are fitted by the median of all slopes
    between two of them; the interval is that slope's. A battery does not fall in a line to its end, and cold days cost it more: the
    interval knows of neither. Read it as "if it goes on like this".

    Parameters
    ----------
    at_s, level : ndarray of float64, shape (n,)
        Per cent (or volts, with ``empty`` and ``jump`` in volts), in any order; left out is what is not finite, and what is after
        ``now_s``.
    now_s : float
    empty : float
        The level at which a device falls silent.
    confidence : float

    Raises
    ------
    ValueError
        For columns of different lengths.

    References
    ----------
    Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389; Theil (1950).

    Examples
    --------
    >>> import numpy as np
    >>> at = np.arange(40) * 86_400.0
    >>> level = 100 - 0.5 * np.arange(40) + np.random.default_rng(1).normal(0, 0.5, 40)
    >>> found = battery(at, level, now_s=39 * 86_400.0)
    >>> found.low < 141 < found.high, round(found.per_day, 1)
    (True, -0.5)
    >>> battery(at[:5], 100 - np.arange(5.0), now_s=4 * 86_400.0).why
    'too_little_history'
    """
    at, levels = np.asarray(at_s, dtype=np.float64), np.asarray(level, dtype=np.float64)
    if at.shape != levels.shape or at.ndim != 1:
        raise ValueError(f"{at.shape} instants and {levels.shape} levels.")
    kept = np.isfinite(at) & np.isfinite(levels) & (at <= now_s)
    if not kept.any():
        return Battery(None, None, None, None, 0, "no_history", least_days)
    day = np.floor(at[kept] / DAY_S)
    days = np.unique(day)
    medians = np.array([np.median(levels[kept][day == one]) for one in days])
    changed = np.flatnonzero(np.diff(medians) > jump)
    if len(changed):
        days, medians = days[changed[-1] + 1 :], medians[changed[-1] + 1 :]
    span = int(days[-1] - days[0]) + 1
    if span < least_days or len(days) < least_days // 2:
        return Battery(None, None, None, None, span, "too_little_history", least_days)
    slope, _intercept, least, most = theilslopes(medians, days, confidence)
    if slope >= 0:
        return Battery(None, None, None, float(slope), span, "not_falling", least_days)
    slope, least, most = float(slope), min(float(least), float(slope)), float(most)

    def left(fall: float) -> float:
        """Days along a line of this slope through the middle of the days: one odd reading moves it little."""
        line_now = float(np.median(medians - fall * days)) + fall * now_s / DAY_S
        return min(max(line_now - empty, 0.0) / -fall, FARTHEST_DAYS)

    return Battery(
        days_left=left(slope),
        low=left(least),
        high=left(most) if most < 0 else None,
        per_day=slope,
        days=span,
        why="",
        needs=least_days,
    )
