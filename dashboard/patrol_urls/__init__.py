"""The pages of patrol: a file a part. The first word of a URL's name is the page it stands for in the line of links (``Shell.PATROL``)."""

from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.patrol_urls import dispatch, force, measure, planning, positions, safety
from dashboard.views import patrol

urlpatterns: list[URLPattern] = [
    path("patrol/", patrol.home, name="patrol"),
    *force.urlpatterns,
    *dispatch.urlpatterns,
    *positions.urlpatterns,
    *planning.urlpatterns,
    *safety.urlpatterns,
    *measure.urlpatterns,
]
