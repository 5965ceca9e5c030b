from __future__ import annotations

from django.urls import URLPattern, path, re_path

from dashboard.views import alert_deliveries, alert_link, alert_templates

PK = r"(?P<pk>[0-9]{1,18})"

urlpatterns: list[URLPattern] = [
    path("alerts/deliveries/", alert_deliveries.page, name="deliveries"),
    re_path(rf"^alerts/deliveries/{PK}/again/$", alert_deliveries.again, name="deliveries-again"),
    path("alerts/templates/", alert_templates.page, name="templates"),
    re_path(rf"^alerts/templates/{PK}/$", alert_templates.page, name="templates-one"),
    re_path(rf"^alerts/templates/{PK}/remove/$", alert_templates.remove, name="templates-remove"),
    re_path(r"^a/(?P<token>[A-Za-z0-9._~=-]{8,200})/$", alert_link.page, name="deliveries-link"),
]
