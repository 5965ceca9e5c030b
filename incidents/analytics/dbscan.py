"""Density clustering of points in metres, exact and with memory that grows like the number of points.

The textbook algorithm lists every point's neighbours; a thousand incidents on one crossing make a million pairs, and that is
what exhausts other libraries' memory. Here the plane is cut into cells whose diagonal is the radius, so all points of a cell
are neighbours of one another: a full cell is core without looking, and clusters are made of cells, not of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

NOISE = -1
_CHUNK = 1 << 16  # points (or point pairs, times 16) looked at together: bounds the memory of every step
_FEW = 10_000
_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]


def dbscan(xy_m: _FloatArray, *, eps_m: float, min_points: int) -> _IntArray:
    """Label each point with its density cluster.

    A point with at least ``min_points`` points (itself included) at most ``eps_m`` away is a core point; core points at most
    ``eps_m`` apart share a cluster; any other point takes the cluster of the nearest core point within ``eps_m``, or is noise.
    Core points and the clusters they form are those of scikit-learn's ``DBSCAN``; a border point within reach of two clusters
    goes to the nearer one here and to the first one found there.

    Parameters
    ----------
    xy_m : ndarray of float64, shape (n, 2)
        Easting and northing in metres of one projection.
    eps_m : float
        Neighbourhood radius in metres, inclusive.
    min_points : int
        Neighbours (with itself) that make a core point.

    Returns
    -------
    ndarray of int64, shape (n,)
        Cluster number from 0, in the order of each cluster's first core point in the input; -1 for noise.

    Raises
    ------
    ValueError
        For coordinates that are not (n, 2) or not finite, a radius not above 0, ``min_points`` below 1, or a plane too large
        for the radius (more than 2³⁰ cells along an axis).

    References
    ----------
    Ester, Kriegel, Sander, Xu (1996), KDD-96, 226-231. The cells: Gunawan (2013); Gan & Tao (2015), SIGMOD, 519-530.

    Examples
    --------
    >>> import numpy as np
    >>> dbscan(np.array([[0.0, 0], [0, 50], [50, 0], [9000, 0]]), eps_m=100, min_points=3)
    array([ 0,  0,  0, -1])
    """
    xy = _checked(xy_m, eps_m, min_points)
    n = len(xy)
    labels = np.full(n, NOISE, dtype=np.int64)
    if n < min_points:
        return labels
    # A hair below eps / sqrt(2), so that rounding never puts two points of a cell out of reach of each other.
    side = eps_m / np.sqrt(2) * (1 - 1e-9)
    ij = np.floor((xy - xy.min(axis=0)) / side).astype(np.int64)
    if ij.max(initial=0) >= 1 << 30:
        raise ValueError(f"The points span more than {1 << 30} cells of {side:.3g} m: coordinates are probably not in metres.")
    key = (ij[:, 0] << 32) | ij[:, 1]
    order = np.argsort(key, kind="stable")
    begins = _first_of_each(key[order])
    cells, counts = key[order][begins], np.diff(begins, append=n)
    cell_of = np.empty(n, dtype=np.int64)
    cell_of[order] = np.repeat(np.arange(len(cells)), counts)

    is_core = (counts >= min_points)[cell_of]
    _find_core_in_thin_cells(xy, is_core, eps_m, min_points)
    core = order[is_core[order]]  # core points, cell by cell
    if not len(core):
        return labels
    core_xy = np.ascontiguousarray(xy[core])
    first = _first_of_each(cell_of[core])
    core_cells, sizes = cell_of[core][first], np.diff(first, append=len(core))
    cluster_of_cell = _join_cells(core_xy, cells[core_cells], first, sizes, eps_m)
    core_labels = np.repeat(cluster_of_cell, sizes)
    _, renumbered = _by_first_appearance(core, core_labels)
    labels[core] = renumbered

    other = np.flatnonzero(~is_core)
    if len(other):
        tree = cKDTree(core_xy, balanced_tree=False, compact_nodes=False)
        for chunk in np.array_split(other, max(1, len(other) // _CHUNK)):
            distance, nearest = tree.query(xy[chunk], k=1, distance_upper_bound=_just_above(eps_m), workers=_threads(len(chunk)))
            near = distance <= eps_m
            labels[chunk[near]] = renumbered[nearest[near]]
    return labels


def _checked(xy_m: _FloatArray, eps_m: float, min_points: int) -> _FloatArray:
    xy = np.ascontiguousarray(xy_m, dtype=np.float64)
    if xy.size == 0:
        xy = xy.reshape(0, 2)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"Points must have the shape (n, 2), not {xy.shape}.")
    bad = int((~np.isfinite(xy)).any(axis=1).sum())
    if bad:
        raise ValueError(f"{bad} of {len(xy)} points have a coordinate that is not a finite number.")
    if not (np.isfinite(eps_m) and eps_m > 0):
        raise ValueError(f"The radius must be above 0 m, not {eps_m}.")
    if min_points < 1:
        raise ValueError(f"At least 1 point makes a cluster, not {min_points}.")
    return xy


def _just_above(eps_m: float) -> float:
    """The tree leaves out what lies exactly at its bound; we compare for ourselves."""
    return eps_m * (1 + 1e-9)


def _threads(queries: int) -> int:
    """All cores for many queries; starting threads costs more than a few."""
    return -1 if queries >= _FEW else 1


def _find_core_in_thin_cells(xy: _FloatArray, is_core: NDArray[np.bool_], eps_m: float, min_points: int) -> None:
    """Mark, in ``is_core``, the points of cells too thin to be core as a whole: those whose k-th nearest is within reach."""
    thin = np.flatnonzero(~is_core)
    if not len(thin):
        return
    tree = cKDTree(xy, balanced_tree=False, compact_nodes=False)
    per_chunk = max(1, _CHUNK * 16 // min_points)
    for chunk in np.array_split(thin, max(1, -(-len(thin) // per_chunk))):
        distance, _ = tree.query(xy[chunk], k=[min_points], distance_upper_bound=_just_above(eps_m), workers=_threads(len(chunk)))
        is_core[chunk] = distance[:, 0] <= eps_m


def _join_cells(core_xy: _FloatArray, keys: _IntArray, first: _IntArray, sizes: _IntArray, eps_m: float) -> _IntArray:
    """The cluster of each core cell: cells two of whose core points are within reach are joined.

    A pair of neighbouring cells is first tried with one point of each, the one furthest towards the other, which settles
    nearly all pairs inside a cluster. Only pairs that would still join two different clusters are compared in full.
    """
    m = len(keys)
    quick, slow = [np.empty((0, 2), dtype=np.int64)], [np.empty((0, 2), dtype=np.int64)]
    for offset, pairs in _neighbouring(keys):
        towards = core_xy @ offset
        a, b = pairs.T
        ahead = _argmax_per_cell(towards, first, sizes)[a]
        behind = _argmax_per_cell(-towards, first, sizes)[b]
        near = np.zeros(len(pairs), dtype=bool)
        for here, there in ((ahead, behind), (first[a], first[b])):
            gap = core_xy[here] - core_xy[there]
            near |= np.hypot(gap[:, 0], gap[:, 1]) <= eps_m
        quick.append(pairs[near])
        slow.append(pairs[~near])
    joined, rest = np.concatenate(quick), np.concatenate(slow)
    _, component = _components(m, joined)
    # Smallest comparisons first: they often settle the large ones.
    rest = rest[component[rest[:, 0]] != component[rest[:, 1]]]
    rest = rest[np.argsort(sizes[rest[:, 0]] * sizes[rest[:, 1]], kind="stable")]
    while len(rest):
        cost = np.cumsum(sizes[rest[:, 0]] * sizes[rest[:, 1]])
        take = max(1, int(np.searchsorted(cost, _CHUNK * 16, side="right")))
        batch, rest = rest[:take], rest[take:]
        close = batch[_within_reach(core_xy, batch, first, sizes, eps_m)]
        if len(close):
            joined = np.concatenate([joined, close])
            _, component = _components(m, joined)
            rest = rest[component[rest[:, 0]] != component[rest[:, 1]]]
    return component


def _first_of_each(ascending: _IntArray) -> _IntArray:
    """Where each value of a sorted row begins."""
    return np.flatnonzero(np.diff(ascending, prepend=ascending[0] - 1)) if len(ascending) else np.empty(0, dtype=np.int64)


def _neighbouring(keys: _IntArray) -> Iterator[tuple[_FloatArray, _IntArray]]:
    """Pairs (a, b) of core cells near enough that some of their points may be within reach; each pair once, with the way from a to b."""
    column = keys & 0xFFFFFFFF
    for di, dj in ((0, 1), (0, 2), *((i, j) for i in (1, 2) for j in (-2, -1, 0, 1, 2))):
        wanted = keys + (di << 32) + dj
        at = np.searchsorted(keys, wanted)
        at[at == len(keys)] = 0
        hit = np.flatnonzero((column + dj >= 0) & (keys[at] == wanted))
        if len(hit):
            yield np.array([di, dj], dtype=np.float64), np.stack([hit, at[hit]], axis=1)


def _argmax_per_cell(values: _FloatArray, first: _IntArray, sizes: _IntArray) -> _IntArray:
    best = np.maximum.reduceat(values, first)
    hits = np.flatnonzero(values == np.repeat(best, sizes))
    cell = np.repeat(np.arange(len(first)), sizes)[hits]
    return hits[_first_of_each(cell)]


def _within_reach(core_xy: _FloatArray, pairs: _IntArray, first: _IntArray, sizes: _IntArray, eps_m: float) -> NDArray[np.bool_]:
    """For each pair of cells, whether any two of their core points are at most ``eps_m`` apart. Compared in full."""
    a, b = pairs.T
    if len(pairs) == 1 and sizes[a[0]] * sizes[b[0]] > _CHUNK * 16:
        large, small = (a[0], b[0]) if sizes[a[0]] >= sizes[b[0]] else (b[0], a[0])
        tree = cKDTree(core_xy[first[large] : first[large] + sizes[large]])
        distance, _ = tree.query(core_xy[first[small] : first[small] + sizes[small]], k=1, distance_upper_bound=_just_above(eps_m))
        return np.array([bool((distance <= eps_m).any())])
    products = sizes[a] * sizes[b]
    pair = np.repeat(np.arange(len(pairs)), products)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(products) - products, products)
    width = sizes[b][pair]
    gap = core_xy[first[a][pair] + within // width] - core_xy[first[b][pair] + within % width]
    near = np.hypot(gap[:, 0], gap[:, 1]) <= eps_m
    return np.bincount(pair[near], minlength=len(pairs)) > 0


def _components(m: int, pairs: _IntArray) -> tuple[int, _IntArray]:
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(m, m))
    count, component = connected_components(graph, directed=False)
    return count, component.astype(np.int64)


def _by_first_appearance(points: _IntArray, labels: _IntArray) -> tuple[int, _IntArray]:
    """Number clusters in the order of their lowest point index."""
    count = int(labels.max()) + 1
    earliest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(earliest, labels, points)
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(earliest)] = np.arange(count)
    return count, rank[labels]
