"""Is a hot spot more than its surroundings would bring by chance? The surroundings are drawn again and clustered in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter
from scipy.ndimage import label as label_pieces

from incidents.analytics.dbscan import NOISE, dbscan

BANDWIDTHS = 4.0  # the background is smoothed over this many radii: what is wider is surroundings, what is narrower is a hot spot
DRAWS = 99
_MOST_DRAWN = 4_000_000  # points in all draws together: a national year is judged by fewer draws, each of many more clusters
_LEAST_DRAWS = 9
_MOST_CELLS = 1 << 16
_SET_APART = 0.05  # what stands out at this q is no part of the surroundings of the others, nor of its own
_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """For each cluster: how many incidents a km² its surroundings would put on its ground, and the false-discovery rate of calling it more.

    ``draws`` is how many times the surroundings were drawn; without any (nothing to judge) the columns are empty.
    """

    expected_per_km2: _FloatArray
    q: _FloatArray
    draws: int


def judge(
    xy_m: _FloatArray,
    labels: _IntArray,
    *,
    eps_m: float,
    min_points: int,
    rng: np.random.Generator,
    known_xy_m: _FloatArray | None = None,
    draws: int = DRAWS,
    beat: Callable[[], None] = lambda: None,
) -> Judged:
    """Judge each cluster of ``labels`` against the local background.

    The null hypothesis is an inhomogeneous Poisson process whose rate is smooth over ``4 * eps_m``: crowded towns and an empty desert,
    but no place that stands out of its own surroundings. The rate is estimated from the incidents themselves by a Gaussian kernel with
    twicing (which takes back most of what the kernel flattens), normalised over the ground where incidents are known to happen (so a
    coast does not leak into the sea). New incidents are drawn from it, clustered and measured in the same way, background included: a
    cluster found by looking for crowds is compared with what looking for crowds finds where there is nothing to find.

    Each cluster is measured by its signed root deviance, of the count on its ground against the background's. The false-discovery rate
    at a cluster is the number of drawn clusters at least as extreme, per draw, over the number of real ones; q is its running minimum.

    Parameters
    ----------
    xy_m : ndarray of float64, shape (n, 2)
        Incidents in metres.
    labels : ndarray of int, shape (n,)
        As :func:`dbscan` gives them with ``eps_m`` and ``min_points``.
    rng : numpy.random.Generator
        The only source of chance.
    known_xy_m : ndarray of float64, shape (m, 2), optional
        Further places where incidents are known to happen, such as earlier ones.
    draws : int
        At most this many; fewer for very many incidents.
    beat : callable
        Called between draws.

    Returns
    -------
    Judged
        Columns by cluster number.

    References
    ----------
    Kulldorff (1997), Communications in Statistics 26(6), 1481-1496 (counts against an inhomogeneous background by Monte Carlo).
    Storey (2002), JRSS B 64(3), 479-498 (the false-discovery rate of a region of rejection). Stuetzle & Mittal (1979) (twicing).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> xy = np.concatenate([rng.uniform(0, 20_000, (400, 2)), rng.normal(5_000, 60, (30, 2))])
    >>> judged = judge(xy, dbscan(xy, eps_m=300, min_points=10), eps_m=300, min_points=10, rng=rng)
    >>> len(judged.q), bool(judged.q[0] <= 0.01), bool(judged.expected_per_km2[0] < 4)
    (1, True, True)
    """
    clusters = int(labels.max(initial=NOISE)) + 1
    if not clusters:
        return Judged(np.empty(0), np.empty(0), 0)
    ground = _Ground.of(xy_m, known_xy_m, eps_m)
    rate = ground.rate(xy_m)
    stood_out = ground.measure(xy_m, labels, rate)
    draws = int(np.clip(_MOST_DRAWN // len(xy_m), _LEAST_DRAWS, draws))
    drawn: list[_FloatArray] = []
    for _ in range(draws):
        beat()
        again = ground.draw(rate, rng)
        their_labels = dbscan(again, eps_m=eps_m, min_points=min_points)
        if their_labels.max(initial=NOISE) >= 0:
            drawn.append(ground.measure(again, their_labels, ground.rate(again)))
    q = false_discovery_rates(stood_out, drawn, draws)
    return Judged(ground.surroundings_per_km2(xy_m, labels, stands_out=q <= _SET_APART), q, draws)


def false_discovery_rates(found: _FloatArray, drawn: list[_FloatArray], draws: int) -> _FloatArray:
    """The q value of each ``found`` statistic, given those of ``draws`` worlds without anything to find.

    >>> import numpy as np
    >>> false_discovery_rates(np.array([9.0, 2.0, 5.0]), [np.array([1.0, 6.0]), np.array([])], 9).round(3).tolist()
    [0.067, 0.067, 0.067]
    """
    null = np.sort(np.concatenate(drawn)) if drawn else np.empty(0)
    # One is added: the real world is one of the worlds, so that no number of draws ever says "impossible".
    chance = (1 + len(null) - np.searchsorted(null, found, side="left")) / (draws + 1)
    at_least = len(found) - np.searchsorted(np.sort(found), found, side="left")
    rates = np.minimum(chance / at_least, 1.0)
    order = np.argsort(found, kind="stable")
    q = np.empty(len(found))
    q[order] = np.minimum.accumulate(rates[order])
    return q


@dataclass(frozen=True)
class _Ground:
    """Where incidents happen, on a grid; and what is spread over it."""

    low: _FloatArray
    cell_m: float
    support: NDArray[np.float32]
    smoothed_support: NDArray[np.float32]
    sigma: float
    fine_m: float

    @classmethod
    def of(cls, xy_m: _FloatArray, known_xy_m: _FloatArray | None, eps_m: float) -> _Ground:
        everywhere = xy_m if known_xy_m is None or not len(known_xy_m) else np.concatenate([xy_m, known_xy_m])
        bandwidth = BANDWIDTHS * eps_m
        edge = 3 * eps_m
        low, span = everywhere.min(axis=0) - edge, np.ptp(everywhere, axis=0) + 2 * edge
        cell_m = float(np.clip(np.sqrt(np.prod(span) / _MOST_CELLS), eps_m, bandwidth / 2))
        shape = np.floor(span / cell_m).astype(int) + 1
        support = np.zeros(shape, dtype=bool)
        at = np.floor((everywhere - low) / cell_m).astype(int)
        support[at[:, 0], at[:, 1]] = True
        support = _ground_between(support, reach=max(1, round(2 * eps_m / cell_m)), least=(bandwidth / cell_m) ** 2)
        as_figures = support.astype(np.float32)
        sigma = bandwidth / cell_m
        return cls(low, cell_m, as_figures, _smooth(as_figures, sigma), sigma, eps_m / 2)

    def rate(self, xy_m: _FloatArray) -> NDArray[np.float32]:
        """Incidents a cell, smooth."""
        at = np.floor((xy_m - self.low) / self.cell_m).astype(np.int64)
        counts = np.bincount(at[:, 0] * self.support.shape[1] + at[:, 1], minlength=self.support.size)
        field = counts.reshape(self.support.shape).astype(np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = _smooth(field, self.sigma) / self.smoothed_support
            rate += _smooth((field - np.nan_to_num(rate)) * self.support, self.sigma) / self.smoothed_support
        rate = np.maximum(np.where(self.support > 0, rate, 0), 0)
        total = float(rate.sum())
        return np.asarray(rate * (len(xy_m) / total if total else 0.0), dtype=np.float32)

    def draw(self, rate: NDArray[np.float32], rng: np.random.Generator) -> _FloatArray:
        cumulated = np.cumsum(rate.ravel(), dtype=np.float64)
        n = int(rng.poisson(cumulated[-1]))
        cell = np.minimum(np.searchsorted(cumulated, rng.random(n) * cumulated[-1], side="right"), rate.size - 1)
        corner = np.stack(np.divmod(cell, rate.shape[1]), axis=1)
        return self.low + (corner + rng.random((n, 2))) * self.cell_m

    def measure(self, xy_m: _FloatArray, labels: _IntArray, rate: NDArray[np.float32]) -> _FloatArray:
        """The signed root deviance of each cluster's count on its ground from the background's."""
        clusters = int(labels.max()) + 1
        label, cell, at = self._covered(xy_m, labels)
        width = self._width
        fine = self._fine(xy_m)
        cells, counts = np.unique(fine[:, 0] * width + fine[:, 1], return_counts=True)
        place = np.minimum(np.searchsorted(cells, cell), len(cells) - 1)
        found = np.bincount(label, weights=np.where(cells[place] == cell, counts[place], 0), minlength=clusters)
        share = (self.fine_m / self.cell_m) ** 2
        expected = np.maximum(np.bincount(label, weights=rate[at[:, 0], at[:, 1]] * share, minlength=clusters), 1e-6)
        deviance = 2 * (found * np.log(np.maximum(found, 1) / expected) - (found - expected))
        return np.where(found > expected, np.sqrt(np.maximum(deviance, 0)), 0.0)

    def surroundings_per_km2(self, xy_m: _FloatArray, labels: _IntArray, *, stands_out: NDArray[np.bool_]) -> _FloatArray:
        """For each cluster the rate around it, read over the ground of those that stand out as if they were not there."""
        apart = np.concatenate([stands_out, [False]])[labels]  # the last answers for noise
        at = np.floor((xy_m - self.low) / self.cell_m).astype(np.int64)
        left = self.support.copy()
        left[at[apart, 0], at[apart, 1]] = 0
        field = np.zeros_like(left)
        np.add.at(field, (at[:, 0], at[:, 1]), 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = np.nan_to_num(_smooth(field * left, self.sigma) / _smooth(left, self.sigma), posinf=0.0)
        label, _, under = self._covered(xy_m, labels)
        clusters = len(stands_out)
        mean = np.bincount(label, weights=rate[under[:, 0], under[:, 1]], minlength=clusters) / np.bincount(label, minlength=clusters)
        return np.asarray(np.maximum(mean, 0) / (self.cell_m**2 / 1e6), dtype=np.float64)

    @property
    def _width(self) -> int:
        return int(np.ceil(self.support.shape[1] * self.cell_m / self.fine_m)) + 4

    def _fine(self, xy_m: _FloatArray) -> _IntArray:
        """The half-radius cell of each point; one is added, so that neighbours stay in range."""
        return np.floor((xy_m - self.low) / self.fine_m).astype(np.int64) + 1

    def _covered(self, xy_m: _FloatArray, labels: _IntArray) -> tuple[_IntArray, _IntArray, _IntArray]:
        """The ground of each cluster, the half-radius cells of its members and those beside them: label, number and coarse cell of each."""
        mine = labels >= 0
        fine, width = self._fine(xy_m[mine]), self._width
        size = (int(np.ceil(self.support.shape[0] * self.cell_m / self.fine_m)) + 4) * width
        own = np.unique(labels[mine] * size + fine[:, 0] * width + fine[:, 1])
        beside = np.array([di * width + dj for di in (-1, 0, 1) for dj in (-1, 0, 1)])
        label, cell = np.divmod(np.unique((own[:, None] + beside).ravel()), size)
        middle = (np.stack(np.divmod(cell, width), axis=1) - 0.5) * self.fine_m
        return label, cell, np.clip(np.floor(middle / self.cell_m).astype(np.int64), 0, np.array(self.support.shape) - 1)


def _ground_between(known: NDArray[np.bool_], *, reach: int, least: float) -> NDArray[np.bool_]:
    """The cells where something is known to happen and the gaps between them.

    The rim of a town stays where it is: ground beyond it would thin the rate inside. Only what is smaller than ``least`` cells is given
    room around it, since a lone address has no ground of its own that it could stand out of.
    """
    square = np.ones((3, 3), dtype=bool)
    padded = np.pad(known, reach)
    grown = binary_dilation(padded, square, iterations=reach)
    closed = binary_erosion(grown, square, iterations=reach)
    pieces, _ = label_pieces(closed, square)
    is_small = np.bincount(pieces.ravel()) < least
    is_small[0] = False
    closed |= binary_dilation(is_small[pieces], square, iterations=reach)
    return np.asarray(closed[reach:-reach, reach:-reach], dtype=bool)


def _smooth(field: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(gaussian_filter(field, sigma, mode="constant", truncate=3.0), dtype=np.float32)
