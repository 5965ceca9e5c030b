from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.views import coverage, plans

VERBS = ("review", "publish", "discard", "replan")

urlpatterns: list[URLPattern] = [
    path("patrol/plans/", plans.listing, name="plans"),
    path("patrol/plans/<int:pk>/", plans.one, name="plans-one"),
    path("patrol/plans/<int:pk>/state.json", plans.state, name="plans-state"),
    path("patrol/plans/<int:pk>/plan.geojson", plans.as_geojson, name="plans-geojson"),
    path("patrol/plans/<int:pk>/try", plans.try_it, name="plans-try"),
    path("patrol/plans/<int:pk>/change", plans.change, name="plans-change"),
    *(path(f"patrol/plans/<int:pk>/{verb}", plans.step, {"verb": verb}, name=f"plans-{verb}") for verb in VERBS),
    path("patrol/coverage/", coverage.coverage, name="coverage"),
    path("patrol/coverage/advice", coverage.keep_advice, name="coverage-advice"),
    path("patrol/what-if/", coverage.what_if, name="whatif"),
]
