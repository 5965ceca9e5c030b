"""How long each unit needs to a place: on the imported roads, by the routing server, else along straight lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from geography.models import Region
from patrol.analytics.travel import DETOUR, ROADS, SPEED_KMH, STRAIGHT
from patrol.services.travel import RoadProvider, StraightProvider, closures_between, provider_for
from patrol.services.travel.providers import graph_of

EARTH_M = 6_371_008.8
# A server is asked for the nearest by straight line alone: a table of all would take longer than a dispatcher waits.
ASKED_OF_SERVER = 24
FloatArray = NDArray[np.float64]
Ways = tuple[FloatArray, FloatArray, str]


def ways_to(
    region: Region, origins: Sequence[tuple[float, float]], destination: tuple[float, float], *, at: datetime | None = None
) -> Ways:
    """Seconds and metres from each origin (longitude, latitude) to the destination, and who measured; infinite where there is no way."""
    seconds, metres = straight_to(origins, destination)
    if not origins:
        return seconds, metres, STRAIGHT
    provider = provider_for(region)
    if isinstance(provider, StraightProvider):
        return seconds, metres, STRAIGHT
    if isinstance(provider, RoadProvider):
        graph, closures = graph_of(provider.network_id), closures_between(region, at)
        by_road, far = graph.towards(origins, destination, closed=graph.closed_by(closures) if closures else None)
        # A place of the incident that lies on no road leaves straight lines for everybody; a unit off the road keeps its own.
        if not np.isfinite(by_road).any():
            return seconds, metres, STRAIGHT
        off_road = graph.nearest(np.asarray(origins, dtype=float))[0] < 0
        return np.where(off_road, seconds, by_road), np.where(off_road, metres, far), ROADS
    near = np.argsort(seconds, kind="stable")[:ASKED_OF_SERVER]
    found = provider.matrix([destination, *(origins[k] for k in near)], at=at)
    if found.fell_back_from:
        return seconds, metres, found.name
    ratio = found.seconds[1:, 0] / np.maximum(seconds[near], 1.0)
    known = ratio[np.isfinite(ratio)]
    # Those further off are no quicker than the roads make the near ones.
    slower = max(1.0, float(np.median(known))) if len(known) else 1.0
    seconds, metres = seconds * slower, metres * slower
    seconds[near], metres[near] = found.seconds[1:, 0], found.metres[1:, 0]
    return seconds, metres, found.name


def straight_to(origins: Sequence[tuple[float, float]], destination: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Great circles times the detour factor, at the usual speed."""
    if not origins:
        return np.zeros(0), np.zeros(0)
    places = np.radians(np.asarray(origins, dtype=float))
    there = np.radians(np.asarray(destination, dtype=float))
    half = (places - there) / 2.0
    chord = np.sin(half[:, 1]) ** 2 + np.cos(places[:, 1]) * np.cos(there[1]) * np.sin(half[:, 0]) ** 2
    metres = DETOUR * 2 * EARTH_M * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    return metres / (SPEED_KMH / 3.6), metres
