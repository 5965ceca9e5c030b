"""Zones and points as CAP draws them: "lat,lon" pairs, rings that close, no more points than a siren's modem can take."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.gis.geos import GEOSGeometry, MultiPolygon, Polygon

MOST_RINGS = 12
MOST_POINTS = 240
DECIMALS = 5
_TOLERANCES = (0.0, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


def rings_of(boundary: GEOSGeometry) -> list[str]:
    """The outer rings of the largest parts, simplified until all of them together have at most ``MOST_POINTS`` points.

    CAP knows no holes: an area says at least where it is. Tolerances are degrees (0.001 is about 100 m).
    """
    rings: list[list[tuple[float, float]]] = []
    for tolerance in _TOLERANCES:
        shape = boundary if tolerance == 0 else boundary.simplify(tolerance, preserve_topology=True)
        rings = [ring for ring in map(_ring, _largest(shape)) if len(ring) >= 4]
        if sum(map(len, rings)) <= MOST_POINTS:
            break
    else:
        west, south, east, north = boundary.extent
        rings = [_ring(Polygon.from_bbox((west, south, east, north)))]
    return [" ".join(f"{lat:.5f},{lon:.5f}" for lon, lat in ring) for ring in rings]


def circle_of(place: tuple[float, float], radius_km: float) -> str:
    """Round a longitude and latitude."""
    return f"{round(place[1], DECIMALS)},{round(place[0], DECIMALS)} {radius_km:g}"


def _largest(shape: GEOSGeometry) -> list[Polygon]:
    parts = list(shape) if isinstance(shape, MultiPolygon) else [shape]
    polygons = [part for part in parts if isinstance(part, Polygon) and not part.empty]
    return sorted(polygons, key=lambda part: part.area, reverse=True)[:MOST_RINGS]


def _ring(polygon: Polygon) -> list[tuple[float, float]]:
    """The outer ring without points that fall on one another when rounded; closed."""
    return list(_steps(polygon))


def _steps(polygon: Polygon) -> Iterator[tuple[float, float]]:
    before = first = None
    for x, y, *_more in polygon.exterior_ring.coords:
        point = (round(x, DECIMALS), round(y, DECIMALS))
        if point != before:
            yield point
        first, before = first or point, point
    if first is not None and before != first:
        yield first
