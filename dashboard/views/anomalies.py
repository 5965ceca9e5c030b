"""Anomalies: the queue, one with its evidence, and what people do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import DomainError
from core.events import log_head
from dashboard.anomaly_queue import QueueFilter, anomalies_for, evidence_of, noise_of, queue
from dashboard.answers import fresh, person_of
from iot.models import Anomaly, RuleFiring
from iot.permissions import may_see_devices
from iot.services.anomalies import acknowledge_anomaly, judge_anomaly, resolve_anomaly
from iot.services.anomalies.words import why
from iot.services.rules import confirm_draft, dismiss_draft


def _person(request: HttpRequest) -> User:
    person = person_of(request)
    if not may_see_devices(person):
        raise PermissionDenied(_("Your role does not allow this."))
    return person


def _found(person: User, pk: str) -> Anomaly:
    rows = anomalies_for(person).for_list().select_related("acknowledged_by", "resolved_by", "feedback_by", "device__agency")
    found: Anomaly | None = rows.filter(pk=int(pk)).first()
    if found is None:
        raise Http404(_("There is no such anomaly."))
    return found


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return fresh(request, "dashboard/anomalies/queue.html", _list(request))


@login_required
@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """Counts, drafts and rows as they are now: what the page's script asks for when something has happened."""
    return fresh(request, "dashboard/anomalies/_update.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    person, head = _person(request), log_head()  # before the rows
    chosen = QueueFilter(request.GET, viewer=person)
    given = request.GET.get("page", "")
    number = int(given) if given.isascii() and given.isdigit() and 0 < len(given) < 4 and int(given) else 1
    asked = request.GET.urlencode()
    back = reverse("anomalies") + (f"?{asked}" if asked else "")
    return {"filter": chosen, "queue": queue(person, chosen, number), "page_number": number, "live_head": head, "back": back}


@login_required
@require_safe
def one(request: HttpRequest, pk: str) -> HttpResponse:
    person = _person(request)
    anomaly = _found(person, pk)
    judged, noise = noise_of(anomaly)
    context = {
        "anomaly": anomaly,
        "why": why(anomaly),
        "evidence": evidence_of(anomaly, now=timezone.now()),
        "may_answer": person.can("answer_anomaly"),
        "may_set": person.is_staff and person.can("manage_devices"),
        "judged": judged,
        "noise": noise,
    }
    return fresh(request, "dashboard/anomalies/one.html", context)


def _acknowledge(request: HttpRequest, anomaly: Anomaly, person: User) -> str:
    acknowledge_anomaly(anomaly=anomaly, by=person)
    return _("Acknowledged.")


def _resolve(request: HttpRequest, anomaly: Anomaly, person: User) -> str:
    resolve_anomaly(anomaly=anomaly, by=person, note=request.POST.get("note", ""))
    return _("Resolved. It comes back only when the readings have been good again.")


def _judge(request: HttpRequest, anomaly: Anomaly, person: User) -> str:
    judge_anomaly(anomaly=anomaly, verdict=request.POST.get("verdict", ""), by=person, note=request.POST.get("note", ""))
    return _("Thank you: it is counted for this detector.")


VERBS: dict[str, Callable[[HttpRequest, Anomaly, User], str]] = {"acknowledge": _acknowledge, "resolve": _resolve, "judge": _judge}


@login_required
@require_POST
def act(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    person = _person(request)
    anomaly = _found(person, pk)
    try:
        messages.success(request, VERBS[verb](request, anomaly, person))
    except DomainError as refusal:
        messages.error(request, " ".join([refusal.message, *refusal.fields.values()]))
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return redirect(back)
    return redirect("anomalies-one", pk=anomaly.pk)


@login_required
@require_POST
def decide(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    """On the draft of an incident that a rule made."""
    person = _person(request)
    firing = RuleFiring.objects.visible_to(person).select_related("device").filter(pk=int(pk)).first()
    if firing is None:
        raise Http404(_("There is no such draft."))
    try:
        if verb == "confirm":
            incident = confirm_draft(firing=firing, by=person).incident
            assert incident is not None
            messages.success(request, _("The incident %(ref)s was opened.") % {"ref": incident.ref})
            return redirect("incident", ref=incident.ref)
        dismiss_draft(firing=firing, by=person)
        messages.success(request, _("The draft was dismissed."))
    except DomainError as refusal:
        messages.error(request, " ".join([refusal.message, *refusal.fields.values()]))
    return redirect("anomalies")
