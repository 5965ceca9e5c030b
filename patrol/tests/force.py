"""A small force beside the cast of ``conftest.py``: two stations, four units, three people, one shift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.contrib.gis.geos import Point

from patrol.models import Duty, Leave, Member, RosterEntry, Shift, ShiftPattern, Skill, Station, Team, Unit, Vehicle, ZoneAssignment


@dataclass
class Force:
    """Of the police: P1 and P2 in Hawalli (both on duty), C1 in the Capital; of the fire service: F1 in Hawalli. The officer leads P1, the
    dispatcher sits at the desk; both are on duty. ``shift`` began an hour ago and lasts eight hours."""

    salmiya_station: Station
    sharq_station: Station
    fire_station: Station
    p1: Unit
    p2: Unit
    c1: Unit
    f1: Unit
    team: Team
    first_aid: Skill
    water_rescue: Skill
    officer: Member
    partner: Member  # a person without an account, off duty
    dispatcher: Member
    pattern: ShiftPattern
    shift: Shift


@pytest.fixture
def force(cast: Any, places: Any) -> Force:
    now = datetime.now(UTC)

    def station(code: str, agency: Any, governorate: Any, lon: float) -> Station:
        return Station.objects.create(
            agency=agency, governorate=governorate, code=code, name_en=f"{code} station", name_ar=f"مركز {code}", location=Point(lon, 29.35)
        )

    salmiya = station("SAL", cast.police, places.hawalli, 47.93)
    sharq = station("SHA", cast.police, places.capital, 47.86)
    fire_station = station("FIR", cast.fire, places.hawalli, 47.94)
    team = Team.objects.create(agency=cast.police, governorate=places.hawalli, code="T1", name_en="Team one", name_ar="الفريق الأول")

    def unit(call_sign: str, at: Station, **more: Any) -> Unit:
        return Unit.objects.create(agency=at.agency, governorate=at.governorate, station=at, call_sign=call_sign, **more)

    p1, p2 = unit("P1", salmiya, team=team), unit("P2", salmiya, team=team)
    c1, f1 = unit("C1", sharq), unit("F1", fire_station, kind="engine")
    first_aid, _ = Skill.objects.get_or_create(code="first-aid", defaults={"name_en": "First aid", "name_ar": "إسعافات أولية"})
    water, _ = Skill.objects.get_or_create(code="water-rescue", defaults={"name_en": "Water rescue", "name_ar": "إنقاذ مائي"})

    def member(number: str, name: str, user: Any = None) -> Member:
        return Member.objects.create(
            agency=cast.police, governorate=places.hawalli, station=salmiya, service_number=number, name_en=name, user=user
        )

    officer, partner = member("1001", "Officer one", cast.officer), member("1002", "Officer two")
    dispatcher = member("1003", "Dispatcher one", cast.dispatcher)
    pattern = ShiftPattern.objects.create(
        agency=cast.police, code="A", name_en="Morning", name_ar="الصباحية", begins_at=time(6), length_minutes=480
    )
    shift = Shift.objects.create(
        agency=cast.police,
        governorate=places.hawalli,
        pattern=pattern,
        starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=7),
    )
    since = {"agency": cast.police, "governorate": places.hawalli, "started_at": now - timedelta(hours=1)}
    Duty.objects.create(member=officer, unit=p1, **since)
    Duty.objects.create(unit=p2, **since)
    Duty.objects.create(member=dispatcher, **since)
    return Force(
        salmiya, sharq, fire_station, p1, p2, c1, f1, team, first_aid, water, officer, partner, dispatcher, pattern, shift
    )  # fmt: skip


def rows_of_force(places: Any, cast: Any) -> Unit:
    """A row in each table of the force, of the police in Hawalli, for walks over every screen."""
    now = datetime.now(UTC)
    of_police = {"agency": cast.police, "governorate": places.hawalli}
    station = Station.objects.create(**of_police, code="ROW", name_en="A station", name_ar="مركز", location=places.in_salmiya)
    team = Team.objects.create(**of_police, code="ROW", name_en="A team", name_ar="فريق")
    vehicle = Vehicle.objects.create(**of_police, station=station, fleet_number="ROW-1")
    Skill.objects.get_or_create(code="first-aid", defaults={"name_en": "First aid", "name_ar": "إسعافات أولية"})
    unit = Unit.objects.create(**of_police, station=station, team=team, vehicle=vehicle, call_sign="ROW")
    member = Member.objects.create(**of_police, station=station, service_number="ROW", name_en="A person")
    pattern = ShiftPattern.objects.create(
        agency=cast.police, code="ROW", name_en="Night", name_ar="ليلية", begins_at=time(22), length_minutes=480
    )
    span = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=7)}
    shift = Shift.objects.create(**of_police, pattern=pattern, **span)
    entry = RosterEntry.objects.create(shift=shift, member=member, unit=unit, **span)
    Leave.objects.create(member=member, starts_at=now + timedelta(days=9), ends_at=now + timedelta(days=12))
    Duty.objects.create(**of_police, member=member, unit=unit, roster_entry=entry, started_at=now - timedelta(hours=1))
    ZoneAssignment.objects.create(team=team, zone=places.salmiya, **span)
    return unit
