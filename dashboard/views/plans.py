"""The planning board: the shifts and their plans, one plan with its lanes, and what people do with it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import orjson
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import DomainError, NotFound
from dashboard.answers import fresh
from dashboard.context_processors import Shell
from dashboard.patrol_scope import scope_of
from dashboard.plans import Board, shifts_around
from incidents.services.trust.handover import MOST_CELLS
from patrol.models import Plan, Shift
from patrol.services import plans as planning
from patrol.services.acting import MAX_REASON
from patrol.services.plans.words import say_travel, say_violation


class AskForm(forms.Form):
    shift = forms.IntegerField(min_value=1, max_value=2**62)
    units = forms.IntegerField(required=False, min_value=1, max_value=500, label=gettext_lazy("Units"))
    stops = forms.IntegerField(required=False, min_value=1, max_value=MOST_CELLS, label=gettext_lazy("Places"))
    seed = forms.IntegerField(required=False, min_value=0, max_value=2**53 - 1, label=gettext_lazy("Seed"))


class ChangeForm(forms.Form):
    """One change, by dragging or by hand. ``at`` is a time of day on the region's clock; the day follows from the shift."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in ("move", "remove", "add", "pin", "unpin")])
    edition = forms.IntegerField(min_value=1)
    stop = forms.IntegerField(required=False, min_value=1, max_value=2**62)
    unit = forms.IntegerField(required=False, min_value=1, max_value=2**62)
    at = forms.TimeField(required=False)
    minutes = forms.IntegerField(required=False, min_value=1, max_value=240)
    place = forms.CharField(required=False, max_length=40)
    lon = forms.FloatField(required=False)
    lat = forms.FloatField(required=False)
    reason = forms.CharField(required=False, max_length=MAX_REASON)


def _may(request: HttpRequest, verb: str) -> bool:
    return getattr(request.user, "can", lambda _verb: False)(verb)


def _require_watch(request: HttpRequest) -> None:
    if not Shell(request).may_watch_units:
        raise Http404


def _plan(request: HttpRequest, pk: int) -> Plan:
    _require_watch(request)
    try:
        return planning.visible_plan(pk, request.user)
    except NotFound as error:
        raise Http404(error.message) from error


def _form_text(form: forms.Form) -> str:
    return " ".join(str(text) for texts in form.errors.values() for text in texts)


def _text(error: DomainError) -> str:
    return " ".join([error.message, *error.fields.values()])


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """The shifts of these days, what plans they have, and a form that asks for one."""
    _require_watch(request)
    scope = scope_of(request)
    problem, status = "", 200
    if request.method == "POST":
        form = AskForm(request.POST)
        if not form.is_valid():
            problem, status = _form_text(form), 422
        else:
            given = form.cleaned_data
            shift = Shift.objects.visible_to(request.user).filter(pk=given["shift"]).first()
            if shift is None:
                raise Http404(_("There is no such shift."))
            try:
                by: Any = request.user
                made = planning.ask_for_plan(shift=shift, by=by, seed=given["seed"], units=given["units"], stops=given["stops"])
            except NotFound as error:
                raise Http404(error.message) from error
            except DomainError as error:
                problem, status = _text(error), error.status
            else:
                return redirect("plans-one", pk=made.pk)
    context = {
        "scope": scope,
        "rows": shifts_around(scope.agency, scope.governorate, timezone.now()),
        "region": scope.governorate.region,
        "may_plan": _may(request, "plan"),
        "problem": problem,
    }
    return fresh(request, "dashboard/patrol/plans.html", context, status)


@login_required
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _plan(request, pk))


def _page(request: HttpRequest, plan: Plan, *, problem: str = "", status: int = 200, given: ChangeForm | None = None) -> HttpResponse:
    board = Board(plan)
    versions = list(Plan.objects.filter(shift=plan.shift).order_by("-version").select_related("created_by"))
    against = _against(request, plan, versions)
    chosen = request.GET.get("stop", "")
    may_change = _may(request, "plan") and plan.making == Plan.Making.MADE and plan.state not in ("superseded", "discarded")
    is_running = plan.shift.starts_at <= timezone.now() < plan.shift.ends_at
    context = {
        "plan": plan,
        "board": board,
        "region": plan.governorate.region,
        "versions": versions,
        "against": against,
        "diff": planning.diff(against, plan) if against is not None and board.is_made else None,
        "changes": plan.changes.select_related("by").order_by("-pk")[:50],
        "travel": say_travel(plan),
        "may_change": may_change and board.is_made and plan.shift.ends_at > timezone.now(),
        "may_publish": _may(request, "publish_plan"),
        "is_maker": plan.created_by_id == request.user.pk or plan.changes.filter(by_id=request.user.pk).exists(),
        "is_running": is_running,
        "is_over": plan.shift.ends_at <= timezone.now(),
        "problem": problem,
        "given": given.data if given is not None else {"stop": chosen, "kind": "move"} if chosen.isdecimal() else None,
        "chosen": int(chosen) if chosen.isdecimal() and len(chosen) < 19 else 0,
        "max_reason": MAX_REASON,
    }
    return fresh(request, "dashboard/patrol/plan.html", context, status)


def _against(request: HttpRequest, plan: Plan, versions: list[Plan]) -> Plan | None:
    """The version this one is compared with: the one asked for, else what it was made from, else the one before."""
    asked = request.GET.get("against", "")
    others = [row for row in versions if row.pk != plan.pk and row.making == Plan.Making.MADE]
    if asked.isdecimal():
        return next((row for row in others if row.version == int(asked[:6])), None)
    if plan.parent_id is not None:
        return next((row for row in others if row.pk == plan.parent_id), None)
    return next((row for row in others if row.version < plan.version), None)


@login_required
@require_safe
def state(request: HttpRequest, pk: int) -> JsonResponse:
    """For a page that waits until the plan is made."""
    plan = _plan(request, pk)
    return JsonResponse({"making": plan.making, "state": plan.state, "edition": plan.edition})


@login_required
@require_safe
def as_geojson(request: HttpRequest, pk: int) -> HttpResponse:
    board = Board(_plan(request, pk))
    shown = board.geojson() if board.is_made else {"type": "FeatureCollection", "features": []}
    response = HttpResponse(orjson.dumps(shown), content_type="application/geo+json")
    response["Cache-Control"] = "no-store"
    return response


def _wish(plan: Plan, form: ChangeForm) -> planning.Wish:
    given = form.cleaned_data
    return planning.Wish(
        kind=given["kind"],
        stop=given["stop"],
        unit=given["unit"],
        at=_moment(plan, given["at"]),
        minutes=given["minutes"],
        place=given["place"],
        lon=given["lon"] if given["lon"] is None or math.isfinite(given["lon"]) else None,
        lat=given["lat"] if given["lat"] is None or math.isfinite(given["lat"]) else None,
    )


def _moment(plan: Plan, at: Any) -> datetime | None:
    """The first time in the shift that the clock shows ``at``; before its start, where it never does."""
    if at is None:
        return None
    clock = plan.governorate.region.zone_info
    local = plan.shift.starts_at.astimezone(clock)
    found = local.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
    if found < local and found + timedelta(days=1) <= plan.shift.ends_at:
        found += timedelta(days=1)
    return found


@login_required
@require_POST
def try_it(request: HttpRequest, pk: int) -> JsonResponse:
    """The checker's word on a change that is not kept."""
    plan = _plan(request, pk)
    form = ChangeForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"problem": _form_text(form)}, status=422)
    try:
        outcome = planning.try_change(plan=plan, by=request.user, wish=_wish(plan, form))  # type: ignore[arg-type]
    except DomainError as error:
        return JsonResponse({"problem": _text(error)}, status=error.status)
    board = Board(plan)
    return JsonResponse(
        {
            "violations": [say_violation(one, board.names, board.clock) for one in outcome.verdict],
            "before": {name: plan.figures.get(name) for name in ("dosage", "km", "dosage_per_km")},
            "after": {name: outcome.figures.get(name) for name in ("dosage", "km", "dosage_per_km")},
        }
    )


@login_required
@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    plan = _plan(request, pk)
    form = ChangeForm(request.POST)
    if not form.is_valid():
        return _page(request, plan, problem=_form_text(form), status=422, given=form)
    try:
        changed = planning.change_plan(
            plan=plan,
            by=request.user,  # type: ignore[arg-type]
            wish=_wish(plan, form),
            reason=form.cleaned_data["reason"],
            edition=form.cleaned_data["edition"],
        )
    except DomainError as error:
        plan.refresh_from_db()
        return _page(request, plan, problem=_text(error), status=error.status, given=form)
    if changed.pk != plan.pk:
        messages.success(
            request,
            _("Changed in a new draft, version %(version)d. What is published stays until you publish this.")
            % {"version": changed.version},
        )
    else:
        messages.success(request, _("Changed."))
    return redirect("plans-one", pk=changed.pk)


@login_required
@require_POST
def step(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Review, publish, discard or plan again."""
    plan = _plan(request, pk)
    reason = request.POST.get("reason", "")
    by: Any = request.user
    try:
        if verb == "review":
            given = request.POST.get("edition", "")
            edition = int(given) if given.isdecimal() and len(given) < 9 else 0
            planning.review_plan(plan=plan, by=by, edition=edition, urgent_reason=reason)
            messages.success(request, _("Reviewed. It can be published now."))
        elif verb == "publish":
            planning.publish_plan(plan=plan, by=by)
            messages.success(request, _("Published: each unit has its stops."))
        elif verb == "discard":
            planning.discard_plan(plan=plan, by=by, reason=reason)
            messages.success(request, _("Laid aside."))
        else:
            without = [int(text) for text in request.POST.getlist("without") if text.isdecimal() and len(text) < 19]
            plan = planning.replan(plan=plan, by=by, reason=reason, without=without)
    except DomainError as error:
        plan.refresh_from_db()
        return _page(request, plan, problem=_text(error), status=error.status)
    return redirect("plans-one", pk=plan.pk)
