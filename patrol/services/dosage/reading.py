"""A unit's stored positions as the columns dosage is measured from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from django.db import connection
from pyproj import Transformer

from geography.models import Region
from patrol.analytics.dosage import MAX_GAP_S, Fixes

REACH = timedelta(seconds=MAX_GAP_S)
# Standing still is no doubt about where a unit was. A blunt position is kept and counted, and says nothing of inside or outside.
_SQL = """
SELECT extract(epoch FROM at)::float8, ST_X(location), ST_Y(location), coalesce(accuracy_m, 'NaN'::float8),
    CASE WHEN doubt IN ('', 'jitter') THEN 0 WHEN doubt = 'blunt' THEN 1 ELSE 2 END
FROM patrol_position WHERE unit_id = %s AND at >= %s AND at <= %s ORDER BY at
"""
_COLUMNS = 5


@cache
def _metres(srid: int) -> Transformer:
    return Transformer.from_crs(4326, srid, always_xy=True)


def fixes_of(unit_id: int, start: datetime, end: datetime, region: Region) -> tuple[Fixes, int]:
    """The believed positions of a unit from ``REACH`` before ``start`` to as long after ``end``, and how many between were in doubt."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, [unit_id, start - REACH, end + REACH])
        rows = np.array(cursor.fetchall(), dtype=np.float64).reshape(-1, _COLUMNS)
    at, lon, lat, accuracy, doubt = rows.T
    x, y = _metres(region.metric_srid).transform(lon, lat)
    accuracy = np.where(doubt == 1, np.nan, accuracy)
    fixes = Fixes.believed(at, np.stack([x, y], axis=1).reshape(-1, 2), accuracy, doubt == 2)
    during = (at >= start.timestamp()) & (at < end.timestamp())
    return fixes, int(((doubt > 0) & during).sum())


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def instant(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)


def metres_of(lon: np.ndarray, lat: np.ndarray, region: Region) -> np.ndarray:
    x, y = _metres(region.metric_srid).transform(lon, lat)
    return np.stack([x, y], axis=-1)
