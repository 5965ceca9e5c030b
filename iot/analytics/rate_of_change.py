"""A change faster than the thing measured can change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import NEVER_S, Batch, FloatArray, Found, SignArray, State, by_series, ready


@dataclass(frozen=True)
class RateState(State):
    last_s: FloatArray
    last_value: FloatArray
    active: SignArray

    @classmethod
    def fresh(cls, series: int) -> RateState:
        return cls(np.full(series, NEVER_S), np.zeros(series), np.zeros(series, dtype=np.int8))


def rate_of_change(
    batch: Batch, state: RateState, *, most_per_minute: object, least_s: float = 1.0, in_place: bool = False
) -> tuple[Found, RateState]:
    """Compare each reading with the one before: how much it changed a minute, against the most its metric can.

    Parameters
    ----------
    batch : Batch
    state : RateState
    most_per_minute : float or ndarray of float64, shape (series,)
        In the reading's unit; 0 or NaN where none is known.
    least_s : float
        Readings nearer than this count as this far apart: a step of the scale in a millisecond is no rate.
    in_place : bool

    Returns
    -------
    Found
        ``active`` 1 up, -1 down, for the reading alone; ``expected`` is the reading before.
    RateState

    Raises
    ------
    ValueError
        For a series without a row in the state.

    References
    ----------
    The "time consistency" and "step" tests of weather stations: WMO-No. 8 (2018), vol. V, chap. 1; IOC Manuals and Guides 26 (1993).

    Examples
    --------
    >>> batch = Batch.of([0, 0, 0], [0, 60, 120], [20.0, 21.0, 35.0])
    >>> rate_of_change(batch, RateState.fresh(1), most_per_minute=2.0)[0].score.tolist()
    [nan, 0.5, 7.0]
    """
    from iot.analytics import loops

    state, found = ready(batch, state, in_place=in_place), Found.blank(len(batch))
    most = by_series(most_per_minute, len(state), "most_per_minute")
    loops.rate(
        batch.series,
        batch.at_s,
        batch.value,
        most,
        float(least_s),
        state.last_s,
        state.last_value,
        state.active,
        found.score,
        found.active,
        found.expected,
    )
    return found, state
