"""Teams, their units and the zones they answer for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.errors import DomainError, NotFound
from dashboard.answers import fresh
from dashboard.patrol_scope import Scope, scope_of
from dashboard.views.roster import may, said, watching
from geography.models import Zone
from patrol.models import Team, Unit, ZoneAssignment
from patrol.services.acting import MAX_REASON
from patrol.services.zones import LEVELS, assign_zone, standing_zones, withdraw_zone


class AssignForm(forms.Form):
    team = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    zone = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    starts_at = forms.DateTimeField()
    ends_at = forms.DateTimeField()
    reason = forms.CharField(required=False, max_length=MAX_REASON)


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=MAX_REASON)


def _zones(scope: Scope) -> Any:
    rows = Zone.objects.in_use().among([scope.governorate.pk]).filter(level__in=LEVELS)
    return rows.select_related("parent").defer("boundary", "parent__boundary")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    watching(request)
    scope = scope_of(request)
    if request.method != "POST":
        return _answer(request, scope)
    form = AssignForm(request.POST)
    if not form.is_valid():
        return _answer(request, scope, _("Choose a team, a zone and when."), 422)
    given = form.cleaned_data
    local = scope.governorate.region.zone_info
    team = Team.objects.visible_to(request.user).filter(pk=given["team"], agency=scope.agency, governorate=scope.governorate).first()
    zone = _zones(scope).filter(pk=given["zone"]).first()
    if team is None or zone is None:
        raise Http404
    try:
        assign_zone(
            team=team,
            zone=zone,
            # What is typed is the governorate's own clock.
            starts_at=given["starts_at"].replace(tzinfo=local),
            ends_at=given["ends_at"].replace(tzinfo=local),
            reason=given["reason"],
            by=request.user,  # type: ignore[arg-type]
        )
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _answer(request, scope, said(error), error.status)
    messages.success(request, _("%(team)s answers for %(zone)s.") % {"team": team, "zone": zone})
    return redirect(f"{reverse('roster-teams')}?{scope.query}")


def _answer(request: HttpRequest, scope: Scope, problem: str = "", status: int = 200) -> HttpResponse:
    now = timezone.now()
    ahead = standing_zones().filter(ends_at__gt=now).select_related("zone", "assigned_by").defer("zone__boundary").order_by("starts_at")
    units = Prefetch("units", Unit.objects.active().order_by("call_sign"), to_attr="units_in_use")
    teams = Team.objects.visible_to(request.user).active().filter(agency=scope.agency, governorate=scope.governorate).order_by("code")
    local = now.astimezone(scope.governorate.region.zone_info).replace(minute=0, second=0, microsecond=0)
    rows = list(teams.prefetch_related(units, Prefetch("zones", ahead, to_attr="standing")))
    covered = {row.zone_id for team in rows for row in team.standing if row.starts_at <= now}
    areas = list(_zones(scope).filter(level=Zone.Level.AREA).names())
    offered = {"starts_at": f"{local:%Y-%m-%dT%H:%M}", "ends_at": f"{local + timedelta(hours=8):%Y-%m-%dT%H:%M}"}
    context = {
        "scope": scope,
        "region": scope.governorate.region,
        "teams": rows,
        "zones": areas,
        "uncovered": [zone for zone in areas if zone.pk not in covered] if scope.governorate.pk not in covered else [],
        "may_assign": may(request, "manage_force"),
        "problem": problem,
        "now": now,
        "given": request.POST if request.method == "POST" else offered,
    }
    return fresh(request, "dashboard/patrol/teams.html", context, status)


@login_required
@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    watching(request)
    rows = ZoneAssignment.objects.visible_to(request.user).select_related("team__agency", "team__governorate")
    found = rows.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404
    form = ReasonForm(request.POST)
    try:
        reason = form.cleaned_data["reason"] if form.is_valid() else ""
        withdraw_zone(assignment=found, by=request.user, reason=reason)  # type: ignore[arg-type]
        messages.success(request, _("Withdrawn."))
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, said(error))
    return redirect(f"{reverse('roster-teams')}?agency={found.team.agency.slug}&governorate={found.team.governorate.code}")
