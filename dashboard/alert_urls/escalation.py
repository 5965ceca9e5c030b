from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.views import alert_audit, alert_policies

urlpatterns: list[URLPattern] = [
    path("healthz/alerts", alert_audit.healthz, name="healthz-alerts"),
    path("alerts/late.json", alert_audit.late, name="alerts-late"),
    path("alerts/policies/", alert_policies.page, name="policies"),
    path("alerts/policies/new/", alert_policies.one, name="policies-new"),
    path("alerts/policies/of/<slug:code>/", alert_policies.one, name="policies-one"),
    path("alerts/policies/of/<slug:code>/switch/", alert_policies.switch, name="policies-switch"),
]
