"""OGC API – Features: reference systems with their axis order, boxes and times as they are asked for, and the standard's documents."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from django.contrib.gis.geos import MultiPolygon, Polygon
from django.utils.dateparse import parse_date, parse_datetime
from pyproj import Transformer

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
CONFORMS_TO = [
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
]
_STEPS = 16
JSON, GEOJSON, OPENAPI = "application/json", "application/geo+json", "application/vnd.oai.openapi+json;version=3.0"


class Unreadable(ValueError):
    """A parameter that the standard answers with 400; the text says which."""


@dataclass(frozen=True)
class Crs:
    """A reference system: its address, its number, and whether its first axis points north."""

    uri: str
    srid: int
    north_first: bool = False
    decimals: int = 7


def known_crs(metric_srids: Iterable[int]) -> dict[str, Crs]:
    """What every collection is offered in: CRS84 (longitude first), EPSG:4326 (latitude first) and the regions' metres."""
    systems = [Crs(CRS84, 4326), Crs(f"{EPSG}4326", 4326, north_first=True)]
    systems += [Crs(f"{EPSG}{srid}", srid, decimals=2) for srid in sorted(set(metric_srids))]
    return {one.uri: one for one in systems}


def swapped(geometry: dict[str, Any]) -> dict[str, Any]:
    """The GeoJSON geometry with its axes the other way round."""

    def turn(part: Any) -> Any:
        return [part[1], part[0], *part[2:]] if part and isinstance(part[0], int | float) else [turn(one) for one in part]

    return {**geometry, "coordinates": turn(geometry["coordinates"])}


def box_of(text: str, crs: Crs) -> Polygon | MultiPolygon:
    """Four numbers in the axis order of ``crs``, or six with heights, which are passed over. West may lie east of east: across 180°."""
    try:
        numbers = [float(part) for part in text.split(",", 6)]
    except ValueError as error:
        raise Unreadable("bbox") from error
    if len(numbers) == 6:
        numbers = [numbers[0], numbers[1], numbers[3], numbers[4]]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or any(abs(number) > 1e8 for number in numbers):
        raise Unreadable("bbox")
    west, south, east, north = (numbers[1], numbers[0], numbers[3], numbers[2]) if crs.north_first else numbers
    if south > north:
        raise Unreadable("bbox")
    if crs.srid == 4326:
        if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
            raise Unreadable("bbox")
        if west > east:
            halves = [Polygon.from_bbox((west, south, 180, north)), Polygon.from_bbox((-180, south, east, north))]
            return MultiPolygon(halves, srid=4326)
    elif west > east:
        raise Unreadable("bbox")
    if crs.srid == 4326:
        box = Polygon.from_bbox((west, south, east, north))
        box.srid = 4326
        return box
    return _bent(west, south, east, north, crs.srid)


def _bent(west: float, south: float, east: float, north: float, srid: int) -> Polygon:
    """A box of metres in degrees: its sides are bent there, so each is told by many points."""
    along = [step / _STEPS for step in range(_STEPS)]
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    ring = [(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part) for (x0, y0), (x1, y1) in pairwise(corners) for part in along]
    x, y = Transformer.from_crs(srid, 4326, always_xy=True).transform([x for x, _y in ring], [y for _x, y in ring])
    points = list(zip(x, y, strict=True))
    if not all(map(math.isfinite, [*x, *y])):
        raise Unreadable("bbox")
    return Polygon([*points, points[0]], srid=4326)


def points_in(places: Sequence[tuple[float, float] | None], crs: Crs) -> list[dict[str, Any] | None]:
    """GeoJSON points in the axis order of ``crs``, of longitudes and latitudes."""
    there = [place for place in places if place is not None]
    if crs.srid != 4326 and there:
        x, y = Transformer.from_crs(4326, crs.srid, always_xy=True).transform([x for x, _y in there], [y for _x, y in there])
        there = list(zip(x, y, strict=True))
    rest = iter(there)
    told: list[dict[str, Any] | None] = []
    for place in places:
        if place is None:
            told.append(None)
            continue
        first, second = (round(float(number), crs.decimals) for number in next(rest))
        told.append({"type": "Point", "coordinates": [second, first] if crs.north_first else [first, second]})
    return told


def span_of(text: str) -> tuple[datetime | None, datetime | None]:
    """An instant, or an interval whose open end is ``..`` or nothing. A bare date is its whole day."""
    parts = text.split("/")
    if len(parts) > 2:
        raise Unreadable("datetime")
    begin, end = _instant(parts[0]), _instant(parts[-1], is_end=True)
    if (len(parts) == 1 and begin is None) or (begin is None and end is None) or (begin and end and begin > end):
        raise Unreadable("datetime")
    return begin, end


def _instant(text: str, *, is_end: bool = False) -> datetime | None:
    text = text.strip().replace(" ", "+")
    if text in ("", ".."):
        return None
    if len(text) > 40:
        raise Unreadable("datetime")
    try:
        day = parse_date(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
        if day is not None:
            at = datetime.combine(day, time(), UTC)
            return at + timedelta(days=1) - timedelta(microseconds=1) if is_end else at
        found = parse_datetime(text.upper())
        if found is None or found.tzinfo is None:
            raise Unreadable("datetime")
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable("datetime") from error


def link(href: str, rel: str, type: str, title: str = "") -> dict[str, str]:
    return {"href": href, "rel": rel, "type": type} | ({"title": title} if title else {})


def landing(base: str, docs: str) -> dict[str, Any]:
    return {
        "title": "Khareetaty",
        "description": "Incidents, hot spots, zones and alerts as the caller may see them.",
        "links": [
            link(base, "self", JSON),
            link(f"{base}/api", "service-desc", OPENAPI),
            link(docs, "service-doc", "text/html"),
            link(f"{base}/conformance", "conformance", JSON),
            link(f"{base}/collections", "data", JSON),
        ],
    }


@dataclass(frozen=True)
class Described:
    """What the standard asks to know of a collection."""

    name: str
    title: str
    text: str


def collection(described: Described, base: str, crs: Sequence[str], extent: Sequence[float] | None) -> dict[str, Any]:
    address = f"{base}/collections/{described.name}"
    spatial = {"spatial": {"bbox": [list(extent)], "crs": CRS84}} if extent else {}
    return {
        "id": described.name,
        "title": described.title,
        "description": described.text,
        "itemType": "feature",
        "extent": {**spatial, "temporal": {"interval": [[None, None]]}},
        "crs": list(crs),
        "storageCrs": CRS84,
        "links": [link(address, "self", JSON), link(f"{address}/items", "items", GEOJSON, described.title)],
    }


def collections(base: str, found: Sequence[Mapping[str, Any]], crs: Sequence[str]) -> dict[str, Any]:
    return {"links": [link(f"{base}/collections", "self", JSON)], "crs": list(crs), "collections": list(found)}


def api_document(base: str, found: Sequence[Described], most: int, default: int) -> dict[str, Any]:
    """The standard's own OpenAPI 3.0 document; the whole API's is 3.1 and lives elsewhere."""

    def parameter(name: str, schema: dict[str, Any], where: str = "query", **more: Any) -> dict[str, Any]:
        return {"name": name, "in": where, "required": where == "path", "schema": schema, **more}

    listed = parameter("collectionId", {"type": "string", "enum": [one.name for one in found]}, "path")
    numbers = {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}
    asked = [
        listed,
        parameter("limit", {"type": "integer", "minimum": 1, "maximum": most, "default": default}, style="form", explode=False),
        parameter("bbox", numbers, style="form", explode=False),
        parameter("bbox-crs", {"type": "string", "format": "uri"}, style="form", explode=False),
        parameter("crs", {"type": "string", "format": "uri"}, style="form", explode=False),
        parameter("datetime", {"type": "string"}, style="form", explode=False),
    ]

    def get(summary: str, parameters: list[dict[str, Any]], media_type: str = JSON) -> dict[str, Any]:
        said = {"description": summary, "content": {media_type: {"schema": {"type": "object"}}}}
        wrong = {"description": "A problem", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
        return {"get": {"summary": summary, "parameters": parameters, "responses": {"200": said, "default": wrong}}}

    return {
        "openapi": "3.0.3",
        "info": {"title": "Khareetaty: OGC API Features", "version": "1"},
        "servers": [{"url": base}],
        "security": [{"key": []}],
        "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}},
        "paths": {
            "/": get("Landing page", []),
            "/conformance": get("What it conforms to", []),
            "/collections": get("Collections", []),
            "/collections/{collectionId}": get("One collection", [listed]),
            "/collections/{collectionId}/items": get("Features", asked, GEOJSON),
            "/collections/{collectionId}/items/{featureId}": get(
                "One feature", [listed, parameter("featureId", {"type": "string"}, "path"), asked[4]], GEOJSON
            ),
        },
    }
