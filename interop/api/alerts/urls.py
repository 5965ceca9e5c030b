from __future__ import annotations

from django.urls import URLPattern

from interop.api.alerts import urls_alerts, urls_delivery, urls_escalation, urls_oncall, urls_people, urls_rules

urlpatterns: list[URLPattern] = [
    *urls_rules.urlpatterns,
    *urls_escalation.urlpatterns,
    *urls_oncall.urlpatterns,
    *urls_delivery.urlpatterns,
    *urls_people.urlpatterns,
    *urls_alerts.urlpatterns,
]
