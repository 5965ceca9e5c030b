"""The page of channels: what this site can say, by what, and whether it works tonight."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from alerts.choices import Channel
from alerts.models import ContactMethod
from alerts.services import channels
from core.errors import DomainError

LOCAL = {"127.0.0.1", "localhost", "::1"}
GOING = {"pending", "sending"}


@login_required
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/alerts/channels.html", _context(_viewer(request)))


@login_required
@require_safe
@never_cache
def part(request: HttpRequest) -> HttpResponse:
    """The same list without the frame, asked for again while a test is under way."""
    return render(request, "dashboard/alerts/_channels.html", _context(_viewer(request)))


def _viewer(request: HttpRequest) -> User:
    if not isinstance(request.user, User) or not request.user.can("see_alerts"):
        raise Http404
    return request.user


def _context(user: User) -> dict[str, Any]:
    channels.look_at_health()
    tests = channels.own_tests(user)
    return {
        "lines": channels.states(),
        "tests": tests,
        "is_testing": any(one.state in GOING for one in tests[:3]),
        "may_manage": user.can("manage_alerts"),
        "webhooks": sorted(settings.ALERT_WEBHOOKS),
        "mail_folder": settings.EMAIL_URL.removeprefix("filemail://") if settings.EMAIL_URL.startswith("filemail:") else "",
        "public_url": settings.PUBLIC_URL,
        "is_local": urlsplit(settings.PUBLIC_URL).hostname in LOCAL,
    }


@login_required
@require_POST
def act(request: HttpRequest, channel: str, verb: str) -> HttpResponse:
    user = _viewer(request)
    if channel not in Channel.values:
        raise Http404
    try:
        if verb == "test":
            _try(request, user, channel)
        elif verb == "off":
            channels.switch_off(by=user, channel=channel, because=request.POST.get("because", ""))
            messages.success(request, _("The channel is switched off."))
        else:
            channels.switch_on(by=user, channel=channel)
            messages.success(request, _("The channel is switched on again."))
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("channels")


def _try(request: HttpRequest, user: User, channel: str) -> None:
    given = request.POST.get("method", "")
    method = None
    if given:
        known = ContactMethod.objects.select_related("contact")
        method = known.filter(pk=int(given)).first() if given.isdecimal() and len(given) < 19 else None
        if method is None:
            raise Http404
    channels.send_test(by=user, channel=channel, method=method, name=request.POST.get("name", "")[:64])
    messages.success(request, _("The test is on its way. What becomes of it is shown below."))
