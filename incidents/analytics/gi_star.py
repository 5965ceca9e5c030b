"""Getis-Ord Gi*: cells whose neighbourhood holds more, or fewer, incidents than a shuffled map would put there.

Neighbours by the queen's rule, the cell itself among them: with cells of 250 m, a square of 750 m. Significance is neither the
normal approximation, which on sparse counts calls chance hot, nor 999 shuffles, whose smallest p of 0.001 no cell of ten thousand
survives the correction for looking at ten thousand with. It is the distribution those shuffles aim at, computed: the sum of k draws
from the cells' own counts, by convolution. No seed, and tails down to 1e-13.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from incidents.analytics.false_discovery import q_values
from incidents.analytics.grid import Cells, FloatArray, IntArray

LEAST_CELLS = 30
LEVELS = ((0.10, 1), (0.05, 2), (0.01, 3))  # false-discovery rate at most this: class


@dataclass(frozen=True)
class GiStar:
    """Columns of equal length, one row a cell.

    Attributes
    ----------
    z : ndarray of float64
        The classic statistic in standard deviations (0 where every cell counts the same).
    p, q : ndarray of float64
        Two-sided, and after false-discovery control.
    classes : ndarray of int64
        -3 to 3 for a false-discovery rate of at most 1, 5, 10 %; below 0 is cold, 0 is not significant.
    sums, sizes : ndarray of int64
        Incidents in the neighbourhood, and of how many cells it consists.
    """

    z: FloatArray
    p: FloatArray
    q: FloatArray
    classes: IntArray
    sums: IntArray
    sizes: IntArray


def gi_star(cells: Cells, counts: IntArray, *, reach: int = 1) -> GiStar:
    """Gi* of each cell of a study area.

    Parameters
    ----------
    cells : Cells
        The study area: every cell where incidents can happen, those without any now among them. Cells outside are no one's
        neighbours.
    counts : ndarray of int64, shape (n,)
        Incidents in each cell, 0 or more.
    reach : int
        Rings of neighbours; 1 is the queen's rule.

    Returns
    -------
    GiStar

    Raises
    ------
    ValueError
        For fewer than 30 cells, counts of another length, or counts below 0.

    Notes
    -----
    Draws are taken with replacement, which makes the tails a little longer than those of a shuffle: slightly careful, never bold.
    A single crowded cell among quiet ones is no cluster of cells: as many neighbourhoods hold it as it has neighbours, so it is not
    significant alone. Density and hot spots show it.

    References
    ----------
    Getis & Ord (1992), Geogr. Anal. 24, 189-206; Ord & Getis (1995), Geogr. Anal. 27, 286-306.

    Examples
    --------
    >>> import numpy as np
    >>> columns, rows = (g.ravel() for g in np.meshgrid(np.arange(30), np.arange(30)))
    >>> cells = Cells.of(columns, rows, 250.0)
    >>> counts = np.zeros(900, dtype=np.int64)
    >>> middle = cells.find(*(g.ravel() for g in np.meshgrid(np.arange(10, 13), np.arange(10, 13))))
    >>> counts[middle] = 6
    >>> found = gi_star(cells, counts)
    >>> int(found.classes[cells.find(np.array([11]), np.array([11]))[0]]), int((found.classes < 0).sum())
    (3, 0)
    """
    values = np.asarray(counts, dtype=np.int64)
    if len(cells) < LEAST_CELLS:
        raise ValueError(f"Gi* needs {LEAST_CELLS} cells, not {len(cells)}.")
    if len(values) != len(cells):
        raise ValueError(f"{len(cells)} cells and {len(values)} counts.")
    if values.min() < 0:
        raise ValueError("A count cannot be below 0.")
    sums, sizes = cells.sums_around(values, reach=reach)
    n, mean, spread = len(values), float(values.mean()), float(values.std())
    z = np.zeros(n)
    if spread > 0:
        wide = spread * np.sqrt(np.maximum(n * sizes - sizes**2, 0) / (n - 1))
        np.divide(sums - mean * sizes, wide, out=z, where=wide > 0)
    p = _two_sided(values, sums, sizes)
    q = q_values(p)
    return GiStar(z, p, q, classes_of(q, np.sign(sums - mean * sizes)), sums, sizes)


def classes_of(q: FloatArray, sign: FloatArray) -> IntArray:
    """Classes -3 to 3 from q values and the side they lie on; NaN (not tested) is 0."""
    level = np.zeros(len(q), dtype=np.int64)
    for rate, number in LEVELS:
        level[q <= rate] = number
    return level * np.sign(sign).astype(np.int64)


def _two_sided(values: IntArray, sums: IntArray, sizes: IntArray) -> FloatArray:
    p = np.ones(len(values))
    one = np.bincount(values) / len(values)
    total = np.array([1.0])
    for size in range(1, int(sizes.max()) + 1):
        total = np.clip(fftconvolve(total, one), 0, None)  # how likely each sum of `size` draws is
        mine = np.flatnonzero(sizes == size)
        if len(mine):
            at_most = np.minimum(np.cumsum(total), 1.0)
            at_least = np.minimum(np.cumsum(total[::-1])[::-1], 1.0)
            p[mine] = np.minimum(1.0, 2 * np.minimum(at_most[sums[mine]], at_least[sums[mine]]))
    return p
