from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.patrol.positions import GeofenceList, LastPositions, LastPositionsMap, UnitTrack, VisitList
from interop.api.patrol.positions_intake import PositionIntake, TraccarIntake

urlpatterns: list[URLPattern] = [
    path("positions", PositionIntake.as_view(), name="api-patrol-positions"),
    path("positions/traccar", TraccarIntake.as_view(), name="api-patrol-positions-traccar"),
    path("positions/last", LastPositions.as_view(), name="api-patrol-last-positions"),
    path("positions/last.geojson", LastPositionsMap.as_view(), name="api-patrol-last-positions-map"),
    path("units/<int:pk>/track", UnitTrack.as_view(), name="api-patrol-track"),
    path("geofences", GeofenceList.as_view(), name="api-patrol-geofences"),
    path("visits", VisitList.as_view(), name="api-patrol-visits"),
]
