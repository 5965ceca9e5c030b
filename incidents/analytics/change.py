"""Change between two windows of equal length, cell by cell: what rose or fell by more than chance brings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from incidents.analytics.false_discovery import q_values
from incidents.analytics.grid import Cells, FloatArray, IntArray

LEVELS = ((0.10, 1), (0.05, 2))  # false-discovery rate at most this: class
LEAST = 6  # with five or fewer in all, not even five against none is rarer than 5 %: such a cell cannot be tested


@dataclass(frozen=True)
class Change:
    """Columns of equal length, one row a cell.

    Attributes
    ----------
    per_km2 : ndarray of float64
        Now less before, in the neighbourhood.
    p, q : ndarray of float64
        Two-sided, and after false-discovery control; NaN where there is too little to test.
    classes : ndarray of int64
        -2 to 2 for a false-discovery rate of at most 5, 10 %; below 0 fell, 0 is not significant.
    before, now, sizes : ndarray of int64
        Incidents of the neighbourhood in either window, and of how many cells it consists.
    """

    per_km2: FloatArray
    p: FloatArray
    q: FloatArray
    classes: IntArray
    before: IntArray
    now: IntArray
    sizes: IntArray


def change(cells: Cells, before: IntArray, now: IntArray, *, reach: int = 1) -> Change:
    """Compare two windows of equal length over each cell and its neighbours (queen's rule).

    Where both windows have the same rate, each incident of the two is as likely to lie in either: given their sum, the later count
    is binomial with one half. That is the exact test of two Poisson rates, two-sided by doubling.

    Parameters
    ----------
    cells : Cells
        The study area; cells outside are no one's neighbours.
    before, now : ndarray of int64, shape (n,)
        Incidents in each cell in the earlier and in the later window.
    reach : int
        Rings of neighbours.

    Raises
    ------
    ValueError
        For counts of another length than the cells, or below 0.

    References
    ----------
    Przyborowski & Wilenski (1940), Biometrika 31, 313-323. Leaving out what no outcome could make significant: Tarone (1990),
    Biometrics 46, 515-522.

    Examples
    --------
    >>> import numpy as np
    >>> cells = Cells.of(np.array([0, 9]), np.array([0, 9]), 250.0)
    >>> found = change(cells, np.array([2, 3]), np.array([20, 4]))
    >>> found.classes.tolist(), found.per_km2.round(1).tolist()
    ([2, 0], [288.0, 16.0])
    """
    earlier, later = np.asarray(before, dtype=np.int64), np.asarray(now, dtype=np.int64)
    if len(earlier) != len(cells) or len(later) != len(cells):
        raise ValueError(f"{len(cells)} cells, {len(earlier)} counts before and {len(later)} now.")
    if min(earlier.min(initial=0), later.min(initial=0)) < 0:
        raise ValueError("A count cannot be below 0.")
    a, sizes = cells.sums_around(earlier, reach=reach)
    b, _sizes = cells.sums_around(later, reach=reach)
    p = np.full(len(cells), np.nan)
    tested = np.flatnonzero(a + b >= LEAST)
    p[tested] = np.minimum(1.0, 2 * binom.cdf(np.minimum(a, b)[tested], (a + b)[tested], 0.5))
    q = q_values(p)
    level = np.zeros(len(cells), dtype=np.int64)
    for rate, number in LEVELS:
        level[q <= rate] = number
    per_km2 = (b - a) / (np.maximum(sizes, 1) * cells.cell_m**2 / 1e6)
    return Change(per_km2, p, q, level * np.sign(b - a), a, b, sizes)
