"""From ways as they are mapped to the graph that is driven: cut at junctions, one-way streets kept, islands left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from patrol.analytics.roads import EARTH_M, RoadGraph
from patrol.analytics.travel import FloatArray

LONGEST_M = 250.0  # a longer stretch is cut, so that every place on it has a junction near


class RoadWay(NamedTuple):
    """A way as mapped: its nodes in order, 1, -1 or 0 for driven forwards, backwards or both, and the speed driven."""

    nodes: list[int]
    lon: list[float]
    lat: list[float]
    direction: int
    kmh: float


@dataclass(frozen=True)
class Built:
    """The graph, and what was left out of it: junctions that cannot be reached from the rest and got back from, and stretches there."""

    graph: RoadGraph
    ways: int
    islands: int
    island_nodes: int
    island_edges: int


def build(ways: Iterable[RoadWay]) -> Built:
    """The graph of all ways, its largest strongly connected part only: from each junction in it there is a way to each other.

    Parameters
    ----------
    ways : iterable of RoadWay
        Ways of fewer than two nodes are skipped.

    Returns
    -------
    Built
        With an empty graph where there are no ways.
    """
    mapped = [way for way in ways if len(way.nodes) > 1]
    if not mapped:
        return Built(_empty(), 0, 0, 0, 0)
    counts = np.array([len(way.nodes) for way in mapped])
    first = np.concatenate([[0], np.cumsum(counts)])
    ids, index, used = np.unique(np.concatenate([way.nodes for way in mapped]), return_inverse=True, return_counts=True)
    lon, lat = np.concatenate([way.lon for way in mapped]), np.concatenate([way.lat for way in mapped])
    steps = np.concatenate([_metres(lon, lat), [0.0]])
    is_corner = used[index] > 1
    is_corner[first[:-1]] = is_corner[first[1:] - 1] = True

    begins, ends, owners, lengths = [], [], [], []
    for number in range(len(mapped)):
        begin, far = int(first[number]), 0.0
        for at in range(begin + 1, int(first[number + 1])):
            step = float(steps[at - 1])
            far += step
            if is_corner[at] or far >= LONGEST_M:
                begins.append(begin)
                ends.append(at)
                owners.append(number)
                lengths.append(far)
                begin, far = at, 0.0
    begin_at, end_at, owner, metres = np.array(begins), np.array(ends), np.array(owners), np.array(lengths)
    direction = np.array([way.direction for way in mapped])[owner]
    seconds = metres / (np.array([way.kmh for way in mapped])[owner] / 3.6)
    there, back = np.flatnonzero(direction >= 0), np.flatnonzero(direction <= 0)
    shape = np.concatenate([there, back])
    is_reversed = np.concatenate([np.zeros(len(there), dtype=bool), np.ones(len(back), dtype=bool)])
    start = np.where(is_reversed, index[end_at[shape]], index[begin_at[shape]])
    end = np.where(is_reversed, index[begin_at[shape]], index[end_at[shape]])
    pieces = _Pieces(ids, index, lon, lat, start, end, seconds[shape], metres[shape], shape, is_reversed, begin_at, end_at)
    return _largest_part(len(mapped), pieces)


class _Pieces(NamedTuple):
    """Stretches (``start`` to ``is_reversed``) between nodes (``ids``); shapes by where they begin and end among the mapped points."""

    ids: NDArray[Any]
    node: NDArray[Any]
    lon: FloatArray
    lat: FloatArray
    start: NDArray[Any]
    end: NDArray[Any]
    seconds: FloatArray
    metres: FloatArray
    shape: NDArray[Any]
    is_reversed: NDArray[Any]
    begin_at: NDArray[Any]
    end_at: NDArray[Any]


def _largest_part(ways: int, held: _Pieces) -> Built:
    """Renumber: only junctions (nodes a stretch ends at) of the largest part, and the quickest stretch of each pair."""
    n = len(held.ids)
    corners = np.unique(np.concatenate([held.start, held.end]))
    links = csr_matrix((np.ones(len(held.start)), (held.start, held.end)), shape=(n, n))
    label = connected_components(links, directed=True, connection="strong")[1][corners]
    names, sizes = np.unique(label, return_counts=True)
    kept = np.sort(corners[label == names[sizes.argmax()]])
    number = np.full(n, -1)
    number[kept] = np.arange(len(kept))
    start, end = number[held.start], number[held.end]
    outside = int(((start < 0) | (end < 0)).sum())
    inside = np.flatnonzero((start >= 0) & (end >= 0) & (start != end))
    order = inside[np.lexsort((held.seconds[inside], end[inside], start[inside]))]
    order = order[np.unique(start[order] * len(kept) + end[order], return_index=True)[1]]
    where = np.zeros(n, dtype=np.int64)
    where[held.node] = np.arange(len(held.node))
    shapes, own = np.unique(held.shape[order], return_inverse=True)
    lengths = held.end_at[shapes] - held.begin_at[shapes] + 1
    spans = [np.arange(held.begin_at[one], held.end_at[one] + 1) for one in shapes]
    points = np.concatenate(spans) if spans else np.empty(0, dtype=np.int64)
    graph = RoadGraph(
        lon=held.lon[where[kept]],
        lat=held.lat[where[kept]],
        start=start[order],
        end=end[order],
        seconds=held.seconds[order],
        metres=held.metres[order],
        shape=own.astype(np.int64),
        is_reversed=held.is_reversed[order],
        shape_from=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        shape_lon=held.lon[points],
        shape_lat=held.lat[points],
    )
    return Built(graph, ways, len(names) - 1, len(corners) - len(kept), outside)


def _metres(lon: FloatArray, lat: FloatArray) -> FloatArray:
    """From each point to the next, by haversine."""
    x, y = np.radians(lon), np.radians(lat)
    half = np.sin(np.diff(y) / 2) ** 2 + np.cos(y[:-1]) * np.cos(y[1:]) * np.sin(np.diff(x) / 2) ** 2
    return 2 * EARTH_M * np.arcsin(np.sqrt(half))


def _empty() -> RoadGraph:
    none, whole = np.empty(0), np.empty(0, dtype=np.int64)
    return RoadGraph(none, none, whole, whole, none, none, whole, np.empty(0, dtype=bool), np.zeros(1, dtype=np.int64), none, none)
