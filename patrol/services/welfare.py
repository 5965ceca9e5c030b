"""Welfare checks: a unit's timer that asks "is all well?", and tells help when nobody answers. The rows are the queue: whoever looks, a
beat or an open page, says what is due."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import Conflict, Invalid, NotAllowed
from core.events import publish
from patrol import events
from patrol.models import Assignment, Duty, Unit, WelfareCheck
from patrol.permissions import may, require

DEFAULT_MINUTES = 20
LEAST_MINUTES, MOST_MINUTES = 1, 240
MOST_AT_ONCE = 500


def warning_before(minutes: int) -> timedelta:
    """How long before its end a timer warns: a fifth of it, two minutes at most."""
    return timedelta(seconds=min(120, minutes * 12))


def require_own_unit(user: User, unit: Unit) -> None:
    """Raise unless this person is on duty on this unit now."""
    if not Duty.objects.open().filter(unit=unit, member__user=user).exists():
        raise NotAllowed(_("You are not on duty on this unit."))


def start_welfare(
    *, unit: Unit, by: User | None, minutes: int | None = None, assignment: Assignment | None = None, at: datetime | None = None
) -> WelfareCheck:
    """Start the unit's timer: at the minutes given, else the unit's own, else twenty. ``by`` is ``None`` for the system."""
    if by is not None:
        require(by, "dispatch", unit)
    minutes = minutes or unit.welfare_minutes or DEFAULT_MINUTES
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise Invalid(_("From 1 to 240 minutes."), fields={"minutes": _("From 1 to 240 minutes.")})
    if not unit.is_active:
        raise Invalid(_("This unit is out of use."))
    now = timezone.now()
    at = min(at or now, now)
    try:
        with transaction.atomic():
            check = WelfareCheck.objects.create(
                unit=unit, assignment=assignment, minutes=minutes, started_at=at, due_at=at + timedelta(minutes=minutes)
            )
            _announce(events.WELFARE_STARTED, check, due=check.due_at.isoformat())
            audit.record("welfare.start", obj=check, by=by, after={"unit": unit.call_sign, "minutes": minutes})
    except IntegrityError as error:
        raise Conflict(_("This unit's timer runs already.")) from error
    return check


@transaction.atomic
def answer_welfare(*, check: WelfareCheck, by: User, at: datetime | None = None) -> WelfareCheck:
    """All is well: the timer runs anew from the moment of the answer. By the unit itself, or by a dispatcher who has heard from it."""
    if may(by, "act_in_field") and not may(by, "dispatch"):
        require_own_unit(by, check.unit)
    else:
        require(by, "answer_sos", check.unit)
    now = timezone.now()
    at = min(at or now, now)
    known = WelfareCheck.objects.select_for_update().get(pk=check.pk)
    if known.ended_at is not None:
        raise Conflict(_("This timer has ended."))
    late = known.escalated_at is not None
    due = at + timedelta(minutes=known.minutes)
    if due > known.due_at:  # an answer that took long to arrive never shortens the time
        is_quiet = due > now
        known.due_at = due
        known.warned_at = None
        known.escalated_at = None if is_quiet else known.escalated_at
        known.answered_at, known.answered_by = at, by
        known.save(update_fields=["due_at", "warned_at", "escalated_at", "answered_at", "answered_by"])
        _announce(events.WELFARE_ANSWERED, known, by=by.pk, late=late)
    if late:
        audit.record("welfare.answer", obj=known, by=by, after={"at": at.isoformat()})
    return known


@transaction.atomic
def end_welfare(*, check: WelfareCheck, by: User | None, because: str, at: datetime | None = None) -> WelfareCheck:
    """No more asking. A dispatcher says why; the system ends it with its assignment."""
    if by is not None:
        require(by, "dispatch", check.unit)
        if not because.strip():
            raise Invalid(_("Say why it ends."), fields={"because": _("Say why it ends.")})
    if not WelfareCheck.objects.running().filter(pk=check.pk).update(ended_at=at or timezone.now(), ended_because=because.strip()[:200]):
        raise Conflict(_("This timer has ended."))
    check.refresh_from_db()
    _announce(events.WELFARE_ENDED, check)
    audit.record("welfare.end", obj=check, by=by, after={"because": check.ended_because})
    return check


def _announce(type: str, check: WelfareCheck, **data: object) -> None:
    unit = check.unit
    publish(type, subject=check, data={"unit": unit.pk, **data}, agency_id=unit.agency_id, governorate_id=unit.governorate_id)


# --- with the assignment ---------------------------------------------------------------------------------------------


def follow_assignment(*, assignment: Assignment) -> None:
    """A unit that has arrived is asked from then on, if its profile says so; the timer ends with the last thing it is on scene at."""
    for stray in WelfareCheck.objects.running().filter(assignment=assignment).exclude(unit=assignment.unit).select_related("unit"):
        end_welfare(check=stray, by=None, because=_("Another unit took over."))
    running = WelfareCheck.objects.running().filter(unit=assignment.unit).select_related("unit").first()
    if assignment.state == "on_scene":
        if running is None and assignment.unit.welfare_minutes:
            start_welfare(unit=assignment.unit, by=None, assignment=assignment, at=assignment.on_scene_at)
        return
    if running is None or running.assignment_id != assignment.pk or assignment.is_open:
        return
    other = Assignment.objects.open().filter(unit=assignment.unit, state="on_scene").order_by("pk").first()
    if other is not None:
        WelfareCheck.objects.filter(pk=running.pk).update(assignment=other)
    else:
        end_welfare(check=running, by=None, because=_("Its assignment ended."))


# --- what is due -----------------------------------------------------------------------------------------------------


def sweep(*, now: datetime | None = None) -> int:
    """Warn whose answer is nearly due, and tell help of those who did not answer. Each once; safe to run from anywhere at any time."""
    now = now or timezone.now()
    running = WelfareCheck.objects.running()
    missed = running.filter(escalated_at=None, due_at__lte=now)
    # A fifth of the time, two minutes at most, as in ``warning_before``.
    near = now + timedelta(minutes=2)
    warned = running.filter(warned_at=None, escalated_at=None, due_at__gt=now, due_at__lte=near)
    if not missed.exists() and not warned.exists():
        return 0
    with transaction.atomic():
        count = _tell(missed, "escalated_at", events.WELFARE_MISSED, now)
        late = [check.pk for check in warned if check.due_at - warning_before(check.minutes) <= now]
        return count + _tell(running.filter(pk__in=late, warned_at=None), "warned_at", events.WELFARE_WARNED, now)


def _tell(rows: QuerySet[WelfareCheck], field: str, type: str, now: datetime) -> int:
    due = list(rows.select_related("unit").select_for_update(skip_locked=True, of=("self",))[:MOST_AT_ONCE])
    WelfareCheck.objects.filter(pk__in=[check.pk for check in due]).update(**{field: now})
    for check in due:
        _announce(type, check, due=check.due_at.isoformat())
    return len(due)
