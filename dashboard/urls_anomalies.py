from __future__ import annotations

from django.urls import path, re_path

from dashboard.views import anomalies

PK = r"(?P<pk>[0-9]{1,18})"

urlpatterns = [
    path("anomalies/", anomalies.page, name="anomalies"),
    path("anomalies/rows/", anomalies.rows, name="anomalies-rows"),
    re_path(rf"^anomalies/{PK}/$", anomalies.one, name="anomalies-one"),
    re_path(rf"^anomalies/{PK}/(?P<verb>acknowledge|resolve|judge)/$", anomalies.act, name="anomalies-act"),
    re_path(rf"^anomalies/drafts/{PK}/(?P<verb>confirm|dismiss)/$", anomalies.decide, name="anomalies-decide"),
]
