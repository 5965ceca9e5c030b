from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.patrol.measuring import DosageView

urlpatterns: list[URLPattern] = [
    path("dosage", DosageView.as_view(), name="api-patrol-dosage"),
]
