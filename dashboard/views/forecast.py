"""The seven days ahead: every governorate, then one zone with what lies inside it."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_safe

from dashboard.filters import category_names
from dashboard.forecast_csv import as_csv
from dashboard.forecasts import LEVELS, Series, categories_of, is_stale, series_of, zones_in_sight
from geography.models import Zone
from incidents.models import PipelineStep

MOVING = {"ramadan": _lazy("Ramadan"), "eid_al_fitr": _lazy("Eid al-Fitr"), "eid_al_adha": _lazy("Eid al-Adha")}


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """The country where the viewer may see all of it, and every governorate they may see, a chart each."""
    category = _category(request)
    zones = list(zones_in_sight(request.user, Zone.Level.GOVERNORATE))
    series = series_of(request.user, zones, category, with_last_week=True)
    country = series_of(request.user, zones_in_sight(request.user, Zone.Level.COUNTRY), category, with_last_week=True)
    whole = {item.zone.region_id: item for item in country}
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
    own = series_of(request.user, zones_in_sight(request.user).filter(pk=zone_id), category, with_last_week=True)
    inside = zones_in_sight(request.user).filter(parent_id=zone_id)
    children = sorted(series_of(request.user, inside, category, with_last_week=True), key=lambda item: -item.expected_total)
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


@login_required
@require_safe
def csv(request: HttpRequest) -> HttpResponse:
    """Every series in sight, or those of one zone and the zones inside it, a row a day."""
    category, zones = _category(request), zones_in_sight(request.user)
    asked = request.GET.get("zone", "")
    if asked:
        zones = zones.filter(pk=int(asked)) | zones.filter(parent_id=int(asked)) if _is_key(asked) else zones.none()
        if not zones.exists():
            raise Http404(_("There is no such zone."))
    order = {str(level): place for place, level in enumerate(LEVELS)}
    found = series_of(request.user, zones, category)
    series = sorted(found, key=lambda item: (item.zone.region.code, order[item.zone.level], item.zone.code))
    # A spreadsheet takes a file without this mark for its own alphabet's.
    response = HttpResponse("\ufeff" + as_csv(series, category), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="forecast.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _category(request: HttpRequest) -> str:
    return request.GET.get("category", "")[:32]


def _answer(request: HttpRequest, template: str, series: list[Series], context: dict[str, Any]) -> HttpResponse:
    zone_id = context["zone"].pk if "zone" in context else ""
    wide = context["series"] if "zone" in context else next((group["whole"] for group in context["regions"] if group["whole"]), None)
    run = max((item.run for item in series), key=lambda run: run.as_of, default=None)
    names = category_names()
    context |= {
        "categories": [(slug, names.get(slug, slug)) for slug in categories_of(request.user)],
        "category_name": names.get(context["category"], context["category"]),
        "run": run,
        "is_stale": run is not None and is_stale(run),
        "chart_id": f"forecast-chart-{wide.zone.pk}" if wide else "",
        "moving": _days_that_may_move(series),
        "csv_query": urlencode({name: value for name, value in (("category", context["category"]), ("zone", zone_id)) if value}),
        "is_synthetic": any(item.is_synthetic for item in series),
        "may_run": getattr(request.user, "can", lambda _verb: False)("run_pipeline"),
    }
    response = render(request, template, context)
    response["Cache-Control"] = "no-store"
    return response


def _days_that_may_move(series: list[Series]) -> list[dict[str, Any]]:
    """The days of the moon among those ahead, as the run that made these forecasts knew them."""
    runs = {(item.run.pk, f"forecasts:{item.zone.region.code}:zones") for item in series}
    steps = PipelineStep.objects.filter(run_id__in={run for run, _name in runs}, name__in={name for _run, name in runs})
    found = {(str(day), str(name)) for step in steps for day, name in step.counts.get("days_that_may_move", [])}
    last = max((item.forecast[-1].day for item in series), default=None)
    named = [(parse_date(day), MOVING.get(name, name)) for day, name in sorted(found)]
    return [{"day": day, "name": name} for day, name in named if day is not None and last is not None and day <= last]
