"""What a handover pack says, as plain values in the order in which it is told: identity, situation, background, assessment, requests,
safety, questions (ISBAR, with the safety and the questions of SMEACSQ). Names stand in both languages; words are made when it is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from accounts.models import Agency
from geography.models import Zone
from incidents.models import ImportRun, Incident, PipelineRun
from patrol.models import AidRequest, Assignment, Duty, Plan, PlanStop, RosterEntry, Sos, Unit, UnitPosition, Vehicle, WelfareCheck
from patrol.services.units import states_of

SECTIONS = ("identity", "situation", "background", "assessment", "requests", "safety", "questions")
LISTED = 60
LONG_DUTY_H = 12
# What the apps above have to tell: the section, and who tells it (agency, governorate, now). They register when they are ready.
TELLERS: list[tuple[str, Callable[..., dict[str, Any]]]] = []


def also_tells(section: str, teller: Callable[..., dict[str, Any]]) -> None:
    if (section, teller) not in TELLERS:
        TELLERS.append((section, teller))


def collect(*, agency: Agency, governorate: Zone, start: datetime, end: datetime, now: datetime) -> dict[str, dict[str, Any]]:
    """The facts of one agency in one governorate as of ``now``, section by section. ``questions`` holds none: it is for people."""
    here = {"agency": agency, "governorate": governorate}
    units = list(Unit.objects.active().filter(**here).select_related("vehicle", "last_position").order_by("call_sign"))
    facts: dict[str, dict[str, Any]] = {
        "identity": {
            "agency": [agency.name_en, agency.name_ar],
            "governorate": [governorate.name_en, governorate.name_ar],
            "from": start.isoformat(),
            "to": end.isoformat(),
        },
        "situation": _situation(here),
        "background": _background(here, start, min(end, now)),
        "assessment": _units(units) | _outages(here, units, start, now) | _plan(here, start, end, now),
        "requests": _requests(here, units, end, now),
        "safety": _safety(here, start, now),
        "questions": {},
    }
    for section, teller in TELLERS:
        facts[section] |= teller(agency=agency, governorate=governorate, now=now)
    return facts


def _situation(here: dict[str, Any]) -> dict[str, Any]:
    rows = Incident.objects.open().filter(**here)
    listed = rows.select_related("region", "type", "area").defer("search", "area__boundary").order_by("priority", "pk")[:LISTED]
    return {
        "open_incidents": rows.count(),
        "by_priority": _counts(rows, "priority"),
        "incidents": [
            {
                "ref": one.ref, "type": [one.type.name_en, one.type.name_ar], "priority": one.priority, "state": one.state,
                "area": [one.area.name_en, one.area.name_ar] if one.area is not None else None, "since": one.occurred_at.isoformat(),
            }
            for one in listed
        ],
    }  # fmt: skip


def _counts(rows: QuerySet[Any], field: str) -> dict[str, int]:
    found = rows.order_by().values_list(field).annotate(n=Count("pk")).values_list(field, "n")
    return {str(key): n for key, n in sorted(found, key=lambda pair: str(pair[0]))}


def _background(here: dict[str, Any], start: datetime, until: datetime) -> dict[str, Any]:
    incidents = Incident.objects.filter(**here)
    work = Assignment.objects.filter(agency=here["agency"], governorate=here["governorate"], ended_at__gte=start, ended_at__lt=until)
    calls = Sos.objects.filter(**here, received_at__gte=start, received_at__lt=until)
    return {
        "opened": incidents.filter(occurred_at__gte=start, occurred_at__lt=until).count(),
        "work_ended": _counts(work, "state"),
        "calls_ended": [
            {
                "call": sos.pk, "call_sign": sos.unit.call_sign if sos.unit else "", "outcome": sos.outcome,
                "withdrawn": sos.withdrawn_at is not None,
            }
            for sos in calls.exclude(ended_at=None).select_related("unit").order_by("pk")[:LISTED]
        ],
    }  # fmt: skip


def _units(units: list[Unit]) -> dict[str, Any]:
    states = states_of([unit.pk for unit in units])
    rows = [
        {
            "call_sign": unit.call_sign, "kind": unit.kind, "state": states[unit.pk].state, "since": _iso(states[unit.pk].since),
            "work": len(states[unit.pk].active), "out_of_service": states[unit.pk].out_of_service,
        }
        for unit in units
    ]  # fmt: skip
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row["state"])] = counts.get(str(row["state"]), 0) + 1
    return {"units": [row for row in rows if row["state"] != "off_duty"][:200], "units_by_state": dict(sorted(counts.items()))}


def _outages(here: dict[str, Any], units: list[Unit], start: datetime, now: datetime) -> dict[str, Any]:
    """What has gone silent or failed, as far as it is known: units on duty without a fresh position, imports and analyses that failed."""
    on_duty = set(Duty.objects.open().filter(unit__in=units).values_list("unit_id", flat=True))
    fresh_from = now - timedelta(seconds=settings.POSITION_STALE_S)
    last = dict(UnitPosition.objects.filter(unit__in=on_duty).values_list("unit_id", "at"))
    silent = [
        {"call_sign": unit.call_sign, "last": _iso(last.get(unit.pk))}
        for unit in units
        if unit.pk in on_duty and (unit.pk not in last or last[unit.pk] < fresh_from)
    ]
    failed = ImportRun.objects.filter(status="failed", started_at__gte=start, source__agency=here["agency"]).order_by("-pk")[:10]
    runs = PipelineRun.objects.filter(status="failed", started_at__gte=now - timedelta(hours=24)).order_by("-pk")[:10]
    return {
        "silent_positions": silent[:200],
        "failed_imports": [run.file_name for run in failed],
        "failed_runs": [run.key for run in runs],
    }


def _plan(here: dict[str, Any], start: datetime, end: datetime, now: datetime) -> dict[str, Any]:
    plans = Plan.objects.published().filter(**here)
    running = plans.filter(shift__starts_at__lt=end, shift__ends_at__gt=start).order_by("-pk").first()
    coming = (
        plans.filter(shift__starts_at__gte=end - timedelta(minutes=1), shift__starts_at__lt=end + timedelta(hours=12))
        .order_by("pk")
        .first()
    )
    if running is None:
        return {"plan": None, "next_plan": coming.version if coming is not None else None}
    stops = PlanStop.objects.filter(plan=running)
    reached = stops.filter(assignments__on_scene_at__isnull=False).distinct().count()
    past = stops.filter(leave_at__lt=now).count()
    return {
        "plan": {"version": running.version, "stops": stops.count(), "stops_past": past, "stops_reached": reached},
        "next_plan": coming.version if coming is not None else None,
    }


def _requests(here: dict[str, Any], units: list[Unit], end: datetime, now: datetime) -> dict[str, Any]:
    work = Assignment.objects.active(at=now).filter(agency=here["agency"], governorate=here["governorate"]).exclude(kind="stop")
    listed = work.select_related("unit", "incident__region").defer("incident__search").in_order()[:LISTED]
    crews = RosterEntry.objects.standing().filter(shift__agency=here["agency"], shift__governorate=here["governorate"])
    crews = crews.filter(starts_at__lte=end + timedelta(minutes=30), ends_at__gt=end + timedelta(minutes=30))
    manned = set(crews.exclude(unit=None).values_list("unit_id", flat=True))
    asked = AidRequest.objects.filter(ended_at=None, is_granted=None)
    aid = asked.filter(incident__agency=here["agency"], incident__governorate=here["governorate"])
    return {
        "open_work": work.count(),
        "work": [
            {
                "call_sign": one.unit.call_sign, "state": one.state, "since": _iso(one.assigned_at), "due": _iso(one.due_at),
                "what": one.incident.ref if one.incident is not None else one.title,
            }
            for one in listed
        ],
        "next_people": crews.values("member").distinct().count(),
        "next_units": len(manned),
        "next_unmanned": [unit.call_sign for unit in units if unit.pk not in manned][:200] if manned else [],
        "aid_waiting": aid.count(),
    }  # fmt: skip


def _safety(here: dict[str, Any], start: datetime, now: datetime) -> dict[str, Any]:
    agency, governorate = here["agency"], here["governorate"]
    calls = Sos.objects.filter(Q(governorate=governorate) | Q(unit__governorate=governorate), agency=agency)
    welfare = (
        WelfareCheck.objects.running().filter(unit__agency=agency, unit__governorate=governorate).select_related("unit").order_by("due_at")
    )
    long = Duty.objects.open().filter(agency=agency, governorate=governorate, member__isnull=False)
    long = long.filter(started_at__lt=now - timedelta(hours=LONG_DUTY_H))
    broken = Vehicle.objects.active().filter(**here).exclude(out_of_service="").order_by("fleet_number")
    return {
        "calls_open": [
            {
                "call": sos.pk, "call_sign": sos.unit.call_sign if sos.unit else "", "since": _iso(sos.pressed_at),
                "duress": sos.is_duress, "answered": sos.acknowledged_at is not None,
            }
            for sos in calls.open().select_related("unit")[:LISTED]
        ],
        "duress_in_shift": calls.filter(is_duress=True, received_at__gte=start).count(),
        "welfare_running": [
            {"call_sign": check.unit.call_sign, "due": _iso(check.due_at), "missed": check.escalated_at is not None}
            for check in welfare[:LISTED]
        ],
        "over_twelve_hours": long.count(),
        "vehicles_out": [{"number": one.fleet_number, "why": one.out_of_service} for one in broken[:LISTED]],
    }  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
