"""All streaming detectors over one batch: what each says, and the flags of each reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from iot.analytics.batch import Batch, FloatArray, Found, IntArray, by_series
from iot.analytics.drift import Chart, DriftState, drift
from iot.analytics.gap import MISSED, GapState, gap
from iot.analytics.quality import flagged
from iot.analytics.rate_of_change import RateState, rate_of_change
from iot.analytics.robust_z import LIMIT as ROBUST_LIMIT
from iot.analytics.robust_z import WINDOW, RobustState, robust_z
from iot.analytics.seasonal import LIMIT as SEASONAL_LIMIT
from iot.analytics.seasonal import SeasonalState, seasonal
from iot.analytics.stuck import StuckState, stuck
from iot.analytics.threshold import Limits, ThresholdState, threshold

DETECTORS = ("threshold", "rate", "robust", "seasonal", "drift", "stuck", "gap")


@dataclass(frozen=True)
class Tuning:
    """What a batch is judged by, from the profiles' metrics: columns by series, NaN or 0 where a detector has nothing to go by.

    Attributes
    ----------
    limits : Limits
    most_per_minute, stuck_after_s, tolerance, cadence_s, floor : ndarray of float64, shape (series,)
        The most it changes a minute; how long it may stay the same, and within what; how often it is due; what it resolves. ``floor`` is
        also the least deviation of the robust, the seasonal and the drift detector.
    robust_limit, seasonal_limit : float
    chart : Chart
    """

    limits: Limits
    most_per_minute: FloatArray
    stuck_after_s: FloatArray
    tolerance: FloatArray
    cadence_s: FloatArray
    floor: FloatArray
    robust_limit: float = ROBUST_LIMIT
    seasonal_limit: float = SEASONAL_LIMIT
    chart: Chart = field(default_factory=Chart)

    @classmethod
    def of(
        cls,
        series: int,
        *,
        limits: Limits | None = None,
        most_per_minute: object = np.nan,
        stuck_after_s: object = np.nan,
        tolerance: object = 0.0,
        cadence_s: object = np.nan,
        floor: object = 0.0,
    ) -> Tuning:
        return cls(
            limits or Limits.of(series),
            by_series(most_per_minute, series, "most_per_minute"),
            by_series(stuck_after_s, series, "stuck_after_s"),
            by_series(tolerance, series, "tolerance"),
            by_series(cadence_s, series, "cadence_s"),
            by_series(floor, series, "floor"),
        )

    def taken(self, rows: IntArray) -> Tuning:
        """Of some series, in the order given."""
        return Tuning(
            Limits(self.limits.table[rows]),
            self.most_per_minute[rows],
            self.stuck_after_s[rows],
            self.tolerance[rows],
            self.cadence_s[rows],
            self.floor[rows],
            self.robust_limit,
            self.seasonal_limit,
            self.chart,
        )


@dataclass(frozen=True)
class States:
    """A state for each detector, all with the same series."""

    threshold: ThresholdState
    rate: RateState
    robust: RobustState
    seasonal: SeasonalState
    drift: DriftState
    stuck: StuckState
    gap: GapState

    @classmethod
    def fresh(cls, series: int, *, window: int = WINDOW) -> States:
        return cls(
            ThresholdState.fresh(series),
            RateState.fresh(series),
            RobustState.fresh(series, window),
            SeasonalState.fresh(series),
            DriftState.fresh(series),
            StuckState.fresh(series),
            GapState.fresh(series),
        )

    def __len__(self) -> int:
        return len(self.gap)

    def copied(self) -> States:
        return States(**{one.name: getattr(self, one.name).copied() for one in fields(self)})

    def taken(self, rows: IntArray) -> States:
        return States(**{one.name: getattr(self, one.name).taken(rows) for one in fields(self)})

    def put(self, rows: IntArray, other: States) -> None:
        for one in fields(self):
            getattr(self, one.name).put(rows, getattr(other, one.name))

    def grown(self, fresh: States) -> States:
        return States(**{one.name: getattr(self, one.name).grown(getattr(fresh, one.name)) for one in fields(self)})


@dataclass(frozen=True)
class Judged:
    """By detector what it ``Found``; ``flags`` are those of ``quality.Quality`` that follow from it."""

    found: Mapping[str, Found]
    flags: IntArray


def judge(batch: Batch, states: States, tuning: Tuning, *, in_place: bool = False) -> tuple[Judged, States]:
    """Run every detector over the batch.

    The robust detector judges changes here, not values: on made-up spikes that was far better (see the bench).

    Keep the states between batches: where a stream is cut into batches then makes no difference. Whoever may have to judge a batch again
    (its transaction failed) works on copies (``in_place=False``, or ``taken`` and afterwards ``put``).

    Raises
    ------
    ValueError
        For a series without a row, or a tuning of another number of series.

    Examples
    --------
    >>> tuning = Tuning.of(1, limits=Limits.of(1, high=50.0), most_per_minute=2.0, cadence_s=60)
    >>> batch = Batch.of([0, 0, 0], [0, 60, 600], [20.0, 60.0, 60.0])
    >>> judged, states = judge(batch, States.fresh(1), tuning)
    >>> {name: one.active.tolist() for name, one in judged.found.items() if one.active.any()}
    {'threshold': [0, 1, 1], 'rate': [0, 1, 0], 'gap': [0, 0, 1]}
    >>> judged.flags.tolist()
    [0, 4, 256]
    """
    after = {
        "threshold": threshold(batch, states.threshold, tuning.limits, in_place=in_place),
        "rate": rate_of_change(batch, states.rate, most_per_minute=tuning.most_per_minute, in_place=in_place),
        "robust": robust_z(batch, states.robust, limit=tuning.robust_limit, floor=tuning.floor, of_change=True, in_place=in_place),
        "seasonal": seasonal(batch, states.seasonal, limit=tuning.seasonal_limit, floor=tuning.floor, in_place=in_place),
        "drift": drift(batch, states.drift, tuning.chart, floor=tuning.floor, in_place=in_place),
        "stuck": stuck(batch, states.stuck, after_s=tuning.stuck_after_s, tolerance=tuning.tolerance, in_place=in_place),
        "gap": gap(batch, states.gap, cadence_s=tuning.cadence_s, missed=MISSED, in_place=in_place),
    }
    found = {name: answer[0] for name, answer in after.items()}
    flags = flagged(
        len(batch),
        roc=found["rate"].active != 0,
        stuck=found["stuck"].active != 0,
        drift=found["drift"].active != 0,
        spike=found["robust"].active != 0,
        gap=found["gap"].active != 0,
    )
    return Judged(found, flags), States(**{name: answer[1] for name, answer in after.items()})  # type: ignore[arg-type]


def warm() -> None:
    """Compile every loop, some seconds' work: a writer does it before it takes its first batch."""
    from iot.analytics.isolation import Forest

    judge(Batch.of([0, 0], [0.0, 60.0], [1.0, 2.0]), States.fresh(1), Tuning.of(1, cadence_s=60))
    leaf = np.array([-1])
    one = np.ones(1)
    Forest(leaf, leaf, leaf, one, one, np.zeros(1, dtype=np.int64), 256, 1.0, one, one, 0.001, 500, 1).scores(np.ones((1, 1)))
