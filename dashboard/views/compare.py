"""Counts set side by side: 7 days, 28 days, the year so far."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.errors import NotFound
from dashboard.compare import BY, PERIOD_NAMES, ComparePage, as_csv
from incidents.services.compare import regions_of


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    if not regions_of(request.user):
        response = render(request, "dashboard/compare.html", {"nothing_to_see": True})
    else:
        asked = _asked(request)
        context = {"page": asked, "found": asked.comparison, "dimensions": list(BY.items()), "period_names": list(PERIOD_NAMES.items())}
        response = render(request, "dashboard/compare.html", context)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_safe
def csv(request: HttpRequest) -> HttpResponse:
    """The same figures, every table and period of them."""
    asked = _asked(request)
    name = f"compare-{asked.scope.region.code}-{asked.comparison.until}.csv"
    # A spreadsheet takes a file without this mark for its own alphabet's.
    response = HttpResponse("\ufeff" + as_csv(asked), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _asked(request: HttpRequest) -> ComparePage:
    try:
        return ComparePage(request.user, request.GET.dict())
    except NotFound as refusal:
        raise Http404(refusal.message) from refusal
