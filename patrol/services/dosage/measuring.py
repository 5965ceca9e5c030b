"""Each planned stop that has ended, measured against the positions of the unit it was given to; again until the shift is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from patrol.analytics.dosage import Dosage, Fence, dosage
from patrol.models import Assignment, Plan, PlanStop, StopDosage
from patrol.services.dosage.reading import REACH, fixes_of, instant, metres_of, ms

GRACE = timedelta(minutes=15)  # positions sent late, by a phone that was in a tunnel
BEYOND = timedelta(hours=1)  # how far around its planned minutes a visit is still one to this stop
LOOK_BACK = timedelta(days=7)  # a shift that nobody measured for so long is measured when asked for by name
_WRITTEN = [
    "unit", "planned_s", "delivered_s", "absent_s", "unknown_s", "beyond_s", "positions", "too_blunt", "first_inside_at", "last_inside_at",
    "measured_at", "is_final",
]  # fmt: skip


@dataclass(frozen=True)
class Measured:
    plans: int
    stops: int
    final: int


def counted_plans() -> Any:
    """The plans whose stops are reported: of each shift the version in force."""
    return Plan.objects.filter(state=Plan.State.PUBLISHED)


def measure_stops(*, plan: Plan | None = None, now: datetime) -> Measured:
    """Write the dosage of stops that have ended by ``now``: provisional while late positions may come, final ``GRACE`` after the shift.

    What is final is left as it is. Without ``plan``: every published plan of a shift of the last days. Safe to run twice and at once: a
    plan is measured by one at a time.
    """
    rows = Plan.objects.filter(pk=plan.pk) if plan is not None else counted_plans().filter(shift__ends_at__gte=now - LOOK_BACK)
    unmeasured = PlanStop.objects.filter(Q(dosage=None) | Q(dosage__is_final=False), plan=OuterRef("pk"), leave_at__lte=now)
    ids = list(rows.filter(Exists(unmeasured)).order_by("shift__starts_at", "pk").values_list("pk", flat=True))
    stops = final = plans = 0
    for pk in ids:
        done, is_final = _measure_plan(pk, now)
        stops, final, plans = stops + done, final + done * is_final, plans + bool(done)
    return Measured(plans, stops, final)


@transaction.atomic
def _measure_plan(pk: int, now: datetime) -> tuple[int, bool]:
    plan = (
        Plan.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("shift", "governorate__region")
        .defer("governorate__boundary")
        .filter(pk=pk)
        .first()
    )
    if plan is None:
        return 0, False
    is_final = now >= plan.shift.ends_at + GRACE
    due = _due(plan, now, is_final)
    if not due:
        return 0, is_final
    neighbours = _visits(plan)
    rows: list[StopDosage] = []
    for unit_id, stops in _by_unit(due).items():
        rows += _of_unit(unit_id, stops, neighbours, plan, now, is_final)
    StopDosage.objects.bulk_create(rows, update_conflicts=True, unique_fields=["stop"], update_fields=_WRITTEN)
    return len(rows), is_final


def _due(plan: Plan, now: datetime, is_final: bool) -> list[PlanStop]:
    """Those that have ended and were not measured since; at the end of the shift all that are not final."""
    stops = PlanStop.objects.filter(plan=plan, leave_at__lte=now).select_related("route")
    again = Q(dosage__is_final=False)
    if not is_final:
        again &= Q(dosage__measured_at__lt=F("leave_at") + GRACE)
    return list(stops.filter(Q(dosage=None) | again))


def _by_unit(stops: list[PlanStop]) -> dict[int, list[PlanStop]]:
    """By the unit a stop was last given to, else the one it was planned for."""
    given = Assignment.objects.filter(plan_stop__in=stops).exclude(state="cancelled").order_by("pk")
    holder = dict(given.values_list("plan_stop_id", "unit_id"))
    found: dict[int, list[PlanStop]] = defaultdict(list)
    for stop in stops:
        found[holder.get(stop.pk, stop.route.unit_id)].append(stop)
    return found


def _visits(plan: Plan) -> dict[tuple[int, str], list[tuple[datetime, datetime]]]:
    """The planned windows of each unit at each place, so that a visit between two stops is counted for the nearer only."""
    found: dict[tuple[int, str], list[tuple[datetime, datetime]]] = defaultdict(list)
    rows = PlanStop.objects.filter(plan=plan).order_by("arrive_at").values_list("route__unit_id", "place", "arrive_at", "leave_at")
    for unit_id, place, arrive, leave in rows:
        found[unit_id, place].append((arrive, leave))
    return found


def _search(stop: PlanStop, visits: Iterable[tuple[datetime, datetime]]) -> tuple[datetime, datetime]:
    start, end = stop.arrive_at - BEYOND, stop.leave_at + BEYOND
    for arrive, leave in visits:
        if leave <= stop.arrive_at:
            start = max(start, leave + (stop.arrive_at - leave) / 2)
        elif arrive >= stop.leave_at:
            end = min(end, stop.leave_at + (arrive - stop.leave_at) / 2)
    return start, end


def _of_unit(
    unit_id: int,
    stops: list[PlanStop],
    visits: dict[tuple[int, str], list[tuple[datetime, datetime]]],
    plan: Plan,
    now: datetime,
    is_final: bool,
) -> list[StopDosage]:
    region = plan.governorate.region
    searches = [_search(stop, visits.get((stop.route.unit_id, stop.place), ())) for stop in stops]
    start, end = min(search[0] for search in searches), max(search[1] for search in searches)
    fixes, _doubted = fixes_of(unit_id, start, min(end, now), region)
    centres = metres_of(np.array([stop.location.x for stop in stops]), np.array([stop.location.y for stop in stops]), region)
    rows = []
    for stop, (first, last), (x, y) in zip(stops, searches, centres.tolist(), strict=True):
        fence = Fence(x, y, float(stop.radius_m), ms(stop.arrive_at), ms(stop.leave_at), ms(first), ms(last))
        rows.append(_row(stop, unit_id, dosage(fixes, fence), now, is_final))
    return rows


def _row(stop: PlanStop, unit_id: int, found: Dosage, now: datetime, is_final: bool) -> StopDosage:
    return StopDosage(
        stop=stop,
        unit_id=unit_id,
        planned_s=found.planned_ms / 1000,
        delivered_s=found.delivered_ms / 1000,
        absent_s=found.absent_ms / 1000,
        unknown_s=found.unknown_ms / 1000,
        beyond_s=found.beyond_ms / 1000,
        positions=found.positions,
        too_blunt=found.too_blunt,
        first_inside_at=instant(found.first_inside_ms),
        last_inside_at=instant(found.last_inside_ms),
        measured_at=now,
        is_final=is_final,
    )


__all__ = ["BEYOND", "GRACE", "REACH", "Measured", "counted_plans", "measure_stops"]
