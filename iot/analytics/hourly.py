"""Streams hour by hour: how each differs from its own usual hour, less what all streams of its metric do in that hour."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iot.analytics.batch import FloatArray, IntArray

LEVEL, SWING, CHANGE = "level", "swing", "change"
FEATURES = (LEVEL, SWING, CHANGE)
DAY_H = 24
LEAST_DAYS_OF_HOUR = 5  # of an hour of the day, before its usual is known
LEAST_TOGETHER = 10  # streams heard in an hour, before what they have in common is taken off
SCALE_FLOOR = 0.25  # of the metric's median scale: a stream that hardly ever moved is not odd for moving a little
Small = NDArray[np.float32]


@dataclass(frozen=True)
class Hours:
    """By stream and hour: the mean, and the greatest less the least; NaN where it said too little.

    Attributes
    ----------
    metric : ndarray of int64, shape (streams,)
        Which metric each is of: what is common is common to a metric, as is the unit.
    mean, swing : ndarray of float32, shape (streams, hours)
    start : int
        The first hour, counted since 1970 (UTC): only that hours of one name meet matters.
    """

    metric: IntArray
    mean: Small
    swing: Small
    start: int

    def __post_init__(self) -> None:
        if self.mean.ndim != 2 or self.mean.shape != self.swing.shape or len(self.metric) != len(self.mean):
            raise ValueError(f"Means of shape {self.mean.shape}, swings of {self.swing.shape}, {len(self.metric)} metrics.")

    @property
    def hour_of_day(self) -> IntArray:
        return (self.start + np.arange(self.mean.shape[1])) % DAY_H

    def between(self, first: int, last: int) -> Hours:
        return Hours(self.metric, self.mean[:, first:last], self.swing[:, first:last], self.start + first)


@dataclass(frozen=True)
class Usual:
    """By stream: what it says at each hour of the day, how much it moves within an hour, and how far it strays from that."""

    level: Small  # (streams, 24)
    swing: Small
    scale: Small

    def taken(self, rows: IntArray) -> Usual:
        """Of these streams; NaN for those that are not there (-1)."""
        is_there = rows >= 0
        level = np.where(is_there[:, None], self.level[rows], np.nan).astype(np.float32)
        return Usual(level, *(np.where(is_there, one[rows], np.nan).astype(np.float32) for one in (self.swing, self.scale)))


@dataclass(frozen=True)
class Departures:
    """How far each hour is from what was to be expected of it.

    Attributes
    ----------
    features : ndarray of float32, shape (streams, hours, 3)
        Level, swing, and the change of the level since the hour before, in the stream's own scale; NaN where not known.
    was, expected : ndarray of float32, shape (streams, hours, 3)
        The same in the metric's unit. Expected is the stream's usual and what its metric's streams have in common in that hour.
    """

    features: Small
    was: Small
    expected: Small


def usual_of(hours: Hours) -> Usual:
    """Medians by hour of the day; the scale is that of what is left when what is common is taken off.

    An hour of the day with fewer than five days is NaN, and is not judged.
    """
    level = np.full((len(hours.mean), DAY_H), np.nan, dtype=np.float32)
    for hour in range(DAY_H):
        days = hours.mean[:, hours.hour_of_day == hour]
        usual = median(days, axis=1)
        usual[np.isfinite(days).sum(axis=1) < LEAST_DAYS_OF_HOUR] = np.nan
        level[:, hour] = usual
    off = hours.mean - level[:, hours.hour_of_day]
    scale = 1.4826 * median(np.abs(off - common_of(off, hours.metric)), axis=1)
    for metric in np.unique(hours.metric):
        mine = hours.metric == metric
        scale[mine] = np.fmax(scale[mine], SCALE_FLOOR * median(scale[mine], axis=0))
    tiny = np.fmax(1e-6 * np.abs(median(level, axis=1)), 1e-9)
    return Usual(level, median(hours.swing, axis=1), np.fmax(scale, tiny).astype(np.float32))


def departures(hours: Hours, usual: Usual) -> Departures:
    """See ``Departures``. The first hour has no change."""
    usually = usual.level[:, hours.hour_of_day]
    off = [hours.mean - usually, hours.swing - usual.swing[:, None]]
    left = [one - common_of(one, hours.metric) for one in off]
    change, was_change = np.full_like(left[0], np.nan), np.full_like(left[0], np.nan)
    change[:, 1:], was_change[:, 1:] = np.diff(left[0], axis=1), np.diff(hours.mean, axis=1)
    in_unit = np.stack([*left, change], axis=2)
    was = np.stack([hours.mean, hours.swing, was_change], axis=2)
    return Departures((in_unit / usual.scale[:, None, None]).astype(np.float32), was, was - in_unit)


def common_of(off: Small, metric: IntArray) -> Small:
    """In each hour the median of a metric's streams: the weather, say. 0 where fewer than ten spoke. Shape as given."""
    common = np.zeros_like(off)
    for one in np.unique(metric):
        mine = metric == one
        together = median(off[mine], axis=0)
        together[np.isfinite(off[mine]).sum(axis=0) < LEAST_TOGETHER] = 0.0
        common[mine] = together
    return common


def in_a_row(score: FloatArray) -> FloatArray:
    """The lesser of an hour and the one before it, by stream and hour: two in a row make an alarm. The first hour has none."""
    answer = np.full(score.shape, np.nan)
    answer[:, 1:] = np.minimum(score[:, 1:], score[:, :-1])
    return answer


def median(values: FloatArray | Small, axis: int) -> Small:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=axis), dtype=np.float32)
