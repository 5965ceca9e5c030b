from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.patrol.positions_intake import PositionIntake, TraccarIntake

urlpatterns: list[URLPattern] = [
    path("positions", PositionIntake.as_view(), name="api-patrol-positions"),
    path("positions/traccar", TraccarIntake.as_view(), name="api-patrol-positions-traccar"),
]
