"""The officer's phone: its page, what it shows, what it sends, and the worker that keeps the page through a tunnel."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.sign_in import confirm_password
from core.errors import DomainError, NotFound
from core.version import code_version
from dashboard.shift import shift_facts
from dashboard.shift_texts import shift_texts
from dashboard.sos_tokens import token_for
from dashboard.views.sos import instant_from
from patrol.models import Sos
from patrol.permissions import may
from patrol.services import field
from patrol.services import sos as calls

MOST_ACTIONS = 50
MAX_BODY = 64 * 1024
# What the page stands on, kept by its worker.
ASSETS = (
    "css/tokens.css", "css/base.css", "css/components.css", "css/patrol_shift.css", "js/ui.js", "js/patrol/shift.js",
    "js/patrol/shift_outbox.js", "js/patrol/shift_sos.js", "js/patrol/shift_view.js", "js/patrol/shift_position.js",
    "img/icons.svg", "img/mark.svg", "vendor/htmx/htmx.min.js",
    "vendor/fonts/ibm-plex-sans-latin-400-normal.woff2", "vendor/fonts/ibm-plex-sans-latin-600-normal.woff2",
    "vendor/fonts/ibm-plex-sans-arabic-arabic-400-normal.woff2", "vendor/fonts/ibm-plex-sans-arabic-arabic-600-normal.woff2",
)  # fmt: skip


def _officer(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User) or not may(user, "act_in_field"):
        raise Http404
    return user


@login_required
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """A shell without a single fact of the shift: its worker keeps it, and no old state can be taken for a new one."""
    user = _officer(request)
    context = {"sos_token": token_for(user), "may_call": may(user, "raise_sos"), "texts": shift_texts()}
    return render(request, "dashboard/patrol/shift.html", context)


@require_safe
@never_cache
def state(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("Sign in.")}, status=401)
    user = _officer(request)
    return JsonResponse(shift_facts(user) | {"sos_token": token_for(user)})


@require_POST
@never_cache
def actions(request: HttpRequest) -> HttpResponse:
    """``{"actions": [{"key", "verb", "at", …}]}``, in their order: each answered by itself, then how things stand."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("Sign in.")}, status=401)
    user = _officer(request)
    told = _told(request)
    if told is None:
        return JsonResponse({"error": _("A list of 1 to 50 actions.")}, status=422)
    answers = [_act(user, one) for one in told]
    return JsonResponse({"answers": answers, "state": shift_facts(user)})


def _told(request: HttpRequest) -> list[Any] | None:
    try:
        body = orjson.loads(request.body) if len(request.body) <= MAX_BODY else None
    except orjson.JSONDecodeError:
        return None
    told = body.get("actions") if isinstance(body, dict) else None
    return told if isinstance(told, list) and 1 <= len(told) <= MOST_ACTIONS else None


def _act(user: User, one: Any) -> dict[str, Any]:
    if not isinstance(one, dict):
        return {"key": None, "result": "refused", "message": _("This cannot be read."), "code": "invalid"}
    try:
        key = UUID(str(one.get("key", "")))
    except ValueError:
        return {"key": one.get("key"), "result": "refused", "message": _("This cannot be read."), "code": "invalid"}
    facts = {name: value for name, value in one.items() if name in ("assignment", "to", "stop", "check", "unit")}
    at = instant_from(one.get("at")) or timezone.now()
    answer = field.act(key=key, user=user, verb=str(one.get("verb", ""))[:32], at=at, **facts)
    return {"key": str(key), "result": answer.result, "message": answer.message, "code": answer.code}


@sensitive_post_parameters()
@require_POST
@never_cache
def codes(request: HttpRequest) -> HttpResponse:
    """The person's two codes, with their password."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("Sign in.")}, status=401)
    user = _officer(request)
    try:
        confirm_password(request, request.POST.get("password", ""))
        calls.set_codes(user=user, code=request.POST.get("code", "")[:64], duress_code=request.POST.get("duress_code", "")[:64])
    except DomainError as error:
        return JsonResponse({"error": error.message, "fields": error.fields}, status=error.status)
    return JsonResponse({"done": True})


@sensitive_post_parameters()
@require_POST
@never_cache
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """The caller's code for one call. The answer is the same for the own and the duress code, to the byte."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("Sign in.")}, status=401)
    sos = Sos.objects.filter(pk=pk, user=_officer(request)).first()
    if sos is None:
        raise Http404
    try:
        taken = calls.withdraw_sos(sos=sos, user=request.user, code=request.POST.get("code", ""))
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return JsonResponse({"error": error.message}, status=error.status)
    if not taken:
        return JsonResponse({"error": _("This code is wrong.")}, status=422)
    return JsonResponse({"done": True})


@cache
def _worker() -> str:
    return (Path(settings.BASE_DIR) / "static/js/patrol/service_worker.js").read_text(encoding="utf-8")


@require_safe
@never_cache
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker, from its own address so that its scope is this page and nothing else. A new version of anything is a new one."""
    files = [static(name) for name in ASSETS]
    version = hashlib.sha256(orjson.dumps([code_version(), files, _stamp()])).hexdigest()[:16]
    head = f"const VERSION = {orjson.dumps(version).decode()};\nconst FILES = {orjson.dumps(files).decode()};\n"
    return HttpResponse(head + _worker(), content_type="text/javascript; charset=utf-8")


def _stamp() -> list[int]:
    """When the files were last changed: the version while one works on them."""
    root = Path(settings.BASE_DIR) / "static"
    return [int((root / name).stat().st_mtime) for name in ASSETS if (root / name).exists()]
