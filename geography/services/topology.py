"""How well a set of polygons fits together: overlaps and gaps, in square metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

WORST = 10
MIN_M2 = 1.0  # less is rounding

_OVERLAPS = """
WITH zone AS MATERIALIZED (SELECT code, ST_Transform(shape, %(srid)s) AS shape FROM zi_zone),
pair AS (
    SELECT a.code AS one, b.code AS other, ST_Area(ST_Intersection(a.shape, b.shape)) AS m2
    FROM zone a JOIN zone b ON a.code < b.code AND a.shape && b.shape AND ST_Intersects(a.shape, b.shape)
)
SELECT one, other, m2 FROM pair WHERE m2 >= %(least)s ORDER BY m2 DESC, one, other
"""
_GAPS = """
WITH zone AS MATERIALIZED (SELECT code, ST_Transform(shape, %(srid)s) AS shape FROM zi_zone),
whole AS (SELECT (ST_Dump(ST_Union(shape))).geom AS shape FROM zone),
hole AS (SELECT ring.geom AS shape, ST_Area(ring.geom) AS m2 FROM whole, ST_DumpRings(whole.shape) ring WHERE ring.path[1] > 0)
SELECT hole.m2, (SELECT array_agg(zone.code ORDER BY zone.code) FROM zone WHERE ST_DWithin(zone.shape, hole.shape, 0.1))
FROM hole WHERE m2 >= %(least)s ORDER BY m2 DESC
"""


@dataclass(frozen=True)
class Topology:
    overlaps: int = 0
    overlap_m2: float = 0
    worst_overlaps: list[dict[str, Any]] = field(default_factory=list)
    gaps: int = 0
    gap_m2: float = 0
    worst_gaps: list[dict[str, Any]] = field(default_factory=list)


def measure_topology(*, metric_srid: int) -> Topology:
    """Measure the polygons staged in ``zi_zone``: pairs that overlap, and holes that the whole set leaves between its members."""
    numbers = {"srid": metric_srid, "least": MIN_M2}
    with connection.cursor() as cursor:
        cursor.execute(_OVERLAPS, numbers)
        overlaps: Sequence[tuple[str, str, float]] = cursor.fetchall()
        cursor.execute(_GAPS, numbers)
        gaps: Sequence[tuple[float, list[str] | None]] = cursor.fetchall()
    return Topology(
        len(overlaps),
        round(sum(m2 for _one, _other, m2 in overlaps), 1),
        [{"zones": [one, other], "m2": round(m2, 1)} for one, other, m2 in overlaps[:WORST]],
        len(gaps),
        round(sum(m2 for m2, _codes in gaps), 1),
        [{"zones": codes or [], "m2": round(m2, 1)} for m2, codes in gaps[:WORST]],
    )
