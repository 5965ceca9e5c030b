"""The in-app alarm's doors: what pages me now, that my screen has shown it, and the sound off for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from alerts.services import delivery, people
from core.errors import DomainError
from core.events import log_head
from dashboard.alert_alarm import alarms_of, muted_until, not_yet_seen

MUTES_MIN = (5, 15, 30, 60)
MAX_ASKED = 100


def _refusal(user: object) -> JsonResponse | None:
    return None if isinstance(user, User) else JsonResponse({"error": _("Sign in.")}, status=401)


@require_safe
@never_cache
def mine(request: HttpRequest) -> HttpResponse:
    """The second way to every page: it works where no socket does."""
    user: Any = request.user
    if refusal := _refusal(user):
        return refusal
    head = log_head()  # before the rows
    wanted = request.GET.get("lang", "")
    with translation.override(wanted if wanted in ("ar", "en") else translation.get_language()):
        alarms = alarms_of(user)
    muted = muted_until(user)
    told = {
        "head": head,
        "now": timezone.now().isoformat(),
        "alerts": alarms,
        "unseen": not_yet_seen(user, [alarm["id"] for alarm in alarms]) if alarms else [],
        "muted_until": muted.isoformat() if muted else None,
    }
    return JsonResponse(told)


@require_POST
@never_cache
def seen(request: HttpRequest) -> HttpResponse:
    """This person's page has shown these alerts."""
    user: Any = request.user
    if refusal := _refusal(user):
        return refusal
    asked = [int(text) for text in request.POST.getlist("id")[:MAX_ASKED] if text.isascii() and text.isdigit() and len(text) < 19]
    return JsonResponse({"seen": delivery.seen(user=user, ids=asked) if asked else 0})


@require_POST
@never_cache
def sound(request: HttpRequest) -> HttpResponse:
    """``minutes=``: no sound for so long; ``0``: it sounds again."""
    user: Any = request.user
    if refusal := _refusal(user):
        return refusal
    given = request.POST.get("minutes", "")
    minutes = int(given) if given.isascii() and given.isdigit() and len(given) < 4 else None
    if minutes is None or minutes not in (0, *MUTES_MIN):
        return JsonResponse({"error": _("Choose one of the times offered.")}, status=422)
    until = timezone.now() + timedelta(minutes=minutes) if minutes else None
    try:
        people.mute_sound(user=user, by=user, until=until)
    except DomainError as error:
        return JsonResponse({"error": error.message}, status=error.status)
    return JsonResponse({"muted_until": until.isoformat() if until else None})
