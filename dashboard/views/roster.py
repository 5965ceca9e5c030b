"""The roster: a week, one shift with its crews, copying, making shifts, bringing a file in."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import DomainError, NotFound
from dashboard.answers import fresh
from dashboard.patrol_scope import Scope, scope_of
from dashboard.roster import Part, shift_page, week, week_start
from patrol.models import Member, RosterEntry, Shift, Unit
from patrol.services.acting import MAX_REASON
from patrol.services.duty import EARLY, go_off_duty, go_on_duty
from patrol.services.roster import move_on_roster, put_on_roster, take_off_roster
from patrol.services.roster_copy import copy_week
from patrol.services.roster_import import MAX_BYTES, MAX_ROWS, import_roster
from patrol.services.shifts import MOST_DAYS, make_shifts

SHOWN_REFUSALS = 8
SHOWN_ROWS = 500


def may(request: HttpRequest, verb: str) -> bool:
    return getattr(request.user, "can", lambda _verb: False)(verb)


def watching(request: HttpRequest) -> None:
    """Who may see units may see who works on them."""
    if not may(request, "watch_units"):
        raise Http404


def said(error: DomainError) -> str:
    rest = [text for text in error.fields.values() if text not in error.message]
    return " ".join([error.message, *rest])


class MakeForm(forms.Form):
    first_day = forms.DateField()
    days = forms.IntegerField(min_value=1, max_value=MOST_DAYS)


class CopyForm(forms.Form):
    from_day = forms.DateField()
    to_day = forms.DateField()


class EntryForm(forms.Form):
    member = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    unit = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    part = forms.ChoiceField(choices=Part.choices)
    rest_override_reason = forms.CharField(required=False, max_length=MAX_REASON)


class ChangeForm(forms.Form):
    unit = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    part = forms.ChoiceField(choices=Part.choices)
    reason = forms.CharField(max_length=MAX_REASON)


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=MAX_REASON)


class RollCallForm(forms.Form):
    act = forms.ChoiceField(choices=[("on", "on"), ("off", "off")])
    reason = forms.CharField(required=False, max_length=MAX_REASON)


class FileForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("File"))
    dry_run = forms.BooleanField(required=False, initial=True)


# --- the week ----------------------------------------------------------------------------------------------------------------------------


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    watching(request)
    return _week(request, scope_of(request))


def _week(request: HttpRequest, scope: Scope, problem: str = "", status: int = 200) -> HttpResponse:
    today = timezone.now().astimezone(scope.governorate.region.zone_info).date()
    by = "person" if request.GET.get("by") == "person" else "unit"
    shown = week(request.user, scope, first=week_start(_day(request.GET.get("week")) or today), by=by)
    context = {
        "scope": scope,
        "week": shown,
        "region": scope.governorate.region,
        "may_roster": may(request, "roster"),
        "problem": problem,
        "this_week": week_start(today),
        "is_synthetic": any(shift.is_synthetic for shift in shown.shifts),
        "most_days": MOST_DAYS,
    }
    return fresh(request, "dashboard/patrol/roster.html", context, status)


def _day(text: str | None) -> date | None:
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if date(2000, 1, 1) <= found <= date(2100, 1, 1) else None


def _to_week(scope: Scope, first: date) -> HttpResponse:
    return redirect(f"{reverse('roster')}?{scope.query}&week={week_start(first).isoformat()}")


@login_required
@require_POST
def make(request: HttpRequest) -> HttpResponse:
    scope = scope_of(request)
    form = MakeForm(request.POST)
    if not form.is_valid():
        return _week(request, scope, _("Give a first day and how many days."), 422)
    try:
        made = make_shifts(governorate=scope.governorate, agency=scope.agency, by=request.user, **form.cleaned_data)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _week(request, scope, said(error), error.status)
    messages.success(request, ngettext("%(n)d shift stands.", "%(n)d shifts stand.", len(made)) % {"n": len(made)})
    return _to_week(scope, form.cleaned_data["first_day"])


@login_required
@require_POST
def copy(request: HttpRequest) -> HttpResponse:
    scope = scope_of(request)
    form = CopyForm(request.POST)
    if not form.is_valid():
        return _week(request, scope, _("Choose the two weeks."), 422)
    first, to = week_start(form.cleaned_data["from_day"]), week_start(form.cleaned_data["to_day"])
    try:
        copied = copy_week(governorate=scope.governorate, agency=scope.agency, from_day=first, to_day=to, by=request.user)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _week(request, scope, said(error), error.status)
    count = len(copied.done.made)
    messages.success(request, ngettext("%(n)d entry was copied.", "%(n)d entries were copied.", count) % {"n": count})
    refusals = [copied.done.refusals[index] for index in sorted(copied.done.refusals)]
    for refusal in refusals[:SHOWN_REFUSALS]:
        messages.warning(request, refusal.message)
    if len(refusals) > SHOWN_REFUSALS:
        left = len(refusals) - SHOWN_REFUSALS
        messages.warning(request, ngettext("%(n)d more was refused.", "%(n)d more were refused.", left) % {"n": left})
    return _to_week(scope, to)


# --- one shift ---------------------------------------------------------------------------------------------------------------------------


def _shift(request: HttpRequest, pk: int) -> Shift:
    watching(request)
    rows = Shift.objects.visible_to(request.user).select_related("agency", "governorate__region", "pattern").defer("governorate__boundary")
    found: Shift | None = rows.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(_("There is no such shift."))
    return found


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def shift(request: HttpRequest, pk: int) -> HttpResponse:
    """The crews of one shift; a POST puts somebody on it."""
    one = _shift(request, pk)
    if request.method != "POST":
        return _shift_answer(request, one)
    form = EntryForm(request.POST)
    if not form.is_valid():
        return _shift_answer(request, one, _("Choose a person."), 422)
    given = form.cleaned_data
    try:
        entry = put_on_roster(
            shift=one,
            member=_row(Member, request, given["member"]),
            unit=_row(Unit, request, given["unit"]) if given["unit"] else None,
            part=given["part"],
            rest_override_reason=given["rest_override_reason"],
            by=request.user,  # type: ignore[arg-type]
        )
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _shift_answer(request, one, said(error), error.status, needs_reason="rest_override_reason" in error.codes)
    messages.success(request, _("%(who)s is on the roster.") % {"who": entry.member})
    return redirect("roster-shift", pk=pk)


def _shift_answer(request: HttpRequest, one: Shift, problem: str = "", status: int = 200, needs_reason: bool = False) -> HttpResponse:
    is_over = one.ends_at <= timezone.now()
    may_change = may(request, "roster") and not is_over
    given = request.POST if request.method == "POST" else request.GET
    context = {
        "page": shift_page(request.user, one, may_change=may_change),
        "region": one.governorate.region,
        "is_over": is_over,
        "is_now": one.starts_at - EARLY <= timezone.now() < one.ends_at,
        "may_change": may_change,
        "problem": problem,
        "needs_reason": needs_reason,
        "parts": Part.choices,
        "given": {name: given.get(name, "") for name in ("member", "unit", "part", "rest_override_reason")},
        "week_of": week_start(one.starts_at.astimezone(one.governorate.region.zone_info).date()),
    }
    return fresh(request, "dashboard/patrol/roster_shift.html", context, status)


def _row(model: Any, request: HttpRequest, pk: int) -> Any:
    found = model.objects.visible_to(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _entry(request: HttpRequest, pk: int) -> RosterEntry:
    watching(request)
    rows = RosterEntry.objects.visible_to(request.user).select_related("shift", "member")
    found: RosterEntry | None = rows.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(_("There is no such roster entry."))
    return found


@login_required
@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    entry = _entry(request, pk)
    form = ChangeForm(request.POST)
    if not form.is_valid():
        return _shift_answer(request, _shift(request, entry.shift_id), _("Give a reason."), 422)
    given = form.cleaned_data
    try:
        unit = _row(Unit, request, given["unit"]) if given["unit"] else None
        move_on_roster(entry=entry, unit=unit, part=given["part"], reason=given["reason"], by=request.user)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _shift_answer(request, _shift(request, entry.shift_id), said(error), error.status)
    messages.success(request, _("The roster is changed."))
    return redirect("roster-shift", pk=entry.shift_id)


@login_required
@require_POST
def take_off(request: HttpRequest, pk: int) -> HttpResponse:
    entry = _entry(request, pk)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _shift_answer(request, _shift(request, entry.shift_id), _("Give a reason."), 422)
    try:
        take_off_roster(entry=entry, reason=form.cleaned_data["reason"], by=request.user)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _shift_answer(request, _shift(request, entry.shift_id), said(error), error.status)
    messages.success(request, _("%(who)s is off the roster.") % {"who": entry.member})
    return redirect("roster-shift", pk=entry.shift_id)


@login_required
@require_POST
def roll_call(request: HttpRequest, pk: int) -> HttpResponse:
    """A supervisor puts somebody of the shift on duty, or ends their duty, with a reason where one is asked."""
    entry = _entry(request, pk)
    form = RollCallForm(request.POST)
    if not form.is_valid():
        return _shift_answer(request, _shift(request, entry.shift_id), _("Say what is to be done."), 422)
    given = form.cleaned_data
    try:
        if given["act"] == "on":
            go_on_duty(member=entry.member, roster_entry=entry, rest_override_reason=given["reason"], by=request.user)  # type: ignore[arg-type]
            messages.success(request, _("%(who)s is on duty.") % {"who": entry.member})
        else:
            go_off_duty(member=entry.member, reason=given["reason"], by=request.user)  # type: ignore[arg-type]
            messages.success(request, _("%(who)s is off duty.") % {"who": entry.member})
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _shift_answer(request, _shift(request, entry.shift_id), said(error), error.status)
    return redirect("roster-shift", pk=entry.shift_id)


# --- a file ------------------------------------------------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def bring_in(request: HttpRequest) -> HttpResponse:
    watching(request)
    if not may(request, "roster"):
        raise Http404
    scope = scope_of(request)
    context: dict[str, Any] = {"scope": scope, "max_mb": MAX_BYTES // 2**20, "max_rows": MAX_ROWS, "is_dry_run": True}
    status = 200
    if request.method == "POST":
        form = FileForm(request.POST, request.FILES)
        if not form.is_valid():
            context["problem"], status = _("Choose a file."), 422
        else:
            given = form.cleaned_data
            context["is_dry_run"] = given["dry_run"]
            try:
                report = import_roster(
                    file=given["file"], name=given["file"].name, agency=scope.agency, governorate=scope.governorate,
                    by=request.user, dry_run=given["dry_run"],  # type: ignore[arg-type]
                )  # fmt: skip
            except NotFound as error:
                raise Http404(error.message) from error
            except DomainError as error:
                context["problem"], status = said(error), error.status
            else:
                rows = report.refused_rows
                context |= {"report": report, "refused": rows[:SHOWN_ROWS], "left_out": max(len(rows) - SHOWN_ROWS, 0)}
    return fresh(request, "dashboard/patrol/roster_import.html", context, status)
