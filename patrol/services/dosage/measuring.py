"""Each planned stop that has ended, measured against the positions of the unit it was given to; again until the shift is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

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


def counted_stops() -> QuerySet[PlanStop]:
    """The stops that are reported: those of each shift's version in force, and of versions before it what had begun and was taken over
    by none since, as when a unit dropped out."""
    told = [Plan.State.PUBLISHED, Plan.State.SUPERSEDED]
    same = {name: OuterRef(name) for name in ("plan__shift", "route__unit", "place", "arrive_at")}
    taken_over = PlanStop.objects.filter(**same, plan__state__in=told, plan__version__gt=OuterRef("plan__version"))
    begun = Q(plan__state=Plan.State.SUPERSEDED, arrive_at__lt=F("plan__superseded_at")) & ~Exists(taken_over)
    return PlanStop.objects.filter(Q(plan__state=Plan.State.PUBLISHED) | begun)


def measure_stops(*, plan: Plan | None = None, now: datetime) -> Measured:
    """Write the dosage of stops that have ended by ``now``: provisional while late positions may come, final ``GRACE`` after the shift.

    What is final is left as it is. Without ``plan``: the counted stops of shifts of the last days. Safe to run twice and at once: a plan
    is measured by one at a time.
    """
    wanted = PlanStop.objects.filter(plan=plan) if plan is not None else counted_stops().filter(plan__shift__ends_at__gte=now - LOOK_BACK)
    unmeasured = wanted.filter(Q(dosage=None) | Q(dosage__is_final=False), leave_at__lte=now)
    ids = sorted(set(unmeasured.order_by().values_list("plan_id", flat=True)))
    stops = final = plans = 0
    for pk in ids:
        done, is_final = _measure_plan(pk, now, wanted)
        stops, final, plans = stops + done, final + done * is_final, plans + bool(done)
    return Measured(plans, stops, final)


@transaction.atomic
def _measure_plan(pk: int, now: datetime, wanted: QuerySet[PlanStop]) -> tuple[int, bool]:
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
    due = _due(wanted.filter(plan=plan), now, is_final)
    if not due:
        return 0, is_final
    neighbours = _visits(plan)
    rows: list[StopDosage] = []
    for unit_id, stops in _by_unit(due).items():
        rows += _of_unit(unit_id, stops, neighbours, plan, now, is_final)
    StopDosage.objects.bulk_create(rows, update_conflicts=True, unique_fields=["stop"], update_fields=_WRITTEN)
    return len(rows), is_final


def _due(wanted: QuerySet[PlanStop], now: datetime, is_final: bool) -> list[PlanStop]:
    """Those that have ended and were not measured since; at the end of the shift all that are not final."""
    stops = wanted.filter(leave_at__lte=now).select_related("route")
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


@dataclass(frozen=True)
class _Visit:
    """A planned window of a unit, in metres and instants."""

    arrive: datetime
    leave: datetime
    x_m: float
    y_m: float
    radius_m: float

    def overlaps(self, other: _Visit) -> bool:
        return bool(np.hypot(self.x_m - other.x_m, self.y_m - other.y_m) < self.radius_m + other.radius_m)


def _visits(plan: Plan) -> dict[int, dict[int, _Visit]]:
    """Every planned window of the plan, by unit and stop."""
    found: dict[int, dict[int, _Visit]] = defaultdict(dict)
    rows = list(PlanStop.objects.filter(plan=plan).values_list("route__unit_id", "pk", "arrive_at", "leave_at", "radius_m", "location"))
    xy = metres_of(np.array([row[5].x for row in rows]), np.array([row[5].y for row in rows]), plan.governorate.region)
    for (unit_id, pk, arrive, leave, radius, _place), (x, y) in zip(rows, xy.tolist(), strict=True):
        found[unit_id][pk] = _Visit(arrive, leave, x, y, radius)
    return found


def _search(mine: _Visit, others: Iterable[_Visit]) -> tuple[datetime, datetime]:
    """How far around its planned minutes a visit is one to this stop: not nearer to another of the unit whose fence overlaps."""
    start, end = mine.arrive - BEYOND, mine.leave + BEYOND
    for other in others:
        if mine.arrive - BEYOND < other.leave <= mine.arrive and mine.overlaps(other):
            start = max(start, other.leave + (mine.arrive - other.leave) / 2)
        elif mine.leave <= other.arrive < mine.leave + BEYOND and mine.overlaps(other):
            end = min(end, mine.leave + (other.arrive - mine.leave) / 2)
    return start, end


def _of_unit(
    unit_id: int,
    stops: list[PlanStop],
    visits: dict[int, dict[int, _Visit]],
    plan: Plan,
    now: datetime,
    is_final: bool,
) -> list[StopDosage]:
    region = plan.governorate.region
    mine = [visits[stop.route.unit_id][stop.pk] for stop in stops]
    searches = [_search(one, visits[stop.route.unit_id].values()) for one, stop in zip(mine, stops, strict=True)]
    start, end = min(search[0] for search in searches), max(search[1] for search in searches)
    fixes, _doubted = fixes_of(unit_id, start, min(end, now), region)
    rows = []
    for stop, one, (first, last) in zip(stops, mine, searches, strict=True):
        fence = Fence(one.x_m, one.y_m, one.radius_m, ms(one.arrive), ms(one.leave), ms(first), ms(last))
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


__all__ = ["BEYOND", "GRACE", "REACH", "Measured", "counted_stops", "measure_stops"]
