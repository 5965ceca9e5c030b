"""Minutes planned, delivered, absent and unknown, summed by whatever a page asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from accounts.models import Agency
from geography.models import Zone
from patrol.models import PlanStop, Shift, Unit
from patrol.services.dosage.measuring import counted_stops

VISIT_S = 60.0  # so long inside the fence is a visit
BY = ("area", "cell", "shift", "unit", "stop")
_WAS_THERE = Q(dosage__delivered_s__gte=VISIT_S)
_WAS_THERE_LATER = ~_WAS_THERE & Q(dosage__beyond_s__gte=VISIT_S)
_NOT_KNOWN = ~_WAS_THERE & ~_WAS_THERE_LATER & Q(dosage__unknown_s__gt=F("dosage__planned_s") / 2)
_WAS_NOT = ~_WAS_THERE & ~_WAS_THERE_LATER & ~Q(dosage__unknown_s__gt=F("dosage__planned_s") / 2)
_SUMS: dict[str, Any] = {
    "stops": Count("pk"),
    "measured": Count("dosage"),
    "provisional": Count("pk", filter=Q(dosage__is_final=False)),
    "visited": Count("pk", filter=Q(dosage__isnull=False) & _WAS_THERE),
    "at_another_time": Count("pk", filter=Q(dosage__isnull=False) & _WAS_THERE_LATER),
    "not_known": Count("pk", filter=Q(dosage__isnull=False) & _NOT_KNOWN),
    "not_visited": Count("pk", filter=Q(dosage__isnull=False) & _WAS_NOT),
    **{name: Coalesce(Sum(f"dosage__{name}"), 0.0) for name in ("planned_s", "delivered_s", "absent_s", "unknown_s", "beyond_s")},
}


@dataclass(frozen=True)
class Sums:
    """Of ``stops`` so many are ``measured``; the others have not ended or wait. Each measured one is visited, visited at another time,
    not known or not visited. Seconds are those of the measured stops: planned = delivered + absent + unknown."""

    stops: int = 0
    measured: int = 0
    provisional: int = 0
    visited: int = 0
    at_another_time: int = 0
    not_known: int = 0
    not_visited: int = 0
    planned_s: float = 0.0
    delivered_s: float = 0.0
    absent_s: float = 0.0
    unknown_s: float = 0.0
    beyond_s: float = 0.0

    @property
    def waiting(self) -> int:
        return self.stops - self.measured

    @property
    def shares(self) -> dict[str, float]:
        """Of the planned seconds, in percent; all 0 where nothing was measured."""
        of = self.planned_s or 1.0
        return {name: 100 * getattr(self, f"{name}_s") / of for name in ("delivered", "absent", "unknown")}


@dataclass(frozen=True)
class Line:
    """``key`` is the row's id (or a cell's column:row), ``name`` what it is called; ``area`` where it lies, of stops and cells."""

    key: str
    name: str
    area: str
    sums: Sums
    stop: PlanStop | None = None
    shift: Shift | None = None


def stops_of(*, agency: Agency, governorate: Zone, start: datetime, end: datetime) -> QuerySet[PlanStop]:
    """The counted stops planned to begin between ``start`` and ``end``."""
    return counted_stops().filter(plan__agency=agency, plan__governorate=governorate, arrive_at__gte=start, arrive_at__lt=end)


def total(stops: QuerySet[PlanStop]) -> Sums:
    return Sums(**stops.order_by().aggregate(**_SUMS))


def lines(stops: QuerySet[PlanStop], by: str) -> list[Line]:
    """Summed by area, cell, shift or unit (whose positions were read, else whom it was planned for), in a fixed order."""
    if by == "stop":
        return list(stop_lines(stops))
    if by == "area":
        return _by_area(stops)
    if by == "cell":
        rows: Any = stops.order_by().values("place").annotate(first_area=Min("area"), **_SUMS).order_by("place")
        areas = Zone.objects.defer("boundary").in_bulk({row["first_area"] for row in rows} - {None})
        return [Line(row["place"], row["place"], _name(areas.get(row["first_area"])), _sums(row)) for row in rows]
    if by == "shift":
        rows = stops.order_by().values("plan__shift").annotate(**_SUMS).order_by("plan__shift__starts_at", "plan__shift")
        shifts = Shift.objects.select_related("pattern").in_bulk([row["plan__shift"] for row in rows])
        return [Line(str(pk := row["plan__shift"]), shifts[pk].pattern.name, "", _sums(row), shift=shifts[pk]) for row in rows]
    if by == "unit":
        rows = stops.order_by().values(who=Coalesce("dosage__unit", "route__unit")).annotate(**_SUMS).order_by("who")
        names = dict(Unit.objects.filter(pk__in=[row["who"] for row in rows]).values_list("pk", "call_sign"))
        found = [Line(str(row["who"]), names.get(row["who"], "?"), "", _sums(row)) for row in rows]
        return sorted(found, key=lambda line: line.name)
    raise ValueError(by)


def stop_lines(stops: QuerySet[PlanStop]) -> Iterator[Line]:
    """Each stop for itself, in the order of time, without holding a month of them."""
    rows = stops.select_related("dosage__unit", "route__unit", "area", "plan").defer("area__boundary").order_by("arrive_at", "pk")
    for stop in rows.iterator(chunk_size=2_000):
        found = getattr(stop, "dosage", None)
        unit = (found.unit if found is not None else None) or stop.route.unit
        yield Line(str(stop.pk), unit.call_sign, _name(stop.area), Sums(stops=1) if found is None else _of_one(found), stop)


def _of_one(found: Any) -> Sums:
    was = found.delivered_s >= VISIT_S
    later = not was and found.beyond_s >= VISIT_S
    unknown = not was and not later and found.unknown_s > found.planned_s / 2
    return Sums(
        1, 1, int(not found.is_final), int(was), int(later), int(unknown), int(not (was or later or unknown)),
        found.planned_s, found.delivered_s, found.absent_s, found.unknown_s, found.beyond_s,
    )  # fmt: skip


def _by_area(stops: QuerySet[PlanStop]) -> list[Line]:
    rows: Any = stops.order_by().values("area").annotate(**_SUMS).order_by("area")
    areas = Zone.objects.defer("boundary").in_bulk({row["area"] for row in rows} - {None})
    found = [Line(str(row["area"] or ""), _name(areas.get(row["area"])), "", _sums(row)) for row in rows]
    return sorted(found, key=lambda line: (line.name == "", line.name))


def _name(zone: Zone | None) -> str:
    return zone.name if zone is not None else ""


def _sums(row: dict[str, Any]) -> Sums:
    return Sums(**{field.name: row[field.name] for field in fields(Sums)})
