"""A plan's way: draft, reviewed by another person, published, superseded. Publishing gives each unit its stops."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from patrol import events
from patrol.models import Assignment, AssignmentState, Plan, PlanStop, Shift
from patrol.permissions import Actor, require
from patrol.services.acting import MAX_REASON, reasoned
from patrol.services.assignments import assign, cancel_assignment
from patrol.services.plans.making import announce

STOP_PRIORITY = 4
CLOSES_AFTER = timedelta(hours=2)
NOT_BEGUN = (AssignmentState.ASSIGNED, AssignmentState.ACCEPTED)


def _locked(plan: Plan) -> tuple[Shift, Plan]:
    """The shift's lock keeps all versions of its plan still."""
    shift = Shift.objects.select_for_update(of=("self",), no_key=True).get(pk=plan.shift_id)
    return shift, Plan.objects.select_related("shift", "governorate__region", "agency").get(pk=plan.pk)


def _person(by: Actor | None) -> int | None:
    return by.pk if getattr(by, "audit_kind", "") == "user" else None  # type: ignore[union-attr]


@transaction.atomic
def review_plan(*, plan: Plan, by: Actor | None, edition: int, urgent_reason: str = "") -> Plan:
    """Somebody else than its maker has looked at it. While the shift runs its maker may review it too, and says why."""
    require(by, "publish_plan", plan)
    shift, plan = _locked(plan)
    if plan.state != Plan.State.DRAFT:
        raise Conflict(_("Only a draft is reviewed."))
    _require_sound(plan)
    if plan.edition != edition:
        raise Conflict(_("Somebody else has changed this plan since. Look at it again."), codes={"edition": "changed"})
    makers = {plan.created_by_id, *plan.changes.values_list("by_id", flat=True)} - {None}
    urgent_reason = urgent_reason.strip()
    if len(urgent_reason) > MAX_REASON:
        raise Invalid(_("The reason is too long."), fields={"urgent_reason": _("At most %(limit)d characters.") % {"limit": MAX_REASON}})
    if _person(by) in makers:
        if shift.starts_at > timezone.now():
            raise Conflict(_("Another person than its maker reviews a plan."), codes={"by": "maker"})
        if not urgent_reason:
            raise Invalid(_("The shift runs: you may review your own plan, with a reason."), fields={"urgent_reason": _("Give a reason.")})
    now = timezone.now()
    if not Plan.objects.filter(pk=plan.pk, state=Plan.State.DRAFT, edition=edition).update(
        state=Plan.State.REVIEWED, reviewed_by_id=_person(by), reviewed_at=now
    ):
        raise Conflict(_("Somebody else was quicker. Look at the plan again."))
    plan.refresh_from_db()
    audit.record("plan.review", obj=plan, by=by, reason=urgent_reason)
    announce(events.PLAN_REVIEWED, plan)
    return plan


@transaction.atomic
def publish_plan(*, plan: Plan, by: Actor | None, at: datetime | None = None) -> Plan:
    """Put it in force: the version before is superseded, units get their stops. What is under way or done stays as it is."""
    require(by, "publish_plan", plan)
    shift, plan = _locked(plan)
    now = at or timezone.now()
    if plan.state != Plan.State.REVIEWED:
        raise Conflict(_("Only a reviewed plan is published."))
    _require_sound(plan)
    if shift.ends_at <= now:
        raise Conflict(_("This shift is over: what is past is not planned."))
    out_of_use = list(
        plan.routes.filter(unit__is_active=False, stops__arrive_at__gt=now).distinct().values_list("unit__call_sign", flat=True)
    )
    if out_of_use:
        raise Conflict(_("%(units)s went out of use: plan again without.") % {"units": ", ".join(sorted(out_of_use))})
    before = Plan.objects.filter(shift=shift, state=Plan.State.PUBLISHED).first()
    kept: set[tuple[int, str, datetime]] = set()
    if before is not None:
        kept = _call_off(before, by=by, version=plan.version, now=now)
        Plan.objects.filter(pk=before.pk, state=Plan.State.PUBLISHED).update(state=Plan.State.SUPERSEDED, superseded_at=now)
    if not Plan.objects.filter(pk=plan.pk, state=Plan.State.REVIEWED).update(
        state=Plan.State.PUBLISHED, published_by_id=_person(by), published_at=now
    ):
        raise Conflict(_("Somebody else was quicker. Look at the plan again."))
    plan.refresh_from_db()
    given = _give_out(plan, by=by, kept=kept, now=now)
    audit.record("plan.publish", obj=plan, by=by, after={"stops": given, "supersedes": before.pk if before else None})
    announce(events.PLAN_PUBLISHED, plan, **({"supersedes": before.pk} if before else {}))
    return plan


@transaction.atomic
def discard_plan(*, plan: Plan, by: Actor | None, reason: str) -> Plan:
    """Lay a draft or reviewed version aside."""
    require(by, "plan", plan)
    reason = reasoned(reason)
    _shift, plan = _locked(plan)
    rows = Plan.objects.filter(pk=plan.pk, state__in=[Plan.State.DRAFT, Plan.State.REVIEWED])
    if not rows.update(state=Plan.State.DISCARDED):
        raise Conflict(_("Only a draft or a reviewed plan is discarded."))
    Plan.objects.filter(pk=plan.pk, making__in=[Plan.Making.WAITING, Plan.Making.MAKING]).update(making=Plan.Making.FAILED, failure=reason)
    plan.refresh_from_db()
    audit.record("plan.discard", obj=plan, by=by, reason=reason)
    announce(events.PLAN_CHANGED, plan, kind="discard")
    return plan


def _require_sound(plan: Plan) -> None:
    if plan.making != Plan.Making.MADE:
        raise Conflict(_("This plan is not made yet."))
    if plan.verdict:
        raise Conflict(
            _("The checker found %(n)d violations: mend them first.") % {"n": len(plan.verdict)}, codes={"verdict": "violations"}
        )


def _call_off(before: Plan, *, by: Actor | None, version: int, now: datetime) -> set[tuple[int, str, datetime]]:
    """Stops of the version before that have not begun are called off; the others are named, so that they are not given out twice."""
    kept = set()
    rows = Assignment.objects.filter(plan_stop__plan=before).select_related("plan_stop__route", "unit")
    for row in rows.order_by("unit_id", "pk"):
        stop = row.plan_stop
        assert stop is not None
        if row.state in NOT_BEGUN and stop.leave_at > now:
            cancel_assignment(assignment=row, by=by, reason=_("Version %(version)d of the plan replaces it.") % {"version": version})
        elif row.state != AssignmentState.CANCELLED:
            kept.add((row.unit_id, stop.place, stop.arrive_at))
    return kept


def _give_out(plan: Plan, *, by: Actor | None, kept: set[tuple[int, str, datetime]], now: datetime) -> int:
    given = 0
    rows = PlanStop.objects.filter(plan=plan, leave_at__gt=now).select_related("route__unit", "area").defer("area__boundary")
    for stop in rows.order_by("route__unit_id", "arrive_at"):
        if (stop.route.unit_id, stop.place, stop.arrive_at) in kept:
            continue
        begins = stop.arrive_at - timedelta(seconds=stop.travel_s)
        assign(
            unit=stop.route.unit,
            by=by,
            kind=Assignment.Kind.STOP,
            plan_stop=stop,
            title=stop.area.name_en if stop.area else stop.place,
            location=stop.location,
            radius_m=stop.radius_m,
            priority=STOP_PRIORITY,
            active_from=max(begins, now),
            due_at=max(stop.arrive_at, now),
            closes_at=stop.leave_at + CLOSES_AFTER,
        )
        given += 1
    return given
