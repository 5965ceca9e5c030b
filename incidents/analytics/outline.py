"""A polygon around a cluster: follows its shape, holds every member, and is never a line or a point."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import Delaunay, QhullError, cKDTree

MARGIN_M = 40.0
_MOST_CELLS = 400  # along the longer side of the raster
_FloatArray = NDArray[np.float64]


def outline(xy_m: _FloatArray, *, reach_m: float, margin_m: float = MARGIN_M) -> _FloatArray:
    """The concave outline of one cluster, as a closed ring.

    The members and the links of their shortest tree (so that the outline is in one piece) are drawn on a raster, swollen by
    somewhat more than half of ``reach_m`` (which closes the gaps between members of a cluster) and shrunk back to ``margin_m``
    around what was drawn: a morphological closing. Holes are filled, since an officer asks "am I in it?", and the ring is simplified.

    Parameters
    ----------
    xy_m : ndarray of float64, shape (n, 2)
        Members, in metres; n at least 1. Repeated points are welcome: ten incidents at one address give a small disc.
    reach_m : float
        The radius the cluster was found with, in metres.
    margin_m : float
        How far the outline keeps from the outermost members, in metres; larger where the cluster is so large that a raster
        cell is.

    Returns
    -------
    ndarray of float64, shape (k, 2)
        A simple ring in metres, anticlockwise, first point repeated at the end, holding every member.

    Raises
    ------
    ValueError
        For no members, or a coordinate that is not finite.

    References
    ----------
    Serra (1982), Image Analysis and Mathematical Morphology, ch. II (closing). Douglas, Peucker (1973), Cartographica 10(2).

    Examples
    --------
    >>> import numpy as np
    >>> ring = outline(np.zeros((10, 2)), reach_m=300.0)
    >>> 3500 < ring_area(ring) < 5100, bool((ring[0] == ring[-1]).all())
    (True, True)
    """
    members = np.unique(np.asarray(xy_m, dtype=np.float64).reshape(-1, 2), axis=0)
    if not len(members) or not np.isfinite(members).all():
        raise ValueError("An outline needs at least one member, all of them with finite coordinates.")
    span = float(np.ptp(members, axis=0).max())
    cell = max(margin_m / 4, span / _MOST_CELLS)
    margin = max(margin_m, 2.5 * cell)
    swell = max(0.55 * reach_m, margin)
    drawn = np.concatenate([members, _along_links(members, step=cell / 2)])
    low = members.min(axis=0) - swell - 3 * cell
    shape = np.ceil((members.max(axis=0) + swell + 3 * cell - low) / cell).astype(int) + 1
    is_free = np.ones(shape, dtype=bool)
    at = np.rint((drawn - low) / cell).astype(int)
    is_free[at[:, 0], at[:, 1]] = False
    away = distance_transform_edt(is_free) * cell
    inside = away <= swell
    # Positive inside the closing, in metres from its rim; the rim is where the swollen shape's edge has been taken back.
    depth = distance_transform_edt(inside) * cell - (swell - margin)
    ring = _outer_ring(depth, level=cell / 4) * cell + low
    ring = _simplified(ring, tolerance=margin / 6)
    return ring if ring_area(ring) > 0 else ring[::-1]


def ring_area(ring: _FloatArray) -> float:
    """Signed area of a closed ring in square metres: positive when it runs anticlockwise.

    >>> import numpy as np
    >>> ring_area(np.array([[0.0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]))
    4.0
    """
    x, y = (ring - ring[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def inside(ring: _FloatArray, xy_m: _FloatArray) -> NDArray[np.bool_]:
    """Whether each point lies within a closed ring (even-odd rule; a point on the rim may fall either way).

    >>> import numpy as np
    >>> inside(np.array([[0.0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]), np.array([[1.0, 1], [3, 1]]))
    array([ True, False])
    """
    xy = np.asarray(xy_m, dtype=np.float64).reshape(-1, 2)
    found = np.zeros(len(xy), dtype=bool)
    low, high = ring.min(axis=0), ring.max(axis=0)
    near = np.flatnonzero(((xy >= low) & (xy <= high)).all(axis=1))
    x, y = xy[near].T
    result = np.zeros(len(near), dtype=bool)
    for (x1, y1), (x2, y2) in pairwise(ring):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        result ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    found[near] = result
    return found


def _along_links(members: _FloatArray, *, step: float) -> _FloatArray:
    """Points along the edges of the members' shortest tree, ``step`` apart."""
    n = len(members)
    if n < 2:
        return members[:0]
    try:
        simplices = Delaunay(members).simplices if n > 3 else None
    except QhullError:  # all on a line
        simplices = None
    if simplices is None:
        order = np.lexsort((members[:, 1], members[:, 0]))
        edges = np.stack([order[:-1], order[1:]], axis=1)
    else:
        edges = np.concatenate([simplices[:, [0, 1]], simplices[:, [1, 2]], simplices[:, [2, 0]]])
        left_out = np.setdiff1d(np.arange(n), edges)  # nearly coincident points the triangulation drops
        if len(left_out):
            kept = np.setdiff1d(np.arange(n), left_out)
            _, nearest = cKDTree(members[kept]).query(members[left_out])
            edges = np.concatenate([edges, np.stack([left_out, kept[nearest]], axis=1)])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    length = np.hypot(*(members[edges[:, 0]] - members[edges[:, 1]]).T)
    tree = minimum_spanning_tree(coo_array((length, (edges[:, 0], edges[:, 1])), shape=(n, n))).tocoo()
    steps = np.maximum(np.ceil(tree.data / step).astype(int), 1)
    link = np.repeat(np.arange(len(steps)), steps)
    share = (np.arange(len(link)) - np.repeat(np.cumsum(steps) - steps, steps)) / steps[link]
    here, there = members[tree.row[link]], members[tree.col[link]]
    return here + (there - here) * share[:, None]


def _outer_ring(field: _FloatArray, *, level: float) -> _FloatArray:
    """The largest closed contour of ``field`` at ``level``, in raster units."""
    rings = contour_generator(z=field.T).lines(level)
    return np.asarray(max(rings, key=lambda ring: abs(ring_area(np.asarray(ring)))), dtype=np.float64)


def _simplified(ring: _FloatArray, *, tolerance: float) -> _FloatArray:
    """Douglas and Peucker's simplification of a closed ring, begun at its two points furthest apart."""
    n = len(ring) - 1
    far = int(np.argmax(np.hypot(*(ring[:n] - ring[0]).T)))
    keep = np.zeros(n + 1, dtype=bool)
    keep[[0, far, n]] = True
    stack = [(0, far), (far, n)]
    while stack:
        a, b = stack.pop()
        if b - a < 2:
            continue
        start, along = ring[a], ring[b] - ring[a]
        between = ring[a + 1 : b] - start
        length = float(np.hypot(*along))
        off = np.abs(between[:, 0] * along[1] - between[:, 1] * along[0]) / length if length else np.hypot(*between.T)
        worst = int(np.argmax(off))
        if off[worst] > tolerance:
            keep[a + 1 + worst] = True
            stack += [(a, a + 1 + worst), (a + 1 + worst, b)]
    return ring[keep]
