"""A reading, or its change, far from the median of those before it, measured by their median distance: a few wild ones change nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import NEVER_S, Batch, FloatArray, Found, IntArray, SignArray, State, by_series, ready

WINDOW = 60
LIMIT = 6.0
LEAST = 20
FORGET_S = 86_400.0


@dataclass(frozen=True)
class RobustState(State):
    """The last ``window`` values (or changes) of each series, as they came and by size; its last reading, and the last believed."""

    last_s: FloatArray
    last_value: FloatArray
    base: FloatArray
    window: FloatArray
    ordered: FloatArray
    counts: IntArray
    place: IntArray
    active: SignArray

    @classmethod
    def fresh(cls, series: int, window: int = WINDOW) -> RobustState:
        if window < 5:
            raise ValueError("A window holds five readings at least.")
        blank, none = np.zeros((series, window)), np.zeros(series, dtype=np.int64)
        return cls(
            np.full(series, NEVER_S),
            np.zeros(series),
            np.zeros(series),
            blank,
            blank.copy(),
            none,
            none.copy(),
            np.zeros(series, dtype=np.int8),
        )


def robust_z(
    batch: Batch,
    state: RobustState,
    *,
    limit: float = LIMIT,
    floor: object = 0.0,
    least: int = LEAST,
    forget_s: float = FORGET_S,
    of_change: bool = False,
    in_place: bool = False,
) -> tuple[Found, RobustState]:
    """Score each reading against the window before it, then take it into the window.

    Every reading enters, whatever it scores: a level that lasts becomes the new normal when half the window has seen it, and the finding
    ends by itself. Where the level swings by the day, a window of it is as wide as the swing, and hides what stands out: there, judge
    the change from reading to reading (``of_change``), which finds spikes and steps and nothing slower.

    Parameters
    ----------
    batch : Batch
    state : RobustState
        Its width is the window.
    limit : float
        How many robust deviations (1.4826 times the median distance) score 1.
    floor : float or ndarray of float64, shape (series,)
        The least deviation, in the reading's unit: what the sensor resolves. With 0 a constant series is never judged.
    least : int
        Readings needed before one is judged.
    forget_s : float
        After so long a silence the window starts anew.
    of_change : bool
        Judge changes instead of values: the smaller of that since the last reading and that since the last believed. A state belongs to one
        of the two.
    in_place : bool

    Returns
    -------
    Found
        ``expected`` is the median; with ``of_change`` the reading before and the median change.
    RobustState

    Raises
    ------
    ValueError
        For a series without a row, or ``least`` larger than the window.

    References
    ----------
    Hampel (1974), J. Am. Stat. Assoc. 69, 383-393; Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers, ASQC (their usual limit
    of 3.5 is for a few values looked at once, not for thousands a day).

    Examples
    --------
    >>> values = [20.0, 20.1, 19.9, 20.0, 20.2, 19.8, 30.0, 20.0]
    >>> batch = Batch.of([0] * 8, range(0, 480, 60), values)
    >>> found, _state = robust_z(batch, RobustState.fresh(1, window=6), least=5)
    >>> found.active.tolist(), float(found.expected[6])
    ([0, 0, 0, 0, 0, 0, 1, 0], 20.0)
    """
    from iot.analytics import loops

    state, found = ready(batch, state, in_place=in_place), Found.blank(len(batch))
    if not 2 <= least <= state.window.shape[1]:
        raise ValueError(f"At least {least} readings of a window of {state.window.shape[1]}.")
    loops.robust(
        batch.series,
        batch.at_s,
        batch.value,
        by_series(floor, len(state), "floor"),
        float(limit),
        least,
        float(forget_s),
        of_change,
        state.last_s,
        state.last_value,
        state.base,
        state.window,
        state.ordered,
        state.counts,
        state.place,
        state.active,
        found.score,
        found.active,
        found.expected,
    )
    return found, state
