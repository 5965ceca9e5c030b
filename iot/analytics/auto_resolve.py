"""When a finding opens, and when it closes by itself: not before it has stood, and not before readings say that it is over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import NEVER_S, FloatArray, IntArray, SignArray, State

OPENED, CLOSED = 1, 2


@dataclass(frozen=True)
class OpenState(State):
    """Of one detector, by series: since when it is bad, bad readings in a row, the same for good ones, whether open, the worst score."""

    bad_since_s: FloatArray
    bad: IntArray
    good_since_s: FloatArray
    good: IntArray
    is_open: SignArray
    worst: FloatArray
    last_s: FloatArray

    @classmethod
    def fresh(cls, series: int) -> OpenState:
        return cls(
            np.full(series, NEVER_S),
            np.zeros(series, dtype=np.int64),
            np.full(series, NEVER_S),
            np.zeros(series, dtype=np.int64),
            np.zeros(series, dtype=np.int8),
            np.zeros(series),
            np.full(series, NEVER_S),
        )


@dataclass(frozen=True)
class Resolving:
    """What it takes: ``after`` bad readings in a row to open, and ``quiet`` good ones over ``quiet_s`` seconds to close."""

    after: int = 1
    quiet: int = 3
    quiet_s: float = 900.0

    def __post_init__(self) -> None:
        if self.after < 1 or self.quiet < 1 or self.quiet_s < 0:
            raise ValueError("It takes one reading at least to open and to close.")


@dataclass(frozen=True)
class Turn:
    """An opening or a closing: the reading (its place in the batch), the series, which of the two, when, and the worst score so far.

    ``at_s`` of an opening is the first bad reading of the row that opened it.
    """

    reading: int
    series: int
    what: int
    at_s: float
    worst: float


def auto_resolve(
    series: IntArray, at_s: FloatArray, score: FloatArray, active: SignArray, state: OpenState, how: Resolving | None = None
) -> tuple[list[Turn], OpenState]:
    """Follow one detector's answers, and say which findings open and which close.

    Silence closes nothing: only readings do. A reading the detector did not judge (score NaN) counts neither way, unless its finding
    stands.

    Parameters
    ----------
    series, at_s, score, active : ndarray, shape (n,)
        The batch, and what a detector ``Found`` in it.
    state : OpenState
    how : Resolving

    Raises
    ------
    ValueError
        For columns of different lengths.

    Examples
    --------
    >>> import numpy as np
    >>> at, zeros = np.arange(8) * 600.0, np.zeros(8, dtype=np.int64)
    >>> active = np.array([0, 1, 1, 0, 1, 0, 0, 0], dtype=np.int8)
    >>> turns, _state = auto_resolve(zeros, at, active * 1.5, active, OpenState.fresh(1))
    >>> [(turn.what, turn.at_s) for turn in turns]
    [(1, 600.0), (2, 4200.0)]
    """
    how, state = how or Resolving(), state.copied()
    if not len(series) == len(at_s) == len(score) == len(active):
        raise ValueError("Columns of different lengths.")
    turns: list[Turn] = []
    # Most readings of most series change nothing: those of series that are quiet and have nothing open are passed over at once.
    stirred = np.unique(series[np.asarray(active) != 0])
    concerned = np.zeros(len(state), dtype=bool)
    concerned[stirred] = True
    concerned |= (state.is_open != 0) | (state.bad != 0)
    for i in np.flatnonzero(concerned[series]):
        s = int(series[i])
        if not at_s[i] > state.last_s[s] or (np.isnan(score[i]) and not active[i]):
            continue
        state.last_s[s] = at_s[i]
        if active[i]:
            state.good[s] = 0
            state.worst[s] = max(state.worst[s], float(np.nan_to_num(score[i])))
            if not state.bad[s]:
                state.bad_since_s[s] = at_s[i]
            state.bad[s] += 1
            if not state.is_open[s] and state.bad[s] >= how.after:
                state.is_open[s] = 1
                turns.append(Turn(int(i), s, OPENED, float(state.bad_since_s[s]), float(state.worst[s])))
            continue
        state.bad[s] = 0
        if not state.is_open[s]:
            state.worst[s] = 0.0
            continue
        if not state.good[s]:
            state.good_since_s[s] = at_s[i]
        state.good[s] += 1
        if state.good[s] >= how.quiet and at_s[i] - state.good_since_s[s] >= how.quiet_s:
            turns.append(Turn(int(i), s, CLOSED, float(at_s[i]), float(state.worst[s])))
            state.is_open[s] = state.good[s] = 0
            state.worst[s] = 0.0
    passed = ~concerned[series]
    np.maximum.at(state.last_s, series[passed], at_s[passed])
    return turns, state
