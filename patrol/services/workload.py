"""Hours, tasks, rest and nights of units and people in a window, and where the rules against overwork are broken. Reads only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Agency
from core.errors import Invalid
from geography.models import Zone
from patrol.analytics.spans import Span, clipped, merged, overlap, total
from patrol.models import Assignment, Duty, Member, Unit
from patrol.services.duty import BY_TIME
from patrol.services.rest import SAME_STRETCH

MOST_DAYS = 92
WEEK = timedelta(days=7)
_NIGHT = (time(22), timedelta(hours=8))
NIGHT_COUNTS = timedelta(hours=3)


@dataclass(frozen=True)
class Limits:
    """What counts as too much. Settings' ``WORKLOAD_LIMITS`` may give others (docs/decisions/0133)."""

    stretch_hours: float = 12  # the longest shift there is
    week_hours: float = 48  # in any seven days: Directive 2003/88/EC art. 6, Kuwait's Law 6/2010 art. 64
    rest_hours: float = 11  # before a stretch: Directive 2003/88/EC art. 3
    nights: int = 4  # in a row; a night counts with three hours between 22:00 and 06:00
    busy_share: float = 0.6  # of a unit's time on duty spent on what it was sent to: the "rule of 60"


def limits() -> Limits:
    return Limits(**settings.WORKLOAD_LIMITS)


@dataclass
class Load:
    """Of a unit or a person: time on duty and at work in the window."""

    on_duty: timedelta = timedelta(0)
    busy: timedelta = timedelta(0)
    stops: timedelta = timedelta(0)
    unconfirmed: timedelta = timedelta(0)  # past the expected end of duties that only the clock closed
    tasks: int = 0
    flags: list[str] = field(default_factory=list)

    @property
    def busy_share(self) -> float | None:
        return self.busy / self.on_duty if self.on_duty else None

    @property
    def minutes(self) -> int:
        return int(self.on_duty.total_seconds() // 60)


@dataclass
class UnitLoad(Load):
    unit: Unit = field(kw_only=True)
    by_kind: dict[str, int] = field(default_factory=dict)
    is_on_duty: bool = False


@dataclass
class PersonLoad(Load):
    member: Member = field(kw_only=True)
    shifts: int = 0
    longest: timedelta = timedelta(0)
    week: timedelta = timedelta(0)
    shortest_rest: timedelta | None = None
    short_rests: int = 0
    overrides: int = 0
    nights: int = 0
    is_on_duty: bool = False


@dataclass
class Workload:
    start: datetime
    end: datetime
    limits: Limits
    units: list[UnitLoad]
    people: list[PersonLoad]

    @property
    def overworked(self) -> int:
        return sum(bool(person.flags) for person in self.people)

    @property
    def unit_time(self) -> timedelta:
        return sum((unit.on_duty for unit in self.units), timedelta(0))

    @property
    def person_time(self) -> timedelta:
        return sum((person.on_duty for person in self.people), timedelta(0))

    @property
    def tasks(self) -> int:
        return sum(unit.tasks for unit in self.units)

    def rules(self) -> dict[str, Any]:
        return asdict(self.limits)


def workload(*, viewer: object, agency: Agency, governorate: Zone, start: datetime, end: datetime, now: datetime | None = None) -> Workload:
    """Units and people of the agency in the governorate, as the viewer may see them, from ``start`` to ``end`` (or to now).

    A duty counts where it lies in the window, one that is open until now. A unit with three on board is on duty once.
    """
    now = now or timezone.now()
    check_window(start, end)
    until = min(end, now)
    place = {"agency": agency, "governorate": governorate}
    units = list(Unit.objects.visible_to(viewer).filter(**place).order_by("call_sign"))
    members = list(Member.objects.visible_to(viewer).filter(**place).order_by("service_number"))
    since = start - WEEK  # what lies before the window decides the rest and the week at its beginning
    held = Duty.objects.filter(started_at__lt=until).filter(Q(ended_at=None) | Q(ended_at__gt=since))
    duties = list(held.filter(Q(unit__in=units) | Q(member__in=members)).order_by("started_at", "pk"))
    crews: dict[int, list[Span]] = defaultdict(list)
    own: dict[int, list[Duty]] = defaultdict(list)
    for duty in duties:
        if duty.unit_id is not None:
            crews[duty.unit_id].append((duty.started_at, duty.ended_at or now))
        if duty.member_id is not None:
            own[duty.member_id].append(duty)
    work = _Work(sorted({*crews, *(unit.pk for unit in units)}), start, until, now)
    rules = limits()
    on_now = {duty.unit_id for duty in duties if duty.ended_at is None}
    shown = [_unit(unit, crews[unit.pk], work, start, until, rules, unit.pk in on_now) for unit in units]
    people = [_person(member, own[member.pk], work, start, until, now, rules, governorate.region.zone_info) for member in members]
    return Workload(
        start,
        end,
        rules,
        [row for row in shown if row.unit.is_active or row.on_duty or row.tasks],
        [row for row in people if row.member.is_active or row.on_duty],
    )


def check_window(start: datetime, end: datetime) -> None:
    if end <= start:
        raise Invalid(_("This window is empty."), fields={"end": _("It must end after it begins.")})
    if end - start > timedelta(days=MOST_DAYS):
        raise Invalid(_("This window is too long."), fields={"end": _("At most %(days)d days.") % {"days": MOST_DAYS}})


class _Work:
    """What units were sent to in the window: how many pieces, and when they were at it."""

    def __init__(self, unit_ids: list[int], start: datetime, until: datetime, now: datetime) -> None:
        rows = Assignment.objects.filter(unit_id__in=unit_ids, assigned_at__lt=until).filter(Q(ended_at=None) | Q(ended_at__gt=start))
        self.given: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
        busy: dict[int, list[Span]] = defaultdict(list)
        stops: dict[int, list[Span]] = defaultdict(list)
        names = ("unit_id", "kind", "assigned_at", "active_from", "en_route_at", "on_scene_at", "ended_at")
        for unit_id, kind, assigned_at, active_from, en_route_at, on_scene_at, ended_at in rows.values_list(*names):
            begins = max(assigned_at, active_from or assigned_at)
            if start <= begins < until:
                self.given[unit_id].append((begins, kind))
            finish = ended_at or now
            if kind == Assignment.Kind.STOP:
                # A stop of the route lies ahead all shift long: it takes time from when the crew is on its way.
                went = min((at for at in (en_route_at, on_scene_at) if at is not None), default=None)
                if went is not None:
                    stops[unit_id].append((went, finish))
            elif finish > begins:
                busy[unit_id].append((begins, finish))
        self.busy = {unit_id: merged(clipped(spans, start, until)) for unit_id, spans in busy.items()}
        self.stops = {unit_id: merged(clipped(spans, start, until)) for unit_id, spans in stops.items()}


def _unit(unit: Unit, crew: list[Span], work: _Work, start: datetime, until: datetime, rules: Limits, is_on_duty: bool) -> UnitLoad:
    there = merged(clipped(crew, start, until))
    row = UnitLoad(unit=unit, is_on_duty=is_on_duty)
    row.on_duty = total(there)
    row.busy = overlap(there, work.busy.get(unit.pk, []))
    row.stops = overlap(there, work.stops.get(unit.pk, []))
    for _at, kind in work.given.get(unit.pk, []):
        row.tasks += 1
        row.by_kind[kind] = row.by_kind.get(kind, 0) + 1
    if row.busy_share is not None and row.busy_share > rules.busy_share:
        row.flags.append("busy")
    return row


def _person(
    member: Member, duties: list[Duty], work: _Work, start: datetime, until: datetime, now: datetime, rules: Limits, local: ZoneInfo
) -> PersonLoad:
    row = PersonLoad(member=member)
    spans = merged([(duty.started_at, min(duty.ended_at or now, until)) for duty in duties])
    row.on_duty = total(clipped(spans, start, until))
    for duty in duties:
        span: Span = (duty.started_at, duty.ended_at or now)
        inside = clipped([span], start, until)
        row.is_on_duty |= duty.ended_at is None
        if not inside:
            continue
        row.overrides += bool(duty.rest_override_reason) and duty.started_at >= start
        if duty.ended_because == BY_TIME and duty.expected_until is not None and duty.ended_at is not None:
            row.unconfirmed += total(clipped([(duty.expected_until, duty.ended_at)], start, until))
        if duty.unit_id is not None:
            row.busy += overlap(inside, work.busy.get(duty.unit_id, []))
            row.stops += overlap(inside, work.stops.get(duty.unit_id, []))
            row.tasks += sum(inside[0][0] <= at < inside[0][1] for at, _kind in work.given.get(duty.unit_id, []))
    stretches = merged(spans, gap=SAME_STRETCH)
    recent = [span for span in stretches if span[1] > start]
    row.shifts = sum(start <= begin < until for begin, _finish in stretches)
    row.longest = max((total(clipped(spans, *stretch)) for stretch in recent), default=timedelta(0))
    row.week = max((total(clipped(spans, finish - WEEK, finish)) for _begin, finish in recent), default=timedelta(0))
    rests = [later[0] - earlier[1] for earlier, later in pairwise(stretches) if later[0] >= start]
    row.shortest_rest = min(rests, default=None)
    row.short_rests = sum(rest < timedelta(hours=rules.rest_hours) for rest in rests)
    row.nights = nights_in_row(spans, start, local)
    row.flags = [
        name
        for name, broken in (
            ("stretch", row.longest > timedelta(hours=rules.stretch_hours)),
            ("week", row.week > timedelta(hours=rules.week_hours)),
            ("rest", row.short_rests > 0),
            ("nights", row.nights > rules.nights),
        )
        if broken
    ]
    return row


def nights_in_row(spans: list[Span], start: datetime, local: ZoneInfo) -> int:
    """The longest run of nights worked that reaches into the window. A night is from 22:00 to 06:00 on the region's clock."""
    if not spans:
        return 0
    nights: list[date] = []
    day = spans[0][0].astimezone(local).date() - timedelta(days=1)
    last = spans[-1][1].astimezone(local).date()
    while day <= last:
        begin = datetime.combine(day, _NIGHT[0])
        night = (begin.replace(tzinfo=local), (begin + _NIGHT[1]).replace(tzinfo=local))
        if total(clipped(spans, *night)) >= NIGHT_COUNTS:
            nights.append(day)
        day += timedelta(days=1)
    best = run = 0
    before: date | None = None
    first = start.astimezone(local).date() - timedelta(days=1)
    for night_of in nights:
        run = run + 1 if before is not None and night_of - before == timedelta(days=1) else 1
        before = night_of
        if night_of >= first:
            best = max(best, run)
    return best
