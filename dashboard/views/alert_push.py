"""A person's browser says that it takes push messages, or no longer; and the worker that shows them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from alerts.services import push
from core.errors import DomainError

MOST_BYTES = 8192


def _told(request: HttpRequest) -> dict[str, Any]:
    try:
        told = orjson.loads(request.body) if len(request.body) <= MOST_BYTES else None
    except orjson.JSONDecodeError:
        told = None
    return told if isinstance(told, dict) else {}


@login_required
@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    told = _told(request)
    keys = told.get("keys")
    keys = keys if isinstance(keys, dict) else {}
    try:
        push.subscribe(
            user=request.user, endpoint=str(told.get("endpoint", "")), p256dh=str(keys.get("p256dh", "")), auth=str(keys.get("auth", "")),
            browser=str(told.get("browser", "")),
        )  # fmt: skip
    except DomainError as error:
        return JsonResponse({"error": error.message}, status=error.status)
    return JsonResponse({"done": True})


@login_required
@require_POST
def unsubscribe(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    return JsonResponse({"done": push.unsubscribe(user=request.user, endpoint=str(_told(request).get("endpoint", "")))})


@cache
def _source() -> str:
    return (Path(settings.BASE_DIR) / "static/js/alerts/push_worker.js").read_text(encoding="utf-8")


def _texts() -> dict[str, dict[str, str]]:
    found = {}
    for language in ("ar", "en"):
        with translation.override(language):
            found[language] = {
                "title": _("An alert of Khareetaty"),
                "acknowledge": _("Acknowledge"),
                "failed": _("Not acknowledged: the site could not be reached. Open the alert."),
            }
    return found


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """From its own address, so that its scope is /alerts/push/ and nothing else. It holds no fact and asks no session: browsers renew it
    by themselves, signed in or not."""
    source = f"const TEXTS = {orjson.dumps(_texts()).decode()};\n{_source()}"
    answer = HttpResponse(source, content_type="text/javascript; charset=utf-8")
    answer["Cache-Control"] = "no-cache"
    return answer
