"""The live unit board: the map and the list, one unit's panel, its track, and how long it would take to somewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency
from dashboard.unit_live import FIXED, MOVING, live_units
from dashboard.views.layers import answer, for_scripts, problem
from geography.models import Zone
from incidents.models import Incident
from patrol.models import Assignment, Doubt, Duty, Team, Unit, UnitKind
from patrol.services.positions import track
from patrol.services.travel import provider_for
from patrol.services.travel.words import provider_name, travel_note
from patrol.services.units import UnitStatus, state_of

TRACK_POINTS = 3_000
MOST_HOURS = 24
INCIDENTS_OFFERED = 40


def for_watchers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Where police cars are is for those who may watch units; their jurisdiction says which."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not getattr(request.user, "can", lambda _verb: False)("watch_units"):
            return problem(403, _("Your role does not allow this."))
        return view(request, *args, **kwargs)

    return for_scripts(wrapped)


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    if not getattr(request.user, "can", lambda _verb: False)("watch_units"):
        raise PermissionDenied(str(_("Your role does not allow this.")))
    mine = jurisdiction_of(request.user)
    whose = {"region__is_default": True} if mine.governorate_ids is None else {"pk__in": sorted(mine.governorate_ids)}
    governorates = Zone.objects.level(Zone.Level.GOVERNORATE).filter(**whose)
    agencies = Agency.objects.filter(units__is_active=True).distinct()
    agencies = agencies if mine.agency_ids is None else agencies.filter(pk__in=mine.agency_ids)
    teams = Team.objects.active().visible_to(request.user)
    config = {
        "fixed": FIXED,
        "moving": MOVING,
        "stale_s": settings.POSITION_STALE_S,
        "kinds": {value: str(label) for value, label in UnitKind.choices},
        "states": {value: str(label) for value, label in UnitStatus.choices},
        "work": {value: str(label) for value, label in Assignment.Kind.choices},
        "doubts": {value: str(label) for value, label in Doubt.choices if value},
        "texts": _texts(),
    }
    context = {
        "config": config,
        "states": UnitStatus.choices,
        "kinds": UnitKind.choices,
        "teams": list(teams),
        "governorates": list(governorates.defer("boundary").order_by("code")),
        "agencies": list(agencies.order_by("slug")),
        "unit": request.GET.get("unit", ""),
    }
    response = render(request, "dashboard/patrol/units.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@for_watchers
def live(request: HttpRequest) -> HttpResponse:
    """``?since=`` the cursor of the last answer: what changed. Without it, or with one of another process: everything."""
    return answer(request, live_units(request.user, since=request.GET.get("since", "")[:64]), "application/json")


@require_safe
@for_watchers
def panel(request: HttpRequest, pk: int) -> HttpResponse:
    """One unit: where it is, what it does, who is in it, and what may be asked of its track and its way."""
    unit = _unit(request, pk, Unit.objects.for_board())
    if unit is None:
        return problem(404, _("There is no such unit."))
    state = state_of(unit)
    work = Assignment.objects.open().filter(unit=unit).visible_to(request.user).select_related("incident__region", "incident__type")
    crew = Duty.objects.open().filter(unit=unit, member__isnull=False).select_related("member").order_by("started_at")
    incidents = Incident.objects.visible_to(request.user).open().located().select_related("region", "type").order_by("priority", "-pk")
    context = {
        "unit": unit,
        "state": state,
        "position": getattr(unit, "last_position", None),
        "work": list(work.in_order()[:20]),
        "crew": list(crew[:12]),
        "incidents": list(incidents.filter(governorate_id=unit.governorate_id)[:INCIDENTS_OFFERED]),
        "stale_s": settings.POSITION_STALE_S,
    }
    response = render(request, "dashboard/patrol/_unit_panel.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@for_watchers
def unit_track(request: HttpRequest, pk: int) -> HttpResponse:
    """The last hours (``?hours=``, 1 to 24) as columns, doubtful points named; thinned to what a screen can show."""
    unit = _unit(request, pk)
    if unit is None:
        return problem(404, _("There is no such unit."))
    hours = _number(request.GET.get("hours", "2"), 0.25, MOST_HOURS)
    if hours is None:
        return problem(422, _("Choose 1 to %(most)d hours.") % {"most": MOST_HOURS})
    end = timezone.now()
    whole = track(unit.pk, end - timedelta(hours=hours), end + timedelta(minutes=1))
    found = whole.thinned(TRACK_POINTS)
    body = {
        "unit": unit.pk,
        "total": len(whole),
        "at": found.at_s.round(1).tolist(),
        "lon": found.lon.round(6).tolist(),
        "lat": found.lat.round(6).tolist(),
        "speed": [None if speed != speed else round(speed) for speed in found.speed_kmh.tolist()],
        "doubt": found.doubt.tolist(),
        "believed": found.is_believed.tolist(),
    }
    return answer(request, orjson.dumps(body), "application/json")


@require_safe
@for_watchers
def eta(request: HttpRequest, pk: int) -> HttpResponse:
    """How long the unit would take to ``?incident=<id>`` or ``?lon=&lat=``, by the provider of its region, which is named."""
    unit = _unit(request, pk, Unit.objects.select_related("governorate__region", "last_position"))
    if unit is None:
        return problem(404, _("There is no such unit."))
    position = getattr(unit, "last_position", None)
    if position is None:
        return problem(409, _("This unit has never reported a position."))
    there = _destination(request)
    if there is None:
        return problem(404, _("There is no such place."))
    now = timezone.now()
    matrix = provider_for(unit.governorate.region).matrix([(position.location.x, position.location.y), there], at=now)
    seconds, metres = float(matrix.seconds[0, 1]), float(matrix.metres[0, 1])
    age_s = max(0, round((now - position.at).total_seconds()))
    return answer(
        request,
        orjson.dumps(
            {
                "seconds": round(seconds) if math.isfinite(seconds) else None,
                "metres": round(metres) if math.isfinite(metres) else None,
                "lon": there[0],
                "lat": there[1],
                "by": provider_name(matrix.name),
                "note": travel_note(matrix) if matrix.note else "",
                "age_s": age_s,
                "is_stale": age_s > settings.POSITION_STALE_S,
            }
        ),
        "application/json",
    )


def _unit(request: HttpRequest, pk: int, rows: Any = None) -> Unit | None:
    rows = Unit.objects.all() if rows is None else rows
    found: Unit | None = rows.filter(is_active=True).visible_to(request.user).filter(pk=pk).first()
    return found


def _destination(request: HttpRequest) -> tuple[float, float] | None:
    wanted = request.GET.get("incident", "")
    if wanted:
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 18):
            return None
        place = Incident.objects.visible_to(request.user).located().filter(pk=int(wanted)).values_list("location", flat=True).first()
        return None if place is None else (place.x, place.y)
    lon, lat = _number(request.GET.get("lon", ""), -180, 180), _number(request.GET.get("lat", ""), -90, 90)
    return None if lon is None or lat is None else (lon, lat)


def _number(text: str, least: float, most: float) -> float | None:
    try:
        value = float(text[:40])
    except ValueError:
        return None
    return value if least <= value <= most else None


def _texts() -> dict[str, str]:
    return {
        "seconds": _("{n} s"),
        "minutes": _("{n} min"),
        "hours": _("{n} h"),
        "days": _("{n} d"),
        "never": _("no position"),
        "stale": _("not fresh"),
        "silent": _("silent"),
        "shown": _("{shown} of {total} units"),
        "offline": _("No connection. Positions are from {age} ago."),
        "signedOut": _("You are signed out. Sign in again to go on."),
        "failed": _("The units could not be loaded."),
        "nobody": _("No unit matches."),
        "kmh": _("{n} km/h"),
        "noTrack": _("Nothing was reported in these hours."),
        "thinned": _("{shown} of {total} points"),
        "eta": _("{minutes} min, {km} km"),
        "etaNo": _("No way there is known."),
        "etaStale": _("from a place {age} old"),
        "point": _("Choose the place on the map"),
        "doubted": _("not believed"),
        "play": _("Play"),
        "pause": _("Pause"),
        "close": _("Close"),
    }
