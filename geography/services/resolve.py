"""Which zones a point lies in."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.gis.geos import Point
from django.db import connection


@dataclass(frozen=True)
class Place:
    """The zones over a point; a level with no zone there is ``None``."""

    region_id: int
    governorate_id: int | None = None
    area_id: int | None = None
    block_id: int | None = None
    sector_id: int | None = None


# A point on a common edge belongs to the zone with the lowest id: deterministic, and the same in the set-based statement.
_RESOLVE = """
SELECT region_id, level, min(zone_id) FROM geography_zonepiece
WHERE ST_Covers(shape, ST_SetSRID(ST_MakePoint(%s, %s), 4326)) GROUP BY region_id, level ORDER BY region_id
"""


def place_of(point: Point) -> Place | None:
    """The zones over ``point`` (4326), or ``None`` where it lies in no region: at sea or abroad."""
    with connection.cursor() as cursor:
        cursor.execute(_RESOLVE, [point.x, point.y])
        rows = cursor.fetchall()
    if not rows:
        return None
    region = rows[0][0]
    levels = {level: zone for region_id, level, zone in rows if region_id == region}
    return Place(region, levels.get("governorate"), levels.get("area"), levels.get("block"), levels.get("sector"))
