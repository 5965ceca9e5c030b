"""What planning is tested on: a coming shift with crews on two units, and a risk surface of twelve cells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.gis.geos import Point

from incidents.models import Incident, Surface
from incidents.tests.issued import cell_of, risk, run_at
from patrol.models import CoverageStudy, Plan, PlanChange, PlanRoute, PlanStop, RosterEntry, Shift
from patrol.services.plans import ask_for_plan, execute_plan
from patrol.tests.force import Force


@dataclass
class Tomorrow:
    """P1 and P2 are rostered for ``shift``, 06:00 to 14:00 Kuwait time in two days. ``make()`` plans it."""

    shift: Shift
    surface: Surface
    cells: list[tuple[int, int]]

    def make(self, **given: Any) -> Plan:
        given = {"by": None, "seed": 7, **given}
        return execute_plan(plan=ask_for_plan(shift=self.shift, **given))


@pytest.fixture
def tomorrow(force: Force, places: Any, cast: Any, settings: Any) -> Tomorrow:
    settings.PLAN_ITERATIONS = 500  # the search itself is tested with the solvers
    day = (datetime.now(UTC) + timedelta(days=2)).replace(hour=3, minute=0, second=0, microsecond=0)
    shift = Shift.objects.create(
        agency=cast.police, governorate=places.hawalli, pattern=force.pattern, starts_at=day, ends_at=day + timedelta(hours=8)
    )
    for member, unit in ((force.officer, force.p1), (force.partner, force.p2)):
        RosterEntry.objects.create(shift=shift, member=member, unit=unit, starts_at=shift.starts_at, ends_at=shift.ends_at)
    column, row = cell_of(places.region, 47.91, 29.34)
    cells = [(column + 4 * (n % 4), row + 5 * (n // 4)) for n in range(12)]
    now = datetime.now(UTC)
    surface = risk(
        run_at(now), places.region, cells, [2.0 - 0.12 * n for n in range(12)], valid_from=now - timedelta(hours=1),
        governorates=[places.hawalli] * 12, area_ids=[places.salmiya.pk] * 12,
    )  # fmt: skip
    return Tomorrow(shift, surface, cells)


def burglaries(burglary: Any, source: Any, places: Any, *, days: int, a_day: int = 4) -> None:
    """So many days of them in Salmiya up to now, at night more than by day."""
    rng = np.random.default_rng(3)
    now = datetime.now(UTC)
    rows = []
    for n in range(days * a_day):
        at = now - timedelta(days=n // a_day, hours=float(rng.integers(0, 24)))
        rows.append(
            Incident(
                type=burglary,
                source=source,
                agency=burglary.agency,
                region=places.region,
                governorate=places.hawalli,
                area=places.salmiya,
                occurred_at=at,
                reported_at=at,
                location=Point(47.905 + 0.04 * float(rng.random()), 29.31 + 0.08 * float(rng.random())),
                severity=2,
                priority=3,
            )
        )
    Incident.objects.bulk_create(rows)


def rows_of_planning(cast: Any, force: Any, places: Any) -> None:
    """A row in each table of ``patrol.models.plan`` that planning writes, inside Hawalli."""
    shift = force.shift
    of = {"agency": cast.police, "governorate": places.hawalli}
    plan = Plan.objects.create(shift=shift, version=1, seed=1, provider="straight", created_by=cast.supervisor, **of)
    station = force.salmiya_station
    route = PlanRoute.objects.create(
        plan=plan, unit=force.p1, start_station=station, end_station=station, starts_at=shift.starts_at, ends_at=shift.ends_at
    )
    arrive_at = shift.starts_at + timedelta(hours=2)
    PlanStop.objects.create(
        plan=plan,
        route=route,
        place="1:1",
        sequence=1,
        location=places.in_salmiya,
        area=places.salmiya,
        arrive_at=arrive_at,
        leave_at=arrive_at + timedelta(minutes=13),
    )
    PlanChange.objects.create(plan=plan, by=cast.supervisor, kind="pin", reason="Agreed with the school.")
    CoverageStudy.objects.create(kind="cover", at=shift.starts_at, provider="straight", gap=0.001, seconds=0.4, **of)
