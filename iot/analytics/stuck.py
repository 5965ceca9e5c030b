"""A sensor that says the same for longer than the thing it measures ever stands still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import NEVER_S, Batch, FloatArray, Found, IntArray, SignArray, State, by_series, ready


@dataclass(frozen=True)
class StuckState(State):
    last_s: FloatArray
    held: FloatArray
    since_s: FloatArray
    counts: IntArray
    active: SignArray

    @classmethod
    def fresh(cls, series: int) -> StuckState:
        return cls(
            np.full(series, NEVER_S), np.zeros(series), np.zeros(series), np.zeros(series, dtype=np.int64), np.zeros(series, dtype=np.int8)
        )


def stuck(
    batch: Batch, state: StuckState, *, after_s: object, tolerance: object = 0.0, least: int = 4, in_place: bool = False
) -> tuple[Found, StuckState]:
    """Time how long the value has stayed within ``tolerance`` of where it came to rest.

    Parameters
    ----------
    batch : Batch
    state : StuckState
    after_s : float or ndarray of float64, shape (series,)
        How long is too long; 0 or NaN for what may rest for days (a door, a motion sensor at night).
    tolerance : float or ndarray of float64, shape (series,)
        In the reading's unit.
    least : int
        Readings it takes: two readings hours apart that are alike say little.
    in_place : bool

    Returns
    -------
    Found
        Score is the time over the limit; ``expected`` the value it stays at.
    StuckState

    Raises
    ------
    ValueError
        For a series without a row in the state.

    References
    ----------
    The persistence ("flat line") test: IOOS QARTOD, Manual for Real-Time Quality Control (2020), test 8; WMO-No. 8 (2018), vol. V, chap. 1.

    Examples
    --------
    >>> batch = Batch.of([0] * 6, range(0, 3600, 600), [3.1, 3.2, 3.2, 3.2, 3.2, 3.3])
    >>> stuck(batch, StuckState.fresh(1), after_s=1800)[0].active.tolist()
    [0, 0, 0, 0, 1, 0]
    """
    from iot.analytics import loops

    state, found = ready(batch, state, in_place=in_place), Found.blank(len(batch))
    loops.stuck(
        batch.series,
        batch.at_s,
        batch.value,
        by_series(after_s, len(state), "after_s"),
        by_series(tolerance, len(state), "tolerance"),
        least,
        state.last_s,
        state.held,
        state.since_s,
        state.counts,
        state.active,
        found.score,
        found.active,
        found.expected,
    )
    return found, state
