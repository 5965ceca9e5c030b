"""Giving work from one unit to another: one piece of it, or all of it when the shift changes."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from core.events import publish
from patrol import events
from patrol.lifecycle import FINAL, State
from patrol.models import Assignment, Unit
from patrol.permissions import Actor
from patrol.services.assignments.driving import drive
from patrol.services.assignments.keeping import MAX_REASON, lock_assignment, lock_incident
from patrol.services.assignments.making import assign
from patrol.services.assignments.moving import end
from patrol.services.assignments.rights import require_may_manage

MOST_AT_ONCE = 200


@transaction.atomic
def reassign(*, assignment: Assignment, to_unit: Unit, by: Actor | None, reason: str, expected: str | None = None) -> Assignment:
    """Take the work from one unit and give it to another, whose clock starts now. The first one's clock stays as it is."""
    reason = _reason(reason)
    if assignment.unit_id == to_unit.pk:
        raise Invalid(_("It is this unit's already."), fields={"unit": _("Choose another unit.")})
    incident = lock_incident(assignment.incident_id)
    _lock_units(assignment.unit_id, to_unit.pk)
    current = lock_assignment(assignment.pk)
    require_may_manage(by, current)
    if current.state in FINAL or (expected is not None and current.state != expected):
        raise Conflict(
            _("%(unit)s has moved on: it is now “%(state)s”.") % {"unit": current.unit.call_sign, "state": current.get_state_display()}
        )
    made = _pass_on(current, to_unit, by=by, reason=reason)
    if incident is not None:
        drive(incident, by=by, because=to_unit.call_sign)
    return made


@transaction.atomic
def hand_over_assignments(
    *, from_unit: Unit, to_unit: Unit, by: Actor | None, reason: str, assignments: list[int] | None = None
) -> list[Assignment]:
    """Give all that is open with one unit to another (or those of ``assignments``): the end of a shift. All of it, or nothing."""
    reason = _reason(reason)
    if from_unit.pk == to_unit.pk:
        raise Invalid(_("It is this unit's already."), fields={"unit": _("Choose another unit.")})
    rows = from_unit.assignments.open().order_by("pk")
    if assignments is not None:
        rows = rows.filter(pk__in=assignments)
    found = list(rows[: MOST_AT_ONCE + 1])
    if not found:
        raise Conflict(_("%(unit)s has nothing open.") % {"unit": from_unit.call_sign})
    if len(found) > MOST_AT_ONCE:
        raise Invalid(_("At most %(limit)d at once.") % {"limit": MOST_AT_ONCE})
    incidents = [lock_incident(pk) for pk in sorted({row.incident_id for row in found if row.incident_id is not None})]
    _lock_units(from_unit.pk, to_unit.pk)
    made = []
    for row in found:
        current = lock_assignment(row.pk)
        if current.state in FINAL:
            continue
        require_may_manage(by, current)
        made.append(_pass_on(current, to_unit, by=by, reason=reason))
    for incident in incidents:
        if incident is not None:
            drive(incident, by=by, because=to_unit.call_sign)
    publish(
        events.ASSIGNMENTS_HANDED_OVER,
        subject=from_unit,
        agency_id=from_unit.agency_id,
        governorate_id=from_unit.governorate_id,
        data={"from": from_unit.pk, "to": to_unit.pk, "count": len(made)},
    )
    audit.record(
        "assignment.hand_over", obj=from_unit, by=by, reason=reason, after={"to": to_unit.call_sign, "assignments": [it.pk for it in made]}
    )
    return made


def _pass_on(current: Assignment, to_unit: Unit, *, by: Actor | None, reason: str) -> Assignment:
    """The old one ends, a new one begins; they name each other in the log. An incident is never without a unit in between."""
    there = None
    if current.incident_id is not None:
        there = to_unit.assignments.open().filter(incident_id=current.incident_id).first()
    else:
        end(current, to=State.CANCELLED, by=by, reason=reason, facts={"handed_to": to_unit.pk})
    made = there or assign(
        unit=to_unit,
        by=by,
        kind=current.kind,
        incident=current.incident,
        plan_stop=current.plan_stop,
        title=current.title,
        note=current.note,
        location=current.location,
        radius_m=current.radius_m,
        priority=current.priority,
        active_from=current.active_from,
        due_at=current.due_at,
        closes_at=current.closes_at if current.closes_at is not None and current.closes_at > timezone.now() else None,
        although_busy=reason,
    )
    if current.incident_id is not None:
        end(current, to=State.CANCELLED, by=by, reason=reason, facts={"handed_to": to_unit.pk, "as": made.pk})
    return made


def _lock_units(*ids: int) -> None:
    list(Unit.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True).values_list("pk"))


def _reason(reason: str) -> str:
    if not reason.strip():
        raise Invalid(_("Say why."), fields={"reason": _("A reason is needed here.")})
    if len(reason) > MAX_REASON:
        raise Invalid(_("The reason is too long."), fields={"reason": _("At most %(limit)d characters.") % {"limit": MAX_REASON}})
    return reason.strip()
