"""A reading unlike its hour of the week: each of the 168 keeps a slowly learning mean and a mean distance from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import NEVER_S, Batch, FloatArray, Found, IntArray, SignArray, State, by_series, ready

LIMIT = 5.0
LEAST_WEEKS = 3
MEMORY = 0.15
KUWAIT_S = 3 * 3600.0


@dataclass(frozen=True)
class SeasonalState(State):
    """By series and hour of the week: hours learnt from, mean, mean distance; and the hour going on: its sum, its distances, its count."""

    last_s: FloatArray
    weeks: IntArray
    mean: FloatArray
    spread: FloatArray
    hour: IntArray
    total: FloatArray
    away: FloatArray
    counts: IntArray
    active: SignArray

    @classmethod
    def fresh(cls, series: int) -> SeasonalState:
        slots, none = np.zeros((series, 168)), np.zeros(series)
        return cls(
            np.full(series, NEVER_S),
            np.zeros((series, 168), dtype=np.int64),
            slots,
            slots.copy(),
            np.full(series, -1, dtype=np.int64),
            none,
            none.copy(),
            np.zeros(series, dtype=np.int64),
            np.zeros(series, dtype=np.int8),
        )


def seasonal(
    batch: Batch,
    state: SeasonalState,
    *,
    limit: float = LIMIT,
    floor: object = 0.0,
    least_weeks: int = LEAST_WEEKS,
    memory: float = MEMORY,
    offset_s: float = KUWAIT_S,
    in_place: bool = False,
) -> tuple[Found, SeasonalState]:
    """Score each reading against its hour of the week as earlier weeks had it.

    An hour enters the memory when it is over, and one out of all measure moves it only as far as the limit: a bad night does not become
    next week's normal, a lasting change does within weeks.

    Parameters
    ----------
    batch : Batch
    state : SeasonalState
    limit : float
        How many deviations (1.2533 times the mean distance) score 1.
    floor : float or ndarray of float64, shape (series,)
        The least deviation, in the reading's unit.
    least_weeks : int
        Hours of the same name an hour must have been learnt from before it judges: fewer is too little history.
    memory : float
        Weight of the newest week, from 0 to 1; the first weeks weigh alike.
    offset_s : float
        The local clock less UTC: Kuwait's by default.
    in_place : bool

    Returns
    -------
    Found
        ``expected`` is the hour's mean.
    SeasonalState

    Raises
    ------
    ValueError
        For a series without a row, or a memory out of range.

    References
    ----------
    Brutlag (2000), Aberrant behavior detection in time series for network monitoring, LISA XIV, 139-146: exponentially weighted
    deviations by season; here by hour of the week, with no trend.

    Examples
    --------
    >>> import numpy as np
    >>> at = np.arange(0, 5 * 7 * 24) * 3600.0
    >>> value = 10 + 5 * np.sin(at / 86_400 * 2 * np.pi) + np.tile([0.1, -0.1], len(at) // 2)
    >>> value[-1] += 4
    >>> found, _state = seasonal(Batch.of(np.zeros(len(at)), at, value), SeasonalState.fresh(1), floor=0.2)
    >>> int(np.isnan(found.score).sum()) // 24, np.flatnonzero(found.active).tolist()
    (21, [839])
    """
    from iot.analytics import seasonal_loop

    state, found = ready(batch, state, in_place=in_place), Found.blank(len(batch))
    if not 0 < memory <= 1 or least_weeks < 2:
        raise ValueError("A memory lies above 0 and at most at 1, and two weeks are the fewest to judge by.")
    seasonal_loop.seasonal(
        batch.series,
        batch.at_s,
        batch.value,
        by_series(floor, len(state), "floor"),
        float(offset_s),
        float(limit),
        least_weeks,
        float(memory),
        state.last_s,
        state.weeks,
        state.mean,
        state.spread,
        state.hour,
        state.total,
        state.away,
        state.counts,
        state.active,
        found.score,
        found.active,
        found.expected,
    )
    return found, state
