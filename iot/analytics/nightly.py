"""What a night learns of one profile: usual hours, an Isolation Forest over departures from them, and limits that held-out days allow."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iot.analytics.batch import FloatArray, IntArray
from iot.analytics.hourly import DAY_H, FEATURES, Hours, Small, Usual, departures, in_a_row, usual_of
from iot.analytics.isolation import Forest, fit_forest

FIT_ROWS, HELD_STREAMS = 100_000, 1_500  # of each metric
LEAST_ROWS = 2_000
FAR_SHARE, FAR_WIDTHS = 0.04, (4.0, 40.0)
SHARE, CONFIDENCE, LEAST_BOUND = 0.001, 0.95, 0.02  # of stream-days with an alarm


class Corrupt(ValueError):
    """What was kept is not a fit: it is not used."""


class TooLittle(ValueError):
    """``why`` is a code, with what there is and what it takes."""

    def __init__(self, why: str, have: float, needs: float) -> None:
        super().__init__(f"{why}: {have:g}, needs {needs:g}")
        self.why, self.have, self.needs = why, have, needs


@dataclass(frozen=True)
class Bounded:
    """A limit, the stream-days it was set by, how many of them had an alarm, and the share of them that may: with 95 % confidence."""

    limit: float
    days: int
    alarms: int
    bound: float


@dataclass(frozen=True)
class Fitted:
    """``streams`` are ids that rise, with the metric of each; ``limits`` belong to ``metrics``; ``ordinary`` is the score of most hours."""

    forest: Forest
    streams: IntArray
    metric: IntArray
    usual: Usual
    metrics: IntArray
    limits: FloatArray
    ordinary: float

    def as_bytes(self) -> bytes:
        """Arrays alone, no code."""
        held = io.BytesIO()
        np.savez_compressed(
            held, forest=np.frombuffer(self.forest.as_bytes(), np.uint8), streams=self.streams, metric=self.metric,
            level=self.usual.level, swing=self.usual.swing, scale=self.usual.scale, metrics=self.metrics, limits=self.limits,
            ordinary=np.array([self.ordinary]),
        )  # fmt: skip
        return held.getvalue()

    @classmethod
    def from_bytes(cls, held: bytes) -> Fitted:
        """What ``as_bytes`` made. Anything else is ``Corrupt``; nothing in it is ever run."""
        try:
            with np.load(io.BytesIO(held), allow_pickle=False) as arrays:
                fitted = cls(
                    Forest.from_bytes(arrays["forest"].tobytes()),
                    arrays["streams"].astype(np.int64),
                    arrays["metric"].astype(np.int64),
                    Usual(*(arrays[name].astype(np.float32) for name in ("level", "swing", "scale"))),
                    arrays["metrics"].astype(np.int64),
                    arrays["limits"].astype(np.float64),
                    float(arrays["ordinary"][0]),
                )
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise Corrupt(type(error).__name__) from error
        count = len(fitted.streams)
        if (
            fitted.usual.level.shape != (count, DAY_H)
            or fitted.usual.swing.shape != (count,)
            or fitted.usual.scale.shape != (count,)
            or fitted.metric.shape != (count,)
            or fitted.limits.shape != fitted.metrics.shape
            or len(fitted.forest.median) != len(FEATURES)
            or not ((fitted.limits > fitted.ordinary) & (fitted.limits < 1)).all()
        ):
            raise Corrupt("shapes")
        return fitted

    def scores(self, features: FloatArray | Small, metric: IntArray) -> FloatArray:
        """By stream and hour: 1 is the metric's limit, 0 the ordinary; NaN where a feature is missing, or the metric has no limit."""
        place = np.clip(np.searchsorted(self.metrics, metric), 0, len(self.metrics) - 1)
        limit = np.where(self.metrics[place] == metric, self.limits[place], np.nan)
        return (_plain(self.forest, features) - self.ordinary) / (limit[:, None] - self.ordinary)

    def standing_out(self, row: FloatArray | Small) -> tuple[FloatArray, FloatArray]:
        """Of one row of features: by how much the score falls when each is made ordinary, and how many usual widths each is out."""
        table = np.repeat(np.asarray(row, np.float64)[None, :], len(row) + 1, axis=0)
        table[np.arange(len(row)), np.arange(len(row))] = self.forest.median
        scores = self.forest.scores(table)
        return scores[-1] - scores[:-1], (row - self.forest.median) / self.forest.scale


@dataclass(frozen=True)
class Learnt:
    """``bounds`` and what could not be bounded, ``left_out``, by metric."""

    fitted: Fitted
    bounds: Mapping[int, Bounded]
    left_out: Mapping[int, TooLittle]
    rows: int


def bounded_limit(score: FloatArray, *, is_left_out: NDArray[np.bool_] | None = None, share: float = SHARE) -> Bounded:
    """The lowest limit with which days of a stream with an alarm are, with confidence, at most ``share``; else the highest score there was.

    Parameters
    ----------
    score : ndarray of float64, shape (streams, days × 24)
        Of held-out hours.
    is_left_out : ndarray of bool, shape (streams, days), optional
        Days on which something is known to have been wrong.
    share : float

    Raises
    ------
    TooLittle
        Where even no alarm at all leaves more than one stream-day in fifty possible.

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26(4), 404-413: the upper end. Stream-days count as independent, which those of one stream are
    not quite.
    """
    from scipy.stats import beta

    alarms = in_a_row(score)
    by_day = np.where(np.isfinite(alarms), alarms, -np.inf).reshape(len(alarms), -1, DAY_H).max(axis=2)
    known = np.isfinite(by_day) if is_left_out is None else np.isfinite(by_day) & ~is_left_out
    worst = np.sort(by_day[known])[::-1]
    count, needs = len(worst), math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - LEAST_BOUND))
    if count < needs:
        raise TooLittle("few_held_days", count, needs)
    # How many of so many may lie above: as the share's upper end rises with them, the last that still holds.
    upper = beta.ppf(CONFIDENCE, np.arange(1, min(count, 1_000)), count - np.arange(min(count, 1_000) - 1))
    most = max(int(np.searchsorted(upper, share, side="right")) - 1, 0)
    limit = float(worst[most])
    return Bounded(limit, count, int((worst > limit).sum()), float(upper[most]))


def learn(
    hours: Hours,
    *,
    streams: IntArray,
    held_days: int,
    is_left_out: NDArray[np.bool_] | None = None,
    share: float = SHARE,
    seed: int = 1,
) -> Learnt:
    """Learn from all but the last ``held_days``, and set each metric's limit by these.

    Parameters
    ----------
    hours : Hours
        Whole days.
    streams : ndarray of int64, shape (streams,)
        Their ids.
    held_days : int
    is_left_out : ndarray of bool, shape (streams, days), optional
        Days on which something was wrong: the forest does not learn from them, nor are they held against it.
    share : float
        The most stream-days with a false alarm.
    seed : int

    Raises
    ------
    TooLittle
        ``few_rows``, or what the metric that came closest lacks.
    """
    rng = np.random.default_rng(seed)
    split = hours.mean.shape[1] - held_days * DAY_H
    usual = usual_of(hours.between(0, split))
    features = departures(hours, usual).features
    is_fine = np.ones((len(streams), hours.mean.shape[1] // DAY_H), bool) if is_left_out is None else ~is_left_out
    is_whole = np.isfinite(features[:, :split]).all(axis=2) & np.repeat(is_fine, DAY_H, axis=1)[:, :split]
    rows, known = [], 0
    for metric in np.unique(hours.metric):
        # As many of each metric: one that is measured by few devices must not be a stranger to the forest.
        mine = np.flatnonzero(is_whole[hours.metric == metric].ravel())
        known += len(mine)
        chosen = mine if len(mine) <= FIT_ROWS else rng.choice(mine, FIT_ROWS, replace=False)
        rows.append(features[hours.metric == metric][:, :split].reshape(-1, len(FEATURES))[chosen])
    if known < LEAST_ROWS:
        raise TooLittle("few_rows", known, LEAST_ROWS)
    ordinary_rows = np.concatenate(rows).astype(np.float64)
    forest = fit_forest(np.concatenate([ordinary_rows, _far_out(ordinary_rows, rng)]), seed=seed)
    ordinary = float(np.median(forest.scores(ordinary_rows[rng.integers(0, len(ordinary_rows), 5_000)])))
    bounds: dict[int, Bounded] = {}
    left_out: dict[int, TooLittle] = {}
    for metric in np.unique(hours.metric).tolist():
        some = np.flatnonzero(hours.metric == metric)
        if len(some) > HELD_STREAMS:
            some = np.sort(rng.choice(some, HELD_STREAMS, replace=False))
        try:
            found = bounded_limit(_plain(forest, features[some, split:]), is_left_out=~is_fine[some][:, -held_days:], share=share)
        except TooLittle as reason:
            left_out[metric] = reason
        else:
            bounds[metric] = Bounded(max(found.limit, ordinary + 0.01), found.days, found.alarms, found.bound)
    if not bounds:
        raise max(left_out.values(), key=lambda reason: reason.have)
    limits = np.array([one.limit for one in bounds.values()])
    fitted = Fitted(forest, streams, hours.metric, usual, np.array(list(bounds), np.int64), limits, ordinary)
    return Learnt(fitted, bounds, left_out, known)


def _far_out(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Rows with one feature far out, made up. Cuts fall only between rows there are: of a calm fleet alone no forest could tell a value
    twice as far out as any before from the farthest there was."""
    some = rows[rng.integers(0, len(rows), max(int(FAR_SHARE * len(rows)), 1))]
    column = rng.integers(0, rows.shape[1], len(some))
    width = np.percentile(rows, 75, axis=0) - np.percentile(rows, 25, axis=0)
    far = np.exp(rng.uniform(math.log(FAR_WIDTHS[0]), math.log(FAR_WIDTHS[1]), len(some))) * rng.choice([-1.0, 1.0], len(some))
    some[np.arange(len(some)), column] = np.median(rows, axis=0)[column] + far * width[column]
    return some


def _plain(forest: Forest, features: FloatArray | Small) -> FloatArray:
    return forest.scores(features.reshape(-1, features.shape[-1]).astype(np.float64)).reshape(features.shape[:-1])
