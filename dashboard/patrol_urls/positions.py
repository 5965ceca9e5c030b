from __future__ import annotations

from django.urls import URLPattern, path, re_path

from dashboard.views import units

PK = "(?P<pk>[0-9]{1,18})"

urlpatterns: list[URLPattern] = [
    path("patrol/units/", units.page, name="units"),
    path("patrol/units/live.json", units.live, name="units-live"),
    re_path(rf"^patrol/units/{PK}/panel/$", units.panel, name="units-panel"),
    re_path(rf"^patrol/units/{PK}/track\.json$", units.unit_track, name="units-track"),
    re_path(rf"^patrol/units/{PK}/eta\.json$", units.eta, name="units-eta"),
]
