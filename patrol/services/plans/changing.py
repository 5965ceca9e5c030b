"""What people change in a plan: with a reason, and with the checker's word at once."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from patrol import events
from patrol.analytics.travel import Matrix
from patrol.models import Plan, PlanChange, PlanRoute, PlanStop, Shift
from patrol.permissions import Actor, require
from patrol.services.acting import reasoned
from patrol.services.plans.case import BY_PERSON, Case
from patrol.services.plans.making import announce, new_version
from patrol.services.plans.storing import copy_of, judged, new_stop, number_visits, routes_of
from patrol.services.travel.words import facts as travel_facts

KINDS = ("move", "remove", "add", "pin", "unpin")
SHORTEST_S, LONGEST_S = 60, 4 * 3600


@dataclass(frozen=True)
class Wish:
    """One change. ``stop`` is the id of a stop of the plan (all but add); ``unit`` the id of a unit of it (move, add); ``at`` when it is to
    be there, ``minutes`` for how long (move, add; as before where not given); ``place`` a key of the list, or ``lon`` and ``lat`` (add)."""

    kind: str
    stop: int | None = None
    unit: int | None = None
    at: datetime | None = None
    minutes: int | None = None
    place: str = ""
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True)
class Outcome:
    verdict: list[dict[str, Any]]
    figures: dict[str, Any]


def try_change(*, plan: Plan, by: Actor | None, wish: Wish) -> Outcome:
    """What the checker would say of the plan with this change. Nothing is kept."""
    require(by, "plan", plan)
    _require_open(plan)
    case, routes = Case(copy.deepcopy(plan.parameters)), routes_of(plan)
    _apply(plan, case, routes, wish)
    verdict, figures, _matrix = judged(plan, case, routes)
    return Outcome(verdict, figures)


@transaction.atomic
def change_plan(*, plan: Plan, by: Actor | None, wish: Wish, reason: str, edition: int) -> Plan:
    """Change a draft, or make a new draft of what is reviewed or published and change that. ``edition`` is the one that was on screen.

    Raises ``Conflict`` when somebody else has changed the plan since.
    """
    require(by, "plan", plan)
    reason = reasoned(reason)
    shift = Shift.objects.select_for_update(of=("self",), no_key=True).get(pk=plan.shift_id)
    plan = Plan.objects.select_related("shift", "governorate__region", "agency").get(pk=plan.pk)
    _require_open(plan)
    if plan.edition != edition:
        raise Conflict(_("Somebody else has changed this plan since. Look at it again."), codes={"edition": "changed"})
    if shift.ends_at <= timezone.now():
        raise Conflict(_("This shift is over: what is past is not planned."))
    if plan.state != Plan.State.DRAFT:
        plan, wish = _draft_of(plan, shift, wish, by=by)
    case, routes = Case(copy.deepcopy(plan.parameters)), routes_of(plan)
    before, after = _apply(plan, case, routes, wish)
    verdict, figures, matrix = judged(plan, case, routes)
    if not Plan.objects.filter(pk=plan.pk, edition=plan.edition, state=Plan.State.DRAFT).update(edition=F("edition") + 1):
        raise Conflict(_("Somebody else has changed this plan since. Look at it again."), codes={"edition": "changed"})
    plan.refresh_from_db(fields=["edition"])
    _write(plan, case, routes, verdict, figures, matrix)
    PlanChange.objects.create(
        plan=plan, by_id=by.pk if getattr(by, "audit_kind", "") == "user" else None, kind=wish.kind,  # type: ignore[union-attr]
        before=before, after=after, verdict=verdict, reason=reason,
    )  # fmt: skip
    audit.record(f"plan.{wish.kind}", obj=plan, by=by, reason=reason, before=before, after=after)
    announce(events.PLAN_CHANGED, plan, kind=wish.kind)
    return plan


def _require_open(plan: Plan) -> None:
    if plan.making != Plan.Making.MADE:
        raise Conflict(_("This plan is not made yet."))
    if plan.state in (Plan.State.SUPERSEDED, Plan.State.DISCARDED):
        raise Conflict(_("This version is not in use any more: change the newest one."))


def _draft_of(plan: Plan, shift: Shift, wish: Wish, *, by: Actor | None) -> tuple[Plan, Wish]:
    """A new version with the same routes. The stop the wish names is the copy's."""
    if Plan.objects.filter(shift=shift, making__in=[Plan.Making.WAITING, Plan.Making.MAKING]).exists():
        raise Conflict(_("A plan of this shift is being made already."))
    named = PlanStop.objects.filter(plan=plan, pk=wish.stop).select_related("route").first() if wish.stop is not None else None
    draft = new_version(shift, by=by, seed=plan.seed, asked={"copy": plan.version}, parent=plan)
    facts = copy.deepcopy(plan.parameters)
    if shift.starts_at <= timezone.now():
        facts["now_s"] = max(Case(facts).seconds(timezone.now()), 0)
    Plan.objects.filter(pk=draft.pk).update(
        making=Plan.Making.MADE, parameters=facts, demand=plan.demand, handover=plan.handover, provider=plan.provider,
        provider_note=plan.provider_note, figures=plan.figures, unserved=plan.unserved, is_synthetic=plan.is_synthetic,
    )  # fmt: skip
    draft = Plan.objects.select_related("shift", "governorate__region", "agency").get(pk=draft.pk)
    copy_of(plan, draft)
    if named is not None:
        twin = draft.stops.filter(route__unit=named.route.unit_id, place=named.place, arrive_at=named.arrive_at).first()
        wish = Wish(**{**wish.__dict__, "stop": twin.pk if twin else None})
    return draft, wish


def _apply(plan: Plan, case: Case, routes: list[PlanRoute], wish: Wish) -> tuple[dict[str, Any], dict[str, Any]]:
    """The change, in memory. What was and what is, in words for the record."""
    if wish.kind not in KINDS:
        raise Invalid(_("This is no change of a plan."), fields={"kind": ", ".join(KINDS)})
    if wish.kind == "add":
        return {}, _add(plan, case, routes, wish)
    found = next(((row, stop) for row in routes for stop in row.planned if stop.pk == wish.stop), None)  # type: ignore[attr-defined]
    if found is None:
        raise Invalid(_("This stop is not in the plan."), fields={"stop": _("Choose a stop of this plan.")})
    row, stop = found
    now_s = case.facts.get("now_s")
    if now_s is not None and stop.arrive_at <= case.instant(now_s) and wish.kind in ("move", "remove"):
        raise Conflict(_("This stop has begun: it stays as it is."))
    before = _told(row, stop)
    if wish.kind in ("pin", "unpin"):
        stop.is_fixed = wish.kind == "pin"
    elif wish.kind == "remove":
        row.planned.remove(stop)  # type: ignore[attr-defined]
        return before, {}
    else:
        target = row if wish.unit is None else _route(routes, case, wish.unit)
        length = timedelta(minutes=_minutes(wish)) if wish.minutes is not None else stop.leave_at - stop.arrive_at
        arrive_at = stop.arrive_at if wish.at is None else _inside(case, wish.at)
        row.planned.remove(stop)  # type: ignore[attr-defined]
        stop.arrive_at, stop.leave_at, stop.route = arrive_at, arrive_at + length, target
        target.planned.append(stop)  # type: ignore[attr-defined]
        return before, _told(target, stop)
    return before, {**before, "is_fixed": stop.is_fixed}


def _add(plan: Plan, case: Case, routes: list[PlanRoute], wish: Wish) -> dict[str, Any]:
    if wish.unit is None or wish.at is None:
        raise Invalid(_("Say which unit, and when."), fields={"unit": _("Choose a unit of this plan."), "at": _("Say when.")})
    key = wish.place if wish.place in case.facts["stops"] else _new_place(plan, case, wish)
    row = _route(routes, case, wish.unit)
    arrive_at = _inside(case, wish.at)
    length = timedelta(minutes=_minutes(wish)) if wish.minutes is not None else timedelta(seconds=case.facts["stops"][key]["dosage_s"])
    stop = new_stop(plan, row, case, key, 1, arrive_at, arrive_at + length, 0, is_fixed=True)
    row.planned.append(stop)  # type: ignore[attr-defined]
    return _told(row, stop)


def _new_place(plan: Plan, case: Case, wish: Wish) -> str:
    """A place of somebody's own choice, inside the governorate."""
    from django.contrib.gis.geos import Point

    if wish.place:
        raise Invalid(_("This place is not on the list of this shift."), fields={"place": _("Choose a place of the list, or a point.")})
    lon, lat = wish.lon, wish.lat
    if lon is None or lat is None or not (math.isfinite(lon) and math.isfinite(lat)) or abs(lon) > 180 or abs(lat) > 90:
        raise Invalid(_("Say where."), fields={"place": _("Choose a place of the list, or a point.")})
    if not plan.governorate.boundary.covers(Point(lon, lat, srid=4326)):
        raise Invalid(_("This point lies outside the governorate."), fields={"place": _("Choose a point inside the governorate.")})
    area = next((pk for pk, shape in _shapes(plan) if shape.covers(Point(lon, lat, srid=4326))), None)
    number = 1 + max((int(key.split(":")[1]) for key in case.facts["stops"] if key.startswith(f"{BY_PERSON}:")), default=0)
    key = f"{BY_PERSON}:{number}"
    weights = sorted(stop["weight"] for stop in case.facts["stops"].values())
    case.facts["stops"][key] = {
        "lon": round(lon, 6), "lat": round(lat, 6), "area": area, "weight": weights[len(weights) // 2] if weights else 1.0, "expected": 0.0,
        "dosage_s": 780, "radius_m": 125, "reason": BY_PERSON, "category": "", "tactics": [],
    }  # fmt: skip
    return key


def _shapes(plan: Plan) -> list[tuple[int, Any]]:
    from geography.models import Zone

    return list(Zone.objects.filter(parent=plan.governorate_id, level=Zone.Level.AREA, is_active=True).values_list("pk", "boundary"))


def _route(routes: list[PlanRoute], case: Case, unit_id: int) -> PlanRoute:
    found = next((row for row in routes if row.unit_id == unit_id), None)
    if found is None or case.facts["units"][str(unit_id)].get("dropped"):
        raise Invalid(_("This unit is not in the plan."), fields={"unit": _("Choose a unit of this plan.")})
    return found


def _minutes(wish: Wish) -> int:
    minutes = wish.minutes
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not SHORTEST_S <= minutes * 60 <= LONGEST_S:
        raise Invalid(_("A stop lasts some minutes."), fields={"minutes": _("From 1 to 240.")})
    return minutes


def _inside(case: Case, at: datetime) -> datetime:
    """Within the day of the plan, whatever the checker says of the hour."""
    if not case.origin - timedelta(hours=12) <= at <= datetime.fromisoformat(case.facts["until"]) + timedelta(hours=12):
        raise Invalid(_("This time lies outside the shift."), fields={"at": _("Choose a time in the shift.")})
    return at


def _told(row: PlanRoute, stop: PlanStop) -> dict[str, Any]:
    return {"unit": row.unit.call_sign, "place": stop.place, "at": stop.arrive_at.isoformat(), "until": stop.leave_at.isoformat()}


def _write(plan: Plan, case: Case, routes: list[PlanRoute], verdict: list[dict[str, Any]], figures: dict[str, Any], matrix: Matrix) -> None:
    stops = [stop for row in routes for stop in row.planned]  # type: ignore[attr-defined]
    number_visits(stops)
    kept = {stop.pk for stop in stops if stop.pk is not None}
    plan.stops.exclude(pk__in=kept).delete()
    PlanStop.objects.bulk_update(
        [stop for stop in stops if stop.pk is not None], ["route", "sequence", "visit", "arrive_at", "leave_at", "travel_s", "is_fixed"]
    )
    PlanStop.objects.bulk_create([stop for stop in stops if stop.pk is None])
    PlanRoute.objects.bulk_update(routes, ["distance_m", "drive_s", "dosage_s"])
    PlanRoute.objects.filter(plan=plan).update(path=None)
    plan.parameters, plan.verdict = {**case.facts, "travel": travel_facts(matrix)}, verdict
    plan.figures = {**plan.figures, **figures, "changed_by_people": plan.figures.get("changed_by_people", 0) + 1}
    plan.provider, plan.provider_note = matrix.name, matrix.why
    plan.save(update_fields=["parameters", "verdict", "figures", "provider", "provider_note"])
