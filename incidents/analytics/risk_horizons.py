"""The next shift, day, week and month from one fitted week: which share of a week falls into each, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.grid import Cells
from incidents.analytics.risk_components import SMOOTH, Happened, components

_FloatArray = NDArray[np.float64]
SHIFT_HOURS = 8
SHIFTS_BEGIN = (6, 14, 22)  # the hours an eight-hour shift begins at
_BORROWED = 10.0  # incidents' worth of trust in the surroundings' share, and in everybody's


@dataclass(frozen=True)
class Horizon:
    """``[begins, begins + days)`` after the moment looked from."""

    name: str
    gap_days: float
    days: float


def next_shift(day: float) -> float:
    """The next moment, at or after ``day``, at which a shift begins.

    >>> next_shift(10.0), next_shift(10.25), next_shift(10 + 23 / 24)
    (10.25, 10.25, 11.25)
    """
    midnight = np.floor(day)
    for number in (0, 1):
        for hour in SHIFTS_BEGIN:
            if midnight + number + hour / 24 >= day - 1e-9:
                return float(midnight + number + hour / 24)
    raise AssertionError("a shift begins every day")


def horizons(as_of: float) -> tuple[Horizon, ...]:
    """The four horizons seen from ``as_of``; all begin with the next shift."""
    gap = next_shift(as_of) - as_of
    return (Horizon("shift", gap, SHIFT_HOURS / 24), Horizon("day", gap, 1.0), Horizon("week", gap, 7.0), Horizon("month", gap, 28.0))


@dataclass(frozen=True)
class Clock:
    """What share of a week's incidents falls into one day, and into one shift of it, cell by cell.

    Attributes
    ----------
    day : float
        The share of the week's incidents on the first day's weekday.
    shift : ndarray of float64, shape (origins, cells)
        The share of the day's incidents in the shift's hours: a cell's own experience, leaning on its surroundings' and everybody's.
    """

    day: float
    shift: _FloatArray

    def share(self, horizon: Horizon, at: int) -> _FloatArray | float:
        if horizon.name == "shift":
            return self.day * self.shift[at]
        return self.day if horizon.name == "day" else horizon.days / 7


def read_clock(happened: Happened, cells: Cells, origins: _FloatArray, *, keep: int, begins: float) -> Clock:
    """Learn the clock from incidents before the last origin; ``begins`` is the moment the shift begins (its weekday and hour count)."""
    own = happened.own & (happened.day < origins[-1])
    day = happened.day[own]
    last_year = day[day >= origins[-1] - 364]
    first = begins - np.floor(begins)
    shifted = (last_year - first) // 1  # days counted from the shift's hour, as the horizon counts them
    on_weekday = float((shifted % 7 == np.floor(begins - first) % 7).mean()) if len(last_year) else 1 / 7
    weight = len(last_year) / (len(last_year) + 200)  # a rare kind hardly believes in its weekdays
    day_share = weight * on_weekday + (1 - weight) / 7
    in_shift = np.mod(happened.day - begins, 1.0) < SHIFT_HOURS / 24 - 1e-9
    inside = Happened(happened.xy_m, happened.day, happened.own & in_shift)
    ours, all_day = (components(those, cells, origins, keep=keep, sources=SMOOTH).values for those in (inside, happened))
    weeks = SMOOTH[0].lives_days[0] / 7
    everybody = float(in_shift[own].mean()) if len(day) else SHIFT_HOURS / 24
    around = (ours[:, :, 1] * weeks + _BORROWED * everybody) / (all_day[:, :, 1] * weeks + _BORROWED)
    return Clock(day_share, (ours[:, :, 0] * weeks + _BORROWED * around) / (all_day[:, :, 0] * weeks + _BORROWED))
