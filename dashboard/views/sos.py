"""Calls for help: the officer's press, and the command room's answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import DomainError, NotFound
from core.events import log_head
from dashboard.alarms import open_alarms, sos_facts
from dashboard.answers import fresh
from dashboard.sos_tokens import bearer_of
from patrol.models import Sos, Unit, WelfareCheck
from patrol.services import sos as calls
from patrol.services import welfare
from patrol.services.alarms import look_after

MAX_BODY = 8_192
SHOWN = 100


@csrf_exempt  # no cookie counts here: the token in the body does, which no other site has
@require_POST
@never_cache
def press(request: HttpRequest) -> HttpResponse:
    """A phone calls for help: ``{"token", "key", "pressed_at", "lon", "lat", "accuracy_m", "located_at", "silent"}``.

    Only the first two must be there; whatever else is wrong is left out, never refused.
    """
    told = _object_in(request)
    user = bearer_of(str(told.get("token", "")))
    if user is None:
        return JsonResponse({"error": _("Sign in again.")}, status=401)
    try:
        key = UUID(str(told.get("key", "")))
    except ValueError:
        return JsonResponse({"error": _("The call has no key.")}, status=422)
    location = calls.point_from(told.get("lon"), told.get("lat"))
    now = timezone.now()
    try:
        raised = calls.raise_sos(
            key=key,
            user=user,
            pressed_at=instant_from(told.get("pressed_at")) or now,
            location=location,
            accuracy_m=calls.metres_from(told.get("accuracy_m")),
            located_at=instant_from(told.get("located_at")),
            is_silent=told.get("silent") is True,
        )
    except DomainError as error:
        return JsonResponse({"error": error.message}, status=error.status)
    return JsonResponse({"id": raised.sos.pk, "key": str(raised.sos.key), "received_at": raised.sos.received_at.isoformat()})


def _object_in(request: HttpRequest) -> dict[str, Any]:
    try:
        told = orjson.loads(request.body) if len(request.body) <= MAX_BODY else None
    except orjson.JSONDecodeError:
        told = None
    return told if isinstance(told, dict) else {}


def instant_from(text: object) -> datetime | None:
    """A moment as a phone wrote it, in UTC; ``None`` for anything else."""
    try:
        at = parse_datetime(text) if isinstance(text, str) and len(text) < 40 else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


@require_safe
@never_cache
def open_now(request: HttpRequest) -> HttpResponse:
    """What each command screen asks every few seconds, whatever else works: the rows themselves. It also sees to what is due."""
    user = request.user
    if not isinstance(user, User):
        return JsonResponse({"error": _("Sign in.")}, status=401)
    if not user.can("answer_sos"):
        return JsonResponse({"error": _("Your role does not allow this.")}, status=403)
    look_after()
    head = log_head()  # before the rows
    wanted = request.GET.get("lang", "")
    with translation.override(wanted if wanted in ("ar", "en") else translation.get_language()):
        return JsonResponse({"head": head, "now": timezone.now().isoformat(), "alarms": open_alarms(user)})


def _may_watch(request: HttpRequest) -> bool:
    user = request.user
    return isinstance(user, User) and (user.can("answer_sos") or user.can("watch_units"))


def find(request: HttpRequest, pk: int) -> Sos:
    found = Sos.objects.visible_to(request.user).filter(pk=pk).for_screen().first() if _may_watch(request) else None
    if found is None:
        raise Http404(_("There is no such call."))
    return found


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Calls running and past, and the welfare timers."""
    if not _may_watch(request):
        raise Http404
    rows = Sos.objects.visible_to(request.user).for_screen()
    timers = WelfareCheck.objects.running().visible_to(request.user).for_screen().order_by("due_at")
    units = Unit.objects.visible_to(request.user).on_duty().exclude(welfare__ended_at=None, welfare__isnull=False).select_related("agency")
    answers = getattr(request.user, "can", lambda _verb: False)
    context = {
        "running": [(sos, sos_facts(sos)) for sos in rows.open()],
        "past": [(sos, sos_facts(sos)) for sos in rows.exclude(ended_at=None)[:SHOWN]],
        "timers": timers,
        "units": units.order_by("call_sign")[:500] if answers("dispatch") else (),
        "may_dispatch": answers("dispatch"),
        "may_answer": answers("answer_sos"),
        "default_minutes": welfare.DEFAULT_MINUTES,
        "now": timezone.now(),
    }
    return fresh(request, "dashboard/patrol/sos.html", context)


@login_required
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    return _one(request, find(request, pk))


def _one(request: HttpRequest, sos: Sos, problem: str = "", status: int = 200) -> HttpResponse:
    context = {"sos": sos, "facts": sos_facts(sos), "may_answer": calls.may_answer(request.user, sos), "problem": problem}
    return fresh(request, "dashboard/patrol/sos_one.html", context, status)


@login_required
@require_POST
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Acknowledge. From the alarm itself (JSON) or from the page."""
    sos = find(request, pk)
    try:
        calls.acknowledge_sos(sos=sos, by=request.user)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        if _wants_json(request):
            return JsonResponse({"error": error.message, "alarm": sos_facts(find(request, pk))}, status=error.status)
        return _one(request, find(request, pk), error.message, error.status)
    if _wants_json(request):
        return JsonResponse({"alarm": sos_facts(find(request, pk))})
    messages.success(request, _("You have answered this call."))
    return redirect("sos-one", pk=pk)


@login_required
@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    sos = find(request, pk)
    try:
        calls.end_sos(sos=sos, by=request.user, outcome=request.POST.get("outcome", ""))  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _one(request, find(request, pk), error.message, error.status)
    messages.success(request, _("The call is ended."))
    return redirect("sos-one", pk=pk)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


# --- welfare timers --------------------------------------------------------------------------------------------------


def _find_check(request: HttpRequest, pk: int) -> WelfareCheck:
    found = WelfareCheck.objects.visible_to(request.user).filter(pk=pk).select_related("unit").first() if _may_watch(request) else None
    if found is None:
        raise Http404(_("There is no such timer."))
    return found


@login_required
@require_POST
def welfare_heard(request: HttpRequest, pk: int) -> HttpResponse:
    """The command side has heard from the unit: all is well."""
    check = _find_check(request, pk)
    return _done(request, lambda: welfare.answer_welfare(check=check, by=request.user), _("Noted: all is well."))  # type: ignore[arg-type]


@login_required
@require_POST
def welfare_end(request: HttpRequest, pk: int) -> HttpResponse:
    check = _find_check(request, pk)
    because = request.POST.get("because", "")
    return _done(request, lambda: welfare.end_welfare(check=check, by=request.user, because=because), _("The timer is ended."))  # type: ignore[arg-type]


@login_required
@require_POST
def welfare_start(request: HttpRequest) -> HttpResponse:
    given, minutes = request.POST.get("unit", ""), request.POST.get("minutes", "")
    unit = Unit.objects.visible_to(request.user).filter(pk=int(given)).first() if _is_number(given) and _may_watch(request) else None
    if unit is None:
        raise Http404(_("There is no such unit."))
    wanted = int(minutes) if _is_number(minutes) else None
    return _done(request, lambda: welfare.start_welfare(unit=unit, by=request.user, minutes=wanted), _("The timer runs."))  # type: ignore[arg-type]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 18


def _done(request: HttpRequest, do: Any, said: str) -> HttpResponse:
    try:
        do()
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        if _wants_json(request):
            return JsonResponse({"error": error.message}, status=error.status)
        messages.error(request, error.message)
    else:
        if _wants_json(request):
            return JsonResponse({"done": True})
        messages.success(request, said)
    return redirect("sos")
