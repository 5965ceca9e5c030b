"""The signed link of a message: reading it changes nothing (scanners of mail open every link), pressing the button acknowledges."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from alerts.models import AlertState, Level, Page
from alerts.services.delivery import acknowledge_by_link, page_of
from core.errors import DomainError


@csrf_exempt  # no cookie counts here: the token in the address does, which no other site has
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Without a session, on whatever phone the message came to. Shows the one alert, in the language of the one it was sent to."""
    found = page_of(token)
    if found is None:
        return _shown(request, {}, status=404)
    who = found.user or found.contact
    with translation.override(who.language if who is not None else "ar"):
        problem, status, is_done = "", 200, False
        if request.method == "POST":
            try:
                acknowledge_by_link(token=token)
                is_done = True
            except DomainError as error:
                problem, status = error.message, error.status
            found = page_of(token) or found
        facts = {"page": found, "alert": found.alert, "problem": problem, "is_done": is_done, "may": _may(found), "who": who}
        facts["severity"] = Level(found.alert.level).rank + 1
        return _shown(request, facts, status=status)


def _may(page: Page) -> bool:
    return page.alert.state == AlertState.FIRING and page.code_expires_at > timezone.now()


def _shown(request: HttpRequest, facts: dict[str, Any], *, status: int = 200) -> HttpResponse:
    response = render(request, "dashboard/alerts/link.html", facts, status=status)
    response["Referrer-Policy"] = "no-referrer"  # the address is the secret
    response["X-Robots-Tag"] = "noindex"
    return response
