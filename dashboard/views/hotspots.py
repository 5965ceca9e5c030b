"""The hot spots, ranked, each with its reasons; one of them with its story; as files; and the moments the map can go back to."""

from __future__ import annotations

import orjson
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from dashboard.filters import category_names
from dashboard.held_back import held_back_at
from dashboard.hotspot_files import as_csv, as_geojson
from dashboard.hotspot_times import moments_of
from dashboard.hotspots import MAX_SPOTS, categories_of, hot_spot_of, hot_spots_by_region
from dashboard.views.layers import answer, for_scripts


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """``?category=`` chooses one; a category without hot spots shows the empty state, never everything."""
    category = _category(request)
    names = category_names()
    standing = dict(categories_of(request.user))
    context = {
        "regions": hot_spots_by_region(request.user, category),
        "category": category,
        "category_name": names.get(category, category),
        "categories": [(slug, names.get(slug, slug), count) for slug, count in standing.items() if slug],
        "of_all": standing.get("", 0),
        "map_filters": urlencode({"category": category}) if category else "",
        "file_query": f"?{urlencode({'category': category})}" if category else "",
        "max_spots": MAX_SPOTS,
        "may_run": getattr(request.user, "can", lambda _verb: False)("run_pipeline"),
    }
    return _fresh(render(request, "dashboard/hotspots.html", context))


@login_required
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """Why is this a hot spot? Of any run; one elsewhere is as absent as one that never was."""
    dossier = hot_spot_of(request.user, pk)
    if dossier is None:
        raise Http404
    hot = dossier.spot.hot_spot
    filters = {"run": str(hot.run_id), **({"category": hot.category} if hot.category else {})}
    context = {
        "dossier": dossier,
        "spot": dossier.spot,
        "hot": hot,
        "category_name": category_names().get(hot.category, hot.category),
        "map_filters": urlencode(filters),
        **held_back_at(request, hot.centre.x, hot.centre.y, hot.category),
    }
    return _fresh(render(request, "dashboard/hotspot.html", context))


@login_required
@require_safe
def csv(request: HttpRequest) -> HttpResponse:
    category = _category(request)
    # A spreadsheet takes a file without this mark for its own alphabet's.
    return _file("\ufeff" + as_csv(request.user, category), "text/csv; charset=utf-8", category, "csv")


@login_required
@require_safe
def geojson(request: HttpRequest) -> HttpResponse:
    category = _category(request)
    return _file(as_geojson(request.user, category), "application/geo+json", category, "geojson")


@require_safe
@for_scripts
def moments(request: HttpRequest) -> HttpResponse:
    """The runs the map's slider goes through, oldest first, in the page's language."""
    return answer(request, orjson.dumps({"moments": moments_of(request.user)}), "application/json")


def _category(request: HttpRequest) -> str:
    return request.GET.get("category", "")[:32]


def _file(body: str | bytes, content_type: str, category: str, end: str) -> HttpResponse:
    response = HttpResponse(body, content_type=content_type)
    name = "".join(letter for letter in category if letter.isascii() and letter.isalnum()) or "all"
    response["Content-Disposition"] = f'attachment; filename="hotspots-{name}.{end}"'
    return _fresh(response)


def _fresh(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
