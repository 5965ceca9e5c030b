"""A plain limit with hysteresis: a finding begins at one value and ends at another. The baseline every other detector stands beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import NEVER_S, Batch, FloatArray, Found, SignArray, State, by_series, ready


@dataclass(frozen=True)
class Limits:
    """Limits by series, in the reading's unit: columns high (begins), high (ends), low (begins), low (ends); NaN where there is none."""

    table: FloatArray

    @classmethod
    def of(cls, series: int, *, high: object = np.nan, high_ends: object = None, low: object = np.nan, low_ends: object = None) -> Limits:
        """One number for all series, or one each; a finding ends where it began unless told otherwise.

        Raises
        ------
        ValueError
            For a high limit that ends above where it begins, a low one that ends below, or a high limit not above the low one.
        """
        columns = [by_series(high, series, "high"), by_series(low, series, "low")]
        ends = [
            by_series(begins if given is None else given, series, name)
            for given, begins, name in ((high_ends, high, "high_ends"), (low_ends, low, "low_ends"))
        ]
        table = np.column_stack([columns[0], ends[0], columns[1], ends[1]])
        with np.errstate(invalid="ignore"):
            if (table[:, 1] > table[:, 0]).any() or (table[:, 3] < table[:, 2]).any():
                raise ValueError("A high limit ends at or below where it begins, a low one at or above.")
            if (table[:, 2] >= table[:, 0]).any():
                raise ValueError("A low limit lies below the high one.")
        if (np.isnan(table[:, 1]) != np.isnan(table[:, 0])).any() or (np.isnan(table[:, 3]) != np.isnan(table[:, 2])).any():
            raise ValueError("A limit that begins must end, and the other way round.")
        return cls(table)


@dataclass(frozen=True)
class ThresholdState(State):
    last_s: FloatArray
    active: SignArray

    @classmethod
    def fresh(cls, series: int) -> ThresholdState:
        return cls(np.full(series, NEVER_S), np.zeros(series, dtype=np.int8))


def threshold(batch: Batch, state: ThresholdState, limits: Limits, *, in_place: bool = False) -> tuple[Found, ThresholdState]:
    """Find readings beyond a limit; the finding stands until the value is back across the limit's end.

    Parameters
    ----------
    batch : Batch
    state : ThresholdState
    limits : Limits
        A row by series.
    in_place : bool
        Change ``state`` itself, for whoever keeps no copy.

    Returns
    -------
    Found
        Score 0 where the finding would end, 1 where it begins; ``expected`` is the limit the score speaks of.
    ThresholdState

    Raises
    ------
    ValueError
        For a series without a row in the state, or limits of another number of series.

    Examples
    --------
    >>> batch = Batch.of([0, 0, 0, 0], [0, 60, 120, 180], [49, 51, 46, 44])
    >>> found, state = threshold(batch, ThresholdState.fresh(1), Limits.of(1, high=50.0, high_ends=45.0))
    >>> found.active.tolist(), found.score.round(1).tolist()
    ([0, 1, 1, 0], [0.8, 1.2, 0.2, 0.0])
    """
    from iot.analytics import loops

    state, found = ready(batch, state, in_place=in_place), Found.blank(len(batch))
    if len(limits.table) != len(state):
        raise ValueError(f"Limits for {len(limits.table)} series, a state of {len(state)}.")
    loops.threshold(
        batch.series, batch.at_s, batch.value, limits.table, state.last_s, state.active, found.score, found.active, found.expected
    )
    return found, state
