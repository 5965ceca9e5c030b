"""The running score of every model, also where it lost."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.filters import category_names
from dashboard.forecasts import zones_in_sight
from dashboard.scoreboard import CSV_HEADER, PERIODS, cards_of, csv_rows, table_of
from geography.models import Region, Zone
from incidents.services.trust.scoreboard import Scoreboard, scoreboard
from incidents.services.trust.scoring_rules import GRACE


def region_of(request: HttpRequest) -> Region:
    """The region asked for by its code, else the default one; an unknown code is 404."""
    code = request.GET.get("region", "")[:16]
    rows = Region.objects.order_by("-is_default", "code")
    found = rows.filter(code=code).first() if code else rows.first()
    if found is None:
        raise Http404(_("There is no such region."))
    return found


def governorate_of(request: HttpRequest, region: Region) -> Zone | None:
    """The governorate asked for; one outside the viewer's jurisdiction does not exist."""
    given = request.GET.get("governorate", "")
    if not given:
        return None
    zones = zones_in_sight(request.user, Zone.Level.GOVERNORATE).filter(region=region)
    found = zones.filter(pk=int(given)).first() if given.isdecimal() and len(given) < 19 else None
    if found is None:
        raise Http404(_("There is no such governorate."))
    return found


def _board(request: HttpRequest) -> tuple[Scoreboard, int | None, bool]:
    region = region_of(request)
    given = request.GET.get("days", "")
    days = int(given) if given in {str(period) for period in PERIODS} else None
    rehearsal = request.GET.get("rehearsal") == "1"
    return scoreboard(region=region, zone=governorate_of(request, region), days=days, rehearsal=rehearsal), days, rehearsal


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    board, days, rehearsal = _board(request)
    category = request.GET.get("category", "")[:32]
    names = category_names()
    columns, rows = table_of(board, names)
    context: dict[str, Any] = {
        "board": board,
        "tally": board.tally(),
        "cards": cards_of(board, category, names),
        "columns": columns,
        "rows": rows,
        "category": category,
        "category_name": names.get(category, category),
        "days": days,
        "periods": PERIODS,
        "rehearsal": rehearsal,
        "grace_hours": int(GRACE.total_seconds() // 3600),
        "governorates": zones_in_sight(request.user, Zone.Level.GOVERNORATE).filter(region=board.region),
        "regions": list(Region.objects.all()),
        "query": request.GET.urlencode(),
    }
    response = render(request, "dashboard/scoreboard.html", context)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_safe
def as_csv(request: HttpRequest) -> HttpResponse:
    board, _days, _rehearsal = _board(request)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="scoreboard-{board.region.code}.csv"'
    response["Cache-Control"] = "no-store"
    writer = csv.writer(response)
    writer.writerow(CSV_HEADER)
    writer.writerows(csv_rows(board))
    return response
