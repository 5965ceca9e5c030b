"""The queue of alerts: its page, and the rows and counts its script asks for when something has happened."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.events import log_head
from dashboard.alert_queue import PAGE_SIZE, WAITS, QueueFilter, alerts_for, counts_for, for_rows, rows_of
from dashboard.answers import person_of

MAX_ASKED = 200


def _page_number(request: HttpRequest) -> int:
    given = request.GET.get("page", "")
    return int(given) if given.isascii() and given.isdigit() and 0 < len(given) < 4 and int(given) else 1


@login_required
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/alerts/queue.html", _list(request))


@login_required
@require_safe
@never_cache
def rows(request: HttpRequest) -> HttpResponse:
    """Counts and rows: the list as it is now, or, of those asked for (``id=``, repeated), the rows that match the filters."""
    asked = [int(text) for text in request.GET.getlist("id")[:MAX_ASKED] if text.isascii() and text.isdigit() and len(text) < 19]
    if "id" not in request.GET:
        return render(request, "dashboard/alerts/_queue_update.html", _list(request))
    user, head = person_of(request), log_head()
    chosen = QueueFilter(request.GET, viewer=user)
    found = for_rows(chosen.apply(alerts_for(user)).filter(pk__in=asked), user)
    context = {"filter": chosen, "counts": counts_for(user), "rows": rows_of(found, user), "live_head": head}
    return render(request, "dashboard/alerts/_queue_update.html", context)


def _list(request: HttpRequest) -> dict[str, Any]:
    user, head = person_of(request), log_head()  # before the rows
    chosen, number = QueueFilter(request.GET, viewer=user), _page_number(request)
    first = (number - 1) * PAGE_SIZE
    found = list(for_rows(chosen.apply(alerts_for(user)), user)[first : first + PAGE_SIZE + 1])
    return {
        "filter": chosen,
        "counts": counts_for(user),
        "rows": rows_of(found[:PAGE_SIZE], user),
        "next_page": number + 1 if len(found) > PAGE_SIZE else None,
        "page_number": number,
        "live_head": head,
        "waits": WAITS,
        "may_override": user.can("override_alert"),
        "may_raise": user.can("raise_alert"),
    }
