"""Workload and overwork of one agency in one governorate, and the share of each governorate beside its demand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from dashboard.answers import fresh
from dashboard.patrol_scope import scope_of
from dashboard.views.roster import watching
from patrol.services.distribution import distribution
from patrol.services.workload import workload

PERIODS = {"1": _("24 hours"), "7": _("7 days"), "28": _("28 days")}
FLAGS = {
    "stretch": _("Too long at a stretch"),
    "week": _("Too many hours in seven days"),
    "rest": _("Too little rest"),
    "nights": _("Too many nights in a row"),
    "busy": _("Too busy"),
}
MEASURES = {"incidents": _("Incidents"), "population": _("Population"), "risk": _("Expected incidents")}


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    watching(request)
    scope = scope_of(request)
    period = request.GET.get("days", "7")
    period = period if period in PERIODS else "7"
    now = timezone.now()
    start = now - timedelta(days=int(period))
    found = workload(viewer=request.user, agency=scope.agency, governorate=scope.governorate, start=start, end=now, now=now)
    spread = distribution(
        viewer=request.user, agency=scope.agency, region=scope.governorate.region, start=start, end=now, now=now
    )  # fmt: skip
    people = sorted(found.people, key=lambda row: (-len(row.flags), -row.week, row.member.service_number))
    context: dict[str, Any] = {
        "scope": scope,
        "region": scope.governorate.region,
        "found": found,
        "units": sorted(found.units, key=lambda row: (-len(row.flags), -(row.busy_share or 0), row.unit.call_sign)),
        "flagged": [row for row in people if row.flags],
        "others": [row for row in people if not row.flags],
        "flag_names": FLAGS,
        "period": period,
        "periods": PERIODS.items(),
        "spread": spread,
        "measures": [(measure, MEASURES[measure.name]) for measure in spread.measures],
        "is_synthetic": spread.is_synthetic,
    }
    return fresh(request, "dashboard/patrol/workload.html", context)
