from __future__ import annotations

from django.urls import URLPattern, re_path

from dashboard.views import alert_link

PK = r"(?P<pk>[0-9]{1,18})"

urlpatterns: list[URLPattern] = [
    re_path(r"^a/(?P<token>[A-Za-z0-9._~=-]{8,200})/$", alert_link.page, name="deliveries-link"),
]
