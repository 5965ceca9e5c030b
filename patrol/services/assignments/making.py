"""Giving work to a unit: an incident, a stop, a task."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.contrib.gis.geos import Point
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid
from incidents.lifecycle import FINAL as INCIDENT_FINAL
from incidents.lifecycle import Priority
from incidents.models import Incident
from patrol import events
from patrol.models import Assignment, AssignmentState, PlanStop, Recommendation, Unit
from patrol.permissions import Actor
from patrol.services.assignments.driving import drive
from patrol.services.assignments.keeping import MAX_REASON, announce, keep_in_audit, lock_incident, write_log
from patrol.services.assignments.rights import require_may_assign
from patrol.services.units import UnitStatus, state_of

CLOCK_SKEW = timedelta(minutes=2)
MAX_TITLE = 200
RADIUS_M = (20, 5_000)
Kind = Assignment.Kind


@transaction.atomic
def assign(
    *,
    unit: Unit,
    by: Actor | None,
    kind: str,
    incident: Incident | None = None,
    plan_stop: PlanStop | None = None,
    title: str = "",
    note: str = "",
    location: Point | None = None,
    radius_m: int = 100,
    priority: int = 3,
    active_from: datetime | None = None,
    due_at: datetime | None = None,
    closes_at: datetime | None = None,
    recommendation: Recommendation | None = None,
    override_reason: str = "",
    at: datetime | None = None,
    seen: Collection[int] | None = None,
    although_busy: str = "",
) -> Assignment:
    """Send a unit to something, and start the clock of this sending.

    ``seen`` are the ids of the unit's open assignments that the caller had on screen. What it was given since is a ``Conflict`` that
    says by whom and for what; saying ``although_busy`` (a reason) puts this one in its queue all the same. Without ``seen``, a unit
    that is on another incident asks for that reason (docs/decisions/0135).

    With a ``recommendation``, a unit other than those it advises asks for ``override_reason``.

    Raises ``Invalid`` with the fields named, ``NotFound`` for what lies outside the actor's jurisdiction (but for units lent to the
    incident), ``NotAllowed``, and ``Conflict`` for a closed incident, a unit off duty or out of service, or one already sent there.
    """
    now = timezone.now()
    moment = at or now
    _check(kind=kind, incident=incident, plan_stop=plan_stop, title=title, radius_m=radius_m, priority=priority,
           active_from=active_from, due_at=due_at, closes_at=closes_at, at=moment, now=now,
           reasons={"override_reason": override_reason, "although_busy": although_busy})  # fmt: skip
    incident = lock_incident(incident.pk if incident is not None else None)
    unit = Unit.objects.select_for_update(of=("self",), no_key=True).select_related("agency").get(pk=unit.pk)
    require_may_assign(by, unit=unit, kind=kind, incident=incident)
    if not unit.is_active:
        raise Conflict(_("%(unit)s is out of use.") % {"unit": unit.call_sign})
    if incident is not None:
        if incident.state in INCIDENT_FINAL:
            raise Conflict(_("This incident is closed. Reopen it first."))
        _require_fit(unit)
    if recommendation is not None and incident is not None:
        _require_reason(recommendation, unit=unit, incident=incident, override_reason=override_reason.strip())
    _require_seen(unit, kind=kind, seen=seen, although_busy=although_busy.strip())
    assignment = Assignment(
        kind=kind,
        unit=unit,
        incident=incident,
        plan_stop=plan_stop,
        recommendation=recommendation,
        agency_id=incident.agency_id if incident is not None else unit.agency_id,
        governorate_id=incident.governorate_id if incident is not None else unit.governorate_id,
        title=title.strip(),
        note=note.strip(),
        location=location if location is not None or incident is None else incident.location,
        radius_m=radius_m,
        priority=incident.priority if incident is not None else priority,
        active_from=active_from,
        due_at=due_at,
        closes_at=closes_at,
        assigned_by_id=getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None,
        override_reason=override_reason.strip(),
        assigned_at=moment,
        is_synthetic=unit.is_synthetic,
        changed_at=now,
    )
    try:
        with transaction.atomic():
            assignment.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(_already(str(error), unit)) from error
    facts = {"although_busy": although_busy.strip()} if although_busy.strip() else {}
    write_log(assignment, by=by, at=moment, from_state="", to_state=AssignmentState.ASSIGNED, reason=override_reason.strip(), facts=facts)
    announce(events.ASSIGNMENT_MADE, assignment)
    keep_in_audit("assignment.assign", assignment, by=by, reason=override_reason.strip() or although_busy.strip(), after={
        "unit": unit.call_sign, "kind": kind, "incident": incident.ref if incident is not None else None,
        "recommendation": recommendation.pk if recommendation is not None else None, **facts,
    })  # fmt: skip
    if incident is not None:
        drive(incident, by=by, because=unit.call_sign)
    return assignment


def _check(
    *,
    kind: str,
    incident: Incident | None,
    plan_stop: PlanStop | None,
    title: str,
    radius_m: int,
    priority: int,
    active_from: datetime | None,
    due_at: datetime | None,
    closes_at: datetime | None,
    at: datetime,
    now: datetime,
    reasons: dict[str, str],
) -> None:
    problems: dict[str, str] = {}
    if kind not in Kind.values or (kind == Kind.INCIDENT) != (incident is not None) or (kind == Kind.STOP) != (plan_stop is not None):
        problems["kind"] = _("Say what the unit is sent to.")
    if kind == Kind.TASK and not title.strip():
        problems["title"] = _("Say what is to be done.")
    if len(title) > MAX_TITLE:
        problems["title"] = _("At most %(limit)d characters.") % {"limit": MAX_TITLE}
    if not RADIUS_M[0] <= radius_m <= RADIUS_M[1]:
        problems["radius_m"] = _("From %(least)d to %(most)d metres.") % {"least": RADIUS_M[0], "most": RADIUS_M[1]}
    if priority not in Priority.values:
        problems["priority"] = _("Priority is 1 to 5.")
    if at > now + CLOCK_SKEW:
        problems["at"] = _("This time lies in the future.")
    if due_at is not None and active_from is not None and due_at < active_from:
        problems["due_at"] = _("It must end after it begins.")
    if closes_at is not None and closes_at <= (active_from or at):
        problems["closes_at"] = _("It must end after it begins.")
    for name, text in reasons.items():
        if len(text) > MAX_REASON:
            problems[name] = _("At most %(limit)d characters.") % {"limit": MAX_REASON}
    if problems:
        raise Invalid(_("This cannot be given out so."), fields=problems)


def _require_fit(unit: Unit) -> None:
    """Only a unit on duty and in service is sent to an incident."""
    state = state_of(unit).state
    if state == UnitStatus.OFF_DUTY:
        raise Conflict(_("%(unit)s is off duty.") % {"unit": unit.call_sign})
    if state == UnitStatus.OUT_OF_SERVICE:
        raise Conflict(_("%(unit)s is out of service.") % {"unit": unit.call_sign})


def _require_seen(unit: Unit, *, kind: str, seen: Collection[int] | None, although_busy: str) -> None:
    """The caller holds the unit's lock: of two who saw it free, the second finds here what the first one did."""
    if although_busy or (seen is None and kind != Kind.INCIDENT):
        return
    taken = unit.assignments.open().select_related("incident__region", "incident__type", "assigned_by")
    taken = taken.filter(kind=Kind.INCIDENT) if seen is None else taken.exclude(pk__in=list(seen))
    newest = taken.exclude(kind=Kind.STOP).order_by("-pk").first()
    if newest is None:
        return
    what = f"{newest.incident.ref} {newest.incident.type.name}" if newest.incident is not None else newest.title
    who = newest.assigned_by.get_full_name() if newest.assigned_by is not None else _("the system")
    local = timezone.localtime(newest.assigned_at)
    raise Conflict(
        _("%(unit)s was taken at %(time)s by %(who)s for %(what)s.")
        % {"unit": unit.call_sign, "time": f"{local:%H:%M:%S}", "who": who, "what": what},
        codes={"unit": "taken", "assignment": str(newest.pk)},
    )


def _require_reason(recommendation: Recommendation, *, unit: Unit, incident: Incident, override_reason: str) -> None:
    if recommendation.incident_id != incident.pk:
        raise Invalid(_("That advice was for another incident."), fields={"recommendation": _("Ask for advice again.")})
    advised = {row["unit"] for row in recommendation.ranked if row.get("advised")}
    if unit.pk not in advised and not override_reason:
        raise Invalid(
            _("Another unit is advised. Say why this one."),
            fields={"override_reason": _("A reason is needed here.")},
            codes={"override_reason": "required"},
        )


def _already(error: str, unit: Unit) -> str:
    if "assignment_stop_once" in error:
        return _("This stop is given out already.")
    if "assignment_once_at_a_time" in error:
        return _("%(unit)s is on this incident already.") % {"unit": unit.call_sign}
    return _("This cannot be given out so.")
