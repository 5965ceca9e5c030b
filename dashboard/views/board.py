"""The live board: its page, its list, its figures."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from core.events import log_head
from dashboard.filters import BoardFilter
from dashboard.selectors import PAGE_SIZE, board_page, count_up_to, key_figures
from incidents.models import Incident

MAX_ASKED = 100


def _is_partial(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def _list(request: HttpRequest, chosen: BoardFilter) -> dict[str, Any]:
    head = log_head()  # before the rows
    incidents = chosen.apply(Incident.objects.visible_to(request.user))
    page = board_page(incidents, sort=chosen.order, before=request.GET.get("before", ""), size=PAGE_SIZE)
    count, is_more = count_up_to(incidents)
    return {
        "filter": chosen,
        "page": page,
        "count": count,
        "count_is_more": is_more,
        "live_head": head,
        "next_query": chosen.query_string(before=page.after) if page.after else "",
    }


@login_required
@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """The whole page; only its list column when HTMX asks for it. A reference in the search box opens its incident."""
    chosen = BoardFilter(request.GET, viewer=request.user)
    words = chosen.values.get("q", "")
    if words:
        found = Incident.objects.visible_to(request.user).by_ref(words).select_related("region").first()
        if found is not None:
            return redirect("incident", ref=found.ref)
    context = _list(request, chosen)
    if _is_partial(request):
        response = render(request, "dashboard/_board.html", context)
    else:
        response = render(request, "dashboard/board.html", {**context, "figures": key_figures(request.user)})
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """The next stretch of the list."""
    head = log_head()  # before the rows
    chosen = BoardFilter(request.GET, viewer=request.user)
    page = board_page(
        chosen.apply(Incident.objects.visible_to(request.user)), sort=chosen.order, before=request.GET.get("before", ""), size=PAGE_SIZE
    )
    context = {"filter": chosen, "page": page, "next_query": chosen.query_string(before=page.after) if page.after else ""}
    response = render(request, "dashboard/_rows.html", context)
    response["HX-Trigger"] = json.dumps({"board:rows": {"head": head}})
    return response


@login_required
@require_safe
def cards(request: HttpRequest) -> HttpResponse:
    """Of the incidents asked for (``id=``, repeated), the cards of those that match the filters: for what only the server can tell."""
    chosen = BoardFilter(request.GET, viewer=request.user)
    asked = [int(text) for text in request.GET.getlist("id")[:MAX_ASKED] if text.isascii() and text.isdigit() and len(text) < 19]
    incidents = chosen.apply(Incident.objects.visible_to(request.user)).filter(pk__in=asked).for_card().order_by("-pk")
    return render(request, "dashboard/_cards.html", {"incidents": incidents})


@login_required
@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """The key figures and the list's count, asked for by the page after events."""
    chosen = BoardFilter(request.GET, viewer=request.user)
    count, is_more = count_up_to(chosen.apply(Incident.objects.visible_to(request.user)))
    context = {
        "figures": key_figures(request.user),
        "filter": chosen,
        "count": count,
        "count_is_more": is_more,
        "is_update": True,
        "has_overview": "overview" in request.GET,
    }
    response = render(request, "dashboard/_figures_update.html", context)
    response["Cache-Control"] = "no-store"
    return response
