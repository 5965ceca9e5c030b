"""What the roster's pages show: a week by unit or by person, one shift with its crews, and the gaps in both."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from dashboard.patrol_scope import Scope
from geography.models import Region
from patrol.models import Duty, Leave, Member, RosterEntry, Shift, Skill, Unit
from patrol.services.rest import Calendar
from patrol.services.words import clock, hours

DAYS = 7
# Kuwait's week begins on Sunday; Friday and Saturday are its end.
FIRST_WEEKDAY = 6
WEEKEND = frozenset({4, 5})
Part = RosterEntry.Part
_ORDER = {Part.LEADER: 0, Part.DRIVER: 1, Part.CREW: 2, Part.DESK: 3}
_PEOPLE = ("pk", "service_number", "name_en", "name_ar")
SHOWN_GAPS = 24


def week_start(day: date) -> date:
    return day - timedelta(days=(day.weekday() - FIRST_WEEKDAY) % 7)


@dataclass(slots=True)
class Person:
    pk: int
    number: str
    name: str


@dataclass(slots=True)
class Placed:
    """Somebody in a cell."""

    person: Person
    part: str
    is_leader: bool
    is_over_rest: bool


@dataclass(slots=True)
class Slot:
    """One unit on one shift."""

    shift_id: int
    code: str
    crew: list[Placed] = field(default_factory=list)
    is_over: bool = False
    problem: str = ""

    @property
    def is_gap(self) -> bool:
        return not self.crew and not self.is_over


@dataclass(slots=True)
class Row:
    """A line of the table: a unit, the reserve and desks, or a person."""

    name: str
    note: str = ""
    unit_id: int = 0
    cells: list[list[Any]] = field(default_factory=list)
    minutes: int = 0
    is_quiet: bool = False


@dataclass(slots=True)
class Work:
    """One shift of one person, as the table by person shows it."""

    shift_id: int
    code: str
    unit: str
    is_over_rest: bool
    title: str = ""


@dataclass
class Day:
    date: date
    is_today: bool
    is_weekend: bool


@dataclass
class Gap:
    shift_id: int
    text: str
    is_grave: bool = False


@dataclass
class Week:
    first: date
    days: list[Day]
    shifts: list[Shift]
    rows: list[Row]
    gaps: list[Gap]
    gap_count: int
    entry_count: int
    people_count: int
    by: str

    @property
    def last(self) -> date:
        return self.first + timedelta(days=DAYS - 1)

    @property
    def before(self) -> date:
        return self.first - timedelta(days=DAYS)

    @property
    def after(self) -> date:
        return self.first + timedelta(days=DAYS)

    @property
    def has_empty_shift(self) -> bool:
        return any(gap.is_grave for gap in self.gaps)

    @property
    def gaps_left(self) -> int:
        return self.gap_count - len(self.gaps)


def week(viewer: Any, scope: Scope, *, first: date, by: str, now: datetime | None = None) -> Week:
    """The seven days from ``first`` on. A dozen queries, however many people."""
    now = now or timezone.now()
    local = scope.governorate.region.zone_info
    start = datetime.combine(first, time(), local)
    end = datetime.combine(first + timedelta(days=DAYS), time(), local)
    today = now.astimezone(local).date()
    days = [Day(day, day == today, day.weekday() in WEEKEND) for day in (first + timedelta(days=n) for n in range(DAYS))]
    place = {"agency": scope.agency, "governorate": scope.governorate}
    shifts = list(
        Shift.objects.visible_to(viewer).filter(**place, starts_at__gte=start, starts_at__lt=end)
        .select_related("pattern").order_by("starts_at", "pattern__begins_at", "pk")
    )  # fmt: skip
    day_of = {shift.pk: (shift.starts_at.astimezone(local).date() - first).days for shift in shifts}
    entries = list(
        RosterEntry.objects.standing().filter(shift__in=shifts)
        .values_list("shift_id", "unit_id", "member_id", "part", "starts_at", "ends_at", "rest_override_reason")
    )  # fmt: skip
    people = _people({row[2] for row in entries}, scope if by == "person" else None)
    units = list(Unit.objects.visible_to(viewer).filter(**place, is_active=True).select_related("vehicle").order_by("call_sign"))
    gaps, slots = _slots(shifts, units, entries, people, now, scope.governorate.region)
    if by == "person":
        rows = _by_person(shifts, units, entries, people, day_of, start, end)
    else:
        rows = _by_unit(shifts, units, slots, entries, people, day_of)
    return Week(first, days, shifts, rows, gaps[:SHOWN_GAPS], len(gaps), len(entries), len(people), by)


def _people(ids: set[int], scope: Scope | None) -> dict[int, Person]:
    rows = Member.objects.filter(pk__in=ids)
    if scope is not None:
        rows = rows | Member.objects.filter(agency=scope.agency, governorate=scope.governorate, is_active=True)
    is_arabic = (get_language() or "").startswith("ar")
    return {
        pk: Person(pk, number, (arabic or english) if is_arabic else english) for pk, number, english, arabic in rows.values_list(*_PEOPLE)
    }


def _slots(
    shifts: list[Shift], units: list[Unit], entries: list[Any], people: dict[int, Person], now: datetime, region: Region
) -> tuple[list[Gap], dict[tuple[int, int], Slot]]:
    """Every unit on every shift, and what is missing of them."""
    slots = {(shift.pk, unit.pk): Slot(shift.pk, shift.pattern.code, is_over=shift.ends_at <= now) for shift in shifts for unit in units}
    for shift_id, unit_id, member_id, part, _start, _end, reason in entries:
        slot = slots.get((shift_id, unit_id)) if unit_id is not None else None
        if slot is not None:
            slot.crew.append(Placed(people[member_id], part, part == Part.LEADER, bool(reason)))
    needed, able = _skills(units, people)
    anybody = {row[0] for row in entries}
    gaps = []
    for shift in shifts:
        if shift.ends_at <= now:
            continue
        name = {"code": shift.pattern.code, "when": clock(shift.starts_at, region)}
        if shift.pk not in anybody:
            gaps.append(Gap(shift.pk, _("%(when)s, %(code)s: nobody is on this shift") % name, is_grave=True))
            continue
        empty = []
        for unit in units:
            slot = slots[shift.pk, unit.pk]
            slot.crew.sort(key=lambda placed: (_ORDER.get(Part(placed.part), 9), placed.person.number))
            if not slot.crew:
                empty.append(unit.call_sign)
                continue
            missing = needed[unit.pk] - set().union(*(able[placed.person.pk] for placed in slot.crew))
            if missing:
                slot.problem = _("nobody of the crew: %(skills)s") % {"skills": ", ".join(sorted(missing))}
            elif not any(placed.is_leader for placed in slot.crew):
                slot.problem = _("no leader")
            if slot.problem:
                gaps.append(Gap(shift.pk, f"{name['when']}, {name['code']}: {unit.call_sign}: {slot.problem}"))
        if empty:
            shown = ", ".join(empty[:6]) + ("…" if len(empty) > 6 else "")
            gaps.append(Gap(shift.pk, _("%(when)s, %(code)s: without crew: %(units)s") % {**name, "units": shown}))
    return gaps, slots


def _skills(units: list[Unit], people: dict[int, Person]) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
    """What each unit needs and each person can, in the page's language."""
    names = {skill.pk: skill.name for skill in Skill.objects.all()}
    needed: dict[int, set[str]] = defaultdict(set)
    able: dict[int, set[str]] = defaultdict(set)
    for unit_id, skill_id in Unit.skills.through.objects.filter(unit_id__in=[unit.pk for unit in units]).values_list("unit_id", "skill_id"):
        needed[unit_id].add(names[skill_id])
    if needed:
        rows = Member.skills.through.objects.filter(member_id__in=list(people)).values_list("member_id", "skill_id")
        for member_id, skill_id in rows:
            able[member_id].add(names[skill_id])
    return needed, able


def _by_unit(
    shifts: list[Shift],
    units: list[Unit],
    slots: dict[tuple[int, int], Slot],
    entries: list[Any],
    people: dict[int, Person],
    day_of: dict[int, int],
) -> list[Row]:
    rows = []
    for unit in units:
        note = unit.vehicle.out_of_service if unit.vehicle is not None else ""
        row = Row(unit.call_sign, note, unit.pk, [[] for _day in range(DAYS)])
        for shift in shifts:
            row.cells[day_of[shift.pk]].append(slots[shift.pk, unit.pk])
        rows.append(row)
    known = {unit.pk for unit in units}
    for name, is_desk in ((_("Desk"), True), (_("Reserve"), False)):
        there: dict[int, Slot] = {}
        for shift_id, unit_id, member_id, part, _start, _end, reason in entries:
            if unit_id in known or (part == Part.DESK) != is_desk:
                continue
            slot = there.setdefault(shift_id, Slot(shift_id, next(shift.pattern.code for shift in shifts if shift.pk == shift_id)))
            slot.crew.append(Placed(people[member_id], part, False, bool(reason)))
        if there:
            cells: list[list[Any]] = [[] for _day in range(DAYS)]
            for shift in shifts:
                if shift.pk in there:
                    cells[day_of[shift.pk]].append(there[shift.pk])
            rows.append(Row(name, cells=cells, is_quiet=True))
    return rows


def _by_person(
    shifts: list[Shift],
    units: list[Unit],
    entries: list[Any],
    people: dict[int, Person],
    day_of: dict[int, int],
    start: datetime,
    end: datetime,
) -> list[Row]:
    codes = {shift.pk: shift.pattern.code for shift in shifts}
    signs = {unit.pk: unit.call_sign for unit in units}
    rows = {
        person.pk: Row(person.name, person.number, cells=[[] for _day in range(DAYS)])
        for person in sorted(people.values(), key=lambda one: one.number)
    }
    for shift_id, unit_id, member_id, part, begins, ends, reason in sorted(entries, key=lambda entry: entry[4]):
        unit = signs.get(unit_id, "") if unit_id else (_("Desk") if part == Part.DESK else _("Reserve"))
        rows[member_id].cells[day_of[shift_id]].append(Work(shift_id, codes[shift_id], unit, bool(reason), reason))
        rows[member_id].minutes += int((ends - begins).total_seconds() // 60)
    zone = start.tzinfo
    leave = Leave.objects.filter(member_id__in=list(rows), is_cancelled=False, starts_at__lt=end, ends_at__gt=start)
    # Of which kind is nobody's business here.
    for member_id, begins, ends in leave.values_list("member_id", "starts_at", "ends_at"):
        first = max((begins.astimezone(zone).date() - start.date()).days, 0)
        last = min(((ends - timedelta(seconds=1)).astimezone(zone).date() - start.date()).days, DAYS - 1)
        for number in range(first, last + 1):
            rows[member_id].cells[number].append(None)
    return list(rows.values())


# --- one shift ---------------------------------------------------------------------------------------------------------------------------


@dataclass
class Crew:
    """A unit on the shift (``None``: the reserve, the desks) and who is on it."""

    unit: Unit | None
    entries: list[RosterEntry]
    problem: str = ""
    on_duty: frozenset[int] = frozenset()


@dataclass(order=True)
class Choice:
    """Somebody who may be put on the shift, or why they may not."""

    rank: int
    label: str
    pk: int
    is_refused: bool = False
    needs_reason: bool = False


@dataclass
class ShiftPage:
    shift: Shift
    crews: list[Crew]
    people: int
    empty: list[Unit]
    choices: list[tuple[str, list[Choice]]]
    units: list[Unit]


def shift_page(viewer: Any, shift: Shift, *, may_change: bool) -> ShiftPage:
    place = {"agency_id": shift.agency_id, "governorate_id": shift.governorate_id}
    units = list(
        Unit.objects.visible_to(viewer).filter(**place, is_active=True).select_related("vehicle").prefetch_related("skills")
        .order_by("call_sign")
    )  # fmt: skip
    rows = RosterEntry.objects.standing().filter(shift=shift).select_related("member", "unit").prefetch_related("member__skills")
    by_unit: dict[int | None, list[RosterEntry]] = defaultdict(list)
    for entry in sorted(rows, key=lambda one: (_ORDER.get(Part(one.part), 9), one.member.service_number)):
        by_unit[entry.unit_id].append(entry)
    there = [one.member_id for crew in by_unit.values() for one in crew]
    on_duty = frozenset(Duty.objects.open().filter(member_id__in=there).values_list("member_id", flat=True))
    crews = []
    for unit in units:
        crew = by_unit.pop(unit.pk, [])
        if not crew:
            continue
        missing = {skill.name for skill in unit.skills.all()} - {skill.name for one in crew for skill in one.member.skills.all()}
        problem = _("nobody of the crew: %(skills)s") % {"skills": ", ".join(sorted(missing))} if missing else ""
        if not problem and not any(one.part == Part.LEADER for one in crew):
            problem = _("no leader")
        crews.append(Crew(unit, crew, problem, on_duty))
    others = [one for rest in by_unit.values() for one in rest]
    if others:
        crews.append(Crew(None, others, "", on_duty))
    used = {crew.unit.pk for crew in crews if crew.unit is not None}
    choices = _choices(viewer, shift) if may_change else []
    people = sum(len(crew.entries) for crew in crews)
    return ShiftPage(shift, crews, people, [unit for unit in units if unit.pk not in used], choices, units)


def _choices(viewer: Any, shift: Shift) -> list[tuple[str, list[Choice]]]:
    """Everybody of the agency in the governorate, those who are free first; who cannot come is listed with why."""
    members = list(Member.objects.visible_to(viewer).filter(agency_id=shift.agency_id, governorate_id=shift.governorate_id, is_active=True))
    calendar = Calendar([member.pk for member in members], start=shift.starts_at, end=shift.ends_at)
    rest = timedelta(minutes=shift.pattern.minimum_rest_minutes)
    found = []
    for member in members:
        label = f"{member.service_number} · {member}"
        other = calendar.clash(member.pk, shift.starts_at, shift.ends_at)
        few = calendar.too_little_rest(member.pk, shift.starts_at, shift.ends_at, rest)
        if calendar.leave_during(member.pk, shift.starts_at, shift.ends_at) is not None:
            found.append(Choice(2, f"{label} – {_('on leave')}", member.pk, is_refused=True))
        elif other is not None:
            found.append(Choice(2, f"{label} – {_('on the roster already')}", member.pk, is_refused=True))
        elif few is not None:
            text = _("%(had)s of rest, rule %(needed)s") % {"had": hours(few.had), "needed": hours(few.needed)}
            found.append(Choice(1, f"{label} – {text}", member.pk, needs_reason=True))
        else:
            found.append(Choice(0, label, member.pk))
    found.sort()
    names = {0: _("Free"), 1: _("Too little rest: a reason is needed"), 2: _("Not available")}
    return [(names[rank], [one for one in found if one.rank == rank]) for rank in names if any(one.rank == rank for one in found)]
