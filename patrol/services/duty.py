"""On duty and off: who may act as on duty, on which unit, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import publish
from patrol import events
from patrol.models import Assignment, Duty, Leave, Member, RosterEntry, Shift, Unit
from patrol.permissions import Actor, require, sees
from patrol.services.acting import MAX_REASON, reasoned
from patrol.services.assignments import hand_over_assignments
from patrol.services.rest import LONGEST_STRETCH, rest_before_duty
from patrol.services.roster import too_little_rest
from patrol.services.words import clock

# A phone may say later that somebody went on duty, and a little before the roster says so.
LATE = timedelta(hours=24)
EARLY = timedelta(hours=2)
CLOCKS_DIFFER = timedelta(minutes=2)
BY_TIME = "time"
HANDED_OVER = "handed_over"
SHOWN = 5


@dataclass(frozen=True)
class Swept:
    """What a sweep over duties that ran past their end did: closed, and left because the unit is at work."""

    closed: int
    at_work: int


def go_on_duty(
    *,
    member: Member | None = None,
    unit: Unit | None = None,
    by: Actor | None,
    at: datetime | None = None,
    roster_entry: RosterEntry | None = None,
    rest_override_reason: str = "",
    key: object = None,
) -> Duty:
    """A person goes on duty, on a unit or at a desk; or a unit does, with its crew unnamed.

    People go on duty themselves; supervisors see to anybody's duty, and to that of a unit with dispatchers. Without ``roster_entry`` the
    person's own of that hour is taken, and its unit where none is named. ``at`` is the time of the act, at most a day ago. Too little
    rest is refused as on the roster. With ``key`` (an action that may be sent again) being on duty there already is an answer, not a
    conflict.
    """
    if member is None and unit is None:
        raise Invalid(_("Say who is on duty."))
    _may(by, member, unit)
    now = timezone.now()
    at = _time(at or now, now)
    reason = " ".join(rest_override_reason.split())
    if len(reason) > MAX_REASON:
        text = _("At most %(limit)d characters.") % {"limit": MAX_REASON}
        raise Invalid(_("The reason is too long."), fields={"rest_override_reason": text})
    try:
        with transaction.atomic():
            return _start(member, unit, by, at, roster_entry, reason, is_repeatable=key is not None)
    except IntegrityError as error:
        raise Conflict(_("Somebody else was a moment earlier. Look again.")) from error


def _start(
    member: Member | None,
    unit: Unit | None,
    by: Actor | None,
    at: datetime,
    entry: RosterEntry | None,
    reason: str,
    *,
    is_repeatable: bool,
) -> Duty:
    if member is not None:
        # One change of one person's duty at a time.
        member = Member.objects.select_for_update(no_key=True, of=("self",)).select_related("governorate__region").get(pk=member.pk)
        entry = _entry_of(member, entry, at)
        if unit is None and entry is not None:
            unit = entry.unit
    open_rows = Duty.objects.open().filter(member=member) if member is not None else Duty.objects.open().filter(unit=unit, member=None)
    standing = open_rows.select_related("unit").first()
    if standing is not None:
        if is_repeatable and standing.unit_id == (unit.pk if unit else None):
            return standing
        raise Conflict(_on_duty_already(standing, member, unit))
    few = None
    if member is not None:
        if not member.is_active:
            raise Conflict(_("%(who)s is not in service any more.") % {"who": member})
        away = Leave.objects.filter(member=member, is_cancelled=False, starts_at__lte=at, ends_at__gt=at).first()
        if away is not None:
            region = member.governorate.region
            raise Conflict(_("%(who)s is on leave until %(to)s.") % {"who": member, "to": clock(away.ends_at, region)})
        if Duty.objects.filter(member=member, ended_at__gt=at).exists():
            raise Conflict(_("%(who)s was on duty at that time already.") % {"who": member})
        needed = timedelta(minutes=entry.shift.pattern.minimum_rest_minutes) if entry is not None else None
        few = rest_before_duty(member, at=at, needed=needed)
        if few is not None and not reason:
            raise too_little_rest(member, few, member.governorate.region)
    if unit is not None:
        _usable(unit, member)
    owner: Any = unit if unit is not None else member
    duty = Duty.objects.create(
        agency_id=owner.agency_id,
        governorate_id=owner.governorate_id,
        member=member,
        unit=unit,
        roster_entry=entry,
        started_at=at,
        expected_until=_expected(owner, entry, at),
        rest_override_reason=reason if few is not None else "",
        is_synthetic=owner.is_synthetic,
    )
    after: dict[str, Any] = {"member": duty.member_id, "unit": duty.unit_id, "at": at.isoformat(), "roster_entry": duty.roster_entry_id}
    if entry is not None and entry.unit_id != duty.unit_id:
        after["rostered_unit"] = entry.unit_id
    if few is not None:
        after["rest"] = {"had_minutes": int(few.had.total_seconds() // 60), "needed_minutes": int(few.needed.total_seconds() // 60)}
    verb = "duty.start" if few is None else "duty.start_over_rest"
    audit.record(verb, obj=duty, by=by, after=after, reason=duty.rest_override_reason)
    _announce(events.DUTY_STARTED, duty)
    return duty


@transaction.atomic
def go_off_duty(
    *,
    member: Member | None = None,
    unit: Unit | None = None,
    by: Actor | None,
    at: datetime | None = None,
    hand_over_to: Unit | None = None,
    reason: str = "",
    key: object = None,
) -> Duty:
    """End the open duty of a person, or of a unit whose crew is unnamed.

    Refused while it is the unit's last and the unit has open assignments, naming them, unless ``hand_over_to`` takes them over. Somebody
    else's duty is ended with a reason. With ``key`` having gone off duty already is an answer, not a conflict.
    """
    if member is None and unit is None:
        raise Invalid(_("Say who is on duty."))
    _may(by, member, unit)
    is_own = member is not None and member.user_id is not None and member.user_id == getattr(by, "pk", None)
    reason = reasoned(reason, is_needed=by is not None and not is_own and member is not None)
    now = timezone.now()
    at = _time(at or now, now)
    mine = Q(member=member) if member is not None else Q(unit=unit, member=None)
    duty = Duty.objects.open().select_for_update(no_key=True, of=("self",)).select_related("unit").filter(mine).first()
    if duty is None:
        last = Duty.objects.filter(mine).order_by("-started_at").first()
        if key is not None and last is not None:
            return last
        raise Conflict(_("%(who)s is not on duty.") % {"who": member or unit})
    at = max(at, duty.started_at)
    if duty.unit is not None:
        if hand_over_to is not None and Assignment.objects.open().filter(unit_id=duty.unit_id).exists():
            hand_over_assignments(from_unit=duty.unit, to_unit=hand_over_to, by=by, reason=reason or _("Off duty"))
        # Whoever gives this unit a task waits, or is seen.
        Unit.objects.select_for_update(no_key=True).only("pk").get(pk=duty.unit_id)
        _leave_nothing_open(duty, at)
    return _end(duty, at=at, by=by, because=reason)


def _leave_nothing_open(duty: Duty, at: datetime) -> None:
    if Duty.objects.open().filter(unit_id=duty.unit_id).exclude(pk=duty.pk).exists():
        return
    waiting = list(Assignment.objects.active(at=at).filter(unit_id=duty.unit_id).select_related("incident__region").in_order())
    if not waiting:
        return
    named = ", ".join(_name(one) for one in waiting[:SHOWN]) + ("…" if len(waiting) > SHOWN else "")
    raise Conflict(
        _("%(unit)s still has open assignments: %(which)s. End them or hand them over first.") % {"unit": duty.unit, "which": named},
        codes={"unit": "open_assignments"},
    )


def _name(assignment: Assignment) -> str:
    if assignment.incident is not None:
        return assignment.incident.ref
    return assignment.title or str(assignment.get_kind_display())


def _end(duty: Duty, *, at: datetime, by: Actor | None, because: str) -> Duty:
    if not Duty.objects.open().filter(pk=duty.pk).update(ended_at=at, ended_because=because[:200]):
        raise Conflict(_("Somebody else was a moment earlier. Look again."))
    duty.refresh_from_db()
    audit.record("duty.end", obj=duty, by=by, after={"at": at.isoformat(), "because": because}, reason=because if by is not None else "")
    _announce(events.DUTY_ENDED, duty, because=because)
    return duty


def close_overrun(*, now: datetime | None = None, limit: int = 500) -> Swept:
    """End duties that ran past their expected end by ``DUTY_OVERRUN_H``, with an event that says so: the sweep behind a forgotten button.

    A unit that is at work is left on duty: it would disappear from the board in the middle of it. Its hours show as overwork.
    """
    now = now or timezone.now()
    over = timedelta(hours=settings.DUTY_OVERRUN_H)
    past = Q(expected_until__lt=now - over) | Q(expected_until=None, started_at__lt=now - LONGEST_STRETCH - over)
    closed = at_work = 0
    for pk in Duty.objects.open().filter(past).order_by("pk").values_list("pk", flat=True)[:limit]:
        with transaction.atomic():
            duty = Duty.objects.open().select_for_update(no_key=True, skip_locked=True).filter(pk=pk).first()
            if duty is None:
                continue
            if duty.unit_id is not None:
                Unit.objects.select_for_update(no_key=True).only("pk").get(pk=duty.unit_id)
                is_last = not Duty.objects.open().filter(unit_id=duty.unit_id).exclude(pk=duty.pk).exists()
                if is_last and Assignment.objects.active(at=now).filter(unit_id=duty.unit_id).exists():
                    at_work += 1
                    continue
            _end(duty, at=now, by=None, because=BY_TIME)
            closed += 1
    return Swept(closed, at_work)


# --- the parts of the checks ---------------------------------------------------------------------------------------------------------


def _may(by: Actor | None, member: Member | None, unit: Unit | None) -> None:
    for row in (member, unit):
        if row is not None and not sees(by, row):
            raise NotFound(_("There is no such thing."))
    if by is None or by.can("roster"):
        return
    if member is not None:
        if member.user_id is None or member.user_id != getattr(by, "pk", None):
            raise NotAllowed(_("Only a supervisor changes somebody else's duty."))
        return
    require(by, "dispatch")


def _time(at: datetime, now: datetime) -> datetime:
    if at > now + CLOCKS_DIFFER:
        raise Invalid(_("This time is in the future."), fields={"at": _("In the future.")})
    if at < now - LATE:
        raise Invalid(_("This is too long ago."), fields={"at": _("More than a day ago.")})
    return min(at, now)


def _entry_of(member: Member, entry: RosterEntry | None, at: datetime) -> RosterEntry | None:
    rows = RosterEntry.objects.standing().select_related("unit", "shift__pattern").filter(member=member)
    if entry is not None:
        found = rows.filter(pk=entry.pk).first()
        if found is None:
            raise NotFound(_("There is no such roster entry."))
        if not found.starts_at - EARLY <= at < found.ends_at:
            raise Conflict(_("This shift is not now."))
        return found
    return rows.filter(starts_at__lte=at + EARLY, ends_at__gt=at).order_by("starts_at").first()


def _expected(owner: Any, entry: RosterEntry | None, at: datetime) -> datetime | None:
    """When the roster ends it, else the shift of that hour; otherwise nobody has said."""
    if entry is not None:
        return entry.ends_at
    rows = Shift.objects.filter(agency_id=owner.agency_id, governorate_id=owner.governorate_id, starts_at__lte=at, ends_at__gt=at)
    return rows.order_by("ends_at").values_list("ends_at", flat=True).first()


def _usable(unit: Unit, member: Member | None) -> None:
    unit = Unit.objects.select_related("vehicle").get(pk=unit.pk)
    if member is not None and member.agency_id != unit.agency_id:
        raise NotFound(_("There is no such unit in this agency."))
    if not unit.is_active:
        raise Conflict(_("%(unit)s is out of use.") % {"unit": unit})
    if unit.vehicle is not None and unit.vehicle.out_of_service:
        facts = {"unit": unit, "vehicle": unit.vehicle, "why": unit.vehicle.out_of_service}
        raise Conflict(_("The vehicle of %(unit)s, %(vehicle)s, is out of service: %(why)s.") % facts)


def _on_duty_already(standing: Duty, member: Member | None, unit: Unit | None) -> str:
    since = clock(standing.started_at)
    if member is None:
        return _("%(unit)s is on duty already, since %(since)s.") % {"unit": unit, "since": since}
    if standing.unit is not None:
        facts = {"who": member, "unit": standing.unit, "since": since}
        return _("%(who)s is on duty already, on %(unit)s since %(since)s.") % facts
    return _("%(who)s is on duty already, since %(since)s.") % {"who": member, "since": since}


def _announce(type: str, duty: Duty, **more: Any) -> None:
    publish(
        type,
        subject=duty,
        data={"unit": duty.unit_id, "member": duty.member_id, **more},
        agency_id=duty.agency_id,
        governorate_id=duty.governorate_id,
    )
