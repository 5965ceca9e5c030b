"""A level that moves slowly: the two charts of quality control, CUSUM and EWMA, over the means of days (or of a part of each day)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from iot.analytics.batch import NEVER_S, Batch, FloatArray, Found, IntArray, SignArray, State, by_series, ready

DAY_S = 86_400.0


@dataclass(frozen=True)
class DriftState(State):
    last_s: FloatArray
    block: IntArray
    kept: FloatArray
    active: SignArray

    @classmethod
    def fresh(cls, series: int) -> DriftState:
        return cls(np.full(series, NEVER_S), np.full(series, -1, dtype=np.int64), np.zeros((series, 10)), np.zeros(series, dtype=np.int8))


@dataclass(frozen=True)
class Chart:
    """How a chart is kept.

    Attributes
    ----------
    kind : "cusum" or "ewma"
        The EWMA by default: on made-up drifts it raised far fewer false alarms than the CUSUM (see the bench).
    slack : float
        CUSUM: the shift it overlooks, in deviations (k); EWMA: the weight of the newest block, from 0 to 1 (lambda).
    limit : float
        CUSUM: the sum that signals (h, 8 say, with a slack of 0.5); EWMA: deviations of the average (L).
    block_s, from_s, to_s, offset_s : float
        A block is ``block_s`` long on the local clock (UTC and ``offset_s``); of each day only ``from_s`` to ``to_s`` counts.
    least : int
        Readings a block needs to count.
    learn : int
        Blocks the level and its deviation are learnt from before anything is judged. Learnt from few they signal too often.
    clip : float
        A single block counts for no more deviations than this.
    accept : int
        After so many blocks the new level is taken for granted and learnt; 0: never.
    """

    kind: Literal["cusum", "ewma"] = "ewma"
    slack: float = 0.2
    limit: float = 5.0
    block_s: float = DAY_S
    from_s: float = 0.0
    to_s: float = DAY_S
    offset_s: float = 3 * 3600.0
    least: int = 3
    learn: int = 28
    clip: float = 4.0
    accept: int = 14

    def __post_init__(self) -> None:
        if self.kind not in ("cusum", "ewma") or self.limit <= 0 or self.clip <= 0 or self.block_s <= 0:
            raise ValueError("A chart is cusum or ewma, with a limit, a clip and a block above 0.")
        if self.slack < 0 or (self.kind == "ewma" and not 0 < self.slack <= 1):
            raise ValueError("A CUSUM's slack is not below 0, an EWMA's weight above 0 and at most 1.")
        if self.learn < 5 or self.least < 1 or not 0 <= self.from_s < self.to_s <= DAY_S:
            raise ValueError("A chart learns from five blocks at least, each of one reading or more, within a day.")


def drift(
    batch: Batch, state: DriftState, chart: Chart | None = None, *, floor: object = 0.0, in_place: bool = False
) -> tuple[Found, DriftState]:
    """Chart the means of the blocks; a finding begins and ends with the first reading after the block that decides it.

    Readings minutes apart resemble one another, and a chart over them signals all the time: the means of days do not, or far less.

    Parameters
    ----------
    batch : Batch
    state : DriftState
        Of one chart: do not hand it to another.
    chart : Chart
    floor : float or ndarray of float64, shape (series,)
        The least deviation of a block's mean, in the reading's unit.
    in_place : bool

    Returns
    -------
    Found
        ``active`` 1 above, -1 below; ``expected`` is the level learnt; score NaN while it learns.
    DriftState

    Raises
    ------
    ValueError
        For a series without a row in the state.

    References
    ----------
    Page (1954), Biometrika 41, 100-115 (CUSUM); Roberts (1959), Technometrics 1, 239-250 (EWMA); for their limits Montgomery, Introduction
    to Statistical Quality Control, chap. 9. That autocorrelation breaks them: Alwan & Roberts (1988), J. Bus. Econ. Stat. 6, 87-95;
    what learning from few blocks costs: Jensen et al. (2006), J. Qual. Technol. 38, 349-364.

    Examples
    --------
    >>> import numpy as np
    >>> at = np.arange(0, 80 * 24) * 3600.0
    >>> value = np.random.default_rng(1).normal(50, 1, len(at)) - np.where(at > 60 * 86_400, 1.0, 0.0)
    >>> found, _state = drift(Batch.of(np.zeros(len(at)), at, value), DriftState.fresh(1))
    >>> first = int(np.flatnonzero(found.active)[0])
    >>> 60 < first / 24 < 66, int(found.active[first])
    (True, -1)
    """
    from iot.analytics import drift_loop

    chart = chart or Chart()
    state, found = ready(batch, state, in_place=in_place), Found.blank(len(batch))
    drift_loop.drift(
        batch.series,
        batch.at_s,
        batch.value,
        by_series(floor, len(state), "floor"),
        chart.kind == "ewma",
        float(chart.block_s),
        float(chart.offset_s),
        float(chart.from_s),
        float(chart.to_s),
        chart.least,
        chart.learn,
        float(chart.slack),
        float(chart.limit),
        float(chart.clip),
        chart.accept,
        state.last_s,
        state.block,
        state.kept,
        state.active,
        found.score,
        found.active,
        found.expected,
    )
    return found, state
