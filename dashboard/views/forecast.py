"""The seven days ahead: every governorate, then one zone with what lies inside it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.forecasts import Series, is_stale, series_of, zones_in_sight
from geography.models import Zone


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Every governorate the viewer may see, a chart each."""
    zones = zones_in_sight(request.user, Zone.Level.GOVERNORATE)
    series = series_of(request.user, zones)
    regions = [{"region": region, "series": list(items)} for region, items in groupby(series, key=lambda item: item.zone.region)]
    for group in regions:
        group["expected_total"] = sum(item.expected_total for item in group["series"])
    without = [zone for zone in zones if zone.pk not in {item.zone.pk for item in series}]
    return _answer(request, "dashboard/forecast.html", series, {"regions": regions, "without": without if series else []})


@login_required
@require_safe
def zone(request: HttpRequest, zone_id: int) -> HttpResponse:
    """One zone's chart and figures, and those of the areas inside it, the busiest first."""
    found = zones_in_sight(request.user).filter(pk=zone_id).select_related("parent").defer("boundary", "parent__boundary").first()
    if found is None:
        raise Http404(_("There is no such zone."))
    own = series_of(request.user, zones_in_sight(request.user).filter(pk=zone_id))
    inside = zones_in_sight(request.user, Zone.Level.AREA).filter(parent_id=zone_id)
    areas = sorted(series_of(request.user, inside), key=lambda item: -item.expected_total)
    known = {item.zone.pk for item in areas}
    return _answer(
        request,
        "dashboard/forecast_zone.html",
        own or areas,
        {
            "zone": found,
            "series": own[0] if own else None,
            "areas": areas,
            "without": sorted((area for area in inside if area.pk not in known), key=lambda area: area.name),
        },
    )


def _answer(request: HttpRequest, template: str, series: list[Series], context: dict[str, Any]) -> HttpResponse:
    run = max((item.run for item in series), key=lambda run: run.as_of, default=None)
    context |= {
        "run": run,
        "is_stale": run is not None and is_stale(run),
        "is_synthetic": any(item.is_synthetic for item in series),
        "may_run": getattr(request.user, "can", lambda _verb: False)("run_pipeline"),
    }
    response = render(request, template, context)
    response["Cache-Control"] = "no-store"
    return response
