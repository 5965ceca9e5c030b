"""Plans with stops, and the positions of those who drove them, for the tests of what is measured."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.gis.geos import Point

from patrol.models import Plan, PlanRoute, PlanStop, Position, Shift

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
