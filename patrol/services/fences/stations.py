"""A fence about each station, so that leaving and coming home are known."""

from __future__ import annotations

from patrol.models import Geofence, Station

RADIUS_M = 120


def fence_stations() -> int:
    """Make the fence of each station in use that has none; one that somebody switched off stays off."""
    bare = Station.objects.active().exclude(pk__in=Geofence.objects.filter(station__isnull=False).values("station_id"))
    made = [
        Geofence(
            agency_id=station.agency_id,
            governorate_id=station.governorate_id,
            name=station.code,
            station=station,
            centre=station.location,
            radius_m=RADIUS_M,
        )
        for station in bare
    ]
    return len(Geofence.objects.bulk_create(made))
