"""Readings that did not come: a hole before this reading, or a series that is silent now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import NEVER_S, Batch, FloatArray, Found, State, by_series, ready

MISSED = 3.0


@dataclass(frozen=True)
class GapState(State):
    last_s: FloatArray

    @classmethod
    def fresh(cls, series: int) -> GapState:
        return cls(np.full(series, NEVER_S))


def gap(batch: Batch, state: GapState, *, cadence_s: object, missed: float = MISSED, in_place: bool = False) -> tuple[Found, GapState]:
    """Mark the first reading after a hole of more than ``missed`` cadences.

    Parameters
    ----------
    batch : Batch
    state : GapState
    cadence_s : float or ndarray of float64, shape (series,)
        How often a reading is due; 0 or NaN for what speaks only when something happens.
    missed : float
    in_place : bool

    Returns
    -------
    Found
        Score is the hole over the limit; ``active`` for the reading alone; ``expected`` NaN.
    GapState

    Raises
    ------
    ValueError
        For a series without a row in the state.

    Examples
    --------
    >>> batch = Batch.of([0, 0, 0], [0, 300, 1500], [1.0, 1.0, 1.0])
    >>> found, state = gap(batch, GapState.fresh(1), cadence_s=300)
    >>> found.active.tolist(), silent(state, 2400.1, cadence_s=300).tolist()
    ([0, 0, 1], [True])
    """
    from iot.analytics import loops

    state, found = ready(batch, state, in_place=in_place), Found.blank(len(batch))
    most = by_series(cadence_s, len(state), "cadence_s") * missed
    loops.gap(batch.series, batch.at_s, batch.value, most, state.last_s, found.score, found.active, found.expected)
    return found, state


def silent(state: GapState, now_s: float, *, cadence_s: object, missed: float = MISSED) -> np.ndarray:
    """Which series are overdue at ``now_s``; one that has never spoken is not silent but unknown."""
    most = by_series(cadence_s, len(state), "cadence_s") * missed
    with np.errstate(invalid="ignore"):
        return np.isfinite(state.last_s) & (most > 0) & (now_s - state.last_s > most)
