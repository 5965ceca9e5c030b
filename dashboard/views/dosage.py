"""Dosage: minutes planned, delivered, absent and unknown."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.patrol_measure import DosagePage, csv_lines, require_verb, streamed


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    require_verb(request, "watch_units")
    found = DosagePage(request)
    response = render(request, "dashboard/patrol/dosage.html", {"page": found, "asked": found.asked, "scope": found.asked.scope})
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_safe
def as_csv(request: HttpRequest) -> HttpResponseBase:
    require_verb(request, "watch_units")
    found = DosagePage(request)
    response = StreamingHttpResponse(streamed(csv_lines(found)), content_type="text/csv; charset=utf-8")
    days = found.asked.window
    response["Content-Disposition"] = f'attachment; filename="dosage-{found.by}-{days.first}-{days.last}.csv"'
    response["Cache-Control"] = "no-store"
    return response
