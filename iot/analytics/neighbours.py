"""A sensor unlike those around it at the same moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from iot.analytics.batch import FloatArray, IntArray

K = 5
LIMIT = 5.0
LEAST = 10


@dataclass(frozen=True)
class Apart:
    """By sensor: ``score`` (1 is the limit, NaN not judged) and what its neighbours say of it, ``expected``."""

    score: FloatArray
    expected: FloatArray


def nearest(xy_m: FloatArray, *, k: int = K, within_m: float = np.inf) -> IntArray:
    """The ``k`` nearest of each sensor, itself left out; -1 where there are no more within reach. Shape (n, k).

    Raises
    ------
    ValueError
        For places that are not finite or not pairs.
    """
    places = np.asarray(xy_m, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise ValueError("Places are pairs of finite metres.")
    if len(places) < 2:
        return np.full((len(places), k), -1, dtype=np.int64)
    far, found = cKDTree(places).query(places, k=min(k + 1, len(places)), distance_upper_bound=within_m)
    answer = np.full((len(places), k), -1, dtype=np.int64)
    for row in range(len(places)):
        others = found[row][(found[row] != row) & np.isfinite(far[row])][:k]  # of several at one place, any may come first
        answer[row, : len(others)] = others
    return answer


def neighbours(
    value: FloatArray, around: IntArray, *, limit: float = LIMIT, floor: float = 0.0, least: int = 3, spread: FloatArray | None = None
) -> Apart:
    """Compare each sensor with the median of its neighbours, and that difference with all sensors' differences.

    Give departures from what each sensor usually says (of ``seasonal``, say) where sensors differ by nature, as pressures at different
    heights do; raw values where they do not.

    Parameters
    ----------
    value : ndarray of float64, shape (n,)
        At one moment; NaN where a sensor said nothing.
    around : ndarray of int64, shape (n, k)
        By ``nearest``.
    limit : float
        How many robust deviations score 1.
    floor : float
        The least deviation, in the reading's unit.
    least : int
        Neighbours that must have spoken.
    spread : ndarray of float64, shape (n,), optional
        The usual deviation of each sensor from its neighbours; without it, that of all sensors now, which takes ten of them.

    Raises
    ------
    ValueError
        For shapes that do not fit.

    References
    ----------
    Lu, Chen & Kou (2003), Algorithms for spatial outlier detection, ICDM 2003, 597-600: the median algorithm, standardised robustly.

    Examples
    --------
    >>> import numpy as np
    >>> xy = np.array([(x, y) for x in range(4) for y in range(4)], dtype=float)
    >>> value = 20 + xy[:, 0] * 0.5 + np.random.default_rng(1).normal(0, 0.1, 16)
    >>> value[5] += 6
    >>> np.flatnonzero(neighbours(value, nearest(xy), floor=0.1).score >= 1).tolist()
    [5]
    """
    values = np.asarray(value, dtype=np.float64)
    if values.ndim != 1 or around.ndim != 2 or len(around) != len(values):
        raise ValueError(f"{values.shape} values and neighbours of shape {around.shape}.")
    theirs = np.where(around >= 0, values[np.maximum(around, 0)], np.nan)
    spoke = np.isfinite(theirs).sum(axis=1) >= least
    expected = np.full(len(values), np.nan)
    if spoke.any():
        expected[spoke] = np.nanmedian(np.where(np.isfinite(theirs[spoke]), theirs[spoke], np.nan), axis=1)
    off = values - expected
    known = np.isfinite(off)
    score = np.full(len(values), np.nan)
    if spread is None:
        if known.sum() < LEAST:
            return Apart(score, expected)
        middle = float(np.median(off[known]))
        sigma = np.full(len(values), max(1.4826 * float(np.median(np.abs(off[known] - middle))), floor))
    else:
        middle, sigma = 0.0, np.maximum(np.asarray(spread, dtype=np.float64), floor)
    judged = known & (sigma > 0)
    score[judged] = np.abs(off[judged] - middle) / sigma[judged] / limit
    return Apart(score, expected)
