"""A month of patrol measured and reported: 40 units, three shifts a day, 30 stops each; positions every 30 seconds."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

from benchmarks.report import Report

GROUP = "Dosage (40 units × 3 shifts × 30 stops, a month: 108,000 stops)"
UNITS, STOPS, DAYS, EVERY_S = 40, 30, 30, 30


def run(report: Report) -> None:
    from django.core.management import call_command
    from django.db import connection

    from patrol.services.dosage import measure_day, measure_stops
    from patrol.services.dosage.sums import lines, stops_of, total
    from patrol.services.report import patrol_report, window

    call_command("migrate", verbosity=0)
    start = datetime(2026, 3, 1, tzinfo=UTC) - timedelta(hours=3)
    agency, governorate = _force(start)
    plan = _plans(start)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    began = time.perf_counter()
    done = measure_stops(plan=plan, now=start + timedelta(hours=9))
    spent = time.perf_counter() - began
    positions = UNITS * 8 * 3600 // EVERY_S
    report.row(GROUP, "one shift measured (1,200 stops)", spent, "s", f"{done.stops:,} stops against {positions:,} positions")
    began = time.perf_counter()
    measure_day(region=governorate.region, day=date(2026, 3, 1), now=start + timedelta(days=2))
    report.row(GROUP, "a day of 40 units (driven, known, unknown)", time.perf_counter() - began, "s", "one shift of positions")
    _measured_rest(plan)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    days = {"agency": agency, "governorate": governorate, "start": start, "end": start + timedelta(days=DAYS)}
    stops = stops_of(**days)
    began = time.perf_counter()
    whole = total(stops)
    report.row(GROUP, "the month's total", time.perf_counter() - began, "s", f"{whole.stops:,} stops, {whole.measured:,} measured")
    for by in ("area", "cell", "shift", "unit"):
        began = time.perf_counter()
        found = lines(stops, by)
        report.row(GROUP, f"the month by {by}", time.perf_counter() - began, "s", f"{len(found):,} lines")
    now = start + timedelta(days=DAYS, hours=1)
    month = window(governorate.region, now=now, first=date(2026, 3, 1), last=date(2026, 3, 30))
    began = time.perf_counter()
    patrol_report(viewer=None, agency=agency, governorate=governorate, window=month, now=now)
    report.row(GROUP, "the month's patrol report, every part", time.perf_counter() - began, "s")


def _force(start: datetime) -> Any:
    from datetime import time as clock

    from django.contrib.gis.geos import MultiPolygon, Point, Polygon

    from accounts.models import Agency
    from geography.models import Region, Zone
    from patrol.models import Shift, ShiftPattern, Station, Unit

    region = Region.objects.get_or_create(
        code="bench", defaults={"name_en": "Bench", "name_ar": "قياس", "time_zone": "Asia/Kuwait", "metric_srid": 32638}
    )[0]
    zone = {"region": region, "boundary": MultiPolygon(Polygon.from_bbox((47.9, 29.2, 48.1, 29.4))), "label_point": Point(48, 29.3)}
    governorate = Zone.objects.create(level="governorate", code="B-HA", name_en="Bench", name_ar="قياس", **zone)
    for n in range(20):
        Zone.objects.create(level="area", code=f"B-{n}", name_en=f"Area {n}", name_ar=f"منطقة {n}", parent=governorate, **zone)
    agency = Agency.objects.get_or_create(slug="police", defaults={"kind": "police", "name_en": "Police", "name_ar": "الشرطة"})[0]
    station = Station.objects.create(
        agency=agency, governorate=governorate, code="B", name_en="Station", name_ar="مركز", location=Point(48, 29.3)
    )
    Unit.objects.bulk_create(
        Unit(agency=agency, governorate=governorate, station=station, call_sign=f"B{number:02d}") for number in range(UNITS)
    )
    pattern = ShiftPattern.objects.create(agency=agency, code="B", name_en="Shift", name_ar="نوبة", begins_at=clock(0), length_minutes=480)
    Shift.objects.bulk_create(
        Shift(
            agency=agency,
            governorate=governorate,
            pattern=pattern,
            starts_at=start + timedelta(hours=8 * number),
            ends_at=start + timedelta(hours=8 * number + 8),
        )
        for number in range(3 * DAYS)
    )
    return agency, governorate


def _plans(start: datetime) -> Any:
    """A published plan of each shift; stops of 12 minutes, one each 16; positions of the first shift, in the fence but for a fifth."""
    from django.contrib.gis.geos import Point
    from django.db import connection

    from geography.models import Zone
    from patrol.models import Plan, PlanRoute, PlanStop, Shift, Station, Unit

    shifts, units = list(Shift.objects.order_by("starts_at")), list(Unit.objects.order_by("pk"))
    areas, station = list(Zone.objects.filter(level="area", code__startswith="B-").order_by("pk")), Station.objects.get(code="B")
    plans = Plan.objects.bulk_create(
        Plan(agency=shift.agency, governorate=shift.governorate, shift=shift, version=1, state="published", seed=1, provider="straight")
        for shift in shifts
    )
    routes = PlanRoute.objects.bulk_create(
        PlanRoute(plan=plan, unit=unit, start_station=station, end_station=station, starts_at=shift.starts_at, ends_at=shift.ends_at)
        for plan, shift in zip(plans, shifts, strict=True)
        for unit in units
    )
    for first in range(0, len(routes), 400):
        PlanStop.objects.bulk_create(
            PlanStop(
                route=route,
                plan=route.plan,
                place=f"{(index + number) % 600}:{index % 40}",
                sequence=number + 1,
                location=Point(47.95 + 0.001 * (number % 20), 29.3),
                area=areas[(index + number) % 20],
                arrive_at=route.starts_at + timedelta(minutes=16 * number),
                leave_at=route.starts_at + timedelta(minutes=16 * number + 12),
            )
            for index, route in enumerate(routes[first : first + 400])
            for number in range(STOPS)
        )
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO patrol_position (unit_id, at, location, accuracy_m, source)
            SELECT unit.id, at, ST_SetSRID(ST_MakePoint(
                47.95 + 0.001 * (least(extract(epoch FROM at - %s)::int / 960, 29) %% 20) + CASE WHEN random() < 0.2 THEN 0.01 ELSE 0 END,
                29.3), 4326), 8, 'simulator'
            FROM patrol_unit unit, generate_series(%s::timestamptz, %s::timestamptz, make_interval(secs => %s)) at""",
            [start, start, start + timedelta(hours=8), EVERY_S],
        )
    return plans[0]


def _measured_rest(plan: Any) -> None:
    """The other shifts' dosage as the first shift's, so that a month can be read without a month of positions."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO patrol_stopdosage (stop_id, unit_id, planned_s, delivered_s, absent_s, unknown_s, beyond_s, positions, too_blunt,
                measured_at, is_final)
            SELECT stop.id, route.unit_id, 720, 500, 120, 100, 30, 24, 0, now(), true
            FROM patrol_planstop stop JOIN patrol_planroute route ON route.id = stop.route_id WHERE stop.plan_id <> %s""",
            [plan.pk],
        )
