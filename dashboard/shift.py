"""What an officer's phone shows of their shift, as plain values: the phone keeps them for the tunnel, and says of when they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from dashboard.words import TACTICS, said
from incidents.models import Incident
from patrol.lifecycle import TIME_COLUMN, WAY, rank
from patrol.models import Assignment, Duty, Member, PlanRoute, PlanStop, RosterEntry, Unit, WelfareCheck
from patrol.services.sos import own_calls
from patrol.services.units import state_of
from patrol.services.welfare import warning_before

STEPS = ("accepted", "en_route", "on_scene", "done")


def shift_facts(user: User) -> dict[str, Any]:
    """Everything the phone needs until it is heard of again."""
    now = timezone.now()
    member = Member.objects.active().filter(user=user).first()
    duty = Duty.objects.open().filter(member=member).select_related("unit").first() if member is not None else None
    unit = duty.unit if duty is not None else None
    route = _route_of(unit, now) if unit is not None else None
    return {
        "now": _iso(now),
        "user": user.pk,
        "who": str(member or user),
        "is_member": member is not None,
        "has_codes": bool(member is not None and member.sos_code and member.duress_code),
        "duty": _duty(duty) if duty is not None else None,
        "roster": _next_entry(member, now) if member is not None else None,
        "units": _units(member) if member is not None and duty is None else [],
        "state": _state(unit) if unit is not None else None,
        "assignments": _assignments(unit, user) if unit is not None else [],
        "stops": _stops(route) if route is not None else [],
        "break": [_iso(route.break_from), _iso(route.break_to)] if route is not None and route.break_from else None,
        "welfare": _welfare(unit) if unit is not None else None,
        "calls": [
            {"id": sos.pk, "key": str(sos.key), "received_at": _iso(sos.received_at), "answered_by": str(sos.acknowledged_by or "")}
            for sos in own_calls(user)
        ],
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at is not None else None


def _duty(duty: Duty) -> dict[str, Any]:
    return {
        "since": _iso(duty.started_at),
        "until": _iso(duty.expected_until),
        "unit": {"id": duty.unit.pk, "call_sign": duty.unit.call_sign} if duty.unit is not None else None,
    }


def _next_entry(member: Member, now: datetime) -> dict[str, Any] | None:
    rows = RosterEntry.objects.standing().filter(member=member, ends_at__gt=now).select_related("unit").order_by("starts_at")
    entry = rows.first()
    if entry is None:
        return None
    sign = entry.unit.call_sign if entry.unit is not None else ""
    return {"from": _iso(entry.starts_at), "to": _iso(entry.ends_at), "unit": entry.unit_id, "call_sign": sign}


def _units(member: Member) -> list[dict[str, Any]]:
    """Those one may go on duty with: of the own station, else of the governorate."""
    rows = Unit.objects.active().filter(agency=member.agency_id, governorate=member.governorate_id).order_by("call_sign")
    if member.station_id is not None and rows.filter(station=member.station_id).exists():
        rows = rows.filter(station=member.station_id)
    return [{"id": unit.pk, "call_sign": unit.call_sign} for unit in rows[:100]]


def _state(unit: Unit) -> dict[str, Any]:
    state = state_of(unit)
    return {"state": state.state, "label": state.label, "since": _iso(state.since)}


def _assignments(unit: Unit, user: User) -> list[dict[str, Any]]:
    rows = Assignment.objects.active().filter(unit=unit).exclude(kind="stop").in_order()
    rows = rows.select_related("incident__region", "incident__type", "incident__area")
    found = list(rows.defer("incident__search", "incident__area__boundary")[:50])
    ids = [one.incident_id for one in found if one.incident_id]
    open_to_me = set(Incident.objects.visible_to(user).filter(pk__in=ids).values_list("pk", flat=True))
    return [_assignment(one, is_open_to_me=one.incident_id in open_to_me) for one in found]


def _assignment(one: Assignment, *, is_open_to_me: bool) -> dict[str, Any]:
    incident = one.incident
    place = one.location or (incident.location if incident is not None else None)
    return {
        "id": one.pk,
        "kind": one.kind,
        "title": one.title or (str(incident.type) if incident is not None else one.get_kind_display()),
        "ref": incident.ref if incident is not None else "",
        "url": reverse("incident", args=[incident.ref]) if incident is not None and is_open_to_me else "",
        "what": incident.description[:500] if incident is not None and is_open_to_me else one.note[:500],
        "area": incident.area.name if incident is not None and incident.area is not None else "",
        "priority": one.priority,
        "state": one.state,
        "label": one.get_state_display(),
        "since": _iso(getattr(one, TIME_COLUMN[one.state])),
        "next": [step for step in STEPS if rank(step) > WAY.index(one.state)],
        "lon": place.x if place else None,
        "lat": place.y if place else None,
        "radius_m": one.radius_m,
        "due": _iso(one.due_at),
    }


def _route_of(unit: Unit, now: datetime) -> PlanRoute | None:
    """The unit's route in the published plan of the shift that runs, or of the next within two hours."""
    rows = PlanRoute.objects.filter(unit=unit, plan__state="published", ends_at__gt=now - timedelta(minutes=30))
    return rows.filter(starts_at__lte=now + timedelta(hours=2)).order_by("starts_at").first()


def _stops(route: PlanRoute) -> list[dict[str, Any]]:
    rows = PlanStop.objects.filter(route=route).select_related("area").defer("area__boundary").order_by("sequence")
    stops = list(rows[:200])
    given = {one.plan_stop_id: one for one in Assignment.objects.filter(plan_stop__in=stops, unit=route.unit_id).order_by("pk")}
    return [_stop(stop, given.get(stop.pk)) for stop in stops]


def _stop(stop: PlanStop, given: Assignment | None) -> dict[str, Any]:
    return {
        "id": stop.pk,
        "number": stop.sequence,
        "area": stop.area.name if stop.area is not None else "",
        "lon": stop.location.x,
        "lat": stop.location.y,
        "radius_m": stop.radius_m,
        "arrive": _iso(stop.arrive_at),
        "leave": _iso(stop.leave_at),
        "seconds": round((stop.leave_at - stop.arrive_at).total_seconds()),
        "why": _("Drawn by chance") if stop.reason == "explore" else "",
        "tactics": [said(TACTICS, code) for code in stop.tactics],
        "state": given.state if given is not None else "",
        "arrived": _iso(given.on_scene_at) if given is not None else None,
        "left": _iso(given.ended_at) if given is not None else None,
    }


def _welfare(unit: Unit) -> dict[str, Any] | None:
    check = WelfareCheck.objects.running().filter(unit=unit).first()
    if check is None:
        return None
    warn = check.due_at - warning_before(check.minutes)
    is_missed = check.escalated_at is not None
    return {"id": check.pk, "due": _iso(check.due_at), "warn": _iso(warn), "minutes": check.minutes, "is_missed": is_missed}
