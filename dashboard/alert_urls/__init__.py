"""The pages of alerts: a file a part. The first word of a URL's name is the page it stands for in the line of links (``Shell.ALERTS``)."""

from __future__ import annotations

from django.urls import URLPattern

from dashboard.alert_urls import alerts, channels, delivery, escalation, oncall, people, rules

urlpatterns: list[URLPattern] = [
    *rules.urlpatterns,
    *escalation.urlpatterns,
    *oncall.urlpatterns,
    *delivery.urlpatterns,
    *people.urlpatterns,
    *channels.urlpatterns,
    *alerts.urlpatterns,
]
