from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.patrol.measuring import DosageView
from interop.api.patrol.reporting import PatrolReportView
from interop.api.patrol.trials import TrialDetail, TrialList, TrialReport, TrialSeal, TrialStop

urlpatterns: list[URLPattern] = [
    path("dosage", DosageView.as_view(), name="api-patrol-dosage"),
    path("report", PatrolReportView.as_view(), name="api-patrol-report"),
    path("trials", TrialList.as_view(), name="api-patrol-trials"),
    path("trials/<int:pk>", TrialDetail.as_view(), name="api-patrol-trial"),
    path("trials/<int:pk>/seal", TrialSeal.as_view(), name="api-patrol-trial-seal"),
    path("trials/<int:pk>/stop", TrialStop.as_view(), name="api-patrol-trial-stop"),
    path("trials/<int:pk>/report", TrialReport.as_view(), name="api-patrol-trial-report"),
]
