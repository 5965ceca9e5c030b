from __future__ import annotations

from django.urls import URLPattern, path, re_path

from dashboard.views import packs, shift, sos

PK = "(?P<pk>[0-9]{1,18})"

urlpatterns: list[URLPattern] = [
    path("patrol/me/", shift.page, name="shift"),
    path("patrol/me/worker.js", shift.worker, name="shift-worker"),
    path("patrol/me/state.json", shift.state, name="shift-state"),
    path("patrol/me/actions/", shift.actions, name="shift-actions"),
    path("patrol/me/codes/", shift.codes, name="shift-codes"),
    re_path(rf"^patrol/me/sos/{PK}/withdraw/$", shift.withdraw, name="shift-withdraw"),
    path("patrol/packs/", packs.page, name="packs"),
    re_path(rf"^patrol/packs/{PK}/$", packs.one, name="packs-one"),
    re_path(rf"^patrol/packs/{PK}\.pdf$", packs.document, name="packs-pdf"),
    re_path(rf"^patrol/packs/{PK}/(?P<verb>note|renew|sign-out|sign-in|return)/$", packs.act, name="packs-act"),
    path("sos/", sos.page, name="sos"),
    path("sos/press/", sos.press, name="sos-press"),
    path("sos/open.json", sos.open_now, name="sos-open"),
    re_path(rf"^sos/{PK}/$", sos.one, name="sos-one"),
    re_path(rf"^sos/{PK}/answer/$", sos.answer, name="sos-answer"),
    re_path(rf"^sos/{PK}/end/$", sos.end, name="sos-end"),
    path("sos/welfare/", sos.welfare_start, name="sos-welfare-start"),
    re_path(rf"^sos/welfare/{PK}/heard/$", sos.welfare_heard, name="sos-welfare"),
    re_path(rf"^sos/welfare/{PK}/end/$", sos.welfare_end, name="sos-welfare-end"),
]
