from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.views import dosage

urlpatterns: list[URLPattern] = [
    path("patrol/dosage/", dosage.page, name="dosage"),
    path("patrol/dosage.csv", dosage.as_csv, name="dosage-csv"),
]
