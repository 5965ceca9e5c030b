"""Square cells that every surface of a region shares: multiples of the cell's side from the projection's own origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
_HALF = 1 << 31
_FURTHEST = 1 << 30


@dataclass(frozen=True)
class Cells:
    """A set of cells in one fixed order (by column, then row), each once.

    Cell ``k`` covers ``[columns[k] * cell_m, + cell_m)`` in x and ``[rows[k] * cell_m, + cell_m)`` in y.

    Attributes
    ----------
    columns, rows : ndarray of int64, shape (n,)
    cell_m : float
        Side of a cell in metres.

    Examples
    --------
    >>> import numpy as np
    >>> cells = Cells.under(np.array([[10.0, 10], [20, 240], [-1, 0]]), cell_m=250)
    >>> cells.columns, cells.rows
    (array([-1,  0]), array([0, 0]))
    >>> cells.counts(np.array([[1.0, 1], [2, 2], [9999, 0]]))
    array([0, 2])
    """

    columns: IntArray
    rows: IntArray
    cell_m: float

    @classmethod
    def of(cls, columns: IntArray, rows: IntArray, cell_m: float) -> Cells:
        """The distinct cells among these."""
        key = np.unique(_key(columns, rows))
        return cls(*_unkeyed(key), cell_m)

    @classmethod
    def under(cls, xy_m: FloatArray, *, cell_m: float) -> Cells:
        """The cells that hold at least one of the points. Raises ``ValueError`` for points or a side that make no sense."""
        return cls.of(*columns_and_rows(xy_m, cell_m), cell_m)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def centres_m(self) -> FloatArray:
        return (np.stack([self.columns, self.rows], axis=1).astype(np.float64) + 0.5) * self.cell_m

    def find(self, columns: IntArray, rows: IntArray) -> IntArray:
        """The number of each cell here, -1 where it is not among these."""
        keys, wanted = _key(self.columns, self.rows), _key(columns, rows)
        if not len(keys):
            return np.full(len(wanted), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, at, -1)

    def of_points(self, xy_m: FloatArray) -> IntArray:
        """The number of the cell each point lies in, -1 where in none of these."""
        return self.find(*columns_and_rows(xy_m, self.cell_m))

    def counts(self, xy_m: FloatArray) -> IntArray:
        """Points in each cell; those in none of these cells are not counted."""
        found = self.of_points(xy_m)
        return np.bincount(found[found >= 0], minlength=len(self)).astype(np.int64)

    def around(self, reach: int) -> Cells:
        """These and every cell at most ``reach`` columns and rows away."""
        steps = np.arange(-reach, reach + 1)
        right, up = (grid.ravel() for grid in np.meshgrid(steps, steps))
        return Cells.of((self.columns[:, None] + right).ravel(), (self.rows[:, None] + up).ravel(), self.cell_m)

    def sums_around(self, values: NDArray[Any], *, reach: int) -> tuple[NDArray[Any], IntArray]:
        """For each cell the sum of ``values`` over itself and its neighbours among these, and how many cells that is.

        Neighbours are the cells that touch by edge or corner (queen's rule) for ``reach`` 1, the next ring too for 2, and so on.
        Time and memory grow with the number of cells, not with the ground they lie scattered over.
        """
        sums, sizes = np.zeros(len(self), dtype=values.dtype), np.zeros(len(self), dtype=np.int64)
        for right in range(-reach, reach + 1):
            for up in range(-reach, reach + 1):
                at = self.find(self.columns + right, self.rows + up)
                there = at >= 0
                sums[there] += values[at[there]]
                sizes += there
        return sums, sizes

    def where(self, chosen: NDArray[Any]) -> Cells:
        return Cells(self.columns[chosen], self.rows[chosen], self.cell_m)


def columns_and_rows(xy_m: FloatArray, cell_m: float) -> tuple[IntArray, IntArray]:
    if not (np.isfinite(cell_m) and cell_m > 0):
        raise ValueError(f"A cell's side must be above 0 m, not {cell_m}.")
    xy = np.asarray(xy_m, dtype=np.float64).reshape(-1, 2)
    bad = int((~np.isfinite(xy)).any(axis=1).sum())
    if bad:
        raise ValueError(f"{bad} of {len(xy)} points have a coordinate that is not a finite number.")
    at = np.floor(xy / cell_m)
    if np.abs(at).max(initial=0) >= _FURTHEST:
        raise ValueError("These points lie too far out for cells of this size: coordinates are probably not in metres.")
    return at[:, 0].astype(np.int64), at[:, 1].astype(np.int64)


def _key(columns: IntArray, rows: IntArray) -> IntArray:
    return columns * (2 * _HALF) + (rows + _HALF)


def _unkeyed(key: IntArray) -> tuple[IntArray, IntArray]:
    return key >> 32, (key & (2 * _HALF - 1)) - _HALF
