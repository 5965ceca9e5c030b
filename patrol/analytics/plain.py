"""A plan and what binds it, told in the checker's words."""

from __future__ import annotations

from collections.abc import Sequence

from patrol.analytics.checker import Limits, PlannedRoute, PlannedVisit, StopFacts, UnitFacts, Violation, check
from patrol.analytics.routes import Route, RoutePlan, RouteRule, StopDemand, UnitDay
from patrol.analytics.travel import Matrix


def unit_facts(unit: UnitDay, rule: RouteRule, *, knows_done: bool = False) -> UnitFacts:
    """With ``knows_done``, what the unit has visited is all in its ``fixed``: any other visit in the past is a violation."""
    return UnitFacts(
        key=unit.key,
        start=unit.start,
        end=unit.end,
        from_s=unit.from_s,
        until_s=unit.until_s,
        patrol_s=unit.budget_s(rule),
        rest=None if unit.rest is None else (unit.rest.from_s, unit.rest.until_s, unit.rest.length_s),
        areas=unit.areas,
        commitments=tuple((one.from_s, one.until_s, one.place) for one in unit.commitments),
        now_s=unit.free_from_s,
        now_at=unit.whereabouts,
        rest_taken=unit.rest_taken is not None,
        done=frozenset((visit.stop, visit.arrive_s) for visit in unit.fixed) if knows_done else None,
    )


def stop_facts(stop: StopDemand) -> StopFacts:
    return StopFacts(stop.key, stop.place, stop.area, stop.window, stop.visited_s)


def planned_route(route: Route, unit: UnitDay) -> PlannedRoute:
    visits = tuple(PlannedVisit(visit.stop, visit.arrive_s, visit.leave_s) for visit in route.visits)
    return PlannedRoute(route.unit, unit.start, unit.end, visits, route.rest, route.home_s)


def limits_of(rule: RouteRule) -> Limits:
    return Limits(rule.least_dosage_s, rule.most_dosage_s, rule.least_gap_s)


def check_plan(plan: RoutePlan, units: Sequence[UnitDay], stops: Sequence[StopDemand], matrix: Matrix) -> list[Violation]:
    """The checker's word on a plan as the planner returned it."""
    of = {unit.key: unit for unit in units}
    return check(
        [planned_route(route, of[route.unit]) for route in plan.routes],
        [unit_facts(unit, plan.rule, knows_done=True) for unit in units],
        [stop_facts(stop) for stop in stops],
        matrix.between,
        limits_of(plan.rule),
    )
