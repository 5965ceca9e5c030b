"""Times and ways on a road network: junctions and the stretches between them, in arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from patrol.analytics.travel import ROADS, FloatArray, Matrix, as_places

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

EARTH_M = 6_371_008.8
SNAP_M = 1000.0
OFF_ROAD_KMH = 15.0  # from a place to the nearest junction
_TICK_S = 0.01
_UNIT = float(2**24)  # decimetres of way a sum may hold: 1,677 km
NEARBY_KMH = 20.0
_BLOCK = 32  # sources at a time, so that memory stays small
_VERSION = 1


class Closure(NamedTuple):
    """A circle nothing drives through."""

    lon: float
    lat: float
    radius_m: float


@dataclass(frozen=True)
class RoadGraph:
    """Junctions, and the stretches from one to the next; what is driven both ways is two stretches that share a shape.

    Attributes
    ----------
    lon, lat : float arrays, shape (n,)
        Junctions, degrees.
    start, end : int arrays, shape (e,)
        Junctions of each stretch, from and to.
    seconds, metres : float arrays, shape (e,)
    shape : int array, shape (e,)
        Which shape the stretch follows.
    is_reversed : bool array, shape (e,)
        Whether it follows it from its end to its start.
    shape_from : int array, shape (s + 1,)
        Where each shape's points begin in the next two.
    shape_lon, shape_lat : float arrays
    """

    lon: FloatArray = field(repr=False)
    lat: FloatArray = field(repr=False)
    start: IntArray = field(repr=False)
    end: IntArray = field(repr=False)
    seconds: FloatArray = field(repr=False)
    metres: FloatArray = field(repr=False)
    shape: IntArray = field(repr=False)
    is_reversed: BoolArray = field(repr=False)
    shape_from: IntArray = field(repr=False)
    shape_lon: FloatArray = field(repr=False)
    shape_lat: FloatArray = field(repr=False)

    @property
    def nodes(self) -> int:
        return len(self.lon)

    @property
    def edges(self) -> int:
        return len(self.start)

    @cached_property
    def _scale(self) -> FloatArray:
        """Metres of a degree of longitude and latitude, in the middle of the network."""
        middle = float(np.mean(self.lat)) if self.nodes else 0.0
        return np.radians(1.0) * EARTH_M * np.array([np.cos(np.radians(middle)), 1.0])

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(np.column_stack([self.lon, self.lat]) * self._scale)

    def nearest(self, lonlat: FloatArray, limit_m: float = SNAP_M) -> tuple[IntArray, FloatArray]:
        """The nearest junction of each place and how far it is; -1 and infinity where none is within the limit."""
        if not self.nodes or not len(lonlat):
            return np.full(len(lonlat), -1), np.full(len(lonlat), np.inf)
        apart, node = self._tree.query(lonlat * self._scale, distance_upper_bound=limit_m)
        return np.where(np.isfinite(apart), node, -1).astype(np.int64), np.asarray(apart, dtype=float)

    def closed_by(self, closures: Sequence[Closure]) -> BoolArray:
        """Which stretches pass through any of the circles, shape (e,)."""
        shapes = np.zeros(len(self.shape_from) - 1, dtype=bool)
        points = np.column_stack([self.shape_lon, self.shape_lat]) * self._scale
        owner = np.repeat(np.arange(len(shapes)), np.diff(self.shape_from))
        inner = owner[:-1] == owner[1:]
        first, leg = points[:-1][inner], np.diff(points, axis=0)[inner]
        owner = owner[:-1][inner]
        length = np.maximum((leg**2).sum(axis=1), 1e-9)
        for closure in closures:
            to = np.array([closure.lon, closure.lat]) * self._scale - first
            along = np.clip((to * leg).sum(axis=1) / length, 0, 1)
            apart = np.hypot(*(to - along[:, None] * leg).T)
            shapes[owner[apart <= closure.radius_m]] = True
        return shapes[self.shape]

    def weights(self, closed: BoolArray | None = None) -> csr_matrix:
        """The graph as a matrix whose sums hold both figures: hundredths of a second, and below them decimetres.

        Sums of whole numbers below 2**53 are exact, so a shortest path by time tells its length as well, and no path has to be walked
        back for it.
        """
        if closed is None:
            return self._open
        keep = ~closed
        packed = self._open.data  # in the order of the stretches
        return csr_matrix((packed[keep], (self.start[keep], self.end[keep])), shape=(self.nodes, self.nodes))

    @cached_property
    def _open(self) -> csr_matrix:
        ticks = np.maximum(np.rint(self.seconds / _TICK_S), 1)
        return csr_matrix((ticks * _UNIT + np.rint(self.metres * 10), (self.start, self.end)), shape=(self.nodes, self.nodes))

    def matrix(self, lonlat: ArrayLike, *, closed: BoolArray | None = None, snap_m: float = SNAP_M) -> Matrix:
        """Times and ways between all places, by the quickest way.

        Parameters
        ----------
        lonlat : array-like, shape (n, 2)
        closed : bool array, shape (e,), optional
            Stretches that cannot be driven, from `closed_by`.
        snap_m : float
            A place further than that from any junction is on no road: it has no way to anywhere.

        Returns
        -------
        Matrix
            Infinite where there is no way. Its details count the places off the road.
        """
        places = as_places(lonlat)
        node, apart = self.nearest(places, snap_m)
        n = len(places)
        seconds, metres = np.full((n, n), np.inf), np.full((n, n), np.inf)
        on_road = np.flatnonzero(node >= 0)
        if len(on_road):
            graph = self.weights(closed)
            sources, back = np.unique(node[on_road], return_inverse=True)
            reached = np.concatenate(
                [dijkstra(graph, indices=sources[begin : begin + _BLOCK])[:, sources] for begin in range(0, len(sources), _BLOCK)]
            )[np.ix_(back, back)]
            is_way = np.isfinite(reached)
            ticks = np.floor(np.where(is_way, reached, 0) / _UNIT)
            far = (np.where(is_way, reached, 0) - ticks * _UNIT) / 10
            approach = apart[on_road][:, None] + apart[on_road][None, :]
            block = np.ix_(on_road, on_road)
            seconds[block] = np.where(is_way, ticks * _TICK_S + approach / (OFF_ROAD_KMH / 3.6), np.inf)
            metres[block] = np.where(is_way, far + approach, np.inf)
        np.fill_diagonal(seconds, 0.0)
        np.fill_diagonal(metres, 0.0)
        details: dict[str, float | int | str] = {
            "off_road": int(n - len(on_road)),
            "closed_edges": int(closed.sum()) if closed is not None else 0,
        }
        return Matrix(places, seconds, metres, ROADS, details=details)

    def towards(
        self, lonlat: ArrayLike, destination: tuple[float, float], *, closed: BoolArray | None = None, snap_m: float = SNAP_M
    ) -> tuple[FloatArray, FloatArray]:
        """Seconds and metres from each place, shape (n, 2), to one destination: the last column of their matrix at the price of one source.

        Infinite where there is no way. The network is searched backwards from the destination.
        """
        places = as_places(lonlat)
        node, apart = self.nearest(np.vstack([places, np.asarray([destination], dtype=float)]), snap_m)
        seconds, metres = np.full(len(places), np.inf), np.full(len(places), np.inf)
        here = np.flatnonzero(node[:-1] >= 0)
        if node[-1] < 0 or not len(here):
            return seconds, metres
        reached = dijkstra(self.weights(closed).T.tocsr(), indices=int(node[-1]))[node[here]]
        is_way = np.isfinite(reached)
        ticks = np.floor(np.where(is_way, reached, 0) / _UNIT)
        far = (np.where(is_way, reached, 0) - ticks * _UNIT) / 10
        approach = apart[here] + apart[-1]
        seconds[here] = np.where(is_way, ticks * _TICK_S + approach / (OFF_ROAD_KMH / 3.6), np.inf)
        metres[here] = np.where(is_way, far + approach, np.inf)
        return seconds, metres

    def path(self, lonlat: ArrayLike, *, closed: BoolArray | None = None, snap_m: float = SNAP_M) -> list[tuple[float, float]]:
        """Longitudes and latitudes along the quickest way through all places in turn; straight where there is no way by road."""
        places = as_places(lonlat)
        node, _ = self.nearest(places, snap_m)
        graph = self.weights(closed)
        line: list[tuple[float, float]] = [(float(x), float(y)) for x, y in places[:1]]
        for place in range(len(places) - 1):
            begin, finish = int(node[place]), int(node[place + 1])
            if begin >= 0 and finish >= 0 and begin != finish:
                line += self._along(graph, begin, finish)
            line.append((float(places[place + 1][0]), float(places[place + 1][1])))
        return line

    def _along(self, graph: csr_matrix, begin: int, finish: int) -> list[tuple[float, float]]:
        """The points of the quickest way; looked for nearby first, since most ways are short."""
        off = np.array([self.lon[finish] - self.lon[begin], self.lat[finish] - self.lat[begin]]) * self._scale
        apart = float(np.hypot(*off))
        for limit in ((2 * apart / (NEARBY_KMH / 3.6) + 120) / _TICK_S * _UNIT, np.inf):
            before = dijkstra(graph, indices=begin, return_predecessors=True, limit=limit)[1]
            if before[finish] >= 0:
                break
        stretches: list[int] = []
        at = finish
        while at != begin:
            if before[at] < 0:
                return []
            stretches.append(int(np.searchsorted(self._pairs, int(before[at]) * self.nodes + at)))
            at = int(before[at])
        return [point for edge in reversed(stretches) for point in self._points(edge)]

    @cached_property
    def _pairs(self) -> IntArray:
        """Start and end of each stretch as one number; stretches are held in that order."""
        return self.start * self.nodes + self.end

    def _points(self, edge: int) -> list[tuple[float, float]]:
        begin, end = self.shape_from[self.shape[edge]], self.shape_from[self.shape[edge] + 1]
        points = list(zip(self.shape_lon[begin:end].tolist(), self.shape_lat[begin:end].tolist(), strict=True))
        return points[::-1] if self.is_reversed[edge] else points

    def to_bytes(self) -> bytes:
        """All of it as a compressed npz, coordinates to a centimetre and times to a hundredth of a second."""
        held = io.BytesIO()
        np.savez_compressed(
            held,
            version=np.array([_VERSION]),
            lon=np.rint(self.lon * 1e7).astype(np.int32),
            lat=np.rint(self.lat * 1e7).astype(np.int32),
            start=self.start.astype(np.int32),
            end=self.end.astype(np.int32),
            seconds=np.rint(self.seconds * 100).astype(np.int32),
            metres=np.rint(self.metres * 10).astype(np.int32),
            shape=self.shape.astype(np.int32),
            is_reversed=self.is_reversed,
            shape_from=self.shape_from.astype(np.int32),
            shape_lon=np.rint(self.shape_lon * 1e7).astype(np.int32),
            shape_lat=np.rint(self.shape_lat * 1e7).astype(np.int32),
        )
        return held.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes) -> RoadGraph:
        """What `to_bytes` made.

        Raises
        ------
        ValueError
            Made by another version.
        """
        with np.load(io.BytesIO(stored), allow_pickle=False) as held:
            if int(held["version"][0]) != _VERSION:
                raise ValueError(f"a road network of version {held['version'][0]}, not {_VERSION}")
            return cls(
                lon=held["lon"] / 1e7,
                lat=held["lat"] / 1e7,
                start=held["start"].astype(np.int64),
                end=held["end"].astype(np.int64),
                seconds=held["seconds"] / 100,
                metres=held["metres"] / 10,
                shape=held["shape"].astype(np.int64),
                is_reversed=held["is_reversed"],
                shape_from=held["shape_from"].astype(np.int64),
                shape_lon=held["shape_lon"] / 1e7,
                shape_lat=held["shape_lat"] / 1e7,
            )
