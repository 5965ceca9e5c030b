"""Deliveries: what did not arrive and why, what is under way, how each channel does; and sending one again by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from alerts.models import Channel, Delivery
from alerts.services.delivery import channel_figures, retry
from core.errors import DomainError, NotFound
from dashboard.answers import person_of
from dashboard.deliveries import PAGE_SIZE, SHOWS, SPAN_NAMES, Asked, lines_of


@login_required
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/alerts/deliveries.html", _facts(request))


def _facts(request: HttpRequest) -> dict[str, Any]:
    user = person_of(request)
    if not user.can("see_alerts"):
        raise Http404
    asked, now = Asked.of(request.GET), timezone.now()
    lines = lines_of(asked.rows(user, now)[: PAGE_SIZE + 1], user, now)
    more = len(lines) > PAGE_SIZE
    lines = lines[:PAGE_SIZE]
    return {
        "asked": asked,
        "lines": lines,
        "older": asked.query(before=lines[-1].delivery.pk) if more else "",
        "shows": [(name, text, asked.query(show=name)) for name, text in SHOWS.items()],
        "spans": SPAN_NAMES.items(),
        "channels": Channel.choices,
        "figures": channel_figures(user, asked.since(now), now),
        "query": asked.query(),
    }


@login_required
@require_POST
def again(request: HttpRequest, pk: str) -> HttpResponse:
    user = person_of(request)
    found = Delivery.objects.visible_to(user).select_related("alert", "page").filter(pk=int(pk)).first() if user.can("see_alerts") else None
    if found is None:
        raise Http404(_("There is no such delivery."))
    try:
        retry(delivery=found, by=user)
        messages.success(request, _("It is being sent again."))
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, error.message)
    return redirect(f"{reverse('deliveries')}?{Asked.of(request.GET).query()}")
