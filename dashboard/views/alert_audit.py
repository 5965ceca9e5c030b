"""Whether alerts leave in time: for a watch outside, and for the banner on every page."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alerts.services.escalation import auditor


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while nothing is late by more than half a minute, else 503. Counts and ages alone: nobody needs to sign in for them."""
    try:
        is_well, facts = auditor.health()
    except DatabaseError:
        return JsonResponse({"ok": False, "late": None, "database": "unreachable"}, status=503)
    return JsonResponse({"ok": is_well, **facts}, status=200 if is_well else 503)


@require_safe
@never_cache
@login_required
def late(request: HttpRequest) -> HttpResponse:
    """What the banner shows. Asking is also what finds it out when pager, worker and beat are all dead."""
    found = auditor.look_if_due()
    if not found.is_late:
        return JsonResponse({"late": False, "text": "", "lines": [], "oldest_s": 0})
    seconds = round(found.oldest_s)
    text = ngettext(
        "Alerts are late: the oldest by %(n)d second. Tell people by phone and radio.",
        "Alerts are late: the oldest by %(n)d seconds. Tell people by phone and radio.",
        seconds,
    ) % {"n": seconds}
    return JsonResponse({"late": True, "text": text, "lines": auditor.words_of(found), "oldest_s": found.oldest_s})
