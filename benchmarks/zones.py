"""ING-8: drawing the gazetteer, giving half a million points their zones in one statement, cutting vector tiles."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Report

ROOT = Path(__file__).resolve().parents[1]
SECTION = "Zones"
POINTS = int(os.environ.get("BENCH_POINTS") or "500000")
# Two thirds of the points lie where people live (spread evenly over the areas), a third anywhere in the country's frame, sea included.
_SPOTS = """
CREATE UNLOGGED TABLE bench_spot AS
SELECT row_number() OVER () AS id, lon, lat FROM (
    SELECT ST_X(spot.geom) AS lon, ST_Y(spot.geom) AS lat
    FROM geography_zone z, ST_Dump(ST_GeneratePoints(z.boundary, %(each)s, 1)) spot
    WHERE z.level = 'area' AND z.is_active
    UNION ALL
    SELECT 46.5 + random() * 2.3, 28.5 + random() * 1.6 FROM generate_series(1, %(anywhere)s)
) spots
"""


def run(report: Report) -> None:
    from django.core.management import call_command

    from geography.services import load_gazetteer

    call_command("migrate", verbosity=0)
    report.row(SECTION, "Gazetteer: 198 areas, 6 governorates and the outline drawn", timed(load_gazetteer), "s", "the first start")
    report.row(SECTION, "Gazetteer: a later start", timed(load_gazetteer), "s", "nothing to draw")
    _resolve(report, "approximate zones")
    _tiles(report)
    shared = Path(os.environ.get("KHAREETATY_SHARED") or ROOT.parent / "shared") / "data/kuwait-geo/neighbourhoods.geojson"
    if shared.is_file():
        _official(report, shared)
        _resolve(report, "official zones")


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _resolve(report: Report, which: str) -> None:
    from django.contrib.gis.geos import Point
    from django.db import connection

    from geography.models import Zone
    from geography.services import place_of, resolve_points_sql

    areas = Zone.objects.level("area").count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute("DROP TABLE IF EXISTS bench_spot")
        each = POINTS * 2 // 3 // areas
        cursor.execute(_SPOTS, {"each": each, "anywhere": POINTS - each * areas})
        cursor.execute("ALTER TABLE bench_spot ADD PRIMARY KEY (id)")
        cursor.execute("ANALYZE bench_spot, geography_zonepiece")
        question = f"SELECT count(*), count(area_id) FROM ({resolve_points_sql('bench_spot')}) placed"  # noqa: S608
        took = []
        for _ in range(3):
            took.append(timed(lambda: cursor.execute(question)))
            placed, in_area = cursor.fetchone()
        cursor.execute("SELECT lon, lat FROM bench_spot ORDER BY id LIMIT 2000")
        spots = [Point(lon, lat, srid=4326) for lon, lat in cursor.fetchall()]
        cursor.execute("DROP TABLE bench_spot")
    best = min(took)
    note = f"best of 3 (worst {max(took):.1f} s); {placed:,} in the country, {in_area:,} in an area"
    report.row(SECTION, f"{POINTS:,} points in one statement, {which}", best, "s", note)
    report.row(SECTION, f"Points per second, {which}", POINTS / best, "/s")
    one_by_one = timed(lambda: [place_of(spot) for spot in spots])
    report.row(SECTION, f"Baseline: one query a point, {which}", len(spots) / one_by_one, "/s", f"{len(spots):,} points")


def _tiles(report: Report) -> None:
    from django.core.cache import cache

    from geography.tiles import zone_tile, zones_version

    cache.clear()
    version = zones_version()
    # Every tile of the metropolis from the whole country (zoom 6) down to a few streets (zoom 14).
    tiles = [(z, int((48.0 + 180) / 360 * 2**z), int(0.415 * 2**z)) for z in range(6, 15)]
    cold, warm, sizes = [], [], []
    for z, x, y in tiles:
        for level in ("governorate", "area"):
            cold.append(timed(lambda z=z, x=x, y=y, level=level: zone_tile(level=level, z=z, x=x, y=y, version=version)))  # type: ignore[misc]
            warm.append(timed(lambda z=z, x=x, y=y, level=level: zone_tile(level=level, z=z, x=x, y=y, version=version)))  # type: ignore[misc]
            sizes.append(len(zone_tile(level=level, z=z, x=x, y=y, version=version)))
    note = f"{len(cold)} tiles, zoom 6 to 14; slowest {max(cold) * 1000:.0f} ms, largest {max(sizes) / 1024:.0f} KiB"
    report.row(SECTION, "Vector tile, cut by PostGIS (median)", statistics.median(cold) * 1000, "ms", note)
    report.row(SECTION, "Vector tile, from the cache (median)", statistics.median(warm) * 1000, "ms")


def _official(report: Report, path: Path) -> None:
    from geography.services import import_official

    took = timed(lambda: import_official(path=path))
    report.row(SECTION, "Official file imported: 6 governorates and 198 areas", took, "s", "repaired, measured, replacing approximate ones")
    again = timed(lambda: import_official(path=path))
    report.row(SECTION, "The same file again", again, "s", "nothing to change")
