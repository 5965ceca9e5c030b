"""The steps of an assignment. A state moves by a conditional update that must touch one row, on a clock that is the assignment's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid
from incidents.models import Incident
from patrol import events
from patrol.lifecycle import CLOCK, FINAL, PASSAGES, TIME_COLUMN, State, can_move, fits
from patrol.models import Assignment
from patrol.permissions import Actor
from patrol.services.assignments.driving import drive
from patrol.services.assignments.keeping import MAX_REASON, announce, keep_in_audit, lock_assignment, lock_incident, write_log
from patrol.services.assignments.making import CLOCK_SKEW
from patrol.services.assignments.rights import require_may_manage, require_may_move

MAX_FACTS = 40


@transaction.atomic
def move_assignment(
    *,
    assignment: Assignment,
    to: str,
    by: Actor | None,
    at: datetime | None = None,
    expected: str | None = None,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Assignment:
    """Take the assignment to ``to``, forward; skipping is allowed, and what was skipped stays unknown.

    ``at`` is when it happened, where the caller has a time of its own (a phone in a tunnel tells later). A step behind the state, told
    late with its own time, fills the gap in the clock and moves nothing; so the first times come out right in whatever order the steps
    arrive. A time that contradicts the others is kept in the log, marked, and its interval stays unknown; no time is ever bent.

    ``expected`` is the state the caller saw: if it moved on since, that is a ``Conflict``. Raises ``Invalid`` for a time in the future
    or before the assignment.
    """
    now = timezone.now()
    moment = at or now
    if to not in State.values or to in {State.ASSIGNED, State.CANCELLED, State.AUTO_CLOSED}:
        raise Invalid(_("Unknown state."), fields={"state": _("Choose one of the list.")})
    _check_reason(reason)
    if facts is not None and len(facts) > MAX_FACTS:
        raise Invalid(_("Too many facts."))
    incident = lock_incident(assignment.incident_id)
    current = lock_assignment(assignment.pk)
    require_may_move(by, current, at=moment)
    _check_time(current, moment, now)
    if expected is not None and current.state != expected:
        raise Conflict(
            _("%(unit)s has moved on: it is now “%(state)s”.") % {"unit": current.unit.call_sign, "state": current.get_state_display()}
        )
    if can_move(current.state, to):
        _step(current, to=to, by=by, at=moment, now=now, reason=reason, facts=facts)
        if incident is not None:
            drive(incident, by=by, because=current.unit.call_sign)
    elif at is not None and to in PASSAGES:
        _told_late(current, to=to, by=by, at=at, now=now, reason=reason, facts=facts)
    elif at is not None and to == current.state == State.DONE:
        pass  # the same end told twice
    else:
        raise Conflict(
            _("From “%(before)s” there is no step to “%(to)s”.") % {"before": current.get_state_display(), "to": State(to).label}
        )
    return current


@transaction.atomic
def cancel_assignment(*, assignment: Assignment, by: Actor | None, reason: str, expected: str | None = None) -> Assignment:
    """Take the work back. The incident goes back to the queue when nobody has been there and nobody is left."""
    if not reason.strip():
        raise Invalid(_("Say why."), fields={"reason": _("A reason is needed here.")})
    _check_reason(reason)
    incident = lock_incident(assignment.incident_id)
    current = lock_assignment(assignment.pk)
    require_may_manage(by, current)
    return end(current, to=State.CANCELLED, by=by, reason=reason.strip(), expected=expected, incident=incident)


def end(
    current: Assignment,
    *,
    to: str,
    by: Actor | None,
    reason: str,
    expected: str | None = None,
    incident: Incident | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Assignment:
    """End a locked assignment otherwise than by its own work."""
    if current.state in FINAL or (expected is not None and current.state != expected):
        raise Conflict(
            _("%(unit)s has moved on: it is now “%(state)s”.") % {"unit": current.unit.call_sign, "state": current.get_state_display()}
        )
    now = timezone.now()
    _step(current, to=to, by=by, at=now, now=now, reason=reason, facts=facts)
    if incident is not None:
        drive(incident, by=by, because=current.unit.call_sign)
    return current


def _step(
    current: Assignment, *, to: str, by: Actor | None, at: datetime, now: datetime, reason: str, facts: Mapping[str, Any] | None
) -> None:
    before, column = current.state, TIME_COLUMN[to]
    noted = dict(facts or {})
    changes: dict[str, Any] = {"state": to, "changed_at": now}
    if at < current.assigned_at and column != "ended_at":
        noted["doubt"] = "before_assignment"  # a clock a little slow: the step counts, its time stays unknown
    else:
        if not fits(clock_of(current), column, at):
            noted["doubt"] = "out_of_order"
        if getattr(current, column) is None:
            changes[column] = at if at >= current.assigned_at else now
    if to in FINAL and reason:
        changes["outcome"] = reason[:MAX_REASON]
    if Assignment.objects.filter(pk=current.pk, state=before).update(**changes) != 1:
        raise Conflict(_("Somebody else has moved this on. Look at it again."))
    for name, value in changes.items():
        setattr(current, name, value)
    write_log(current, by=by, at=at, from_state=before, to_state=to, reason=reason, facts=noted)
    announce(events.ASSIGNMENT_MOVED, current, **{"from": before, "to": to})
    keep_in_audit("assignment.move", current, by=by, before={"state": before}, after={"state": to}, reason=reason)


def _told_late(
    current: Assignment, *, to: str, by: Actor | None, at: datetime, now: datetime, reason: str, facts: Mapping[str, Any] | None
) -> None:
    """A step that lies behind: its time fills or corrects the clock where it fits; the state stays."""
    column = TIME_COLUMN[to]
    noted: dict[str, Any] = {**(facts or {}), "late": True}
    known = getattr(current, column)
    if at < current.assigned_at or not fits({**clock_of(current), column: None}, column, at):
        noted["doubt"] = "before_assignment" if at < current.assigned_at else "out_of_order"
    elif known is None or at < known:
        noted["was"] = known.isoformat() if known is not None else None
        changed = Assignment.objects.filter(pk=current.pk, state=current.state, **{column: known})
        if changed.update(**{column: at, "changed_at": now}) != 1:
            raise Conflict(_("Somebody else has moved this on. Look at it again."))
        setattr(current, column, at)
    write_log(current, by=by, at=at, from_state=current.state, to_state=to, reason=reason, facts=noted)
    announce(events.ASSIGNMENT_MOVED, current, **{"from": current.state, "to": current.state})


def clock_of(assignment: Assignment) -> dict[str, datetime | None]:
    return {name: getattr(assignment, name) for name in CLOCK}


def _check_reason(reason: str) -> None:
    if len(reason) > MAX_REASON:
        raise Invalid(_("The reason is too long."), fields={"reason": _("At most %(limit)d characters.") % {"limit": MAX_REASON}})


def _check_time(assignment: Assignment, at: datetime, now: datetime) -> None:
    if at > now + CLOCK_SKEW:
        raise Invalid(_("This time lies in the future."), fields={"at": _("This time lies in the future.")}, codes={"at": "in_the_future"})
    if at < assignment.assigned_at - CLOCK_SKEW:
        raise Invalid(
            _("This time lies before the assignment."),
            fields={"at": _("This time lies before the assignment.")},
            codes={"at": "before_assignment"},
        )
