"""Planning again while the shift runs: what is done, under way or pinned stays; the rest is planned anew for the units that are left."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.background import wake
from core.errors import Conflict, Invalid
from patrol.analytics.routes import Visit
from patrol.models import Assignment, AssignmentState, Plan, PlanChange, Shift, Unit
from patrol.permissions import Actor, require
from patrol.services.acting import reasoned
from patrol.services.plans.case import Case
from patrol.services.plans.making import new_version
from patrol.services.plans.storing import routes_of

MOVED = (AssignmentState.EN_ROUTE, AssignmentState.ON_SCENE, AssignmentState.DONE)
FRESH = timedelta(minutes=2)


@transaction.atomic
def replan(
    *, plan: Plan, by: Actor | None, reason: str, without: Collection[int] = (), seed: int | None = None, at: datetime | None = None
) -> Plan:
    """A new version of a published plan for the rest of its shift, without the units that dropped out, to be made by a worker."""
    require(by, "plan", plan)
    reason = reasoned(reason)
    shift = Shift.objects.select_for_update(of=("self",), no_key=True).get(pk=plan.shift_id)
    plan.refresh_from_db()
    now = at or timezone.now()
    if plan.state != Plan.State.PUBLISHED:
        raise Conflict(_("Only the published plan is planned again; change the draft instead."))
    if shift.ends_at <= now:
        raise Conflict(_("This shift is over: what is past is not planned."))
    if Plan.objects.filter(shift=shift, making__in=[Plan.Making.WAITING, Plan.Making.MAKING]).exists():
        raise Conflict(_("A plan of this shift is being made already."))
    case = Case(plan.parameters)
    gone = sorted({int(pk) for pk in without})
    left = set(case.unit_ids()) - set(gone)
    if set(gone) - set(case.unit_ids()):
        raise Invalid(_("Not all of these units are in the plan."), fields={"without": _("Choose units of this plan.")})
    if not left:
        raise Conflict(_("No unit would be left to plan for."))
    asked = {"replan": {"without": gone, "now": now.isoformat(), "reason": reason}}
    made = new_version(shift, by=by, seed=plan.seed if seed is None else seed, asked=asked, parent=plan)
    PlanChange.objects.create(
        plan=made, by_id=by.pk if getattr(by, "audit_kind", "") == "user" else None, kind="replan",  # type: ignore[union-attr]
        before={"version": plan.version}, after={"without": _names(gone), "now": now.isoformat()}, reason=reason,
    )  # fmt: skip
    audit.record("plan.replan", obj=made, by=by, reason=reason, after={"from": plan.pk, "without": gone})
    wake("patrol.make_plan", made.pk, queue="bulk")
    return made


def _names(ids: Collection[int]) -> list[str]:
    return list(Unit.objects.filter(pk__in=ids).order_by("call_sign").values_list("call_sign", flat=True))


def regather(plan: Plan) -> tuple[dict[str, Any], dict[int, tuple[Visit, ...]], dict[str, list[int]]]:
    """The parent's case as it is now: what each unit keeps, and where units that dropped out have been."""
    assert plan.parent is not None
    asked = plan.parameters["asked"]["replan"]
    facts = copy.deepcopy(plan.parent.parameters)
    case = Case(facts)
    now = datetime.fromisoformat(asked["now"])
    now_s = max(case.seconds(now), 0)
    facts["now_s"] = now_s
    under_way = set(Assignment.objects.filter(plan_stop__plan=plan.parent, state__in=MOVED).values_list("plan_stop_id", flat=True))
    gone = set(asked["without"])
    fixed: dict[int, tuple[Visit, ...]] = {}
    visited: dict[str, list[int]] = defaultdict(list)
    for row in routes_of(plan.parent):
        unit = facts["units"][str(row.unit_id)]
        keeps = [stop for stop in row.planned if stop.arrive_at <= now or stop.pk in under_way or stop.is_fixed]  # type: ignore[attr-defined]
        if row.unit_id in gone or unit.get("dropped"):
            unit["dropped"] = True
            for stop in keeps:
                if stop.arrive_at <= now:
                    visited[stop.place].append(case.seconds(stop.arrive_at))
            continue
        if row.break_from is not None and row.break_to is not None and row.break_from <= now:
            unit["rest_taken"] = [case.seconds(row.break_from), case.seconds(row.break_to)]
        elif unit.get("rest") and unit["rest"][1] - now_s < unit["rest"][2]:
            # Its break was never taken and its time is nearly over: it is given one as soon as it can be.
            unit["rest"][1] = min(unit["until_s"], now_s + 2 * unit["rest"][2])
        unit["whereabouts"] = _whereabouts(row.unit_id, now)
        fixed[row.unit_id] = tuple(
            Visit(stop.place, case.seconds(stop.arrive_at), case.seconds(stop.leave_at), is_fixed=True) for stop in keeps
        )
    return facts, fixed, dict(visited)


def _whereabouts(unit_id: int, now: datetime) -> list[float] | None:
    """Where the unit is, if it was heard from just now."""
    from patrol.models import UnitPosition

    last = UnitPosition.objects.filter(unit=unit_id, at__gte=now - FRESH).first()
    return [round(last.location.x, 6), round(last.location.y, 6)] if last is not None else None
