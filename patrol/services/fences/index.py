"""The fences in use, so laid out that a batch of positions finds those it is near to in one comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np

from patrol.analytics.fence import Circle, FenceRule, Place, Shape
from patrol.models import Geofence


@dataclass(frozen=True)
class Fence:
    id: int
    agency_id: int
    place: Place
    rule: FenceRule
    active_from: time | None
    active_to: time | None
    zone: ZoneInfo

    def is_active(self, at: datetime) -> bool:
        """On the region's clock; hours that cross midnight do so. With one end alone the other is midnight."""
        if self.active_from is None and self.active_to is None:
            return True
        start, end = self.active_from or time(0), self.active_to or time(0)
        now = at.astimezone(self.zone).time()
        return start <= now < end if start < end else now >= start or now < end


class FenceIndex:
    """Made from the table and thrown away: whoever holds one asks ``is_stale`` of the clock."""

    def __init__(self, fences: Sequence[Fence]) -> None:
        self.fences = {fence.id: fence for fence in fences}
        self._order = list(fences)
        boxes = np.array([fence.place.box(fence.rule.margin_m) for fence in fences], dtype=np.float64).reshape(-1, 4)
        self._west, self._south, self._east, self._north = boxes.T
        self._agency = np.array([fence.agency_id for fence in fences], dtype=np.int64)

    @classmethod
    def read(cls) -> Self:
        rows = Geofence.objects.active().select_related("governorate__region", "station").defer("governorate__boundary")
        return cls([fence_of(row) for row in rows])

    def near(self, agency: Any, lon: Any, lat: Any) -> list[list[Fence]]:
        """For each position the fences of its agency whose box (margin included) holds it."""
        agency, lon, lat = (np.asarray(column)[:, None] for column in (agency, lon, lat))
        inside = (agency == self._agency) & (lon >= self._west) & (lon <= self._east) & (lat >= self._south) & (lat <= self._north)
        found: list[list[Fence]] = [[] for _ in range(len(lon))]
        for position, fence in zip(*np.nonzero(inside), strict=True):
            found[position].append(self._order[fence])
        return found


def fence_of(row: Geofence) -> Fence:
    if row.shape is not None:
        place: Place = Shape([[(x, y) for x, y, *_ in ring.coords] for ring in row.shape])
    else:
        assert row.centre is not None and row.radius_m is not None
        place = Circle(row.centre.x, row.centre.y, float(row.radius_m))
    rule = FenceRule(float(row.margin_m), float(row.dwell_s))
    zone = ZoneInfo(row.governorate.region.time_zone)
    return Fence(row.pk, row.agency_id, place, rule, row.active_from, row.active_to, zone)
