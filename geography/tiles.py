"""Vector tiles of the zones, cut by PostGIS."""

from __future__ import annotations

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Max

from geography.models import Zone

MAX_ZOOM = 18
EXTENT = 4096  # a tile's own grid; MapLibre draws it on 512 pixels
_EQUATOR_M = 40_075_016.68557849
_KEEP_S = 24 * 3600

# Shapes are cut to the tile's surroundings first (well outside its drawn margin of 8 pixels), for a coast has thousands of corners,
# and lose what is smaller than half a pixel at this zoom. The label layer carries the size in km² so that large names win.
_TILE = """
WITH frame AS (
    SELECT ST_TileEnvelope(%(z)s, %(x)s, %(y)s) AS box,
           ST_Transform(ST_Expand(ST_TileEnvelope(%(z)s, %(x)s, %(y)s), %(margin)s), 4326) AS window
), zone AS (
    SELECT z.*, r.code AS region FROM geography_zone z JOIN geography_region r ON r.id = z.region_id, frame
    WHERE z.is_active AND z.level IN (%(level)s, 'country') AND z.boundary && frame.window
), drawn AS (
    SELECT zone.id AS fid, zone.id, zone.level, zone.code, zone.name_en, zone.name_ar, zone.is_approximate AS approximate, zone.region,
           zone.parent_id AS parent,
           ST_AsMVTGeom(
               ST_SimplifyPreserveTopology(ST_Transform(ST_ClipByBox2D(zone.boundary, frame.window), 3857), %(tolerance)s),
               frame.box, %(extent)s, 64, true
           ) AS geom
    FROM zone, frame
), named AS (
    SELECT zone.id AS fid, zone.id, zone.level, zone.code, zone.name_en, zone.name_ar, zone.is_approximate AS approximate, zone.region,
           round((ST_Area(zone.boundary::geography) / 1e6)::numeric, 1)::float8 AS km2,
           ST_AsMVTGeom(ST_Transform(zone.label_point, 3857), frame.box, %(extent)s, 0, true) AS geom
    FROM zone, frame WHERE zone.label_point && frame.window
)
SELECT (SELECT ST_AsMVT(d, 'zones', %(extent)s, 'geom', 'fid') FROM drawn d WHERE level = %(level)s AND geom IS NOT NULL)
    || (SELECT ST_AsMVT(n, 'labels', %(extent)s, 'geom', 'fid') FROM named n WHERE level = %(level)s AND geom IS NOT NULL)
    || (SELECT ST_AsMVT(o, 'outline', %(extent)s, 'geom', 'fid') FROM drawn o WHERE level = 'country' AND geom IS NOT NULL)
"""


def zones_version() -> str:
    """Changes whenever any zone does: part of every tile's address in the cache, and its ETag."""
    state = Zone.objects.aggregate(last=Max("updated_at"), count=Count("pk"), known=Max("pk"))
    return f"{state['last'].timestamp() if state['last'] else 0:.6f}-{state['count']}-{state['known'] or 0}"


def is_tile(z: int, x: int, y: int) -> bool:
    return 0 <= z <= MAX_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z


def zone_tile(*, level: str, z: int, x: int, y: int, version: str) -> bytes:
    """The Mapbox vector tile: ``zones`` (polygons of ``level``), ``labels`` (a point each) and ``outline`` (countries)."""
    key = f"zone-tile:{level}:{z}:{x}:{y}:{version}"
    kept: bytes | None = cache.get(key)
    if kept is not None:
        return kept
    pixel_m = _EQUATOR_M / 2**z / 512
    with connection.cursor() as cursor:
        cursor.execute(
            _TILE,
            {"level": level, "z": z, "x": x, "y": y, "extent": EXTENT, "tolerance": pixel_m / 2, "margin": pixel_m * 32},
        )
        tile = bytes(cursor.fetchone()[0])
    cache.set(key, tile, _KEEP_S)
    return tile
