"""Plans, stops, tasks, driving and calls for help, counted from the tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q, Sum

from accounts.models import Agency
from geography.models import Zone
from patrol.models import Assignment, AssignmentState, Plan, PlanChange, Shift, Sos, UnitDay, WelfareCheck
from patrol.services.dosage.sums import Sums, lines, stops_of, total
from patrol.services.report.figures import METRES, SECONDS, SHARE, Figure, Line, Part
from patrol.services.report.window import Window


def plans(agency: Agency, governorate: Zone, days: Window) -> Part:
    """Shifts that begin in the window and their plans."""
    shifts = Shift.objects.filter(agency=agency, governorate=governorate, starts_at__gte=days.start, starts_at__lt=days.end)
    published = Plan.objects.filter(shift=OuterRef("pk"), state=Plan.State.PUBLISHED)
    found = shifts.aggregate(n=Count("pk"), planned=Count("pk", filter=Exists(published)))
    versions = Plan.objects.filter(shift__in=shifts).exclude(state=Plan.State.DISCARDED)
    superseded = versions.filter(state=Plan.State.SUPERSEDED).count()
    changes = PlanChange.objects.filter(plan__in=versions).count()
    return Part(
        "plans",
        (
            Figure("shifts", found["n"], page="roster"),
            Figure("shifts_with_plan", found["planned"], page="plans"),
            Figure("shifts_without_plan", found["n"] - found["planned"], page="plans"),
            Figure("plans_superseded", superseded, page="plans"),
            Figure("plan_changes", changes, page="plans"),
        ),
    )


def dosage(agency: Agency, governorate: Zone, days: Window) -> tuple[Part, Part]:
    """Stops planned and visited, and their minutes; by area."""
    stops = stops_of(agency=agency, governorate=governorate, start=days.start, end=days.end)
    whole = total(stops)
    there = f"by=stop&{days.query}"
    counts = ("stops", "measured", "waiting", "visited", "at_another_time", "not_visited", "not_known")
    by_area = sorted(lines(stops, "area"), key=lambda line: (-line.sums.planned_s, line.name)) if whole.stops else []
    return (
        Part("stops", tuple(Figure(key, getattr(whole, key), page="dosage", query=there) for key in counts)),
        Part(
            "dosage",
            (
                *_minutes(whole, days.query),
                *(Figure(f"{key}_share", _share(whole, key), SHARE, "dosage", days.query) for key in _OF_PLANNED),
            ),
            tuple(Line(line.key, line.name, _minutes(line.sums, f"by=cell&area={line.key}&{days.query}")) for line in by_area),
            ("dosage_provisional",) if whole.provisional else (),
        ),
    )


_OF_PLANNED = ("delivered", "absent", "unknown")


def _minutes(sums: Sums, query: str) -> tuple[Figure, ...]:
    known = sums.measured > 0
    names = ("planned_s", "delivered_s", "absent_s", "unknown_s", "beyond_s")
    return tuple(Figure(name, getattr(sums, name) if known else None, SECONDS, "dosage", query) for name in names)


def _share(sums: Sums, key: str) -> float | None:
    return getattr(sums, f"{key}_s") / sums.planned_s if sums.planned_s else None


_OUTCOMES = [state for state in AssignmentState.values if state not in ("assigned", "accepted", "en_route", "on_scene")]


def tasks(agency: Agency, governorate: Zone, days: Window) -> Part:
    """What the agency's units of the governorate were given in the window, by kind and what became of it."""
    rows = Assignment.objects.filter(
        unit__agency=agency, unit__governorate=governorate, assigned_at__gte=days.start, assigned_at__lt=days.end
    )
    counted: dict[tuple[str, str], int] = {
        (kind, state): n for kind, state, n in rows.order_by().values_list("kind", "state").annotate(n=Count("pk"))
    }

    def figures(kinds: list[str]) -> tuple[Figure, ...]:
        n = {state: sum(counted.get((kind, state), 0) for kind in kinds) for state in AssignmentState.values}
        ended = {key: n[key] for key in _OUTCOMES}
        found = {"given": sum(n.values()), "open": sum(n.values()) - sum(ended.values()), **ended}
        return tuple(Figure(key, value, page="tasks") for key, value in found.items())

    kinds = [kind for kind in Assignment.Kind.values if any(key == kind for key, _state in counted)]
    return Part(
        "tasks",
        figures(list(Assignment.Kind.values)),
        tuple(Line(kind, str(Assignment.Kind(kind).label), figures([kind])) for kind in kinds),
    )


def driving(agency: Agency, governorate: Zone, days: Window) -> Part:
    """Kilometres and time known from positions, of the units' days measured so far."""
    rows = UnitDay.objects.filter(unit__agency=agency, unit__governorate=governorate, day__gte=days.first, day__lte=days.last)
    sums: dict[str, Any] = rows.aggregate(
        n=Count("pk"),
        provisional=Count("pk", filter=Q(is_final=False)),
        **{name: Sum(name) for name in ("duty_s", "known_s", "metres", "positions", "doubted")},
    )
    has_any, duty = sums["n"] > 0, sums["duty_s"] or 0.0
    unknown = duty - sums["known_s"] if has_any else None
    return Part(
        "driving",
        (
            Figure("unit_days", sums["n"], page="units"),
            Figure("metres", sums["metres"], METRES, "units"),
            Figure("duty_s", sums["duty_s"], SECONDS, "units"),
            Figure("not_known_s", unknown, SECONDS, "units"),
            Figure("not_known_share", unknown / duty if duty and unknown is not None else None, SHARE, "units"),
            Figure("positions", sums["positions"], page="units"),
            Figure("doubted", sums["doubted"], page="units"),
        ),
        notes=("days_provisional",) if sums["provisional"] else () if has_any else ("days_not_measured",),
    )


def safety(agency: Agency, governorate: Zone, days: Window) -> Part:
    """Calls for help and welfare checks."""
    calls = Sos.objects.filter(agency=agency, received_at__gte=days.start, received_at__lt=days.end)
    calls = calls.filter(Q(governorate=governorate) | Q(governorate=None))
    waited = F("acknowledged_at") - F("received_at")
    found: dict[str, Any] = calls.aggregate(
        n=Count("pk"),
        answered=Count("acknowledged_at"),
        withdrawn=Count("withdrawn_at"),
        duress=Count("pk", filter=Q(is_duress=True)),
        longest=Max(waited),
    )
    times = sorted(
        (answered - received).total_seconds()
        for received, answered in calls.filter(acknowledged_at__isnull=False).values_list("received_at", "acknowledged_at")
    )
    checks: dict[str, int] = WelfareCheck.objects.filter(
        unit__agency=agency, unit__governorate=governorate, started_at__gte=days.start, started_at__lt=days.end
    ).aggregate(n=Count("pk"), warned=Count("warned_at"), missed=Count("escalated_at"))
    return Part(
        "safety",
        (
            Figure("calls", found["n"], page="sos"),
            Figure("calls_answered", found["answered"], page="sos"),
            Figure("calls_not_answered", found["n"] - found["answered"], page="sos"),
            Figure("calls_withdrawn", found["withdrawn"], page="sos"),
            Figure("calls_under_duress", found["duress"], page="sos"),
            Figure("answer_p50_s", _median(times), SECONDS, "sos"),
            Figure("answer_longest_s", found["longest"].total_seconds() if found["longest"] is not None else None, SECONDS, "sos"),
            Figure("welfare_checks", checks["n"], page="sos"),
            Figure("welfare_warned", checks["warned"], page="sos"),
            Figure("welfare_missed", checks["missed"], page="sos"),
        ),
    )


def _median(times: list[float]) -> float | None:
    if not times:
        return None
    middle = len(times) // 2
    return times[middle] if len(times) % 2 else (times[middle - 1] + times[middle]) / 2


def has_synthetic(agency: Agency, governorate: Zone, start: datetime, end: datetime) -> bool:
    here = {"agency": agency, "governorate": governorate}
    if Shift.objects.filter(**here, starts_at__lt=end, ends_at__gt=start, is_synthetic=True).exists():
        return True
    given = Assignment.objects.filter(unit__agency=agency, unit__governorate=governorate, assigned_at__gte=start, assigned_at__lt=end)
    return given.filter(is_synthetic=True).exists()
