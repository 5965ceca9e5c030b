"""The demo's force: stations, forty units with three crews each, a fortnight of shifts either side of today. All of it made up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from accounts.models import Agency, User
from accounts.roles import Role
from core import audit
from geography.models import Region, Zone
from incidents.models import IncidentType
from patrol.models import (
    Duty,
    Geofence,
    Member,
    RosterEntry,
    RunCard,
    RunCardLine,
    Shift,
    ShiftPattern,
    Skill,
    Station,
    Team,
    Unit,
    UnitKind,
    Vehicle,
)

DAYS_BEFORE, DAYS_AFTER = 14, 14
PAIRS = 4
WELFARE_MINUTES = 20


class Post(NamedTuple):
    """A station at the label point of an area, and what stands there."""

    agency: str
    governorate: str
    area: str  # its English name; the governorate's own label point where there is no such area
    units: tuple[tuple[str, int], ...]  # kind, how many


POSTS = (
    Post("police", "KW-HA", "Salmiya", (("patrol", 4),)),
    Post("police", "KW-HA", "Hawalli", (("patrol", 3), ("motorcycle", 1))),
    Post("police", "KW-FA", "Farwaniya", (("patrol", 4),)),
    Post("police", "KW-FA", "Jleeb Al-Shuyoukh", (("patrol", 3),)),
    Post("police", "KW-KU", "Sharq", (("patrol", 3), ("foot", 1))),
    Post("police", "KW-KU", "Shuwaikh", (("patrol", 2),)),
    Post("police", "KW-AH", "Fahaheel", (("patrol", 3),)),
    Post("police", "KW-AH", "East Ahmadi", (("patrol", 2),)),
    Post("police", "KW-MU", "Mubarak Al-Kabeer", (("patrol", 2),)),
    Post("police", "KW-JA", "Jahra", (("patrol", 2),)),
    Post("ems", "KW-HA", "Jabriya", (("ambulance", 2),)),
    Post("ems", "KW-FA", "Farwaniya", (("ambulance", 1),)),
    Post("ems", "KW-KU", "Sharq", (("ambulance", 1),)),
    Post("fire", "KW-HA", "Salmiya", (("engine", 1), ("rescue", 1))),
    Post("fire", "KW-FA", "Farwaniya", (("engine", 1),)),
    Post("fire", "KW-KU", "Sharq", (("engine", 1),)),
    Post("fire", "KW-AH", "Fahaheel", (("engine", 1), ("rescue", 1))),
)
LETTERS = {"patrol": "P", "motorcycle": "M", "foot": "F", "ambulance": "A", "engine": "E", "rescue": "R"}
SKILLS = (
    ("first-aid", "First aid", "إسعافات أولية"),
    ("advanced-life-support", "Advanced life support", "إنعاش متقدم"),
    ("water-rescue", "Water rescue", "إنقاذ مائي"),
    ("hazmat", "Hazardous materials", "مواد خطرة"),
    ("negotiation", "Negotiation", "تفاوض"),
)
SKILLS_OF = {
    "ambulance": ("first-aid", "advanced-life-support"),
    "engine": ("first-aid", "hazmat"),
    "rescue": ("first-aid", "water-rescue"),
    "patrol": (),
}
# Type, alarm level, what it calls for: kind, skill, how many, within minutes.
CARDS: tuple[tuple[str, str, int, tuple[tuple[str, str, int, int], ...]], ...] = (
    ("police", "assault", 1, (("patrol", "", 1, 10),)),
    ("police", "robbery", 1, (("patrol", "", 2, 10),)),
    ("police", "burglary", 1, (("patrol", "", 1, 20),)),
    ("fire", "fire-residential", 1, (("engine", "", 2, 10), ("rescue", "", 1, 20))),
    ("fire", "fire-residential", 2, (("engine", "", 3, 10), ("rescue", "", 2, 20))),
    ("fire", "rescue", 1, (("rescue", "water-rescue", 1, 20),)),
    ("ems", "cardiac-arrest", 1, (("ambulance", "advanced-life-support", 1, 8),)),
    ("ems", "medical-emergency", 1, (("ambulance", "", 1, 15),)),
)
PATTERNS = (("A", "Morning", "الصباحية", 6), ("B", "Afternoon", "المسائية", 14), ("C", "Night", "الليلية", 22))


@dataclass(frozen=True)
class Crews:
    """The people of one unit: four pairs, three at work each day and one at home."""

    unit: Unit
    pairs: tuple[tuple[Member, Member], ...]


@transaction.atomic
def create_demo_force(*, region: Region, now: datetime | None = None) -> int:
    """Make the force once; returns how many units were made. What exists already stays untouched."""
    if Unit.objects.exists():
        return 0
    now = now or timezone.now()
    agencies = {agency.slug: agency for agency in Agency.objects.all()}
    zones = {zone.code: zone for zone in Zone.objects.level(Zone.Level.GOVERNORATE).filter(region=region).defer("boundary")}
    skills = {code: Skill.objects.get_or_create(code=code, defaults={"name_en": en, "name_ar": ar})[0] for code, en, ar in SKILLS}
    crews: list[Crews] = []
    for number, post in enumerate(POSTS, start=1):
        if post.governorate in zones and post.agency in agencies:
            crews += _post(number, post, agencies[post.agency], zones[post.governorate], region, skills)
    patterns = _patterns({crew.unit.agency for crew in crews})
    _shifts(crews, patterns, region, now)
    _run_cards(agencies, skills)
    _people_who_sign_in(crews, now)
    audit.record("demo.force", after={"units": len(crews)})
    return len(crews)


def _post(number: int, post: Post, agency: Agency, zone: Zone, region: Region, skills: dict[str, Skill]) -> list[Crews]:
    area = Zone.objects.level(Zone.Level.AREA).filter(region=region, parent=zone, name_en__iexact=post.area).defer("boundary").first()
    place = area or zone
    station = Station.objects.create(
        agency=agency,
        governorate=zone,
        code=f"{agency.slug[:3].upper()}{number:02d}",
        name_en=f"{place.name_en} {agency.get_kind_display().lower()} station"[:120],
        name_ar=f"مركز {agency.name_ar} {place.name_ar}"[:120],
        location=place.label_point,
        is_synthetic=True,
    )
    Geofence.objects.create(
        agency=agency, governorate=zone, name=station.name_en, station=station, centre=station.location, radius_m=150, margin_m=40
    )
    team = Team.objects.create(
        agency=agency,
        governorate=zone,
        code=f"T{number:02d}",
        name_en=f"{place.name_en} team",
        name_ar=f"فريق {place.name_ar}",
        is_synthetic=True,
    )
    crews = []
    for kind, count in post.units:
        for _nth in range(count):
            index = Unit.objects.filter(agency=agency, kind=kind).count() + 1
            call_sign = f"{LETTERS[kind]}{index:02d}"
            vehicle = None
            if kind != "foot":
                vehicle = Vehicle.objects.create(
                    agency=agency,
                    governorate=zone,
                    station=station,
                    fleet_number=f"{agency.slug[:3].upper()}-{call_sign}",
                    kind={"patrol": "car", "rescue": "van"}.get(kind, kind),
                    is_synthetic=True,
                )
            unit = Unit.objects.create(
                agency=agency,
                governorate=zone,
                station=station,
                team=team,
                vehicle=vehicle,
                call_sign=call_sign,
                kind=UnitKind(kind),
                arrival_sets_on_scene=kind in {"patrol", "motorcycle", "foot"},
                welfare_minutes=WELFARE_MINUTES,
                tracker_id=f"demo-{agency.slug}-{call_sign.lower()}",
                is_synthetic=True,
            )
            unit.skills.set(skills[code] for code in SKILLS_OF.get(kind, ()))
            crews.append(Crews(unit, tuple((_member(unit, pair, 1), _member(unit, pair, 2)) for pair in range(PAIRS))))
    return crews


def _member(unit: Unit, pair: int, place: int) -> Member:
    number = f"{unit.pk:04d}{pair + 1}{place}"
    return Member.objects.create(
        agency=unit.agency,
        governorate=unit.governorate,
        station=unit.station,
        service_number=number,
        name_en=f"Demo officer {number}",
        name_ar=f"فرد تجريبي {number}",
        is_synthetic=True,
    )


def _patterns(agencies: set[Agency]) -> dict[int, list[ShiftPattern]]:
    return {
        agency.pk: [
            ShiftPattern.objects.get_or_create(
                agency=agency,
                code=code,
                defaults={"name_en": en, "name_ar": ar, "begins_at": time(hour), "length_minutes": 480, "break_minutes": 30},
            )[0]
            for code, en, ar, hour in PATTERNS
        ]
        for agency in agencies
    }


def _shifts(crews: list[Crews], patterns: dict[int, list[ShiftPattern]], region: Region, now: datetime) -> None:
    """Morning, afternoon, night and a day off in turn: 42 hours a week. One unit in seven lacks its crew a day in seven: a gap to see."""
    today = now.astimezone(region.zone_info).date()
    made: dict[tuple[int, int, int, int], Shift] = {}
    places = sorted({(crew.unit.agency_id, crew.unit.governorate_id) for crew in crews})
    for day in range(-DAYS_BEFORE, DAYS_AFTER + 1):
        for agency_id, governorate_id in places:
            for index, pattern in enumerate(patterns[agency_id]):
                start = datetime.combine(today + timedelta(days=day), pattern.begins_at, region.zone_info)
                made[day, agency_id, governorate_id, index] = Shift(
                    agency_id=agency_id,
                    governorate_id=governorate_id,
                    pattern=pattern,
                    starts_at=start,
                    ends_at=start + timedelta(minutes=pattern.length_minutes),
                    is_synthetic=True,
                )
    Shift.objects.bulk_create(made.values(), batch_size=1_000)
    entries = [
        RosterEntry(shift=shift, member=member, unit=crew.unit, part=part, starts_at=shift.starts_at, ends_at=shift.ends_at)
        for (day, agency_id, governorate_id, index), shift in made.items()
        for crew in crews
        if (crew.unit.agency_id, crew.unit.governorate_id) == (agency_id, governorate_id)
        for member, part in zip(crew.pairs[(index - day) % PAIRS], (RosterEntry.Part.LEADER, RosterEntry.Part.DRIVER), strict=True)
        if (day + crew.unit.pk) % 7 or crew.unit.pk % 7
    ]
    RosterEntry.objects.bulk_create(entries, batch_size=2_000)
    begun = [entry for entry in entries if entry.starts_at <= now]
    Duty.objects.bulk_create(
        Duty(
            agency_id=entry.shift.agency_id,
            governorate_id=entry.shift.governorate_id,
            member=entry.member,
            unit=entry.unit,
            roster_entry=entry,
            started_at=entry.starts_at,
            expected_until=entry.ends_at,
            ended_at=entry.ends_at if entry.ends_at <= now else None,
            is_synthetic=True,
        )
        for entry in begun
    )


def _run_cards(agencies: dict[str, Agency], skills: dict[str, Skill]) -> None:
    types = {kind.code: kind for kind in IncidentType.objects.all()}
    for agency, code, level, lines in CARDS:
        if code in types and agency in agencies:
            card = RunCard.objects.create(agency=agencies[agency], type=types[code], alarm_level=level)
            RunCardLine.objects.bulk_create(
                RunCardLine(card=card, kind=kind, skill=skills.get(skill), count=count, within_minutes=within)
                for kind, skill, count, within in lines
            )


def _people_who_sign_in(crews: list[Crews], now: datetime) -> None:
    """The demo's dispatcher sits at a desk; its officer rides on the first patrol of Hawalli."""
    dispatcher = User.objects.filter(username=Role.DISPATCHER.value).first()
    officer = User.objects.filter(username=Role.OFFICER.value).first()
    first = crews[0].unit
    for user, number, name in ((dispatcher, "9001", "Demo dispatcher"), (officer, "9002", "Demo officer")):
        if user is None or Member.objects.filter(user=user).exists():
            continue
        member = Member.objects.create(
            agency=first.agency,
            governorate=first.governorate,
            station=first.station,
            user=user,
            service_number=number,
            name_en=name,
            name_ar="المرسل التجريبي" if user == dispatcher else "الفرد التجريبي",
            is_synthetic=True,
        )
        Duty.objects.create(
            agency=first.agency,
            governorate=None if user == dispatcher else first.governorate,
            member=member,
            unit=None if user == dispatcher else first,
            started_at=now,
            is_synthetic=True,
        )
