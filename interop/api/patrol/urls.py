from __future__ import annotations

from django.urls import URLPattern

from interop.api.patrol import urls_dispatch, urls_force, urls_measure, urls_planning, urls_positions, urls_safety

urlpatterns: list[URLPattern] = [
    *urls_force.urlpatterns,
    *urls_dispatch.urlpatterns,
    *urls_positions.urlpatterns,
    *urls_planning.urlpatterns,
    *urls_safety.urlpatterns,
    *urls_measure.urlpatterns,
]
