"""Forecasts that add up: areas to their governorate, governorates to the country, changed as little as their certainty allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]


def reconcile(expected: _FloatArray, variance: _FloatArray, sums: Mapping[int, Sequence[int]]) -> _FloatArray:
    """The nearest figures that add up, where a row may be moved the more the less certain it is; never below nought.

    This is MinT with a diagonal error matrix: minimise ``Σ (x − expected)² / variance`` subject to every ``x[whole] = Σ x[parts]``.
    Where the answer would be negative, that row is held at nought and the rest solved again.

    Parameters
    ----------
    expected : ndarray of float64, shape (rows, days)
        Finite, not negative.
    variance : ndarray of float64, shape (rows, days)
        Of each row's error; positive.
    sums : mapping of int to sequence of int
        Which rows each whole is the sum of.

    Returns
    -------
    ndarray of float64, shape (rows, days)

    Raises
    ------
    ValueError
        For figures that are not finite or negative, or variances that are not positive.

    References
    ----------
    Wickramasuriya, Athanasopoulos, Hyndman (2019), JASA 114, 804-819. Hyndman, Lee, Wang (2016), Computational Statistics & Data
    Analysis 97 (weighted least squares).

    Examples
    --------
    >>> import numpy as np
    >>> reconcile(np.array([[12.0], [4.0], [6.0]]), np.array([[2.0], [1.0], [1.0]]), {0: [1, 2]}).ravel().tolist()
    [11.0, 4.5, 6.5]
    """
    expected, variance = np.asarray(expected, float), np.asarray(variance, float)
    if not np.isfinite(expected).all() or (expected < 0).any():
        raise ValueError("Only finite figures that are not negative can be made to add up.")
    if not np.isfinite(variance).all() or (variance <= 0).any():
        raise ValueError("Variances must be positive.")
    if not sums:
        return expected.copy()
    constraints = np.zeros((len(sums), len(expected)))
    for k, (whole, parts) in enumerate(sums.items()):
        constraints[k, whole] = 1
        constraints[k, list(parts)] = -1
    answer = np.empty_like(expected)
    for day in range(expected.shape[1]):
        weight, start = variance[:, day].copy(), expected[:, day].copy()
        for _ in range(len(expected)):
            weighted = constraints * weight
            pull = np.linalg.lstsq(weighted @ constraints.T, constraints @ start, rcond=None)[0]
            found = start - weighted.T @ pull
            below = (found < -1e-9) & (weight > 0)
            if not below.any():
                break
            start, weight = np.where(below, 0.0, start), np.where(below, 0.0, weight)
        answer[:, day] = np.maximum(found, 0.0)
    return _added_up(answer, sums)


def _added_up(rows: _FloatArray, sums: Mapping[int, Sequence[int]]) -> _FloatArray:
    """The last rounding errors taken out: each whole is the sum of its parts, the lowest wholes first."""
    depth: dict[int, int] = {}

    def depth_of(row: int) -> int:
        if row not in depth:
            depth[row] = 1 + max((depth_of(part) for part in sums[row]), default=0) if row in sums else 0
        return depth[row]

    for whole in sorted(sums, key=depth_of):
        rows[whole] = rows[list(sums[whole])].sum(axis=0)
    return rows
