"""Boundaries cut small, so that resolving half a million points is one quick join."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction

MAX_VERTICES = 64

_CUT = """
INSERT INTO geography_zonepiece (zone_id, region_id, level, shape)
SELECT z.id, z.region_id, z.level, piece
FROM geography_zone z, ST_Subdivide(z.boundary, %s) AS piece
WHERE z.id = ANY(%s) AND z.is_active AND ST_Dimension(piece) = 2
"""


@transaction.atomic
def rebuild_pieces(*, zone_ids: Iterable[int]) -> None:
    """Cut these zones' boundaries anew (at most ``MAX_VERTICES`` vertices a piece); a zone out of use loses its pieces."""
    ids = list(zone_ids)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM geography_zonepiece WHERE zone_id = ANY(%s)", [ids])
        cursor.execute(_CUT, [MAX_VERTICES, ids])
