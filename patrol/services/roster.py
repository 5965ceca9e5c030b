"""Who works which shift: one path for one line and for thousands, every refusal a sentence, rest never broken in silence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.events import publish
from core.models import AuditEntry
from patrol import events
from patrol.models import Duty, Member, RosterEntry, Shift, Unit
from patrol.permissions import Actor, require, sees
from patrol.services.acting import MAX_REASON, person_id, reasoned
from patrol.services.rest import LONGEST_STRETCH, Calendar, TooLittle, Work
from patrol.services.words import clock, hours

Part = RosterEntry.Part
MOST_LINES = 20_000
_BATCH = 200  # psycopg reads a statement again for each of its parameters: shorter ones are quicker


@dataclass(frozen=True, slots=True)
class Line:
    """One person on one shift, as it is asked for. Without hours of its own it lasts as long as the shift."""

    shift: Shift
    member: Member
    unit: Unit | None = None
    part: str = Part.CREW
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    rest_override_reason: str = ""

    @property
    def hours(self) -> tuple[datetime, datetime]:
        return self.starts_at or self.shift.starts_at, self.ends_at or self.shift.ends_at


@dataclass
class Rostered:
    """What became of each line: ``entries[i]`` is its row, made or there already, or ``None`` where ``refusals[i]`` says why not."""

    entries: list[RosterEntry | None]
    made: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    refusals: dict[int, DomainError] = field(default_factory=dict)


def put_on_roster(
    *,
    shift: Shift,
    member: Member,
    by: Actor | None,
    unit: Unit | None = None,
    part: str = Part.CREW,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    rest_override_reason: str = "",
) -> RosterEntry:
    """Put a person on a shift, on a unit or in reserve. Asking twice changes nothing.

    Too little rest is refused with ``Conflict`` whose field is ``rest_override_reason``; given with it, it is kept and audited.
    """
    line = Line(shift, member, unit, part, starts_at, ends_at, rest_override_reason)
    done = put_many_on_roster(lines=[line], by=by)
    if done.refusals:
        raise done.refusals[0]
    entry = done.entries[0]
    assert entry is not None
    return entry


@transaction.atomic
def put_many_on_roster(*, lines: Sequence[Line], by: Actor | None, now: datetime | None = None, dry_run: bool = False) -> Rostered:
    """Every line that may stand is written, all of them or, if the database refuses, none; every other says why.

    ``dry_run`` judges and writes nothing. Lines are judged in the order of their time, each knowing those before it.
    """
    require(by, "roster")
    if len(lines) > MOST_LINES:
        raise Invalid(_("At most %(limit)d lines at a time.") % {"limit": MOST_LINES})
    done = Rostered([None] * len(lines))
    if not lines:
        return done
    now = now or timezone.now()
    # One change at a time of one person's roster: what is judged below is what is written.
    ids = sorted({line.member.pk for line in lines})
    list(Member.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    start = min(line.hours[0] for line in lines)
    end = max(line.hours[1] for line in lines)
    judge = _Judge(lines, Calendar(ids, start=start, end=end), by, now)
    fresh: list[tuple[int, RosterEntry, TooLittle | None]] = []
    for index in sorted(range(len(lines)), key=lambda number: (lines[number].hours[0], number)):
        line = lines[index]
        known = judge.known.get((line.shift.pk, line.member.pk))
        if known is not None and (known.unit_id, known.part) == (line.unit.pk if line.unit else None, line.part):
            done.entries[index] = known
            done.unchanged.append(index)
            continue
        try:
            entry, few = judge.entry(line)
        except DomainError as refusal:
            done.refusals[index] = refusal
            continue
        entry.created_by_id = person_id(by)
        done.entries[index] = entry
        done.made.append(index)
        fresh.append((index, entry, few))
    if fresh and not dry_run:
        _write(fresh, lines, by)
    return done


class _Judge:
    """Whether a line may stand beside the roster as it is, and beside the lines before it."""

    def __init__(self, lines: Sequence[Line], calendar: Calendar, by: Actor | None, now: datetime) -> None:
        self.calendar, self.by, self.now = calendar, by, now
        shifts = {line.shift.pk for line in lines}
        standing = list(RosterEntry.objects.standing().filter(shift_id__in=shifts))
        self.known = {(entry.shift_id, entry.member_id): entry for entry in standing}
        self.leaders = {(entry.shift_id, entry.unit_id) for entry in standing if entry.part == Part.LEADER and entry.unit_id}
        self._names: dict[int, str] = {}

    def entry(self, line: Line) -> tuple[RosterEntry, TooLittle | None]:
        starts_at, ends_at = self._hours(line)
        self._place(line)
        member, unit, region = line.member, line.unit, line.shift.governorate.region
        away = self.calendar.leave_during(member.pk, starts_at, ends_at)
        if away is not None:
            span = {"who": member, "from": clock(away.starts_at, region), "to": clock(away.ends_at, region)}
            raise Conflict(_("%(who)s is on leave from %(from)s to %(to)s.") % span, fields={"member": _("On leave.")})
        other = self.calendar.clash(member.pk, starts_at, ends_at)
        if other is not None:
            span = {"who": member, "from": clock(other.start, region), "to": clock(other.end, region)}
            raise Conflict(_("%(who)s is on the roster already from %(from)s to %(to)s.") % span, fields={"member": _("On another shift.")})
        if unit is not None and line.part == Part.LEADER and (line.shift.pk, unit.pk) in self.leaders:
            raise Conflict(_("%(unit)s has a leader on this shift already.") % {"unit": unit}, fields={"part": _("There is one already.")})
        rest = timedelta(minutes=line.shift.pattern.minimum_rest_minutes)
        few = self.calendar.too_little_rest(member.pk, starts_at, ends_at, rest)
        reason = " ".join(line.rest_override_reason.split())
        if few is not None and not reason:
            raise too_little_rest(member, few, line.shift.governorate.region)
        if len(reason) > MAX_REASON:
            text = _("At most %(limit)d characters.") % {"limit": MAX_REASON}
            raise Invalid(_("The reason is too long."), fields={"rest_override_reason": text})
        self.calendar.add(member.pk, Work(starts_at, ends_at, rest))
        if unit is not None and line.part == Part.LEADER:
            self.leaders.add((line.shift.pk, unit.pk))
        entry = RosterEntry(
            shift=line.shift,
            member=member,
            unit=unit,
            part=line.part,
            starts_at=starts_at,
            ends_at=ends_at,
            rest_override_reason=reason if few is not None else "",
        )
        self.known[line.shift.pk, member.pk] = entry
        return entry, few

    def _hours(self, line: Line) -> tuple[datetime, datetime]:
        starts_at, ends_at = line.hours
        shift = line.shift
        problems: dict[str, str] = {}
        if starts_at >= ends_at:
            problems["ends_at"] = _("It must end after it begins.")
        elif ends_at - starts_at > LONGEST_STRETCH:
            problems["ends_at"] = _("Nobody works longer than %(hours)s at a stretch.") % {"hours": hours(LONGEST_STRETCH)}
        elif starts_at >= shift.ends_at or ends_at <= shift.starts_at:
            problems["starts_at"] = _("These hours lie outside the shift.")
        if line.part not in Part.values:
            problems["part"] = _("There is no such part.")
        elif line.part == Part.DESK and line.unit is not None:
            problems["part"] = _("A desk has no unit.")
        if problems:
            raise Invalid(_("The roster cannot say this."), fields=problems)
        if self.by is not None and ends_at <= self.now:
            raise Conflict(_("This shift is over."))
        return starts_at, ends_at

    def _place(self, line: Line) -> None:
        shift, member, unit = line.shift, line.member, line.unit
        if not sees(self.by, shift):
            raise NotFound(_("There is no such shift."))
        if not sees(self.by, member) or member.agency_id != shift.agency_id:
            raise NotFound(_("There is no such person in this agency."))
        if not member.is_active:
            raise Conflict(_("%(who)s is not in service any more.") % {"who": member})
        if unit is None:
            return
        if not sees(self.by, unit) or unit.agency_id != shift.agency_id:
            raise NotFound(_("There is no such unit in this agency."))
        if unit.governorate_id != shift.governorate_id:
            raise Conflict(_("%(unit)s works in another governorate.") % {"unit": unit}, fields={"unit": _("Of another governorate.")})
        if not unit.is_active:
            raise Conflict(_("%(unit)s is out of use.") % {"unit": unit}, fields={"unit": _("Out of use.")})


def too_little_rest(member: Member, few: TooLittle, region: Any = None) -> Conflict:
    """The refusal, with what would be missing; given again with a reason it stands, and the audit trail says so."""
    facts = {
        "who": member,
        "had": hours(few.had),
        "needed": hours(few.needed),
        "from": clock(few.until, region),
        "to": clock(few.start, region),
    }
    text = _("%(who)s would have %(had)s of rest from %(from)s to %(to)s; the rule is %(needed)s. Give a reason to do it all the same.")
    return Conflict(
        text % facts,
        fields={"rest_override_reason": _("Give a reason.")},
        codes={"rest_override_reason": "too_little_rest"},
    )


def _write(fresh: list[tuple[int, RosterEntry, TooLittle | None]], lines: Sequence[Line], by: Actor | None) -> None:
    try:
        with transaction.atomic():
            RosterEntry.objects.bulk_create([entry for _index, entry, _few in fresh], batch_size=_BATCH)
    except IntegrityError as error:
        raise Conflict(_("The roster was changed meanwhile. Look again.")) from error
    drafts = []
    by_shift: dict[int, list[RosterEntry]] = defaultdict(list)
    for _index, entry, few in fresh:
        after: dict[str, Any] = _kept(entry)
        if few is not None:
            after["rest"] = {"had_minutes": int(few.had.total_seconds() // 60), "needed_minutes": int(few.needed.total_seconds() // 60)}
        verb = "roster.put" if few is None else "roster.put_over_rest"
        drafts.append(audit.draft(verb, obj=entry, by=by, after=after, reason=entry.rest_override_reason))
        by_shift[entry.shift_id].append(entry)
    AuditEntry.objects.bulk_create(drafts, batch_size=_BATCH)
    shifts = {line.shift.pk: line.shift for line in lines}
    for shift_id, entries in by_shift.items():
        announce(shifts[shift_id], entries=len(entries))


def announce(shift: Shift, *, entries: int) -> None:
    publish(
        events.ROSTER_CHANGED,
        subject=shift,
        data={"shift": shift.pk, "entries": entries},
        agency_id=shift.agency_id,
        governorate_id=shift.governorate_id,
    )


def _kept(entry: RosterEntry) -> dict[str, Any]:
    return {
        "shift": entry.shift_id,
        "member": entry.member_id,
        "unit": entry.unit_id,
        "part": str(entry.part),
        "starts_at": entry.starts_at.isoformat(),
        "ends_at": entry.ends_at.isoformat(),
    }


@transaction.atomic
def move_on_roster(*, entry: RosterEntry, unit: Unit | None, part: str, by: Actor | None, reason: str) -> RosterEntry:
    """The same person on the same shift, on another unit or in another part."""
    _ask(entry, by)
    reason = reasoned(reason)
    entry = RosterEntry.objects.select_related("shift__governorate__region", "shift__pattern", "member").get(pk=entry.pk)
    judge = _Judge([Line(entry.shift, entry.member)], Calendar([], start=entry.starts_at, end=entry.ends_at), by, timezone.now())
    line = Line(entry.shift, entry.member, unit, part, entry.starts_at, entry.ends_at)
    judge._hours(line)
    judge._place(line)
    is_same_lead = entry.part == Part.LEADER and entry.unit_id == (unit.pk if unit else None)
    if unit is not None and part == Part.LEADER and not is_same_lead and (entry.shift_id, unit.pk) in judge.leaders:
        raise Conflict(_("%(unit)s has a leader on this shift already.") % {"unit": unit}, fields={"part": _("There is one already.")})
    before = {"unit": entry.unit_id, "part": entry.part}
    rows = RosterEntry.objects.standing().filter(pk=entry.pk, unit_id=before["unit"], part=before["part"])
    if not rows.update(unit=unit, part=part):
        raise Conflict(_("The roster was changed meanwhile. Look again."))
    after = {"unit": unit.pk if unit else None, "part": part}
    audit.record("roster.move", obj=entry, by=by, before=before, after=after, reason=reason)
    announce(entry.shift, entries=1)
    entry.refresh_from_db()
    return entry


@transaction.atomic
def take_off_roster(*, entry: RosterEntry, by: Actor | None, reason: str) -> RosterEntry:
    """The row stays and is cancelled; somebody who is on duty on it goes off duty first."""
    _ask(entry, by)
    reason = reasoned(reason)
    if Duty.objects.open().filter(roster_entry=entry).exists():
        raise Conflict(_("%(who)s is on duty on this shift: off duty first.") % {"who": entry.member})
    if not RosterEntry.objects.standing().filter(pk=entry.pk).update(is_cancelled=True):
        raise Conflict(_("It was taken off the roster already."))
    entry.refresh_from_db()
    audit.record("roster.take_off", obj=entry, by=by, before=_kept(entry), after={"is_cancelled": True}, reason=reason)
    announce(entry.shift, entries=1)
    return entry


def _ask(entry: RosterEntry, by: Actor | None) -> None:
    require(by, "roster")
    if not sees(by, entry.shift):
        raise NotFound(_("There is no such roster entry."))
