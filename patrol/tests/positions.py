"""A row in each table of where units are, for tests that walk all screens."""

from __future__ import annotations

from typing import Any

from django.contrib.gis.geos import Polygon
from django.utils import timezone

from patrol.models import FenceVisit, Geofence
from patrol.services.positions import Reading, record_positions


def rows_of_positions(cast: Any, force: Any, places: Any) -> None:
    now = timezone.now()
    record_positions([Reading(force.p1.pk, now, 47.92, 29.35, 6.0, 30.0, 90.0)], now=now)
    shape = Polygon.from_bbox((47.91, 29.34, 47.93, 29.36))
    fence = Geofence.objects.create(agency=cast.police, governorate=places.hawalli, name="Market", shape=shape)
    FenceVisit.objects.create(unit=force.p1, fence=fence, entered_at=now, last_inside_at=now)
