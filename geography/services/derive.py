"""Approximate polygons from circles: every bit of land goes to the circle it lies nearest to.

The rule is a Voronoi diagram of circles, drawn by PostGIS from points on each circle at half its radius; land beyond the reach
of every settlement goes to the open desert; islands share out their own land and the mainland its own. All lines are noded
once on a grid and the faces handed out, so that areas have exactly the same edges as their neighbours and as the country.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib.gis.geos import GEOSGeometry, MultiLineString, MultiPolygon
from django.db import connection

from geography.atlas import Landmass
from geography.gazetteer import Area

COASTAL_STRIP_M = 500  # the outline is drawn for 1:10,000,000: built-up coast lies up to this far beyond it
REACH_M, REACH_OF_RADIUS = 400, 0.3  # how far beyond its circle a settlement may reach before the desert begins
NARROW_M = 600  # a strip of left-over land narrower than twice this is no desert
SMALL_M2 = 25_000_000  # a hole that settlements leave among themselves is no desert either
LAND_OF_RADIUS = 0.8  # so much of each circle is land for certain, whatever the outline says
GRID_M = 0.1
RULES = 2  # raise it when the drawing changes: installations then draw their zones anew

_TABLES = """
CREATE TEMP TABLE gz_circle (area text, island bool, small bool, open bool, radius float8, centre geometry) ON COMMIT DROP;
CREATE TEMP TABLE gz_mass (island bool, outline geometry, coast geometry) ON COMMIT DROP;
"""
_CIRCLE = """
INSERT INTO gz_circle VALUES (%(area)s, %(island)s, false, %(open)s, %(radius)s,
                              ST_Transform(ST_SetSRID(ST_MakePoint(%(x)s, %(y)s), 4326), %(srid)s))
"""
_MASS = """
INSERT INTO gz_mass VALUES (%(island)s, ST_Transform(%(outline)s::geometry, %(srid)s), ST_Transform(%(coast)s::geometry, %(srid)s))
"""
_LAND = """
-- Islands too small for the atlas have no land but their own circles.
UPDATE gz_circle SET small = true
WHERE island AND area NOT IN (SELECT c.area FROM gz_circle c JOIN gz_mass m ON m.island AND ST_Intersects(m.outline, c.centre));

CREATE TEMP TABLE gz_land ON COMMIT DROP AS
WITH islets AS (
    SELECT ST_SetSRID(coalesce(ST_Union(ST_Buffer(centre, radius)), 'GEOMETRYCOLLECTION EMPTY'::geometry), %(srid)s) AS shape
    FROM gz_circle WHERE small),
main AS (
    SELECT ST_Union(shape) AS shape FROM (
        SELECT outline AS shape FROM gz_mass WHERE NOT island
        UNION ALL SELECT ST_Buffer(coast, %(strip)s) FROM gz_mass WHERE NOT island
        UNION ALL SELECT ST_Buffer(centre, %(land_share)s * radius) FROM gz_circle WHERE NOT island
    ) parts),
isles AS (
    SELECT ST_Union(shape) AS shape FROM (
        SELECT outline AS shape FROM gz_mass WHERE island
        UNION ALL SELECT ST_Buffer(coast, %(strip)s) FROM gz_mass WHERE island
        UNION ALL SELECT ST_Buffer(centre, %(land_share)s * radius) FROM gz_circle WHERE island AND NOT small
    ) parts)
SELECT false AS island, ST_Difference(main.shape, islets.shape, %(grid)s) AS shape FROM main, islets
UNION ALL
SELECT true, ST_Union(islets.shape, ST_Difference(isles.shape, main.shape, %(grid)s), %(grid)s) FROM main, isles, islets;

-- Points that stand for the circles; one that lies deep in another area's circle would only speckle it.
CREATE TEMP TABLE gz_seed ON COMMIT DROP AS
SELECT c.area, c.island, c.open, spot
FROM gz_circle c, LATERAL (
    SELECT c.centre AS spot
    UNION ALL
    SELECT ST_Translate(c.centre, 0.5 * c.radius * cos(n * pi() / 8), 0.5 * c.radius * sin(n * pi() / 8)) FROM generate_series(0, 15) n
) ring
WHERE c.open OR NOT EXISTS (
    SELECT 1 FROM gz_circle other
    WHERE other.area <> c.area AND other.island = c.island AND NOT other.open
      AND ST_Distance(other.centre, spot) - 0.5 * other.radius < ST_Distance(c.centre, spot) - 0.5 * c.radius - 1);
CREATE INDEX ON gz_seed USING gist (spot);

CREATE TEMP TABLE gz_cell ON COMMIT DROP AS
WITH frame AS (SELECT ST_Envelope(ST_Collect(shape)) AS box FROM gz_land),
diagrams AS (
    SELECT island, open, (ST_Dump(ST_VoronoiPolygons(ST_Collect(spot), 0, (SELECT box FROM frame)))).geom AS cell
    FROM gz_seed GROUP BY island, open
)
SELECT s.area, s.island, s.open, ST_Union(d.cell) AS cell
FROM diagrams d JOIN gz_seed s ON s.island = d.island AND s.open = d.open AND ST_Contains(d.cell, s.spot)
GROUP BY s.area, s.island, s.open;

CREATE TEMP TABLE gz_wild ON COMMIT DROP AS
WITH reach AS (
    SELECT area, ST_Union(ST_Buffer(centre, radius + greatest(%(reach)s, %(reach_share)s * radius))) AS shape
    FROM gz_circle WHERE NOT island AND NOT open GROUP BY area),
near AS (SELECT ST_Union(ST_Intersection(c.cell, r.shape)) AS shape FROM gz_cell c JOIN reach r USING (area) WHERE NOT c.open),
beyond AS (
    SELECT (ST_Dump(ST_Buffer(ST_Buffer(ST_Difference(land.shape, near.shape), -%(narrow)s), %(narrow)s, 4))).geom AS shape
    FROM gz_land land, near WHERE NOT land.island AND EXISTS (SELECT 1 FROM gz_circle WHERE open))
SELECT shape FROM beyond WHERE ST_Area(shape) >= %(small)s;

CREATE TEMP TABLE gz_face ON COMMIT DROP AS
WITH lines AS (
    SELECT ST_Boundary(shape) AS line FROM gz_land
    UNION ALL SELECT ST_Boundary(shape) FROM gz_wild
    UNION ALL SELECT ST_Intersection(ST_Boundary(c.cell), l.shape) FROM gz_cell c JOIN gz_land l USING (island) WHERE NOT c.open
    UNION ALL SELECT ST_Intersection(ST_Boundary(c.cell), w.shape) FROM gz_cell c, gz_wild w WHERE c.open
), faces AS (
    SELECT (ST_Dump(ST_Polygonize(noded))).geom AS face FROM (SELECT ST_UnaryUnion(ST_Collect(line), %(grid)s) AS noded FROM lines) n
), told AS (SELECT face, ST_PointOnSurface(face) AS spot FROM faces)
SELECT told.face, seed.area
FROM told
JOIN gz_land land ON ST_Intersects(land.shape, told.spot)
CROSS JOIN LATERAL (
    SELECT s.area FROM gz_seed s
    WHERE s.island = land.island
      AND s.open = (NOT land.island AND EXISTS (SELECT 1 FROM gz_wild w WHERE ST_Intersects(w.shape, told.spot)))
    ORDER BY s.spot <-> told.spot LIMIT 1
) seed;
"""
_AREAS = "SELECT area, ST_AsEWKB(ST_Multi(ST_Transform(ST_Union(face), 4326))) FROM gz_face GROUP BY area"


def derive_polygons(*, areas: Sequence[Area], land: Sequence[Landmass], metric_srid: int) -> Mapping[str, MultiPolygon]:
    """A polygon (4326) for every area's code; together they cover ``land`` (largest first: the mainland) once. In a transaction."""
    numbers = {
        "srid": metric_srid,
        "strip": COASTAL_STRIP_M,
        "reach": REACH_M,
        "reach_share": REACH_OF_RADIUS,
        "narrow": NARROW_M,
        "small": SMALL_M2,
        "land_share": LAND_OF_RADIUS,
        "grid": GRID_M,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        cursor.executemany(
            _CIRCLE,
            [
                {
                    "area": area.code,
                    "island": area.is_island,
                    "open": area.is_open_desert,
                    "radius": circle.radius_m,
                    "x": circle.longitude,
                    "y": circle.latitude,
                    "srid": metric_srid,
                }
                for area in areas
                for circle in area.circles
            ],
        )
        for number, mass in enumerate(land):
            coast = MultiLineString(*mass.coast, srid=4326)
            cursor.execute(_MASS, {"island": number > 0, "outline": mass.outline.ewkt, "coast": coast.ewkt, "srid": metric_srid})
        for statement in _LAND.split(";\n"):
            cursor.execute(statement, numbers)
        cursor.execute(_AREAS)
        found = {code: _multipolygon(shape) for code, shape in cursor.fetchall()}
        cursor.execute("DROP TABLE gz_circle, gz_mass, gz_land, gz_seed, gz_cell, gz_wild, gz_face")
    return found


def _multipolygon(ewkb: bytes) -> MultiPolygon:
    shape = GEOSGeometry(memoryview(ewkb))
    assert isinstance(shape, MultiPolygon)
    return shape
