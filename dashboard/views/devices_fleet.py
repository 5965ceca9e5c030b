"""The fleet's health, and how the streams of readings stand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import redis
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import DomainError
from dashboard.answers import fresh
from dashboard.fleet import fleet_of
from dashboard.views.devices import see_devices
from iot.models import DeadReading
from iot.services.dead_letters import MOST_AT_ONCE, dead_letters, put_back_dead, sees_dead_letters
from iot.services.feeds import Feeds, feeds

SHOWN = 50
DAYS = 7


@login_required
@require_safe
def fleet(request: HttpRequest) -> HttpResponse:
    return fresh(request, "dashboard/devices/fleet.html", {"fleet": fleet_of(see_devices(request))})


@login_required
@require_safe
def streams(request: HttpRequest) -> HttpResponse:
    person = see_devices(request)
    sees_all = sees_dead_letters(person)
    return fresh(request, "dashboard/devices/streams.html", {**_standing(sees_all), **_refused(person), "sees_all": sees_all,
        "may_put_back": sees_all and person.can("manage_devices"), "most_at_once": MOST_AT_ONCE, "now": timezone.now()})  # fmt: skip


@login_required
@require_POST
def put_back(request: HttpRequest) -> HttpResponse:
    """A door: parse, call, say what came of it."""
    person = see_devices(request)
    try:
        done = put_back_dead(by=person, ids=request.POST.getlist("id")[: MOST_AT_ONCE + 1], reason=request.POST.get("reason", "")[:400])
    except DomainError as refusal:
        fields = getattr(refusal, "fields", None) or {}
        messages.error(request, " ".join([refusal.message, *map(str, fields.values())]))
    except redis.RedisError:
        messages.error(request, _("The streams do not answer. Nothing was moved."))
    else:
        told = {"n": done.entries, "readings": f"{done.readings:,}", "left": done.left}
        messages.success(
            request,
            ngettext(
                "%(n)d entry with %(readings)s readings waits to be written again; %(left)d are left.",
                "%(n)d entries with %(readings)s readings wait to be written again; %(left)d are left.",
                done.entries,
            )
            % told,
        )
    return redirect("streams")


def _standing(sees_all: bool) -> dict[str, Any]:
    try:
        return {"feeds": feeds(), "letters": dead_letters() if sees_all else []}
    except redis.RedisError:
        return {"feeds": Feeds([], is_away=True), "letters": []}


def _refused(person: User) -> dict[str, Any]:
    """Readings that could not be taken, of the last days and of this person's devices: why, and the newest."""
    rows: Any = DeadReading.objects.visible_to(person).filter(last_at__gt=timezone.now() - timedelta(days=DAYS))
    counted = rows.order_by().values("why").annotate(total=Sum("n")).order_by("-total")
    reasons = [(DeadReading.Why(row["why"]).label, row["total"]) for row in counted]
    return {"reasons": reasons, "refused": list(rows.select_related("device").order_by("-last_at")[:SHOWN])}
