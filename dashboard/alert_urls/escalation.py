from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.views import alert_audit

urlpatterns: list[URLPattern] = [
    path("healthz/alerts", alert_audit.healthz, name="healthz-alerts"),
    path("alerts/late.json", alert_audit.late, name="alerts-late"),
]
