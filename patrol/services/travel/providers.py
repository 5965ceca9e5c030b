"""Who tells how long a way takes. Places are longitude and latitude; the matrix is looked up by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Protocol

import numpy as np
from django.conf import settings
from numpy.typing import ArrayLike
from pyproj import Transformer

from core.errors import Invalid
from geography.models import Region
from patrol.analytics.roads import RoadGraph
from patrol.analytics.travel import Matrix, as_places, straight
from patrol.models import RoadNetwork
from patrol.services.travel.closures import closures_between

LonLat = tuple[float, float]

MOST_OFF_ROAD = 0.5  # share of the places; where more lie off it, the network is of somewhere else


class Provider(Protocol):
    """What every provider does."""

    def matrix(self, points: ArrayLike, *, at: datetime | None = None, until: datetime | None = None) -> Matrix:
        """Ways between all points, shape (n, 2), as they are from ``at`` to ``until`` (now, where nothing is said)."""
        ...

    def path(self, points: ArrayLike, *, at: datetime | None = None) -> list[LonLat]:
        """A line through the points in turn, to be drawn."""
        ...


def provider_for(region: Region) -> Provider:
    """The best there is for the region: the routing server of the settings, else its newest road network, else straight lines.

    A provider that fails later falls back on the next and its matrix says so.
    """
    own = _without_server(region)
    if settings.ROUTING_URL:
        from patrol.services.travel.server import ServerProvider

        return ServerProvider(settings.ROUTING_URL, settings.ROUTING_KIND, instead=own)
    return own


def _without_server(region: Region) -> Provider:
    newest = RoadNetwork.objects.filter(region=region).order_by("-id").values_list("pk", flat=True).first()
    plain = StraightProvider(region.metric_srid)
    return plain if newest is None else RoadProvider(newest, region, instead=plain)


class StraightProvider:
    """Straight lines times a detour factor, in the region's projection."""

    def __init__(self, metric_srid: int) -> None:
        self.metric_srid = metric_srid

    def matrix(self, points: ArrayLike, *, at: datetime | None = None, until: datetime | None = None) -> Matrix:
        places = _lonlat(points)
        if not len(places):
            return straight(places)
        x, y = _transformer(self.metric_srid).transform(places[:, 0], places[:, 1])
        return replace(straight(np.column_stack([x, y])), points=places)

    def path(self, points: ArrayLike, *, at: datetime | None = None) -> list[LonLat]:
        return [(float(lon), float(lat)) for lon, lat in _lonlat(points)]


class RoadProvider:
    """The imported network, without the stretches that are closed. Where most places lie off it, straight lines, and it says so."""

    def __init__(self, network_id: int, region: Region, *, instead: Provider) -> None:
        self.network_id = network_id
        self.region = region
        self.instead = instead

    def matrix(self, points: ArrayLike, *, at: datetime | None = None, until: datetime | None = None) -> Matrix:
        places = _lonlat(points)
        graph = graph_of(self.network_id)
        closures = closures_between(self.region, at, until)
        found = graph.matrix(places, closed=graph.closed_by(closures) if closures else None)
        if int(found.details["off_road"]) > len(places) * MOST_OFF_ROAD:
            return replace(self.instead.matrix(points, at=at, until=until), fell_back_from="roads", why="off_road")
        return replace(found, details={**found.details, "network": self.network_id, "closures": len(closures)})

    def path(self, points: ArrayLike, *, at: datetime | None = None) -> list[LonLat]:
        graph = graph_of(self.network_id)
        closures = closures_between(self.region, at, None)
        return graph.path(_lonlat(points), closed=graph.closed_by(closures) if closures else None)


@lru_cache(maxsize=2)
def graph_of(network_id: int) -> RoadGraph:
    """The stored network, read once a process; a network never changes, another import is another row."""
    stored = RoadNetwork.objects.values_list("graph", flat=True).get(pk=network_id)
    return RoadGraph.from_bytes(bytes(stored))


@lru_cache(maxsize=8)
def _transformer(srid: int) -> Transformer:
    return Transformer.from_crs(4326, srid, always_xy=True)


def _lonlat(points: ArrayLike | Sequence[LonLat]) -> np.ndarray:
    """Places that are on the Earth; refuses others."""
    try:
        places = as_places(points)
    except ValueError as error:
        raise Invalid(str(error)) from error
    if len(places) and (np.abs(places[:, 0]).max() > 180 or np.abs(places[:, 1]).max() > 90):
        raise Invalid("places are longitude and latitude")
    return places
