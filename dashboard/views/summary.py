"""The executive summary of a region or a governorate: a page and a PDF."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from core.errors import NotFound
from dashboard.answers import pdf_file
from dashboard.summary import as_pdf, choices_of, context_of
from incidents.services.compare import Scope, regions_of
from incidents.services.summary import summarise, summary_scope


@login_required
@require_safe
def page(request: HttpRequest, zone_id: int | None = None) -> HttpResponse:
    if zone_id is None and not regions_of(request.user):
        response = render(request, "dashboard/summary.html", {"nothing_to_see": True})
    else:
        scope = _scope(request, zone_id)
        context = context_of(summarise(viewer=request.user, scope=scope))
        response = render(request, "dashboard/summary.html", context | {"choices": choices_of(request.user)})
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_safe
def document(request: HttpRequest, zone_id: int | None = None) -> HttpResponse:
    scope = _scope(request, zone_id)
    place = scope.zone.code if scope.zone else scope.region.code
    name = "".join(letter for letter in place if letter.isascii() and (letter.isalnum() or letter in "-_"))
    return pdf_file(lambda: as_pdf(request.user, scope), f"summary-{name}-{get_language()}.pdf")


def _scope(request: HttpRequest, zone_id: int | None) -> Scope:
    region = request.GET.get("region", "")[:16].replace("\x00", "")
    try:
        return summary_scope(viewer=request.user, region=region, zone=zone_id)
    except NotFound as refusal:
        raise Http404(refusal.message) from refusal
