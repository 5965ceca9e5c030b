"""Plans with stops, and the positions of those who drove them, for the tests of what is measured."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.gis.geos import Point

from patrol.models import Plan, PlanRoute, PlanStop, Position, Shift, StopDosage, Trial, TrialCell, TrialPresence, UnitDay

METRE_E = 1 / 97_300  # degrees of longitude at 29.35 N
CENTRE = (47.92, 29.35)


def published(shift: Shift, *, version: int = 1, state: str = "published", **more: Any) -> Plan:
    return Plan.objects.create(
        agency=shift.agency, governorate=shift.governorate, shift=shift, version=version, state=state, seed=1, provider="straight", **more
    )


def stop(plan: Plan, unit: Any, at: datetime, *, minutes: float = 12, place: str = "3156:12991", **more: Any) -> PlanStop:
    """A stop of ``unit`` at ``CENTRE`` from ``at``."""
    route, _ = PlanRoute.objects.get_or_create(
        plan=plan,
        unit=unit,
        defaults={
            "start_station": unit.station,
            "end_station": unit.station,
            "starts_at": plan.shift.starts_at,
            "ends_at": plan.shift.ends_at,
        },
    )
    given = {"location": Point(*CENTRE), "radius_m": 125, "sequence": route.stops.count() + 1, **more}
    return PlanStop.objects.create(route=route, plan=plan, place=place, arrive_at=at, leave_at=at + timedelta(minutes=minutes), **given)


def seen(
    unit: Any,
    start: datetime,
    seconds: Iterable[float],
    *,
    east_m: float = 0.0,
    accuracy_m: float | None = 8.0,
    doubt: str = "",
    at: Point | None = None,
) -> None:
    """``unit`` reported itself ``east_m`` metres east of ``CENTRE`` (or of ``at``) so many seconds after ``start``."""
    lon, lat = (at.x, at.y) if at is not None else CENTRE
    Position.objects.bulk_create(
        Position(
            unit=unit,
            at=start + timedelta(seconds=second),
            location=Point(lon + east_m * METRE_E, lat, srid=4326),
            accuracy_m=accuracy_m,
            source="http",
            doubt=doubt,
        )
        for second in seconds
    )


def rows_of_measure(places: Any, cast: Any, force: Any) -> None:
    """A row in each table of what is measured."""
    now = datetime.now(UTC)
    one = stop(published(force.shift, version=90, state="superseded"), force.p1, force.shift.starts_at)
    StopDosage.objects.create(stop=one, unit=force.p1, planned_s=720, delivered_s=700, absent_s=20, unknown_s=0, measured_at=now)
    UnitDay.objects.create(unit=force.p1, day=now.date(), duty_s=3600, known_s=3000, metres=9000, measured_at=now)
    trial = Trial.objects.create(
        region=places.region, agency=cast.police, governorate=places.hawalli, name="Trial", hypothesis="Fewer", seed=1, srid=32638,
        origin_x_m=0, origin_y_m=0, cell_m=250, starts_at=now, ends_at=now + timedelta(days=28), created_by=cast.analyst,
    )  # fmt: skip
    cell = TrialCell.objects.create(trial=trial, column=3156, row=12991, arm="treatment", stratum=1)
    TrialPresence.objects.create(cell=cell, day=now.date(), seconds=60)
