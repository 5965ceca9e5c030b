"""Where a unit was: its track as columns, for playback and for measuring what was delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from numpy.typing import NDArray

# A late reading came out of order and is true all the same; one that stands still is where the unit stands.
BELIEVED = ("", "jitter", "late")

_TRACK = """
SELECT extract(epoch FROM at)::float8, ST_X(location), ST_Y(location), accuracy_m, speed_kmh, heading_deg, doubt
FROM patrol_position WHERE unit_id = %s AND at >= %s AND at < %s ORDER BY at
"""


@dataclass(frozen=True)
class Track:
    """One unit from ``start`` (inclusive) to ``end`` (exclusive), oldest first; every column as long as the others.

    ``at_s``: seconds since 1970 (UTC). ``lon``, ``lat``: degrees. ``accuracy_m``, ``speed_kmh``, ``heading_deg``: NaN where not said.
    ``doubt``: why a point is not believed, ``""`` for none (``patrol.models.Doubt``). ``is_believed``: usable as where the unit was
    (no doubt, standing still, or merely late; not ``jump``, not ``blunt``).
    """

    unit_id: int
    at_s: NDArray[np.float64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    speed_kmh: NDArray[np.float64]
    heading_deg: NDArray[np.float64]
    doubt: NDArray[np.str_]
    is_believed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at_s)

    def believed(self) -> Track:
        return self.taking(self.is_believed)

    def taking(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Track:
        """The points chosen by a mask or by indexes."""
        return Track(
            self.unit_id,
            self.at_s[which],
            self.lon[which],
            self.lat[which],
            self.accuracy_m[which],
            self.speed_kmh[which],
            self.heading_deg[which],
            self.doubt[which],
            self.is_believed[which],
        )

    def thinned(self, most: int) -> Track:
        """At most ``most`` points, evenly chosen, the first and the last among them."""
        if len(self) <= most:
            return self
        return self.taking(np.unique(np.linspace(0, len(self) - 1, most).round().astype(np.int64)))


def track(unit_id: int, start: datetime, end: datetime) -> Track:
    """Every kept position of the unit in the window, doubtful ones included and marked."""
    with connection.cursor() as cursor:
        cursor.execute(_TRACK, [unit_id, start, end])
        rows = cursor.fetchall()
    numbers = np.array([row[:6] for row in rows], dtype=np.float64).reshape(-1, 6).T
    doubt = np.array([row[6] for row in rows], dtype=np.str_)
    at_s, lon, lat, accuracy_m, speed_kmh, heading_deg = numbers
    return Track(unit_id, at_s, lon, lat, accuracy_m, speed_kmh, heading_deg, doubt, np.isin(doubt, BELIEVED))
