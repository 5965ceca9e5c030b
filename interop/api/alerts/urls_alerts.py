from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.alerts import alerts_api as api
from interop.api.alerts import alerts_figures as figures

urlpatterns: list[URLPattern] = [
    path("alerts", api.AlertList.as_view(), name="api-alerts"),
    path("alerts.geojson", figures.AlertsGeoJson.as_view(), name="api-alerts-geojson"),
    path("alerts/statistics", figures.AlertStatistics.as_view(), name="api-alert-statistics"),
    path("alerts/<int:pk>", api.AlertDetail.as_view(), name="api-alert"),
    path("alerts/<int:pk>/acknowledge", api.AlertAcknowledge.as_view(), name="api-alert-acknowledge"),
    path("alerts/<int:pk>/snooze", api.AlertSnooze.as_view(), name="api-alert-snooze"),
    path("alerts/<int:pk>/mute", api.AlertMute.as_view(), name="api-alert-mute"),
    path("alerts/<int:pk>/escalate", api.AlertEscalate.as_view(), name="api-alert-escalate"),
    path("alerts/<int:pk>/resolve", api.AlertResolve.as_view(), name="api-alert-resolve"),
    path("alerts/<int:pk>/notes", api.AlertNote.as_view(), name="api-alert-notes"),
]
