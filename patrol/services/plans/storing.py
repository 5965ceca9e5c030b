"""Plans as rows: written from what the planner found, read back for the checker, the map and the next version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict
from patrol import events
from patrol.analytics.checker import PlannedRoute, PlannedVisit, Violation, check
from patrol.analytics.plain import limits_of, stop_facts, unit_facts
from patrol.analytics.routes import Dropped, Route, RoutePlan, Shortfall, UnitDay, Visit, balance, weighted_dosage
from patrol.analytics.travel import Matrix
from patrol.models import Plan, PlanRoute, PlanStop
from patrol.services.plans.case import Case
from patrol.services.travel.words import facts as travel_facts

MOST_UNSERVED = 300


def keep(
    plan: Plan, *, case: Case, made: RoutePlan, plain: RoutePlan, verdict: Sequence[Violation], matrix: Matrix, seconds: float
) -> None:
    """Write what the planner found, with the checker's word on it; the plan turns from being made to made in the same transaction."""
    from patrol.services.plans.making import announce

    plan.parameters = {**case.facts, "travel": travel_facts(matrix)}
    plan.provider, plan.provider_note = matrix.name, matrix.why
    plan.figures = figures_of(made, plain, seconds)
    plan.verdict = [violation(one, case) for one in verdict]
    missed = [_missed(one) | _window(one.window, case) for one in made.dropped[:MOST_UNSERVED]]
    plan.unserved = missed + [_missed(one) for one in made.shortfalls]
    plan.figures["dropped"] = len(made.dropped)
    with transaction.atomic():
        if not Plan.objects.filter(pk=plan.pk, making=Plan.Making.MAKING, state=Plan.State.DRAFT).update(making=Plan.Making.MADE):
            raise Conflict(_("Somebody else has finished or discarded this plan."))
        plan.making = Plan.Making.MADE
        plan.save(
            update_fields=[
                "parameters",
                "provider",
                "provider_note",
                "figures",
                "verdict",
                "unserved",
                "demand",
                "handover",
                "is_synthetic",
            ]
        )
        plan.routes.all().delete()
        write_routes(plan, case, made.routes)
        if plan.parent is not None:
            _write_history(plan, plan.parent, case)
        audit.record("plan.make", obj=plan, after={"visits": made.visits, "violations": len(plan.verdict), "provider": plan.provider})
        announce(events.PLAN_MADE, plan)


def _missed(one: Dropped | Shortfall) -> dict[str, Any]:
    return {"code": one.code, "unit": one.unit, "stop": one.stop, "short_by_s": one.short_by_s}


def _window(window: tuple[int, int], case: Case) -> dict[str, str]:
    return {"from": case.instant(window[0]).isoformat(), "to": case.instant(window[1]).isoformat()}


def write_routes(plan: Plan, case: Case, routes: Sequence[Route]) -> None:
    """A row a unit, empty routes too, and a row a visit."""
    rows = []
    for route in routes:
        unit = case.facts["units"][str(route.unit)]
        rest = route.rest
        rows.append(
            PlanRoute(
                plan=plan,
                unit_id=int(str(route.unit)),
                start_station_id=unit["station"],
                end_station_id=unit["station"],
                starts_at=case.instant(unit["from_s"]),
                ends_at=case.instant(unit["until_s"]),
                break_from=case.instant(rest[0]) if rest else None,
                break_to=case.instant(rest[1]) if rest else None,
                patrol_share=unit["patrol_s"] / max(unit["until_s"] - unit["from_s"], 1),
                distance_m=route.travel_m,
                drive_s=route.travel_s,
                dosage_s=route.dosage_s,
            )
        )
    by_unit = {row.unit_id: row for row in PlanRoute.objects.bulk_create(rows)}
    stops = []
    for route in routes:
        for sequence, visit in enumerate(route.visits, start=1):
            there = case.instant(visit.arrive_s), case.instant(visit.leave_s)
            stop = new_stop(plan, by_unit[int(str(route.unit))], case, visit.stop, sequence, *there, visit.travel_s)
            stop.is_fixed = visit.is_fixed
            stops.append(stop)
    number_visits(stops)
    PlanStop.objects.bulk_create(stops)


def new_stop(
    plan: Plan,
    route: PlanRoute,
    case: Case,
    key: Any,
    sequence: int,
    arrive_at: Any,
    leave_at: Any,
    travel_s: float,
    *,
    is_fixed: bool = False,
) -> PlanStop:
    stop = case.facts["stops"][key]
    return PlanStop(
        plan=plan,
        route=route,
        place=key,
        sequence=sequence,
        location=Point(stop["lon"], stop["lat"], srid=4326),
        radius_m=stop["radius_m"],
        area_id=stop["area"],
        arrive_at=arrive_at,
        leave_at=leave_at,
        travel_s=travel_s,
        weight=stop["weight"],
        reason=stop["reason"],
        category=stop["category"],
        tactics=stop["tactics"],
        is_fixed=is_fixed,
    )


def number_visits(stops: Sequence[PlanStop]) -> None:
    """The how-manieth visit of its place in the shift each stop is, over all units."""
    seen: dict[str, int] = defaultdict(int)
    for stop in sorted(stops, key=lambda one: one.arrive_at):
        seen[stop.place] += 1
        stop.visit = seen[stop.place]


def figures_of(made: RoutePlan, plain: RoutePlan, seconds: float) -> dict[str, Any]:
    return {
        **sums_of(made.routes, made.dosage),
        "plain": sums_of(plain.routes, plain.dosage),
        "balance_before": round(made.before.gini, 4),
        "method": made.method,
        "iterations": made.iterations,
        "cut_by_clock": made.cut_by_clock,
        "search_s": round(made.seconds, 2),
        "seconds": round(seconds, 2),
    }


def sums_of(routes: Sequence[Route], dosage: float) -> dict[str, Any]:
    metres = sum(route.travel_m for route in routes)
    even = balance(routes)
    return {
        "units": len(routes),
        "visits": sum(len(route.visits) for route in routes),
        "places": len({visit.stop for route in routes for visit in route.visits}),
        "dosage": round(dosage, 1),
        "km": round(metres / 1000, 1),
        "dosage_per_km": round(dosage / (metres / 1000), 3) if metres else None,
        "minutes_at_stops": round(sum(route.dosage_s for route in routes) / 60),
        "minutes_driven": round(sum(route.travel_s for route in routes) / 60),
        "patrol_share_used": round(sum(route.patrol_s for route in routes) / max(sum(route.budget_s for route in routes), 1), 4),
        "balance": {"least": round(even.least, 3), "most": round(even.most, 3), "gini": round(even.gini, 4)},
    }


def violation(one: Violation, case: Case) -> dict[str, Any]:
    return {
        "code": one.code,
        "unit": one.unit,
        "stop": one.stop,
        "at": case.instant(one.at_s).isoformat() if one.at_s is not None else None,
        "by_s": round(one.by_s),
        "other": one.other,
    }


# --- read back -------------------------------------------------------------------------------------------------------------------


def routes_of(plan: Plan) -> list[PlanRoute]:
    """The plan's routes by call sign, each with ``planned``: its stops in order."""
    rows = list(plan.routes.select_related("unit", "start_station", "end_station").order_by("unit__call_sign", "pk"))
    stops: dict[int, list[PlanStop]] = defaultdict(list)
    for stop in plan.stops.select_related("area").defer("area__boundary").order_by("arrive_at", "pk"):
        stops[stop.route_id].append(stop)
    for row in rows:
        row.planned = stops[row.pk]
    return rows


def judged(plan: Plan, case: Case, routes: Sequence[PlanRoute]) -> tuple[list[dict[str, Any]], dict[str, Any], Matrix]:
    """What the checker says of ``routes`` (rows with ``planned``), and their sums. Ways and order are brought up to date in memory."""
    dropped = [row for row in routes if case.facts["units"][str(row.unit_id)].get("dropped")]
    visited: dict[str, list[int]] = defaultdict(list)
    for row in dropped:
        for stop in row.planned:  # type: ignore[attr-defined]
            visited[stop.place].append(case.seconds(stop.arrive_at))
    units, stops = case.units(), case.stops(visited)
    matrix = case.matrix(plan, units, stops)
    of = {unit.key: unit for unit in units}
    planned = [row for row in routes if row.unit_id in of]
    made = [_as_route(row, of[row.unit_id], case, matrix) for row in planned]
    told = [
        PlannedRoute(
            row.unit_id,
            of[row.unit_id].start,
            of[row.unit_id].end,
            tuple(PlannedVisit(visit.stop, visit.arrive_s, visit.leave_s) for visit in route.visits),
            route.rest,
        )
        for row, route in zip(planned, made, strict=True)
    ]
    found = check(
        told, [unit_facts(unit, case.rule) for unit in units], [stop_facts(stop) for stop in stops], matrix.between, limits_of(case.rule)
    )
    return [violation(one, case) for one in found], sums_of(made, weighted_dosage(made, stops, case.rule)), matrix


def _as_route(row: PlanRoute, unit: UnitDay, case: Case, matrix: Matrix) -> Route:
    """The row as the analytics know a route; its ways, order and sums are set anew on the way."""
    row.planned.sort(key=lambda stop: stop.arrive_at)  # type: ignore[attr-defined]
    place, travel_s, travel_m, dosage_s = unit.start, 0.0, 0.0, 0
    visits = []
    for sequence, stop in enumerate(row.planned, start=1):  # type: ignore[attr-defined]
        facts = case.facts["stops"][stop.place]
        there = (facts["lon"], facts["lat"])
        seconds, metres = matrix.between(place, there)
        stop.sequence, stop.travel_s = sequence, min(seconds, 86_400.0)
        travel_s, travel_m, place = travel_s + stop.travel_s, travel_m + min(metres, 1e6), there
        dosage_s += round((stop.leave_at - stop.arrive_at).total_seconds())
        visits.append(
            Visit(
                stop.place, case.seconds(stop.arrive_at), case.seconds(stop.leave_at), round(stop.travel_s), metres, is_fixed=stop.is_fixed
            )
        )
    back_s, back_m = matrix.between(place, unit.end) if visits else (0.0, 0.0)
    travel_s, travel_m = travel_s + min(back_s, 86_400.0), travel_m + min(back_m, 1e6)
    row.distance_m, row.drive_s, row.dosage_s = travel_m, travel_s, dosage_s
    rest = (case.seconds(row.break_from), case.seconds(row.break_to)) if row.break_from and row.break_to else None
    home = (visits[-1].leave_s if visits else unit.from_s) + round(min(back_s, 86_400.0))
    spent = round(travel_s) + dosage_s
    return Route(
        unit=row.unit_id, visits=tuple(visits), rest=rest, home_s=home, back_s=round(min(back_s, 86_400.0)), back_m=back_m,
        patrol_s=spent, budget_s=unit.budget_s(case.rule), dosage_s=dosage_s, travel_s=round(travel_s), travel_m=travel_m,
        slack_s=unit.until_s - unit.from_s - spent,
    )  # fmt: skip


def _write_history(plan: Plan, parent: Plan, case: Case) -> None:
    """What units that dropped out did before they did so."""
    now = case.instant(case.facts["now_s"])
    for row in routes_of(parent):
        if case.facts["units"][str(row.unit_id)].get("dropped"):
            row.planned = [stop for stop in row.planned if stop.arrive_at <= now]  # type: ignore[attr-defined]
            _copy_route(row, plan)


def _copy_route(row: PlanRoute, version: Plan) -> None:
    stops: list[PlanStop] = row.planned  # type: ignore[attr-defined]
    row.pk, row.plan = None, version
    row._state.adding = True
    row.save(force_insert=True)
    for stop in stops:
        stop.pk, stop.plan, stop.route = None, version, row
        stop._state.adding = True
    PlanStop.objects.bulk_create(stops)


def copy_of(plan: Plan, version: Plan) -> None:
    """The routes and stops of ``plan`` as rows of ``version``."""
    for row in routes_of(plan):
        _copy_route(row, version)
