"""Surfaces: what the map asks for, the page with the same in words and tables, and why a cell is red."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.errors import NotFound
from dashboard import surfaces as words
from dashboard.held_back import held_back_at
from dashboard.views.layers import answer, for_scripts, problem
from dashboard.words import model_name
from geography.models import Zone
from incidents.models import Surface
from incidents.services.surface_files import as_csv, as_geojson
from incidents.services.surfaces import Sight, sight_of, why, zone_sums


@require_safe
@for_scripts
def choices(request: HttpRequest) -> HttpResponse:
    return answer(request, orjson.dumps({"surfaces": words.choices(request.user)}), "application/json")


@require_safe
@for_scripts
def cells(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        seen = sight_of(request.user, pk)
    except NotFound as error:
        return problem(404, error.message)
    return answer(request, orjson.dumps(words.compact(seen)), "application/json")


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """``?kind=&category=&horizon=&region=`` chooses one that stands; what is left out is the first there is."""
    asked = {name: request.GET.get(name, "")[:32] for name in ("kind", "category", "horizon", "region")}
    standing = words.ordered(request.user)
    surface = _chosen(standing, asked)
    context: dict[str, Any] = {
        "surface": surface,
        "asked": asked,
        "kinds": [
            (kind.value, kind.label, kind == (surface.kind if surface else asked["kind"]))
            for kind in words.KINDS
            if any(one.kind == kind for one in standing)
        ],
        "may_run": getattr(request.user, "can", lambda _verb: False)("run_pipeline"),
    }
    if surface is not None:
        context |= _described(request, sight_of(request.user, surface.pk), standing)
    response = render(request, "dashboard/surfaces.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _chosen(standing: list[Surface], asked: dict[str, str]) -> Surface | None:
    """The first that is what was asked; a category or horizon nobody has is no surface, never another one."""
    found = [one for one in standing if all(getattr(one, name) == asked[name] for name in ("kind", "category", "horizon") if asked[name])]
    found = [one for one in found if not asked["region"] or one.region.code == asked["region"]]
    return found[0] if found else None


def _described(request: HttpRequest, seen: Sight, standing: list[Surface]) -> dict[str, Any]:
    surface = seen.surface
    kin = [one for one in standing if one.kind == surface.kind and one.region_id == surface.region_id]
    categories = dict.fromkeys(one.category for one in kin)
    return {
        "seen": seen,
        "categories": [(slug, words.category_name(slug), slug == surface.category) for slug in categories],
        "horizons": [
            (one.horizon, one.get_horizon_display(), one.horizon == surface.horizon)
            for one in kin
            if one.horizon and one.category == surface.category
        ],
        "category_name": words.category_name(surface.category),
        "meaning": words.MEANINGS[surface.kind],
        "unit": words.UNITS[surface.kind],
        "sum_name": words.SUMS[surface.kind],
        "legend": words.legend(surface),
        "notes": words.notes(surface),
        "top": words.top_cells(seen),
        "areas": zone_sums(seen)[:20],
        "governorates": zone_sums(seen, Zone.Level.GOVERNORATE),
        "any_significant": bool(seen.classes.any()),
        "is_signed": surface.kind == Surface.Kind.CHANGE,
        "has_low": surface.kind in (Surface.Kind.CHANGE, Surface.Kind.GI_STAR),
    }


@login_required
@require_safe
def cell(request: HttpRequest, pk: int, column: str, row: str) -> HttpResponse:
    """Why is this red? The same words as a panel on the map and as a page of their own."""
    try:
        reasons = why(request.user, pk, column=int(column), row=int(row))
    except NotFound as error:
        if "HX-Request" in request.headers:
            return render(request, "dashboard/_surface_gone.html", {"sorry": error.message}, status=404)
        raise Http404(error.message) from error
    surface = reasons.surface
    context = {
        "reasons": reasons,
        "surface": surface,
        "label": words.class_name(surface, reasons.class_),
        "paint": words.paint_of(surface.kind, reasons.class_),
        "value": words.figure(reasons.value, is_signed=surface.kind == Surface.Kind.CHANGE),
        "unit": words.UNITS[surface.kind],
        "category_name": words.category_name(surface.category),
        "lines": words.reason_lines(reasons),
        "baselines": [(model_name(name), words.figure(value)) for name, value in reasons.baselines],
        "model": model_name(surface.model),
        "notes": words.notes(surface),
        "parameters": sorted(surface.parameters.items()),
        **held_back_at(request, reasons.longitude, reasons.latitude, surface.category),
    }
    template = "dashboard/_surface_why.html" if "HX-Request" in request.headers else "dashboard/surface_why.html"
    response = render(request, template, context)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "HX-Request"
    return response


@login_required
@require_safe
def download(request: HttpRequest, pk: int, ending: str) -> HttpResponse:
    try:
        seen = sight_of(request.user, pk)
    except NotFound as error:
        raise Http404(error.message) from error
    if ending == "csv":
        # Excel reads UTF-8 only where it is told so.
        response = HttpResponse("\ufeff" + as_csv(seen), content_type="text/csv; charset=utf-8")
    else:
        response = HttpResponse(as_geojson(seen), content_type="application/geo+json")
    surface = seen.surface
    name = "-".join(part for part in (surface.kind, surface.category, surface.horizon, f"{surface.learnt_to:%Y-%m-%d}") if part)
    response["Content-Disposition"] = f'attachment; filename="{name}.{ending}"'
    response["Cache-Control"] = "no-store"
    return response
