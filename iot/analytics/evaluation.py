"""What alarms were worth: how many were right, how many events they caught, how late; and what as many alarms at random would have got."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import FloatArray, SignArray


@dataclass(frozen=True)
class Alarms:
    """Sums over alarms and events, so that several series can be added up before a ratio is taken.

    Attributes
    ----------
    alarms, right : int
        Alarms that began, and those of them that began within an event.
    events, caught : int
        Events, and those in which an alarm began.
    delays_s : tuple of float
        From the start of each event caught to the first alarm in it.
    """

    alarms: int
    right: int
    events: int
    caught: int
    delays_s: tuple[float, ...]

    def __add__(self, other: Alarms) -> Alarms:
        return Alarms(
            self.alarms + other.alarms,
            self.right + other.right,
            self.events + other.events,
            self.caught + other.caught,
            self.delays_s + other.delays_s,
        )

    @property
    def precision(self) -> float:
        """NaN without an alarm: what never speaks is not precise."""
        return self.right / self.alarms if self.alarms else float("nan")

    @property
    def recall(self) -> float:
        return self.caught / self.events if self.events else float("nan")

    @property
    def f1(self) -> float:
        """0 without an alarm."""
        if not self.alarms or not self.events or not self.right:
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)

    @property
    def delay_s(self) -> float:
        """The median delay; NaN where nothing was caught."""
        return float(np.median(self.delays_s)) if self.delays_s else float("nan")


NO_ALARMS = Alarms(0, 0, 0, 0, ())


def beginnings(at_s: FloatArray, active: SignArray, *, apart_s: float = 0.0) -> FloatArray:
    """When findings begin in one series; one that comes back within ``apart_s`` of its end is the same.

    >>> import numpy as np
    >>> beginnings(np.arange(8.0), np.array([0, 1, 1, 0, 1, 0, 0, 1], dtype=np.int8), apart_s=2.0).tolist()
    [1.0, 7.0]
    """
    at, stands = np.asarray(at_s, dtype=np.float64), np.asarray(active) != 0
    edges = np.diff(np.concatenate([[0], stands.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    if not len(starts):
        return np.empty(0)
    new = np.concatenate([[True], at[starts[1:]] - at[ends[:-1]] > apart_s])
    return at[starts[new]]


def apart(began_s: FloatArray, apart_s: float) -> FloatArray:
    """Of alarms of several series, one for each run in which the next comes within ``apart_s`` of the first: what a room would be told."""
    told: list[float] = []
    for one in np.sort(np.asarray(began_s, dtype=np.float64)):
        if not told or one - told[-1] > apart_s:
            told.append(float(one))
    return np.array(told)


def judged(began_s: FloatArray, start_s: FloatArray, end_s: FloatArray) -> Alarms:
    """Judge alarms by when they began against events from start to end (both belong to the event).

    An alarm that began before an event and still stands catches nothing, and a long event is caught once, however many alarms begin in it.
    No "point adjustment": that counts every point of an event touched once, and makes random scores look good.

    Raises
    ------
    ValueError
        For an event that ends before it starts.

    References
    ----------
    Tatbul et al. (2018), Precision and recall for time series, NeurIPS 31; on point adjustment Kim et al. (2022), Towards a rigorous
    evaluation of time-series anomaly detection, AAAI 36, 7194-7201.

    Examples
    --------
    >>> import numpy as np
    >>> found = judged(np.array([5.0, 12.0, 14.0, 40.0]), np.array([10.0, 30.0]), np.array([20.0, 35.0]))
    >>> found.precision, found.recall, found.delays_s
    (0.5, 0.5, (2.0,))
    """
    began = np.sort(np.asarray(began_s, dtype=np.float64))
    starts, ends = np.asarray(start_s, dtype=np.float64), np.asarray(end_s, dtype=np.float64)
    if starts.shape != ends.shape or (ends < starts).any():
        raise ValueError("An event ends when it starts or later.")
    inside = ((began[:, None] >= starts[None]) & (began[:, None] <= ends[None])).any(axis=1)
    first = np.searchsorted(began, starts, side="left")
    caught = np.array([n < len(began) and began[n] <= end for n, end in zip(first, ends, strict=True)], dtype=bool)
    delays = tuple(float(began[n] - start) for n, start, is_caught in zip(first, starts, caught, strict=True) if is_caught)
    return Alarms(len(began), int(inside.sum()), len(starts), int(caught.sum()), delays)


def by_chance(
    began_s: FloatArray, start_s: FloatArray, end_s: FloatArray, *, from_s: float, to_s: float, seed: int = 1, draws: int = 500
) -> tuple[float, float]:
    """Precision and recall that the same alarms would have on average if they were all moved round the period by one random step.

    Moving keeps how many there are and how they cluster, and breaks only what ties them to the events. Where events cover most of the
    time, chance is right most of the time: a detector is worth what it has above this.

    >>> import numpy as np
    >>> alarms = np.array([1.0, 3.0])
    >>> right, caught = by_chance(alarms, np.array([0.0]), np.array([50.0]), from_s=0.0, to_s=100.0)
    >>> 0.4 < right < 0.6, 0.4 < caught < 0.6
    (True, True)
    """
    began, rng = np.asarray(began_s, dtype=np.float64), np.random.default_rng(seed)
    if not len(began) or to_s <= from_s:
        return float("nan"), 0.0
    drawn = [judged((began - from_s + step) % (to_s - from_s) + from_s, start_s, end_s) for step in rng.uniform(0, to_s - from_s, draws)]
    return float(np.mean([one.precision for one in drawn])), float(np.mean([one.recall for one in drawn]))
