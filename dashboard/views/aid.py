"""Mutual aid: agreements, requests, and the one incident that is shared while a grant runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import DomainError, NotFound
from dashboard.answers import fresh, person_of, row_id
from dashboard.dispatch import lines_of, may_dispatch
from dashboard.task_forms import AgreementForm
from dashboard.views.incident import find
from patrol.models import AidRequest, Assignment, MutualAid, Unit
from patrol.services import aid
from patrol.services.assignments import assign
from patrol.services.units import states_of

SHOWN = 100


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, *, form: AgreementForm | None = None, problem: str = "", status: int = 200) -> HttpResponse:
    user, now = person_of(request), timezone.now()
    agreements = list(aid.agreements_of(user)[:SHOWN])
    context = {
        "agreements": [(it, _side_of(it, user), _standing(it)) for it in agreements],
        "incoming": list(aid.asked_of(user, at=now)[:SHOWN]),
        "outgoing": list(aid.asked_by(user)[:SHOWN]),
        "consents": user.can("consent_aid") and user.agency_id is not None,
        "answers": may_dispatch(user),
        "form": form or AgreementForm(own=user.agency),
        "problem": problem,
        "now": now,
    }
    return fresh(request, "dashboard/patrol/aid.html", context, status=status)


@login_required
@require_POST
def propose(request: HttpRequest) -> HttpResponse:
    user = person_of(request)
    form = AgreementForm(request.POST, own=user.agency)
    if user.agency is None:
        raise Http404
    if not form.is_valid():
        return _page(request, form=form, problem=_("Something is missing; see the marked fields."), status=422)
    given = form.cleaned_data
    lends = given["direction"] == "lend"
    sides = {"lender": user.agency, "borrower": given["other"]} if lends else {"lender": given["other"], "borrower": user.agency}
    try:
        aid.propose_aid(**sides, starts_at=given["starts_at"], ends_at=given["ends_at"], unit_kinds=given["unit_kinds"], by=user)
    except DomainError as error:
        form.take(error)
        return _page(request, form=form, problem=error.message, status=error.status)
    messages.success(request, _("Drawn up. It is in force once the other agency consents."))
    return redirect("aid")


@login_required
@require_POST
def agreement_step(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    user = person_of(request)
    found = aid.agreements_of(user).filter(pk=row_id(pk)).first()
    if found is None:
        raise Http404
    if verb == "consent":
        return _do(request, lambda: aid.consent_to_aid(agreement=found, by=user), _("Consented."))
    return _do(request, lambda: aid.end_agreement(agreement=found, by=user, reason=request.POST.get("reason", "")[:400]), _("Ended."))


@login_required
@require_POST
def ask(request: HttpRequest, ref: str) -> HttpResponse:
    """Ask the other side of an agreement for units for this incident."""
    user, incident = person_of(request), find(request, ref)
    found = MutualAid.objects.filter(borrower=incident.agency_id, pk=row_id(request.POST.get("agreement", ""))).first()
    if found is None:
        raise Http404
    wanted, note = row_id(request.POST.get("units_wanted", "1")), request.POST.get("note", "")
    try:
        aid.ask_for_aid(agreement=found, incident=incident, by=user, units_wanted=wanted, note=note)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Asked %(agency)s.") % {"agency": found.lender})
    return redirect("incident", ref=incident.ref)


@login_required
@require_safe
def shared(request: HttpRequest, pk: str) -> HttpResponse:
    """The one incident that the lender's people see, while it is asked for and granted; afterwards it is not there."""
    return _shared(request, _incoming(request, pk))


def _shared(request: HttpRequest, found: AidRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    user = person_of(request)
    own = Assignment.objects.visible_to(user).filter(incident=found.incident, unit__agency=found.agreement.lender)
    units = Unit.objects.visible_to(user).active().filter(agency=found.agreement.lender)
    if found.agreement.unit_kinds:
        units = units.filter(kind__in=found.agreement.unit_kinds)
    chosen = {unit.pk: unit for unit in units.order_by("call_sign")[:500]}
    states = states_of(chosen)
    context = {
        "aid": found,
        "incident": found.incident,
        "lines": lines_of(list(own.select_related("unit__agency").order_by("-pk")[:50]), user),
        "units": [(unit, states[pk]) for pk, unit in chosen.items() if states[pk].state not in {"off_duty", "out_of_service"}],
        "answers": may_dispatch(user),
        "problem": problem,
    }
    return fresh(request, "dashboard/patrol/aid_shared.html", context, status=status)


@login_required
@require_POST
def answer(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    user = person_of(request)
    if verb == "end":
        found = aid.asked_of(user, at=timezone.now()).filter(pk=row_id(pk)).first()
        found = found or aid.asked_by(user).filter(pk=row_id(pk), agreement__borrower=user.agency_id).first()
        if found is None:
            raise Http404
        ending: AidRequest = found
        return _do(request, lambda: aid.end_aid(request=ending, by=user), _("Ended."))
    waiting = _incoming(request, pk)
    return _do(request, lambda: aid.answer_aid(request=waiting, by=user, is_granted=verb == "grant"), _("Answered."))


@login_required
@require_POST
def send(request: HttpRequest, pk: str) -> HttpResponse:
    """The lender's dispatcher sends one of their own units to the shared incident."""
    user, found = person_of(request), _incoming(request, pk)
    unit = Unit.objects.visible_to(user).active().filter(agency=found.agreement.lender, pk=row_id(request.POST.get("unit", ""))).first()
    if unit is None:
        raise Http404
    although = request.POST.get("although_busy", "")
    try:
        assign(unit=unit, incident=found.incident, kind=Assignment.Kind.INCIDENT, by=user, although_busy=although)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _shared(request, found, problem=error.message, status=error.status)
    messages.success(request, _("%(unit)s is sent.") % {"unit": unit.call_sign})
    return redirect("aid-shared", pk=found.pk)


def _incoming(request: HttpRequest, pk: str) -> AidRequest:
    found = aid.asked_of(person_of(request), at=timezone.now()).filter(pk=row_id(pk)).first()
    if found is None:
        raise Http404(_("There is no such request."))
    return found


def _side_of(agreement: MutualAid, user: User) -> str:
    return {agreement.lender_id: "lender", agreement.borrower_id: "borrower"}.get(user.agency_id or 0, "")


def _standing(agreement: MutualAid) -> str:
    now = timezone.now()
    if agreement.ended_at is not None or agreement.ends_at <= now:
        return "ended"
    if agreement.lender_consent_by_id is None or agreement.borrower_consent_by_id is None:
        return "waiting"
    return "in_force" if agreement.starts_at <= now else "later"


def _do(request: HttpRequest, deed: Callable[[], Any], done: str) -> HttpResponse:
    try:
        deed()
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, done)
    return redirect("aid")
