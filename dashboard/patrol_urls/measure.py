from __future__ import annotations

from django.urls import URLPattern, path, re_path

from dashboard.views import dosage, patrol_report, trials

urlpatterns: list[URLPattern] = [
    path("patrol/dosage/", dosage.page, name="dosage"),
    path("patrol/dosage.csv", dosage.as_csv, name="dosage-csv"),
    path("patrol/report/", patrol_report.page, name="report"),
    path("patrol/report.pdf", patrol_report.document, name="report-pdf"),
    path("patrol/report.csv", patrol_report.as_csv, name="report-csv"),
    path("patrol/trials/", trials.page, name="trials"),
    path("patrol/trials/new/", trials.new, name="trials-new"),
    path("patrol/trials/<int:pk>/", trials.one, name="trials-one"),
    path("patrol/trials/<int:pk>/report.pdf", trials.document, name="trials-pdf"),
    re_path(r"^patrol/trials/(?P<pk>\d{1,18})/(?P<verb>seal|stop|report)/$", trials.act, name="trials-act"),
]
