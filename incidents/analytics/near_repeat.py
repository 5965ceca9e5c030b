"""Knox's test: is an incident followed by another close by, soon, more often than chance has it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from incidents.analytics.grid import FloatArray

DISTANCES_M = (100.0, 200.0, 400.0)
DAYS = (2.0, 7.0, 14.0, 28.0)
LEAST_INCIDENTS = 30
MAX_PAIRS = 100_000  # looked at in half a second; by then a ratio of 1.1 stands clear of chance, and more pairs add nothing


@dataclass(frozen=True)
class Band:
    """Pairs more than ``from_m`` and at most ``to_m`` apart (the first band holds 0 m too), and in time alike."""

    from_m: float
    to_m: float
    from_days: float
    to_days: float
    observed: int
    expected: float
    ratio: float | None
    p: float


@dataclass(frozen=True)
class NearRepeats:
    """The test for one pair of limits, and every band it was made of.

    Attributes
    ----------
    observed, expected : int, float
        Pairs within both limits; the mean over the permutations.
    ratio : float or None
        Observed over expected; ``None`` where none was expected.
    p : float
        Share of permutations with as many pairs or more, the data themselves among them: never 0.
    incidents, tested : int
        Given, and taken into the test: fewer where there were too many pairs, a seeded sample then.
    bands : tuple of Band
    """

    within_m: float
    within_days: float
    observed: int
    expected: float
    ratio: float | None
    p: float
    incidents: int
    tested: int
    permutations: int
    seed: int
    bands: tuple[Band, ...]


def near_repeats(
    xy_m: FloatArray,
    at: FloatArray,
    *,
    within_m: float = 200.0,
    within_days: float = 14.0,
    distances_m: Sequence[float] = DISTANCES_M,
    days: Sequence[float] = DAYS,
    permutations: int = 999,
    seed: int = 1,
    max_pairs: int = MAX_PAIRS,
) -> NearRepeats:
    """Count the pairs close in space and time, and how many there are when the times are dealt out anew.

    Shuffling the times keeps where incidents happen and when, and breaks only what ties the two. Pairs close in space are found once,
    by a tree; each permutation then only looks at their differences in time. The same seed gives the same answer to the digit,
    whatever the order of the input.

    Parameters
    ----------
    xy_m : ndarray of float64, shape (n, 2)
        In metres.
    at : ndarray of float64, shape (n,)
        Seconds.
    within_m, within_days : float
        The limits of the answer; each must be one of the edges below.
    distances_m, days : sequence of float
        Rising upper edges of the bands; each edge belongs to its band.
    permutations, seed : int
    max_pairs : int
        More pairs close in space than this, and a random sample of the incidents is tested that has about as many.

    Raises
    ------
    ValueError
        For fewer than 30 incidents, values that are not finite, edges that do not rise, or limits that are not edges.

    References
    ----------
    Knox (1964), J. R. Stat. Soc. C 13, 25-30; Besag & Diggle (1977), J. R. Stat. Soc. C 26, 327-333; for crime Johnson et al. (2007),
    J. Quant. Criminol. 23, 201-219.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(5)
    >>> first, when = rng.uniform(0, 20_000, (150, 2)), rng.uniform(0, 365 * 86_400, 150)
    >>> again = first[:40] + rng.uniform(-60, 60, (40, 2))
    >>> found = near_repeats(np.concatenate([first, again]), np.concatenate([when, when[:40] + 5 * 86_400]))
    >>> found.observed >= 40, found.ratio > 5, found.p
    (True, True, 0.001)
    """
    xy, seconds = _checked(xy_m, at)
    edges_m, edges_days = _edges(distances_m, "distances"), _edges(days, "days")
    if within_m not in edges_m or within_days not in edges_days:
        raise ValueError("The limits must be edges of the bands.")
    if np.ptp(seconds) > 2**31 - 1:
        raise ValueError("The times span more than 68 years.")
    if permutations < 99:
        raise ValueError("Fewer than 99 permutations say too little.")
    order = np.lexsort((xy[:, 1], xy[:, 0], seconds))
    xy, seconds = xy[order], seconds[order]
    rng = np.random.default_rng(seed)
    n = len(xy)
    tree = cKDTree(xy)
    pairs_there = (int(tree.count_neighbors(tree, edges_m[-1] * (1 + 1e-12))) - n) // 2
    if pairs_there > max_pairs:
        size = max(LEAST_INCIDENTS, int(n * np.sqrt(max_pairs / pairs_there)))
        chosen = np.sort(rng.choice(n, size, replace=False))
        xy, seconds = xy[chosen], seconds[chosen]
        tree = cKDTree(xy)
    pairs = tree.query_pairs(edges_m[-1] * (1 + 1e-12), output_type="ndarray")
    apart = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T)
    near = apart <= edges_m[-1]
    pairs, apart = pairs[near], apart[near]
    in_order = np.lexsort((pairs[:, 1], pairs[:, 0]))  # what is read together lies together
    first, second = (np.ascontiguousarray(pairs[in_order, side].astype(np.int32)) for side in (0, 1))
    band = np.searchsorted(edges_m, apart[in_order], side="left").astype(np.int32)
    counted = _Counted(first, second, band, np.round(edges_days * 86_400).astype(np.int64), len(edges_m))

    whole = np.round(seconds - seconds.min()).astype(np.int32)
    observed = counted(whole)
    drawn = np.empty((permutations, *observed.shape), dtype=np.int64)
    for number in range(permutations):
        drawn[number] = counted(rng.permutation(whole))
    expected = drawn.mean(axis=0)
    p = (1 + (drawn >= observed).sum(axis=0)) / (1 + permutations)
    rows, columns = int(np.searchsorted(edges_m, within_m)) + 1, int(np.searchsorted(edges_days, within_days)) + 1
    in_all, in_all_drawn = int(observed[:rows, :columns].sum()), drawn[:, :rows, :columns].sum(axis=(1, 2))
    mean = float(in_all_drawn.mean())
    froms_m, froms_days = np.concatenate([[0.0], edges_m]), np.concatenate([[0.0], edges_days])
    return NearRepeats(
        within_m=float(within_m),
        within_days=float(within_days),
        observed=in_all,
        expected=mean,
        ratio=in_all / mean if mean else None,
        p=float((1 + (in_all_drawn >= in_all).sum()) / (1 + permutations)),
        incidents=n,
        tested=len(xy),
        permutations=permutations,
        seed=seed,
        bands=tuple(
            Band(
                from_m=float(froms_m[i]),
                to_m=float(edges_m[i]),
                from_days=float(froms_days[j]),
                to_days=float(edges_days[j]),
                observed=int(observed[i, j]),
                expected=float(expected[i, j]),
                ratio=float(observed[i, j] / expected[i, j]) if expected[i, j] else None,
                p=float(p[i, j]),
            )
            for i in range(len(edges_m))
            for j in range(len(edges_days))
        ),
    )


def _checked(xy_m: FloatArray, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    xy, seconds = np.asarray(xy_m, dtype=np.float64).reshape(-1, 2), np.asarray(at, dtype=np.float64)
    if len(xy) != len(seconds):
        raise ValueError(f"{len(xy)} places and {len(seconds)} times.")
    if len(xy) < LEAST_INCIDENTS:
        raise ValueError(f"The test needs {LEAST_INCIDENTS} incidents, not {len(xy)}.")
    if not (np.isfinite(xy).all() and np.isfinite(seconds).all()):
        raise ValueError("A place or a time is not a finite number.")
    return xy, seconds


def _edges(given: Sequence[float], name: str) -> FloatArray:
    edges = np.asarray(given, dtype=np.float64)
    if not len(edges) or not np.isfinite(edges).all() or edges[0] <= 0 or (np.diff(edges) <= 0).any():
        raise ValueError(f"The edges of the {name} must rise from above 0.")
    return edges


class _Counted:
    """Pairs close in space, counted by their bands of distance and of time for any dealing out of the times."""

    def __init__(
        self, first: NDArray[np.int32], second: NDArray[np.int32], band: NDArray[np.int32], limits: NDArray[np.int64], bands: int
    ) -> None:
        from incidents.analytics.near_repeat_loop import count  # numba: only where it is needed

        self._count, self._given, self._shape = count, (first, second, band, limits), (bands, len(limits))

    def __call__(self, times: NDArray[np.int32]) -> NDArray[np.int64]:
        found = np.zeros(self._shape, dtype=np.int64)
        self._count(times, *self._given, found)
        return found
