"""What a person does with an alert, by a button or a key: parse, call the verb, say what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.roles import CAPABILITIES
from alerts.models import Alert, Through
from alerts.permissions import may
from alerts.services import alerts as life
from core.errors import DomainError, Invalid, NotFound
from dashboard.alert_queue import alerts_for
from dashboard.answers import person_of
from dashboard.views.alert_queue import MAX_ASKED

LONGEST_MIN = 7 * 24 * 60
NEEDED = {"yes": True, "no": False}


def find_alert(user: User, pk: int | str) -> Alert:
    """One this person is shown; any other does not exist."""
    found: Alert | None = alerts_for(user).filter(pk=int(pk)).for_card().first()
    if found is None:
        raise Http404(_("There is no such alert."))
    return found


def _until(request: HttpRequest) -> datetime:
    minutes = request.POST.get("minutes", "")
    if not (minutes.isascii() and minutes.isdigit() and len(minutes) < 6 and 0 < int(minutes) <= LONGEST_MIN):
        raise Invalid(_("Say for how long: from a minute to a week."), fields={"minutes": _("Say for how long: from a minute to a week.")})
    return timezone.now() + timedelta(minutes=int(minutes))


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:400]


def _acknowledge(request: HttpRequest, alert: Alert, user: User) -> str:
    life.acknowledge(alert=alert, by=user, through=Through.SCREEN)
    return _("Acknowledged: nobody else is paged.")


def _snooze(request: HttpRequest, alert: Alert, user: User) -> str:
    life.snooze(alert=alert, by=user, until=_until(request), reason=_reason(request))
    return _("Snoozed. What is still wrong then fires again.")


def _mute(request: HttpRequest, alert: Alert, user: User) -> str:
    life.mute(alert=alert, by=user, until=_until(request), reason=_reason(request))
    return _("Muted. What is still wrong then fires again.")


def _escalate(request: HttpRequest, alert: Alert, user: User) -> str:
    life.escalate_now(alert=alert, by=user, reason=_reason(request))
    return _("The next step is taken now.")


def _reassign(request: HttpRequest, alert: Alert, user: User) -> str:
    given = request.POST.get("to_user", "")
    to_user = (
        people_to_hand_to(user, alert).filter(pk=int(given)).first() if given.isascii() and given.isdigit() and len(given) < 19 else None
    )
    if to_user is None:
        raise Invalid(_("Choose a person."), fields={"to_user": _("Choose a person.")})
    life.reassign(alert=alert, by=user, to_user=to_user, reason=_reason(request))
    return _("Handed over; the person is paged.")


def _note(request: HttpRequest, alert: Alert, user: User) -> str:
    life.note(alert=alert, by=user, text=request.POST.get("text", "").strip())
    return _("Noted.")


def _resolve(request: HttpRequest, alert: Alert, user: User) -> str:
    needed = NEEDED.get(request.POST.get("was_needed", ""))
    outcome = request.POST.get("outcome", "").strip()[:400]
    life.resolve(alert=alert, by=user, because=Alert.Because.HAND, outcome=outcome, was_needed=needed)
    return _("Resolved.")


VERBS: dict[str, Callable[[HttpRequest, Alert, User], str]] = {
    "acknowledge": _acknowledge,
    "snooze": _snooze,
    "mute": _mute,
    "escalate": _escalate,
    "reassign": _reassign,
    "note": _note,
    "resolve": _resolve,
}


def people_to_hand_to(user: User, alert: Alert) -> Any:
    """Colleagues of the alert's agency who hear alerts; who sees all of it may hand it to anybody of that agency."""
    hearing = [role for role, verbs in CAPABILITIES.items() if "ack_alert" in verbs]
    rows = User.objects.filter(is_active=True, role__in=hearing).exclude(pk=user.pk)
    return rows.filter(agency_id=alert.agency_id) if alert.agency_id else rows


@login_required
@require_POST
@never_cache
def act(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    user = person_of(request)
    alert = find_alert(user, pk)
    try:
        done = VERBS[verb](request, alert, user)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        if _wants_json(request):
            return JsonResponse({"error": error.message}, status=error.status)
        messages.error(request, error.message)
        return _back(request, alert)
    if _wants_json(request):
        return JsonResponse({"done": done})
    messages.success(request, done)
    return _back(request, alert)


@login_required
@require_POST
@never_cache
def acknowledge_many(request: HttpRequest) -> HttpResponse:
    """Those marked in the queue. One that somebody else has acknowledged meanwhile is counted, and not an error."""
    user, done, not_done = person_of(request), 0, 0
    asked = {int(text) for text in request.POST.getlist("id")[:MAX_ASKED] if text.isascii() and text.isdigit() and len(text) < 19}
    for alert in alerts_for(user).filter(pk__in=asked).order_by("pk"):
        try:
            if not may(user, "ack_alert", alert):
                raise Invalid(_("Your role does not allow this."))
            life.acknowledge(alert=alert, by=user, through=Through.SCREEN)
            done += 1
        except DomainError:
            not_done += 1
    said = ngettext("%(n)d alert acknowledged.", "%(n)d alerts acknowledged.", done) % {"n": done}
    missed = len(asked) - done
    if missed:
        said += " " + ngettext("%(n)d was not: somebody was quicker.", "%(n)d were not: somebody was quicker.", missed) % {"n": missed}
    if _wants_json(request):
        return JsonResponse({"done": said, "acknowledged": done, "refused": missed})
    messages.success(request, said)
    return redirect("alerts")


def _back(request: HttpRequest, alert: Alert) -> HttpResponse:
    to = request.POST.get("next", "")
    if to.startswith("/") and url_has_allowed_host_and_scheme(to, allowed_hosts=None):
        return redirect(to)
    return redirect("alerts-one", pk=alert.pk)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")
