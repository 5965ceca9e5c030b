"""A batch of readings, what a detector says of them, and the state it keeps between batches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SignArray = NDArray[np.int8]
NEVER_S = -np.inf


@dataclass(frozen=True)
class Batch:
    """Readings in the order they came, as columns of equal length.

    Attributes
    ----------
    series : ndarray of int64
        Which series (a device's metric) a reading belongs to: a row of the states and of the settings given by series.
    at_s : ndarray of float64
        Seconds since 1970, UTC.
    value : ndarray of float64
    """

    series: IntArray
    at_s: FloatArray
    value: FloatArray

    @classmethod
    def of(cls, series: object, at_s: object, value: object) -> Self:
        """Columns from anything array-like.

        Raises
        ------
        ValueError
            For columns of different lengths, or a series below 0.
        """
        batch = cls(
            np.ascontiguousarray(series, dtype=np.int64),
            np.ascontiguousarray(at_s, dtype=np.float64),
            np.ascontiguousarray(value, dtype=np.float64),
        )
        if not batch.series.shape == batch.at_s.shape == batch.value.shape or batch.series.ndim != 1:
            raise ValueError(f"Columns of {batch.series.shape}, {batch.at_s.shape} and {batch.value.shape}.")
        if len(batch) and batch.series.min() < 0:
            raise ValueError("A series is numbered from 0.")
        return batch

    def __len__(self) -> int:
        return len(self.series)

    def part(self, start: int, end: int) -> Batch:
        return Batch(self.series[start:end], self.at_s[start:end], self.value[start:end])


@dataclass(frozen=True)
class Found:
    """What a detector says of each reading of a batch.

    Attributes
    ----------
    score : ndarray of float64
        How far out, 1 being the limit; NaN where it does not judge: too little history, a late reading, no limit set, no number.
    active : ndarray of int8
        Whether the detector's finding stands after the reading: 0 no, 1 high (or simply yes), -1 low.
    expected : ndarray of float64
        What the detector would have expected, in the reading's unit; NaN where it has no such thing.
    """

    score: FloatArray
    active: SignArray
    expected: FloatArray

    @classmethod
    def blank(cls, n: int) -> Found:
        return cls(np.full(n, np.nan), np.zeros(n, dtype=np.int8), np.full(n, np.nan))


@dataclass(frozen=True)
class State:
    """Arrays whose first axis is the series. A detector never changes the state it is given unless told to (``in_place``)."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def copied(self) -> Self:
        return type(self)(**{one.name: getattr(self, one.name).copy() for one in fields(self)})

    def taken(self, rows: IntArray) -> Self:
        """The state of some series, in the order given: a copy."""
        return type(self)(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})

    def put(self, rows: IntArray, other: Self) -> None:
        """Write another state's rows over these."""
        for one in fields(self):
            getattr(self, one.name)[rows] = getattr(other, one.name)

    def grown(self, fresh: Self) -> Self:
        """With the rows of ``fresh`` at the end: series that are new."""
        return type(self)(**{one.name: np.concatenate([getattr(self, one.name), getattr(fresh, one.name)]) for one in fields(self)})


S = TypeVar("S", bound=State)


def by_series(given: object, series: int, name: str) -> FloatArray:
    """A setting by series: one number for all of them, or one each.

    Raises
    ------
    ValueError
        For a column of another length.
    """
    column = np.asarray(given, dtype=np.float64)
    if column.ndim == 0:
        return np.full(series, float(column))
    if column.shape != (series,):
        raise ValueError(f"{name}: {column.shape} for {series} series.")
    return np.ascontiguousarray(column)


def ready(batch: Batch, state: S, *, in_place: bool) -> S:
    """The state to work on.

    Raises
    ------
    ValueError
        For a series the state has no row for.
    """
    if len(batch) and (int(batch.series.max()) >= len(state) or int(batch.series.min()) < 0):  # a compiled loop would write elsewhere
        raise ValueError(f"Series {int(batch.series.max())}, and a state of {len(state)}.")
    return state if in_place else state.copied()
