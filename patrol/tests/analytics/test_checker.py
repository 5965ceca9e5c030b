"""PAT-4: an independent checker catches each kind of mistake, in hand-made plans and in good plans spoilt at random."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from patrol.analytics import checker
from patrol.analytics.checker import PlannedRoute, PlannedVisit, StopFacts, UnitFacts, check
from patrol.analytics.plain import limits_of, planned_route, stop_facts, unit_facts
from patrol.analytics.routing import RouteRule, places, plan_routes
from patrol.analytics.travel import straight
from patrol.tests.analytics.days import a_shift

H, M = 3600, 60
BASE = (0.0, 0.0)
UNIT = UnitFacts("A", BASE, BASE, 0, 8 * H, 160 * M, rest=(3 * H, 5 * H, 30 * M), areas=frozenset({"x"}))
STOPS = [StopFacts("s", (5.0, 0.0), "x"), StopFacts("t", (10.0, 0.0), "x"), StopFacts("far", (90.0, 0.0), "y")]
GOOD = PlannedRoute(
    "A", BASE, BASE, (PlannedVisit("s", 10 * M, 22 * M), PlannedVisit("t", 40 * M, 52 * M)), rest=(4 * H, 4 * H + 30 * M), home_s=6 * H
)


def a_minute_each(start, end):
    return abs(start[0] - end[0]) * 60, abs(start[0] - end[0]) * 500


def said(*routes, units=(UNIT,), stops=STOPS):
    return {(one.code, round(one.by_s)) for one in check(routes or [GOOD], units, stops, a_minute_each)}


def with_visits(*visits, **more):
    return replace(GOOD, visits=tuple(PlannedVisit(*visit) for visit in visits), **more)


def test_a_good_plan_has_no_fault():
    assert said() == set()


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (replace(GOOD, unit="Z"), {("unknown_unit", 0)}),
        (with_visits(("nowhere", 600, 1200)), {("unknown_stop", 0)}),
        (replace(GOOD, start=(1.0, 1.0)), {("wrong_start", 0)}),
        (replace(GOOD, end=(1.0, 1.0)), {("wrong_end", 0)}),
        (with_visits(("s", 10 * M, 15 * M)), {("dosage_too_short", 300)}),
        (with_visits(("s", 10 * M, 30 * M)), {("dosage_too_long", 240)}),
        (with_visits(("s", 20 * M, 10 * M)), {("backwards", 600)}),
        (with_visits(("s", 2 * M, 12 * M)), {("travel_too_short", 179)}),
        (with_visits(("s", 10 * M, 22 * M), ("t", 24 * M, 34 * M)), {("travel_too_short", 179)}),
        (with_visits(("s", 10 * M, 22 * M), ("t", 20 * M, 32 * M)), {("double_booked", 120)}),
        (with_visits(("s", 7 * H + 50 * M, 8 * H + 2 * M), home_s=None), {("after_shift", 120), ("home_after_shift", 419)}),
        (with_visits(("s", 7 * H + 45 * M, 7 * H + 57 * M), home_s=None), {("home_after_shift", 119)}),
        (with_visits(("s", -10 * M, 2 * M)), {("before_shift", 600)}),
        (replace(GOOD, home_s=53 * M), {("travel_too_short", 32 * M + 7 * H // 2 - 1)}),
        (replace(GOOD, home_s=9 * H), {("home_after_shift", H)}),
        (replace(GOOD, rest=None), {("rest_missing", 30 * M)}),
        (replace(GOOD, rest=(4 * H, 4 * H + 20 * M)), {("rest_too_short", 10 * M)}),
        (replace(GOOD, rest=(2 * H, 2 * H + 30 * M)), {("rest_outside_window", H)}),
        (replace(GOOD, rest=(5 * H, 5 * H + 30 * M)), {("rest_outside_window", 30 * M)}),
        (with_visits(("s", 4 * H + 10 * M, 4 * H + 22 * M)), {("rest_overlaps", 12 * M)}),
        (with_visits(("s", 10 * M, 22 * M), ("s", 3 * H, 3 * H + 12 * M)), {("back_to_back", 0)}),
        (with_visits(("s", 10 * M, 22 * M), ("t", 40 * M, 52 * M), ("s", H, H + 12 * M)), {("too_soon_again", 30 * M)}),
        (with_visits(("far", 100 * M, 112 * M)), {("outside_area", 0), ("over_share", 32 * M)}),
    ],
)
def test_each_fault_is_found_and_measured(route, expected):
    if "travel_too_short" in {code for code, _ in expected} and route.home_s == 53 * M:
        expected = {("travel_too_short", 62 * M - 53 * M - 1)}
    assert said(route) == expected


def test_two_units_at_one_stop():
    other = replace(UNIT, key="B")
    at_once = with_visits(("s", 15 * M, 27 * M), unit="B")
    assert said(GOOD, at_once, units=(UNIT, other)) == {("stop_twice_at_once", 7 * M)}
    soon = with_visits(("s", 70 * M, 82 * M), unit="B")
    assert said(GOOD, soon, units=(UNIT, other)) == {("too_soon_again", 20 * M)}
    assert said(GOOD, replace(soon, visits=(PlannedVisit("s", 95 * M, 107 * M),)), units=(UNIT, other)) == set()
    assert ("unit_twice", 0) in said(GOOD, GOOD)


def test_a_visit_before_the_plan_counts_for_the_gap():
    assert said(stops=[replace(STOPS[0], visited_s=(-30 * M,)), *STOPS[1:]]) == {("too_soon_again", 40 * M)}


def test_a_stop_has_opening_times():
    assert said(stops=[replace(STOPS[0], window=(15 * M, 8 * H)), *STOPS[1:]]) == {("outside_window", 5 * M)}


def test_commitments_bind():
    assert said(units=[replace(UNIT, commitments=((20 * M, 30 * M, None),))]) == {("commitment_overlaps", 2 * M)}
    # Ten minutes away at a fixed place: from 52 to 62 there is the way, and the commitment begins at 60.
    assert said(units=[replace(UNIT, commitments=((H, 2 * H, (20.0, 0.0)),))]) == {("travel_too_short", 2 * M - 1)}
    assert said(units=[replace(UNIT, commitments=((4 * H + 20 * M, 5 * H, None),))]) == {("rest_overlaps", 10 * M)}
    # The way from s to t takes five of the eighteen minutes; fifteen of them are taken.
    assert said(units=[replace(UNIT, commitments=((23 * M, 38 * M, None),))]) == {("travel_too_short", 2 * M - 1)}


def test_no_way_is_said():
    def cut_off(start, end):
        return (float("inf"), float("inf")) if (10.0, 0.0) in (start, end) and start != end else a_minute_each(start, end)

    assert {one.code for one in check([GOOD], [UNIT], STOPS, cut_off)} == {"no_way"}


def test_what_has_happened_is_counted_but_not_judged():
    odd = with_visits(("s", 3 * M, 8 * M), ("t", 40 * M, 52 * M))
    assert said(odd) == {("dosage_too_short", 5 * M), ("travel_too_short", 119)}
    assert said(odd, units=[replace(UNIT, now_s=9 * M)]) == set()
    assert said(odd, units=[replace(UNIT, now_s=9 * M, now_at=(50.0, 0.0))]) == {("travel_too_short", 9 * M - 1)}
    done = frozenset({("s", 3 * M)})
    assert said(odd, units=[replace(UNIT, now_s=9 * M, done=done)]) == set()
    assert said(odd, units=[replace(UNIT, now_s=45 * M, done=done)]) == {("before_now", 5 * M)}
    assert said(odd, units=[replace(UNIT, now_s=9 * M, patrol_s=10 * M)]) == {("over_share", 27 * M)}


# -- good plans, spoilt -------------------------------------------------------------------------------------------------------------------

_MADE: dict = {}


def a_good_plan(seed):
    if seed not in _MADE:
        units, stops = a_shift(seed, units=4, stops=30)
        matrix = straight(places(units, stops))
        plan = plan_routes(units, stops, matrix, seed=seed, iterations=150)
        of = {unit.key: unit for unit in units}
        rule = RouteRule()
        routes = [planned_route(route, of[route.unit]) for route in plan.routes]
        _MADE[seed] = (routes, [unit_facts(unit, rule) for unit in units], [stop_facts(stop) for stop in stops], matrix, limits_of(rule))
    return _MADE[seed]


def spoil(kind, draw, routes, units, stops):
    """One route spoilt; the code the checker must then say."""
    number = draw(st.sampled_from([place for place, route in enumerate(routes) if len(route.visits) > 1] or [0]))
    route, unit = routes[number], units[number]
    assume(len(route.visits) > 1)
    place = draw(st.integers(0, len(route.visits) - 2))
    visit, following = route.visits[place], route.visits[place + 1]
    visits = list(route.visits)
    by = draw(st.integers(60, 3000))
    if kind == "dosage_too_short":
        visits[place] = replace(visit, leave_s=visit.arrive_s + 599 - by % 599)
    elif kind == "dosage_too_long":
        visits[place] = replace(visit, leave_s=visit.arrive_s + 960 + by)
    elif kind == "double_booked":
        length = following.leave_s - following.arrive_s
        visits[place + 1] = replace(following, arrive_s=visit.leave_s - 1, leave_s=visit.leave_s - 1 + length)
    elif kind == "travel_too_short":
        assume(visit.stop != following.stop)
        length = following.leave_s - following.arrive_s
        visits[place + 1] = replace(following, arrive_s=visit.leave_s, leave_s=visit.leave_s + length)
    elif kind == "after_shift":
        visits[-1] = replace(visits[-1], arrive_s=unit.until_s - 600 + by, leave_s=unit.until_s + by)
    elif kind == "before_shift":
        visits[0] = replace(visits[0], arrive_s=unit.from_s - by, leave_s=unit.from_s - by + 600)
    elif kind == "rest_missing":
        assume(unit.rest is not None)
        route = replace(route, rest=None)
    elif kind == "rest_too_short":
        assume(route.rest is not None)
        route = replace(route, rest=(route.rest[0], route.rest[1] - by % 1700 - 1))
    elif kind == "rest_outside_window":
        assume(route.rest is not None)
        route = replace(route, rest=(unit.rest[1] - (route.rest[1] - route.rest[0]) + by, unit.rest[1] + by))
    elif kind == "rest_overlaps":
        assume(route.rest is not None)
        visits[place] = replace(visit, arrive_s=route.rest[0], leave_s=route.rest[0] + 600)
    elif kind == "over_share":
        units = [*units[:number], replace(unit, patrol_s=10 * M), *units[number + 1 :]]
    elif kind == "outside_area":
        units = [*units[:number], replace(unit, areas=frozenset({"elsewhere"})), *units[number + 1 :]]
    elif kind == "commitment_overlaps":
        units = [*units[:number], replace(unit, commitments=((visit.arrive_s + 60, visit.arrive_s + 120, None),)), *units[number + 1 :]]
    elif kind in ("wrong_start", "wrong_end"):
        route = replace(route, **{kind.removeprefix("wrong_"): (-1.0, -1.0)})
    elif kind == "unknown_stop":
        visits[place] = replace(visit, stop="no such stop")
    elif kind == "back_to_back":
        visits[place + 1] = replace(following, stop=visit.stop)
    elif kind == "outside_window":
        stops = [replace(stop, window=(visit.arrive_s + by, unit.until_s * 2)) if stop.key == visit.stop else stop for stop in stops]
    elif kind == "unit_twice":
        return [*routes, route], units, stops
    elif kind in ("too_soon_again", "stop_twice_at_once"):
        other = (number + 1) % len(routes)
        later = visit.arrive_s + (60 if kind == "stop_twice_at_once" else 1000 + by)
        copy = PlannedVisit(visit.stop, later, later + 600)
        routes = [*routes]
        routes[other] = replace(routes[other], visits=tuple(sorted((*routes[other].visits, copy), key=lambda one: one.arrive_s)))
        return routes, units, stops
    return [*routes[:number], replace(route, visits=tuple(visits)), *routes[number + 1 :]], units, stops


KINDS = [
    "dosage_too_short", "dosage_too_long", "double_booked", "travel_too_short", "after_shift", "before_shift", "rest_missing",
    "rest_too_short", "rest_outside_window", "rest_overlaps", "over_share", "outside_area", "commitment_overlaps", "wrong_start",
    "wrong_end", "unknown_stop", "back_to_back", "outside_window", "unit_twice", "too_soon_again", "stop_twice_at_once",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_plan_spoilt_in_one_way_is_caught(kind):
    @settings(max_examples=15, deadline=None)
    @given(data=st.data(), seed=st.integers(0, 7))
    def spoilt(data, seed):
        routes, units, stops, matrix, limits = a_good_plan(seed)
        assert check(routes, units, stops, matrix.between, limits) == []
        routes, units, stops = spoil(kind, data.draw, routes, units, stops)
        assert kind in {one.code for one in check(routes, units, stops, matrix.between, limits)}

    spoilt()


def test_the_checker_shares_nothing_with_the_planner():
    import ast
    from pathlib import Path

    tree = ast.parse(Path(checker.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"__future__", "collections.abc", "dataclasses", "itertools", "typing"}
