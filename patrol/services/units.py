"""What a unit is doing. Never stored: it follows from duty and the unit's open assignments, the same way on every surface."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Max, Min, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patrol import lifecycle
from patrol.lifecycle import TIME_COLUMN, WAY, rank
from patrol.models import Assignment, AssignmentState, Duty, Unit


class UnitStatus(models.TextChoices):
    OUT_OF_SERVICE = "out_of_service", _("Out of service")
    OFF_DUTY = "off_duty", _("Off duty")
    AVAILABLE = "available", _("Available")
    ASSIGNED = AssignmentState.ASSIGNED.value, AssignmentState.ASSIGNED.label
    ACCEPTED = AssignmentState.ACCEPTED.value, AssignmentState.ACCEPTED.label
    EN_ROUTE = AssignmentState.EN_ROUTE.value, AssignmentState.EN_ROUTE.label
    ON_SCENE = AssignmentState.ON_SCENE.value, AssignmentState.ON_SCENE.label


BUSY = frozenset({UnitStatus.ASSIGNED, UnitStatus.ACCEPTED, UnitStatus.EN_ROUTE, UnitStatus.ON_SCENE})


@dataclass(frozen=True)
class UnitState:
    """``state`` is a ``UnitStatus``; ``since`` is when it began, ``None`` where no clock says so.

    ``open_assignments`` are the ids of all that is open, what is planned for later included; ``active`` those whose time has come.
    ``leading`` is the active one that is furthest on its way: it names the state of a busy unit.
    """

    unit_id: int
    state: str
    since: datetime | None
    open_assignments: tuple[int, ...] = ()
    active: tuple[int, ...] = ()
    leading: int | None = None
    out_of_service: str = ""
    on_duty_since: datetime | None = None

    @property
    def is_busy(self) -> bool:
        return self.state in BUSY

    @property
    def is_available(self) -> bool:
        return self.state == UnitStatus.AVAILABLE

    @property
    def label(self) -> str:
        return str(UnitStatus(self.state).label)


_COLUMNS = ("id", "unit_id", "state", "active_from", *lifecycle.CLOCK)


def states_of(unit_ids: Iterable[int], *, at: datetime | None = None) -> dict[int, UnitState]:
    """The state of each unit at ``at`` (now): three queries, however many units."""
    ids = sorted(set(unit_ids))
    now = timezone.now() if at is None else at
    rows = Assignment.objects.filter(unit_id__in=ids)
    rows = rows.open() if at is None else rows.filter(Q(ended_at=None) | Q(ended_at__gt=now), assigned_at__lte=now)
    held: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.order_by("id").values(*_COLUMNS):
        held[row["unit_id"]].append(row)
    duties = Duty.objects.filter(unit_id__in=ids)
    duties = duties.open() if at is None else duties.covering(now)
    since = dict(duties.values_list("unit_id").annotate(first=Min("started_at")).values_list("unit_id", "first"))
    units = Unit.objects.filter(pk__in=ids).annotate(
        last_end=Max("assignments__ended_at", filter=Q(assignments__ended_at__lte=now))
    ).values_list("pk", "is_active", "vehicle__out_of_service", "last_end")  # fmt: skip
    return {
        pk: _state(pk, held[pk], is_active=is_active, broken=broken or "", on_duty=since.get(pk), last_end=last_end, at=at, now=now)
        for pk, is_active, broken, last_end in units
    }


def state_of(unit: Unit, *, at: datetime | None = None) -> UnitState:
    return states_of([unit.pk], at=at)[unit.pk]


def _state(
    pk: int,
    rows: Collection[dict[str, Any]],
    *,
    is_active: bool,
    broken: str,
    on_duty: datetime | None,
    last_end: datetime | None,
    at: datetime | None,
    now: datetime,
) -> UnitState:
    opened = tuple(row["id"] for row in rows)
    active = [row for row in rows if row["active_from"] is None or row["active_from"] <= now]
    named = [(rank(_at_the_time(row, at)), _at_the_time(row, at), row) for row in active]
    leading = max(named, key=lambda it: it[0], default=None)
    kept: dict[str, Any] = {"open_assignments": opened, "active": tuple(row["id"] for row in active), "on_duty_since": on_duty}
    first = leading[2]["id"] if leading is not None else None
    if not is_active or broken:
        return UnitState(pk, UnitStatus.OUT_OF_SERVICE, None, leading=first, out_of_service=broken, **kept)
    if on_duty is None:
        return UnitState(pk, UnitStatus.OFF_DUTY, None, leading=first, **kept)
    if leading is None:
        free = max(on_duty, last_end) if last_end is not None else on_duty
        return UnitState(pk, UnitStatus.AVAILABLE, free, **kept)
    _rank, state, row = leading
    return UnitState(pk, state, row[TIME_COLUMN[state]], leading=first, **kept)


def _at_the_time(row: dict[str, Any], at: datetime | None) -> str:
    """The assignment's state: as it stands, or as its clock tells it was at ``at``."""
    if at is None:
        return str(row["state"])
    if row["ended_at"] is None and all(row[TIME_COLUMN[step]] is None or row[TIME_COLUMN[step]] <= at for step in WAY[:-1]):
        return str(row["state"])
    reached = [step for step in WAY[:-1] if row[TIME_COLUMN[step]] is not None and row[TIME_COLUMN[step]] <= at]
    return str(reached[-1] if reached else AssignmentState.ASSIGNED)
