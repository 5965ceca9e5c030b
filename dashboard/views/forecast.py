"""The seven days ahead: every governorate, then one zone with what lies inside it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.filters import category_names
from dashboard.forecasts import Series, categories_of, is_stale, series_of, zones_in_sight
from geography.models import Zone


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """The country where the viewer may see all of it, and every governorate they may see, a chart each."""
    category = _category(request)
    zones = list(zones_in_sight(request.user, Zone.Level.GOVERNORATE))
    series = series_of(request.user, zones_in_sight(request.user, Zone.Level.GOVERNORATE), category)
    whole = {item.zone.region_id: item for item in series_of(request.user, zones_in_sight(request.user, Zone.Level.COUNTRY), category)}
    regions: list[dict[str, Any]] = [
        {"region": region, "series": list(items), "whole": whole.get(region.pk)}
        for region, items in groupby(series, key=lambda item: item.zone.region)
    ]
    for group in regions:
        group["expected_total"] = sum(item.expected_total for item in group["series"])
    known = {item.zone.pk for item in series}
    without = [zone for zone in zones if zone.pk not in known] if series else []
    return _answer(request, "dashboard/forecast.html", series, {"category": category, "regions": regions, "without": without})


@login_required
@require_safe
def zone(request: HttpRequest, zone_id: int) -> HttpResponse:
    """One zone's chart and figures, and those of the zones inside it, the busiest first. Areas have no categories of their own."""
    found = zones_in_sight(request.user).filter(pk=zone_id).select_related("region", "parent").defer("boundary", "parent__boundary").first()
    if found is None:
        raise Http404(_("There is no such zone."))
    category = _category(request) if found.level != Zone.Level.AREA else ""
    own = series_of(request.user, zones_in_sight(request.user).filter(pk=zone_id), category)
    inside = zones_in_sight(request.user).filter(parent_id=zone_id)
    children = sorted(series_of(request.user, inside, category), key=lambda item: -item.expected_total)
    known = {item.zone.pk for item in children}
    has_children_of_its_own = not category or found.level == Zone.Level.COUNTRY
    context = {
        "zone": found,
        "category": category,
        "series": own[0] if own else None,
        "children": children,
        "without": sorted((zone for zone in inside if zone.pk not in known), key=lambda zone: zone.name) if has_children_of_its_own else [],
    }
    return _answer(request, "dashboard/forecast_zone.html", own or children, context)


def _category(request: HttpRequest) -> str:
    return request.GET.get("category", "")[:32]


def _answer(request: HttpRequest, template: str, series: list[Series], context: dict[str, Any]) -> HttpResponse:
    run = max((item.run for item in series), key=lambda run: run.as_of, default=None)
    names = category_names()
    context |= {
        "categories": [(slug, names.get(slug, slug)) for slug in categories_of(request.user)],
        "category_name": names.get(context["category"], context["category"]),
        "run": run,
        "is_stale": run is not None and is_stale(run),
        "is_synthetic": any(item.is_synthetic for item in series),
        "may_run": getattr(request.user, "can", lambda _verb: False)("run_pipeline"),
    }
    response = render(request, template, context)
    response["Cache-Control"] = "no-store"
    return response
