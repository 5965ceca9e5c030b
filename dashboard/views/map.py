"""The map on a page of its own, with the list beside it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.events import log_head
from dashboard.filters import BoardFilter
from incidents.models import Incident

LISTED = 50


def _list(request: HttpRequest) -> dict[str, Any]:
    head = log_head()  # before the rows
    chosen = BoardFilter(request.GET, viewer=request.user)
    found = chosen.apply(Incident.objects.visible_to(request.user))
    return {
        "filter": chosen,
        "incidents": list(found.for_card().order_by("-pk")[:LISTED]),
        "count": found.order_by().count(),
        "listed": LISTED,
        "live_head": head,
    }


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return _answer(request, "dashboard/map.html")


@login_required
@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """The list beside the map alone, when its filters change."""
    return _answer(request, "dashboard/_map_list.html")


def _answer(request: HttpRequest, template: str) -> HttpResponse:
    response = render(request, template, _list(request))
    response["Cache-Control"] = "no-store"
    return response
