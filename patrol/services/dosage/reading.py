"""A unit's track as the columns dosage is measured from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from geography.models import Region
from patrol.analytics.dosage import MAX_GAP_S, Fixes
from patrol.services.positions.tracks import track

REACH = timedelta(seconds=MAX_GAP_S)
# Standing still is no doubt about where a unit was. A position that came late was never judged for jumps: what it alone says stays unknown.
COUNTED = ("", "jitter")
BLUNT = "blunt"  # kept and counted, and says nothing of inside or outside


@cache
def _metres(srid: int) -> Transformer:
    return Transformer.from_crs(4326, srid, always_xy=True)


def fixes_of(unit_id: int, start: datetime, end: datetime, region: Region) -> tuple[Fixes, int]:
    """The believed positions of a unit from ``REACH`` before ``start`` to as long after ``end``, and how many between were in doubt."""
    found = track(unit_id, start - REACH, end + REACH)
    is_blunt, is_doubted = found.doubt == BLUNT, ~np.isin(found.doubt, COUNTED)
    accuracy = np.where(is_blunt, np.nan, found.accuracy_m)
    fixes = Fixes.believed(found.at_s, metres_of(found.lon, found.lat, region), accuracy, is_doubted & ~is_blunt)
    during = (found.at_s >= start.timestamp()) & (found.at_s < end.timestamp())
    return fixes, int((is_doubted & during).sum())


def metres_of(lon: NDArray[np.float64], lat: NDArray[np.float64], region: Region) -> NDArray[np.float64]:
    x, y = _metres(region.metric_srid).transform(lon, lat)
    return np.stack([np.asarray(x), np.asarray(y)], axis=-1).reshape(-1, 2)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def instant(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
