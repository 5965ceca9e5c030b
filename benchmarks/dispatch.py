"""Whom to send: 500 units on duty with fresh positions, ranked for an incident end to end, advice stored."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from benchmarks.report import Report

DISPATCH = "Dispatch advice (500 units, run card of four lines)"
UNITS, ROUNDS = 500, 100


def run(report: Report) -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from patrol.analytics.recommend import from_plain, rank
    from patrol.services.recommend import advise

    call_command("migrate", verbosity=0)
    incident = _force()
    _fresh()
    advise(incident=incident, by=None)
    with CaptureQueriesContext(connection) as asked:
        advice = advise(incident=incident, by=None)
    times, spent = [], []
    for _round in range(ROUNDS):
        _fresh()
        began, cpu = time.perf_counter(), time.process_time()
        advice = advise(incident=incident, by=None)
        times.append((time.perf_counter() - began) * 1000)
        spent.append((time.process_time() - cpu) * 1000)
    inputs = from_plain(advice.inputs)
    began = time.perf_counter()
    for _round in range(20):
        rank(*inputs)
    ranking_ms = (time.perf_counter() - began) * 50
    eligible = sum(1 for row in advice.ranked if not row["why_not"])
    note = f"{len(advice.ranked)} ranked, {eligible} of them eligible; gathered, ranked, matched, stored and audited; {ROUNDS} rounds"
    p50, p95 = statistics.median(times), float(np.percentile(times, 95))
    report.row(DISPATCH, "p50", round(p50, 1), "ms", note)
    report.row(DISPATCH, "p95", round(p95, 1), "ms", "asked for: under 200 ms")
    report.row(DISPATCH, "of it our own process at work, p50", round(statistics.median(spent), 1), "ms", "CPU; the rest is the database")
    report.row(DISPATCH, "of it the ranking itself", round(ranking_ms, 1), "ms", "pure, the same inputs, mean of 20")
    report.row(DISPATCH, "queries", len(asked), "", "the same for 2 units as for 500")
    with connection.cursor() as cursor:
        cursor.execute("SELECT avg(pg_column_size(inputs) + pg_column_size(ranked)) FROM patrol_recommendation")
        size = float(cursor.fetchone()[0])
    report.row(DISPATCH, "one advice stored", round(size / 1024, 1), "kB", "compressed, with all it was made from")


def _force() -> Any:
    """One region and governorate, 500 units on duty, a fifth with a task, a twentieth on another incident; a run card of four lines."""
    from django.contrib.gis.geos import MultiPolygon, Point, Polygon

    from accounts.models import Agency
    from geography.models import Region, Zone
    from geography.services import rebuild_pieces
    from incidents.models import IncidentType, Source
    from incidents.services import open_incident
    from patrol.models import Duty, Member, RunCard, RunCardLine, Skill, Station, Unit
    from patrol.services.assignments import assign

    now, rng = datetime.now(UTC), np.random.default_rng(4)
    mark = f"{now:%H%M%S}"  # a database of an earlier run may still be there
    region = Region.objects.get_or_create(
        code="zz", defaults={"name_en": "Z", "name_ar": "ي", "time_zone": "Asia/Kuwait", "metric_srid": 32638}
    )[0]
    box = MultiPolygon(Polygon.from_bbox((47.7, 29.1, 48.2, 29.5)), srid=4326)
    zone = Zone.objects.create(
        region=region, level="governorate", code=f"ZZ-{mark}", name_en="Z", name_ar="ي", boundary=box, label_point=box.point_on_surface
    )
    rebuild_pieces(zone_ids=[zone.pk])
    agency = Agency.objects.get_or_create(slug=f"bench-{mark}", defaults={"kind": "police", "name_en": "Bench", "name_ar": "قياس"})[0]
    kind = IncidentType.objects.get_or_create(code="bench", defaults={"name_en": "Bench", "name_ar": "قياس", "category": "property"})[0]
    source = Source.objects.create(slug=f"bench-{mark}", name="Bench", agency=agency, region=region)
    station = Station.objects.create(agency=agency, governorate=zone, code="Z", name_en="Z", name_ar="ي", location=Point(47.9, 29.3))
    skills = [Skill.objects.get_or_create(code=f"bench-{n}", defaults={"name_en": f"S{n}", "name_ar": f"م{n}"})[0] for n in range(4)]
    of = {"agency": agency, "governorate": zone}
    kinds = ("patrol", "patrol", "patrol", "motorcycle", "rescue")
    units = Unit.objects.bulk_create(Unit(**of, station=station, call_sign=f"U{n}", kind=kinds[n % 5]) for n in range(UNITS))
    people = Member.objects.bulk_create(Member(**of, service_number=f"{n}", name_en="M") for n in range(UNITS))
    for number, (unit, person) in enumerate(zip(units, people, strict=True)):
        unit.skills.add(skills[number % 4])
        Duty.objects.create(
            **of, member=person, started_at=now - timedelta(hours=20 + number % 7), ended_at=now - timedelta(hours=11 + number % 4)
        )
        Duty.objects.create(**of, member=person, unit=unit, started_at=now - timedelta(hours=3), expected_until=now + timedelta(hours=5))
    card = RunCard.objects.create(agency=agency, type=kind)
    for skill in skills:
        RunCardLine.objects.create(card=card, count=2, skill=skill, within_minutes=20)

    def opened(number: int) -> Any:
        return open_incident(
            source=source, type=kind, occurred_at=now, kind="moi-incident", raw={"n": number}, by=None, external_id=f"B-{number}",
            location=Point(float(rng.uniform(47.75, 48.15)), float(rng.uniform(29.15, 29.45)), srid=4326),
        ).incident  # fmt: skip

    for number, unit in enumerate(units):
        if number % 5 == 0:
            assign(unit=unit, kind="task", title="A task", by=None)
        if number % 20 == 1:
            assign(unit=unit, kind="incident", incident=opened(number), by=None)
    return opened(UNITS)


def _fresh() -> None:
    """Every unit has reported within the last seconds, as on a live day."""
    from django.contrib.gis.geos import Point

    from patrol.models import Unit, UnitPosition

    now, rng = datetime.now(UTC), np.random.default_rng(5)
    units = list(Unit.objects.order_by("-pk").values_list("pk", flat=True)[:UNITS])  # this run's own
    places = rng.uniform([47.72, 29.12], [48.18, 29.48], (UNITS, 2)).tolist()
    rows = [UnitPosition(unit_id=pk, at=now, location=Point(x, y), source="simulator") for pk, (x, y) in zip(units, places, strict=True)]
    UnitPosition.objects.bulk_create(rows, update_conflicts=True, unique_fields=["unit"], update_fields=["at", "location", "source"])
