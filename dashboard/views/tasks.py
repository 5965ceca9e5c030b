"""Tasks of units: what is open, late or ended; giving out, moving, taking back, handing over at the end of a shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import DomainError, NotFound
from dashboard.answers import fresh, person_of
from dashboard.dispatch import lines_of, may_dispatch
from dashboard.patrol_scope import Scope, scope_of
from dashboard.task_forms import HandOverForm, TaskForm
from dashboard.views.dispatch import found, take
from patrol.models import Assignment, Team, Unit
from patrol.services.assignments import hand_over_assignments
from patrol.services.tasks import give_task

STATES = {
    "open": gettext_lazy("Open"),
    "late": gettext_lazy("Late"),
    "ended": gettext_lazy("Ended"),
    "auto_closed": gettext_lazy("Closed by time"),
}
SHOWN = 100


@dataclass(frozen=True)
class Asked:
    """What the list is narrowed to; what is not understood is as if it had not been said."""

    state: str
    kind: str
    unit: str

    @classmethod
    def of(cls, given: QueryDict) -> Asked:
        state, kind, unit = given.get("state", "open"), given.get("kind", ""), given.get("unit", "")
        return cls(state if state in STATES else "open", kind if kind in Assignment.Kind.values else "", unit[:24])


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return _page(request)


@login_required
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Only the list: asked for every few seconds."""
    return fresh(request, "dashboard/patrol/_tasks.html", _list(request, scope_of(request)))


@login_required
@require_POST
def new(request: HttpRequest) -> HttpResponse:
    user, scope = person_of(request), scope_of(request)
    form = TaskForm(request.POST, units=_units(user, scope), teams=_teams(user, scope))
    if form.is_valid():
        try:
            made = give_task(by=user, **form.asked)
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            form.take(error)
            return _page(request, form=form, problem=error.message, status=error.status)
        messages.success(request, ngettext("Given to %(n)d unit.", "Given to %(n)d units.", len(made)) % {"n": len(made)})
        return redirect(f"{reverse('tasks')}?{scope.query}")
    return _page(request, form=form, problem=_("Something is missing; see the marked fields."), status=422)


@login_required
@require_POST
def hand_over(request: HttpRequest) -> HttpResponse:
    user, scope = person_of(request), scope_of(request)
    form = HandOverForm(request.POST, units=_all_units(user, scope))
    if form.is_valid():
        given = form.cleaned_data
        try:
            made = hand_over_assignments(from_unit=given["from_unit"], to_unit=given["to_unit"], by=user, reason=given["reason"])
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            form.take(error)
            return _page(request, handing=form, problem=error.message, status=error.status)
        messages.success(request, ngettext("%(n)d handed over.", "%(n)d handed over.", len(made)) % {"n": len(made)})
        return redirect(f"{reverse('tasks')}?{scope.query}")
    return _page(request, handing=form, problem=_("Something is missing; see the marked fields."), status=422)


@login_required
@require_POST
def step(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    """Move, take back or give away one of the list."""
    scope, problem, status = scope_of(request), "", 200
    assignment = found(request, pk)
    try:
        take(request, assignment, verb)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        problem, status = error.message, error.status
    if request.headers.get("HX-Request") == "true":
        return fresh(request, "dashboard/patrol/_tasks.html", {**_list(request, scope), "problem": problem}, status=status)
    if problem:
        messages.error(request, problem)
    return redirect(f"{reverse('tasks')}?{request.GET.urlencode()}")


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    user, scope = person_of(request), scope_of(request)
    context = {**_list(request, scope), "states": STATES, "kinds": Assignment.Kind.choices, "gives": may_dispatch(user)}
    if context["gives"]:
        context["form"] = TaskForm(units=_units(user, scope), teams=_teams(user, scope))
        context["handing"] = HandOverForm(units=_all_units(user, scope))
    return fresh(request, "dashboard/patrol/tasks.html", {**context, **more}, status=status)


def _list(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    asked, now, user = Asked.of(request.GET), timezone.now(), person_of(request)
    rows = Assignment.objects.visible_to(user).filter(unit__agency=scope.agency, unit__governorate=scope.governorate)
    if asked.state in {"open", "late"}:
        rows = rows.open().in_order()
        rows = rows.filter(due_at__lt=now) if asked.state == "late" else rows
    else:
        rows = rows.exclude(pk__in=rows.open().values("pk")).order_by("-ended_at")
        rows = rows.filter(state="auto_closed") if asked.state == "auto_closed" else rows
    rows = rows.filter(kind=asked.kind) if asked.kind else rows
    rows = rows.filter(unit__call_sign__iexact=asked.unit) if asked.unit else rows
    shown = list(rows.select_related("unit__agency", "incident__region", "incident__type", "assigned_by")[: SHOWN + 1])
    units = [(unit.pk, unit.call_sign) for unit in _all_units(user, scope)] if may_dispatch(user) else []
    return {
        "scope": scope, "asked": asked, "lines": lines_of(shown[:SHOWN], user, now=now), "is_cut": len(shown) > SHOWN, "now": now,
        "units": units, "query": request.GET.urlencode(), "region": scope.governorate.region,
    }  # fmt: skip


def _all_units(user: User, scope: Scope) -> Any:
    return Unit.objects.visible_to(user).active().filter(agency=scope.agency, governorate=scope.governorate).order_by("call_sign")


def _units(user: User, scope: Scope) -> list[Unit]:
    return list(_all_units(user, scope))


def _teams(user: User, scope: Scope) -> list[Team]:
    return list(Team.objects.visible_to(user).active().filter(agency=scope.agency, governorate=scope.governorate).order_by("code"))
