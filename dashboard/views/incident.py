"""One incident: its page, its panel on the board, and each step a person may take there."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.events import log_head
from dashboard.alert_queue import alerts_about
from dashboard.duplicates import pairs_about
from dashboard.forms import ActionForm, ClassifyForm, CloseForm, DuplicateForm, ExitForm, MoveForm, NoteForm, ReopenForm
from dashboard.timeline import entries_of, intervals_of, passages_of
from incidents import services
from incidents.lifecycle import EXITS, FINAL, State, next_states
from incidents.models import Incident
from incidents.permissions import may
from incidents.services.near_repeats import warning_of

MAX_RAW = 20_000


def find(request: HttpRequest, ref: str) -> Incident:
    """The incident by its reference; one outside the person's jurisdiction does not exist."""
    incidents = Incident.objects.visible_to(request.user).by_ref(ref)
    incident = incidents.for_card().select_related("block", "sector", "duplicate_of__region").defer(
        "search", "governorate__boundary", "area__boundary", "block__boundary", "sector__boundary"
    ).first()  # fmt: skip
    if incident is None:
        raise Http404(_("There is no such incident."))
    return incident


@login_required
@require_safe
def page(request: HttpRequest, ref: str) -> HttpResponse:
    """The incident's own page."""
    return _answer(request, "dashboard/incident.html", _facts(request, ref))


@login_required
@require_safe
def panel(request: HttpRequest, ref: str) -> HttpResponse:
    """The same for the board's third column and for refreshing either."""
    seen = request.GET.get("seen", "")
    line = int(seen) if seen.isdecimal() and len(seen) < 19 else None
    return _answer(request, "dashboard/_incident.html", _facts(request, ref, seen=line))


def _answer(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def act(request: HttpRequest, ref: str, verb: str) -> HttpResponse:
    """Take one step. Works as a plain form and from HTMX; a refusal brings the page back with what was typed and what is so now."""
    incident = find(request, ref)
    form = _form_of(verb, incident, request)
    is_partial = request.headers.get("HX-Request") == "true"
    problem = ""
    status = 200
    if form.is_valid():
        try:
            done = _do(verb, incident, form, request.user)
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            problem, status = error.message, error.status
            form.take(error)
    else:
        done, problem, status = "", _("Something is missing; see the marked fields."), 422
    seen = form.cleaned_data.get("seen") if hasattr(form, "cleaned_data") else None
    if status == 200:
        if not is_partial:
            messages.success(request, done)
            return redirect("incident", ref=incident.ref)
        return _answer(request, "dashboard/_incident.html", {**_facts(request, ref), "done": done})
    context = _facts(request, ref, seen=seen if status == Conflict.status else None)
    context |= {"problem": problem, "problem_is_conflict": status == Conflict.status}
    context["forms"][_slot(form)] = form
    context["opened"] = _slot(form)
    return _answer(request, "dashboard/_incident.html" if is_partial else "dashboard/incident.html", context, status=status)


def _do(verb: str, incident: Incident, form: ActionForm, user: Any) -> str:
    """Call the service; its answer in words. Raises the services' errors."""
    given = form.cleaned_data
    expected = given["expected"] or None
    if verb == "note":
        services.annotate_incident(incident=incident, by=user, text=given["text"])
        return _("Note added.")
    if verb == "classify":
        services.classify_incident(
            incident=incident, by=user, type=given["type"], priority=given["priority"], severity=given["severity"], reason=given["reason"]
        )
        return _("Classified.")
    if verb == "close":
        services.close_incident(incident=incident, by=user, disposition=given["disposition"], reason=given["reason"], expected=expected)
        return _("Closed.")
    if verb == "reopen":
        services.reopen_incident(incident=incident, by=user, reason=given["reason"], expected=expected)
        return _("Reopened.")
    if verb == "duplicate":
        original = Incident.objects.visible_to(user).by_ref(given["duplicate_of"]).select_related("region").first()
        if original is None:
            raise Invalid(_("There is no such incident."), fields={"duplicate_of": _("No incident has this reference.")})
        services.mark_duplicate(incident=incident, original=original, by=user, reason=given["reason"], expected=expected)
        return _("Marked as a duplicate of %(ref)s.") % {"ref": original.ref}
    moved = services.move_incident(incident=incident, to=given["state"], by=user, reason=given.get("reason", ""), expected=expected)
    return _("Now: %(state)s.") % {"state": moved.get_state_display()}


def _form_of(verb: str, incident: Incident, request: HttpRequest) -> ActionForm:
    data = request.POST
    if verb == "classify":
        return ClassifyForm(data, incident=incident)
    if verb == "move":
        return ExitForm(data) if data.get("state") in EXITS else MoveForm(data)
    forms: dict[str, type[ActionForm]] = {"close": CloseForm, "reopen": ReopenForm, "duplicate": DuplicateForm, "note": NoteForm}
    return forms[verb](data)


def _slot(form: ActionForm) -> str:
    return type(form).__name__.removesuffix("Form").lower()


def _facts(request: HttpRequest, ref: str, *, seen: int | None = None) -> dict[str, Any]:
    """Everything the panel shows. Only what the role may do gets a button."""
    head = log_head()  # before everything else
    incident = find(request, ref)
    user = request.user
    assert isinstance(user, User)
    log = list(incident.log.all())
    last = log[-1].pk if log else 0
    steps = next_states(incident.state)
    usual = [State(step) for step in steps if step not in FINAL and step != State.REOPENED] if may(user, "move", incident) else []
    held = {"expected": incident.state, "seen": last}
    forms: dict[str, ActionForm] = {}
    if may(user, "close", incident) and incident.state not in FINAL:
        forms["close"] = CloseForm(initial=held)
        forms["exit"] = ExitForm(initial=held)
        forms["duplicate"] = DuplicateForm(initial=held)
    if may(user, "reopen", incident) and incident.state in FINAL:
        forms["reopen"] = ReopenForm(initial=held)
    if may(user, "classify", incident) and incident.state not in FINAL:
        forms["classify"] = ClassifyForm(incident=incident)
    if may(user, "annotate", incident):
        forms["note"] = NoteForm(initial=held)
    reports = list(incident.reports.select_related("source").order_by("pk")[:20])
    return {
        "incident": incident,
        "live_head": head,
        "entries": entries_of(log, seen=seen),
        "last_entry": last,
        "steps": usual,
        "closing_is_next": incident.state == State.CLEARED,
        "forms": forms,
        "intervals": intervals_of(incident),
        "passages": passages_of(incident),
        "reports": [(report, _pretty(report.raw)) for report in reports],
        "near_repeat": _near_repeat(user, incident),
        "alerts": alerts_about(user, incident),
        "pairs": pairs_about(user, incident),
        "repeats": list(incident.duplicates.visible_to(user).select_related("region")[:20]),
        "original": incident.duplicate_of if incident.duplicate_of is not None and user.jurisdiction.admits(
            agency_id=incident.duplicate_of.agency_id, governorate_id=incident.duplicate_of.governorate_id
        ) else None,
    }  # fmt: skip


def _near_repeat(user: User, incident: Incident) -> dict[str, Any] | None:
    """The near-repeat alert of this incident, with the earlier ones this person may open."""
    warning = warning_of(incident)
    if warning is None:
        return None
    earlier = Incident.objects.visible_to(user).filter(pk__in=warning.earlier).select_related("region").order_by("-occurred_at")
    return {"warning": warning, "earlier": list(earlier)}


def _pretty(raw: Any) -> str:
    text = json.dumps(raw, ensure_ascii=False, indent=2, default=str)
    return text if len(text) <= MAX_RAW else text[:MAX_RAW] + "\n…"
