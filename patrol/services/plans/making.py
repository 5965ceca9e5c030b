"""Making a plan: asked for by a person, made by a worker, kept with the checker's word on it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.background import wake
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.events import publish
from core.version import code_version
from incidents.services.trust.handover import MOST_CELLS
from patrol.models import Plan, Shift
from patrol.permissions import Actor, require
from patrol.services.plans.crews import crews_of

STALE_AFTER = timedelta(minutes=5)
TIME_LIMIT_S = 15.0
MOST_SEED = 2**53 - 1  # what a browser can hold exactly


@transaction.atomic
def ask_for_plan(*, shift: Shift, by: Actor | None, seed: int | None = None, units: int | None = None, stops: int | None = None) -> Plan:
    """A new version of the shift's plan, to be made by a worker. What makes it impossible from the start is said at once."""
    require(by, "plan", shift)
    _check(seed=seed, units=units, stops=stops)
    shift = Shift.objects.select_for_update(of=("self",), no_key=True).select_related("governorate__region", "agency").get(pk=shift.pk)
    if shift.ends_at <= timezone.now():
        raise Conflict(_("This shift is over: what is past is not planned."))
    if Plan.objects.filter(shift=shift, making__in=[Plan.Making.WAITING, Plan.Making.MAKING]).exists():
        raise Conflict(_("A plan of this shift is being made already."))
    crews_of(shift, most=units)
    plan = new_version(shift, by=by, seed=secrets.randbits(48) if seed is None else seed, asked={"units": units, "stops": stops})
    audit.record(
        "plan.ask", obj=plan, by=by, after={"shift": shift.pk, "version": plan.version, "seed": plan.seed, "units": units, "stops": stops}
    )
    wake("patrol.make_plan", plan.pk, queue="bulk")
    return plan


def new_version(shift: Shift, *, by: Actor | None, seed: int, asked: dict[str, Any], parent: Plan | None = None) -> Plan:
    """The next version, waiting to be made. The caller holds the shift's lock."""
    last = Plan.objects.filter(shift=shift).aggregate(last=Max("version"))["last"] or 0
    return Plan.objects.create(
        agency_id=shift.agency_id,
        governorate_id=shift.governorate_id,
        shift=shift,
        version=last + 1,
        parent=parent,
        seed=seed,
        making=Plan.Making.WAITING,
        making_since=timezone.now(),
        parameters={"asked": asked},
        provider="",
        code_version=code_version(),
        created_by_id=by.pk if getattr(by, "audit_kind", "") == "user" else None,  # type: ignore[union-attr]
        is_synthetic=shift.is_synthetic,
    )


def _check(*, seed: Any, units: Any, stops: Any) -> None:
    problems: dict[str, str] = {}
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MOST_SEED):
        problems["seed"] = _("A seed is a whole number from 0 to %(most)d.") % {"most": MOST_SEED}
    if units is not None and (isinstance(units, bool) or not isinstance(units, int) or units < 1):
        problems["units"] = _("A whole number, 1 or more.")
    if stops is not None and (isinstance(stops, bool) or not isinstance(stops, int) or not 1 <= stops <= MOST_CELLS):
        problems["stops"] = _("From 1 to %(most)d places.") % {"most": MOST_CELLS}
    if problems:
        raise Invalid(_("No such plan can be made."), fields=problems)


def waiting_plans() -> list[int]:
    """Plans nobody works on: never taken up, or whose worker died."""
    now = timezone.now()
    rows = Plan.objects.filter(Q(making=Plan.Making.WAITING) | Q(making=Plan.Making.MAKING, making_since__lt=now - STALE_AFTER))
    return list(rows.order_by("pk").values_list("pk", flat=True)[:20])


def execute_plan(*, plan: Plan, time_limit_s: float = TIME_LIMIT_S) -> Plan:
    """Make what was asked for, if nobody else does. Safe to call twice. A plan that cannot be made is kept with the reason."""
    now = timezone.now()
    rows = Plan.objects.filter(pk=plan.pk, state=Plan.State.DRAFT)
    claimable = Q(making=Plan.Making.WAITING) | Q(making=Plan.Making.MAKING, making_since__lt=now - STALE_AFTER)
    if not rows.filter(claimable).update(making=Plan.Making.MAKING, making_since=now):
        plan.refresh_from_db()
        return plan
    plan = Plan.objects.select_related("shift", "governorate__region", "agency", "parent").get(pk=plan.pk)
    reason = _("Planning was cut off by an error; the log says more.")
    done = False
    try:
        _make(plan, time_limit_s=time_limit_s)
        done = True
    except DomainError as error:
        reason = " ".join([error.message, *error.fields.values()])
    finally:
        if not done:
            Plan.objects.filter(pk=plan.pk, making=Plan.Making.MAKING).update(making=Plan.Making.FAILED, failure=reason)
    return Plan.objects.select_related("shift", "governorate__region", "agency").get(pk=plan.pk)


def _make(plan: Plan, *, time_limit_s: float) -> None:
    from patrol.analytics.greedy import chunk_the_list
    from patrol.analytics.plain import check_plan
    from patrol.analytics.routing import plan_routes
    from patrol.services.plans.case import Case
    from patrol.services.plans.gathering import gather
    from patrol.services.plans.replanning import regather
    from patrol.services.plans.storing import keep

    began = time.perf_counter()
    asked = plan.parameters.get("asked", {})
    if plan.parent is not None:
        facts, fixed, visited = regather(plan)
        demand, handover = plan.parent.demand, plan.parent.handover
    else:
        found = gather(plan, stops=asked.get("stops"), units=asked.get("units"))
        facts, fixed, visited = found.facts, {}, {}
        demand, handover = found.demand.stored(), found.handover
        plan.is_synthetic = plan.is_synthetic or found.demand.is_synthetic
    case = Case({**facts, "asked": asked})
    units, stops = case.units(fixed), case.stops(visited)
    matrix = case.matrix(plan, units, stops)
    made = plan_routes(units, stops, matrix, rule=case.rule, seed=plan.seed, time_limit_s=time_limit_s, iterations=settings.PLAN_ITERATIONS)
    if not made.visits:
        raise Conflict(_nothing_fits(plan, case, made.shortfalls))
    verdict = check_plan(made, units, stops, matrix)
    plain = chunk_the_list(units, stops, matrix, rule=case.rule)
    plan.demand, plan.handover = demand, handover
    keep(plan, case=case, made=made, plain=plain, verdict=verdict, matrix=matrix, seconds=time.perf_counter() - began)


def _nothing_fits(plan: Plan, case: Any, shortfalls: Sequence[Any]) -> str:
    from patrol.services.plans.words import say_shortfall

    names = {int(key): unit["call_sign"] for key, unit in case.facts["units"].items()}
    lines = [say_shortfall(one.code, one.unit, one.short_by_s, names) for one in shortfalls[:6]]
    return " ".join([_("No route is feasible."), *lines])


def announce(name: str, plan: Plan, **more: Any) -> None:
    publish(
        name,
        subject=plan,
        agency_id=plan.agency_id,
        governorate_id=plan.governorate_id,
        data={"shift": plan.shift_id, "version": plan.version, **more},
    )


def visible_plan(plan_id: int, viewer: object) -> Plan:
    """The plan as this viewer may see it; ``NotFound`` otherwise."""
    rows = Plan.objects.visible_to(viewer).select_related(
        "shift__pattern", "governorate__region", "agency", "parent", "created_by", "reviewed_by", "published_by"
    )
    found: Plan | None = rows.defer("governorate__boundary").filter(pk=plan_id).first() if 0 < plan_id < 2**63 else None
    if found is None:
        raise NotFound(_("There is no such plan."))
    return found


__all__ = ["MOST_CELLS", "announce", "ask_for_plan", "execute_plan", "new_version", "visible_plan", "waiting_plans"]
