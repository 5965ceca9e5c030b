"""The hot spots, ranked, each with its reasons."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from dashboard.filters import category_names
from dashboard.hotspots import MAX_SPOTS, categories_of, hot_spots_by_region


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """``?category=`` chooses one; a category without hot spots shows the empty state, never everything."""
    category = request.GET.get("category", "")[:32]
    names = category_names()
    standing = dict(categories_of(request.user))
    context = {
        "regions": hot_spots_by_region(request.user, category),
        "category": category,
        "category_name": names.get(category, category),
        "categories": [(slug, names.get(slug, slug), count) for slug, count in standing.items() if slug],
        "of_all": standing.get("", 0),
        "map_filters": urlencode({"category": category}) if category else "",
        "max_spots": MAX_SPOTS,
        "may_run": getattr(request.user, "can", lambda _verb: False)("run_pipeline"),
    }
    response = render(request, "dashboard/hotspots.html", context)
    response["Cache-Control"] = "no-store"
    return response
