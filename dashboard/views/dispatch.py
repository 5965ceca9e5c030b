"""The dispatch section of an incident: its units with their clocks, advice, and sending."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from core.errors import DomainError, NotFound
from dashboard.answers import fresh, person_of, row_id
from dashboard.dispatch import facts_of
from dashboard.views.incident import find
from incidents.models import Incident
from patrol.lifecycle import State
from patrol.models import Assignment, Recommendation, Unit
from patrol.services.assignments import assign, cancel_assignment, move_assignment, reassign
from patrol.services.recommend import advise
from patrol.services.recommend.gathering import units_for


@login_required
@require_safe
def section(request: HttpRequest, ref: str) -> HttpResponse:
    """The whole section, put into the incident's panel once it is there."""
    return _section(request, find(request, ref))


@login_required
@require_safe
def units(request: HttpRequest, ref: str) -> HttpResponse:
    """Only the units on it: asked for every few seconds."""
    incident = find(request, ref)
    return fresh(request, "dashboard/patrol/_dispatch_units.html", facts_of(incident, person_of(request)))


@login_required
@require_POST
def ask(request: HttpRequest, ref: str) -> HttpResponse:
    """Ask for advice at an alarm level."""
    incident = find(request, ref)
    level = row_id(request.POST.get("alarm_level", "1"))
    return _do(request, incident, lambda: advise(incident=incident, by=person_of(request), alarm_level=level), "")


@login_required
@require_POST
def send(request: HttpRequest, ref: str) -> HttpResponse:
    """Send one unit; ``seen`` is what it had to do when this person looked."""
    incident, user, given = find(request, ref), person_of(request), request.POST
    unit = units_for(incident, by=user).filter(pk=row_id(given.get("unit", ""))).first()
    if unit is None:
        raise Http404(_("There is no such unit."))
    advice = Recommendation.objects.visible_to(user).filter(incident=incident, pk=row_id(given.get("recommendation", "") or "0")).first()
    seen = [row_id(pk) for pk in given.get("seen", "").split(",") if pk] if "seen" in given else None

    def deed() -> Assignment:
        return assign(
            unit=unit,
            incident=incident,
            kind=Assignment.Kind.INCIDENT,
            by=user,
            recommendation=advice,
            override_reason=given.get("override_reason", ""),
            seen=seen,
            although_busy=given.get("although_busy", ""),
        )

    again = {"unit": unit, "override_reason": given.get("override_reason", ""), "recommendation": advice}
    return _do(request, incident, deed, _("%(unit)s is sent.") % {"unit": unit.call_sign}, again=again)


@login_required
@require_POST
def step(request: HttpRequest, ref: str, pk: str, verb: str) -> HttpResponse:
    """Move, take back or give away one of its assignments."""
    incident = find(request, ref)
    assignment = found(request, pk)
    if assignment.incident_id != incident.pk:
        raise Http404
    return _do(request, incident, lambda: take(request, assignment, verb), "")


def found(request: HttpRequest, pk: str) -> Assignment:
    """The assignment; one outside the person's jurisdiction does not exist."""
    row = Assignment.objects.visible_to(request.user).filter(pk=row_id(pk)).select_related("unit", "incident__region").first()
    if row is None:
        raise Http404(_("There is no such assignment."))
    return row


def take(request: HttpRequest, assignment: Assignment, verb: str) -> Assignment:
    """One step asked for by a form."""
    user, given = person_of(request), request.POST
    expected = given.get("expected") or None
    if verb == "cancel":
        return cancel_assignment(assignment=assignment, by=user, reason=given.get("reason", ""), expected=expected)
    if verb == "reassign":
        to_unit = Unit.objects.visible_to(user).active().filter(pk=row_id(given.get("unit", ""))).first()
        if to_unit is None:
            raise Http404(_("There is no such unit."))
        return reassign(assignment=assignment, to_unit=to_unit, by=user, reason=given.get("reason", ""), expected=expected)
    return move_assignment(assignment=assignment, to=State(verb), by=user, expected=expected)


def _do(request: HttpRequest, incident: Incident, deed: Any, done: str, again: dict[str, Any] | None = None) -> HttpResponse:
    is_partial = request.headers.get("HX-Request") == "true"
    try:
        deed()
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        if not is_partial:
            messages.error(request, error.message)
            return redirect("incident", ref=incident.ref)
        told: dict[str, Any] = {
            "problem": error.message,
            "asks_reason": "override_reason" in error.fields,
            "taken": error.codes.get("unit") == "taken",
        }
        return _section(request, incident, **told, again=again, status=error.status)
    if not is_partial:
        if done:
            messages.success(request, done)
        return redirect("incident", ref=incident.ref)
    return _section(request, find(request, incident.ref), done=done)


def _section(request: HttpRequest, incident: Incident, *, status: int = 200, **more: Any) -> HttpResponse:
    return fresh(request, "dashboard/patrol/_dispatch.html", {**facts_of(incident, person_of(request)), **more}, status=status)
