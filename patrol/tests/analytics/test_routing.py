"""PAT-4: routes within shift, break and unassigned time; unpredictable but repeatable; what cannot be done is said with its measure."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.analytics import routes as codes
from patrol.analytics.greedy import best_next, chunk_the_list
from patrol.analytics.plain import check_plan
from patrol.analytics.routing import Commitment, Rest, RouteRule, StopDemand, UnitDay, Visit, places, plan_routes
from patrol.analytics.travel import Matrix, straight
from patrol.tests.analytics.days import HOUR, a_shift, an_awkward_shift, half_way

HOME = (0.0, 0.0)


def plan(units, stops, seed=1, matrix=None, iterations=300, **more):
    matrix = matrix or straight(places(units, stops))
    return plan_routes(units, stops, matrix, seed=seed, iterations=iterations, **more), matrix


def a_unit(key="A", **more):
    return UnitDay(key, HOME, HOME, 0, 8 * HOUR, **more)


def a_stop(key, x_m=1000.0, weight=1.0, **more):
    return StopDemand(key, (x_m, 0.0), weight, **more)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), stops=st.integers(1, 60), units=st.integers(1, 6))
def test_the_checker_finds_nothing_wrong_with_any_plan(seed, stops, units):
    days, demand = a_shift(seed, units=units, stops=stops)
    found, matrix = plan(days, demand, seed, iterations=150)
    assert check_plan(found, days, demand, matrix) == []
    for baseline in (chunk_the_list, best_next):
        assert check_plan(baseline(days, demand, matrix), days, demand, matrix) == []


def test_the_same_seed_makes_the_same_plan_and_another_seed_another_order():
    days, demand = a_shift(3, stops=80)
    first, _ = plan(days, demand, 7)
    again, _ = plan(days, demand, 7)
    other, _ = plan(days, demand, 8)
    assert first.routes == again.routes and first.dropped == again.dropped and not first.cut_by_clock

    def legs(one):
        return {
            (route.unit, before.stop, after.stop)
            for route in one.routes
            for before, after in zip(route.visits, route.visits[1:], strict=False)
        }

    assert len(legs(first) & legs(other)) < 0.5 * len(legs(first))


def test_visits_of_one_stop_are_about_two_hours_apart_whoever_makes_them():
    days, demand = a_shift(5, units=6, stops=10, span_m=3000, areas=1)
    found, _ = plan(days, demand)
    times: dict[str, list[int]] = {}
    for route in found.routes:
        for visit in route.visits:
            times.setdefault(visit.stop, []).append(visit.arrive_s)
    gaps = np.concatenate([np.diff(sorted(one)) for one in times.values()])
    assert len(gaps) > 10 and gaps.min() >= found.rule.least_gap_s
    assert np.median(gaps) == pytest.approx(found.rule.interval_s, rel=0.2)


def test_more_risk_a_kilometre_than_the_list_in_chunks_and_than_the_best_next_stop():
    days, demand = a_shift(11, units=8, stops=100, span_m=15_000)
    found, matrix = plan(days, demand, iterations=1500)
    assert found.dosage_per_km > 1.3 * chunk_the_list(days, demand, matrix).dosage_per_km
    assert found.dosage_per_km > best_next(days, demand, matrix).dosage_per_km
    assert found.dosage > chunk_the_list(days, demand, matrix).dosage


def test_work_is_evened_out_when_there_is_too_little_of_it_to_fill_everybody():
    days = [UnitDay(f"unit {number}", (number * 300.0, 0.0), (number * 300.0, 0.0), 0, 8 * HOUR) for number in range(5)]
    demand = [StopDemand(number, (100.0 + 40 * number, 200.0), 1.0, visits=2) for number in range(9)]
    found, matrix = plan(days, demand)
    assert found.visits == 18 and not found.dropped
    assert found.after.gini < found.before.gini and found.after.spread < found.before.spread
    assert found.after.spread < 0.2
    assert check_plan(found, days, demand, matrix) == []


def test_only_the_unassigned_share_of_a_shift_is_planned():
    days, demand = [a_unit()], [a_stop(number, 800.0 * number) for number in range(1, 20)]
    third, _ = plan(days, demand)
    tenth, _ = plan(days, demand, rule=RouteRule(patrol_share=0.1))
    assert 0.7 * 9600 < third.routes[0].patrol_s <= 9600
    assert tenth.routes[0].patrol_s <= 2880
    assert third.routes[0].slack_s == 8 * HOUR - third.routes[0].patrol_s


def test_the_break_falls_into_its_window_and_nothing_else_into_the_break():
    days, demand = a_shift(2, units=4, stops=60)
    days = [replace(day, rest=Rest(day.from_s + 3 * HOUR, day.from_s + 3 * HOUR + 2400, 2400)) for day in days]
    found, matrix = plan(days, demand)
    assert [route.rest for route in found.routes] == [(day.from_s + 3 * HOUR, day.from_s + 3 * HOUR + 2400) for day in days]
    assert check_plan(found, days, demand, matrix) == []


def test_commitments_are_kept_where_and_when_they_are():
    there = Commitment(2 * HOUR, 3 * HOUR, (5000.0, 0.0))
    somewhere = Commitment(5 * HOUR, 6 * HOUR)
    days, demand = [a_unit(commitments=(there, somewhere))], [a_stop(number, 500.0 * number) for number in range(1, 12)]
    found, matrix = plan(days, demand)
    assert found.visits > 4 and not found.shortfalls
    assert all(
        visit.leave_s <= one.from_s or visit.arrive_s >= one.until_s for visit in found.routes[0].visits for one in (there, somewhere)
    )
    assert check_plan(found, days, demand, matrix) == []


def test_a_unit_stays_in_its_areas():
    days = [a_unit(areas=frozenset({"north"})), a_unit("B", areas=frozenset({"south", "north"}))]
    demand = [a_stop(number, 300.0 * number, area=("south" if number % 2 else "north")) for number in range(1, 11)]
    found, _ = plan(days, demand)
    by_unit = {route.unit: {visit.stop for visit in route.visits} for route in found.routes}
    assert by_unit["A"] and all(stop % 2 == 0 for stop in by_unit["A"])
    assert any(stop % 2 for stop in by_unit["B"])


def test_stops_to_explore_are_visited_once_though_little_is_known_of_them():
    risky = [a_stop(f"risk {number}", 400.0 * number, 5.0 / number) for number in range(1, 30)]
    unknown = [a_stop(f"explore {number}", 500.0 * number, 0.1, reason="explore") for number in range(1, 4)]
    days = [a_unit("A"), a_unit("B")]
    found, _ = plan(days, risky + unknown)
    seen = [visit.stop for route in found.routes for visit in route.visits]
    assert [seen.count(stop.key) for stop in unknown] == [1, 1, 1]


class TestPlanningAgain:
    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def test_whatever_happens_the_plan_is_right_or_says_which_unit_cannot_keep_what(self, seed):
        days, demand, begin = an_awkward_shift(seed)
        first, matrix = plan(days, demand, seed, iterations=60)
        left, known = half_way(seed, days, demand, first, begin)
        second, matrix_then = plan(left, known, seed + 1, iterations=60)
        for found, units, stops, ways in ((first, days, demand, matrix), (second, left, known, matrix_then)):
            faulty = {one.unit for one in check_plan(found, units, stops, ways)}
            said = {one.unit for one in found.shortfalls if one.code.startswith("kept_") or one.code == codes.REST_DOES_NOT_FIT}
            cannot = {one.unit for one in found.shortfalls if one.code == codes.SHIFT_TOO_SHORT}
            # A kept stop that was feared to be late may turn out in time (seed 191): said in vain. Never the other way round.
            feared = {one.unit for one in found.shortfalls if one.code == codes.KEPT_NOT_IN_TIME}
            assert said - feared <= faulty <= said | cannot
        for unit, route in zip(left, second.routes, strict=True):
            kept = {(visit.stop, visit.arrive_s, visit.leave_s) for visit in unit.fixed}
            assert kept == {(visit.stop, visit.arrive_s, visit.leave_s) for visit in route.visits if visit.is_fixed}

    def test_what_is_done_under_way_or_set_by_a_person_stays(self):
        days, demand = a_shift(21, units=4, stops=50, areas=1)
        first, matrix = plan(days, demand)
        now = 4 * HOUR
        gone = first.routes[0]
        again = []
        for day, route in list(zip(days, first.routes, strict=True))[1:]:
            kept = tuple(visit for visit in route.visits if visit.arrive_s <= now)
            taken = route.rest if route.rest and route.rest[0] <= now else None
            again.append(replace(day, fixed=kept, free_from_s=now, rest_taken=taken))
        pinned = next(visit for visit in first.routes[1].visits if visit.arrive_s > now)
        again[0] = replace(again[0], fixed=(*again[0].fixed, pinned))
        over = {visit.stop: visit.arrive_s for visit in gone.visits if visit.arrive_s <= now}
        demand = [replace(stop, visited_s=(*stop.visited_s, over[stop.key])) if stop.key in over else stop for stop in demand]
        second, _ = plan(again, demand, 99, matrix)
        assert check_plan(second, again, demand, matrix) == []
        for day, route in zip(again, second.routes, strict=True):
            assert {(one.stop, one.arrive_s, one.leave_s) for one in day.fixed} == {
                (one.stop, one.arrive_s, one.leave_s) for one in route.visits if one.is_fixed
            }
            assert all(one.is_fixed or one.arrive_s > now for one in route.visits)
            assert route.patrol_s <= route.budget_s
        assert any(not visit.is_fixed for route in second.routes for visit in route.visits)

    def test_a_unit_goes_on_from_where_it_is(self):
        unit = a_unit(free_from_s=HOUR, whereabouts=(20_000.0, 0.0))
        found, matrix = plan([unit], [a_stop("near home", 500.0), a_stop("near it", 20_500.0)])
        first = found.routes[0].visits[0]
        assert first.stop == "near it" and first.travel_m == pytest.approx(700)
        assert check_plan(found, [unit], [a_stop("near home", 500.0), a_stop("near it", 20_500.0)], matrix) == []

    def test_what_cannot_be_kept_is_said_with_its_measure(self):
        late = Visit("far", 600, 1400)
        stops = [a_stop("far", 35_000.0), a_stop("near")]
        found, matrix = plan([a_unit(fixed=(late,), patrol_s=9600)], stops)
        way = int(np.ceil(matrix.between(HOME, (35_000.0, 0.0))[0]))
        assert codes.Shortfall(codes.KEPT_NOT_IN_TIME, "A", way - 600) in found.shortfalls
        assert codes.Shortfall(codes.KEPT_BEYOND_SHARE, "A", 2 * way + 800 - 9600) in found.shortfalls
        assert [visit.stop for visit in found.routes[0].visits] == ["far"]
        assert {one.code for one in check_plan(found, [a_unit(fixed=(late,))], stops, matrix)} == {"travel_too_short", "over_share"}


class TestNoFeasibleRoute:
    def test_a_shift_shorter_than_the_nearest_stop_and_back(self):
        unit = UnitDay("A", HOME, HOME, 0, 1800, patrol_s=1800)
        found, matrix = plan([unit], [a_stop("s", 5000.0)])
        way = int(np.ceil(matrix.between(HOME, (5000.0, 0.0))[0]))
        assert found.visits == 0
        assert [(one.code, one.short_by_s) for one in found.shortfalls] == [
            (codes.SHIFT_TOO_SHORT, 2 * way + 780 - 1800),
            (codes.SHARE_TOO_SHORT, 2 * way + 780 - 1800),
        ]

    def test_too_little_unassigned_time(self):
        found, matrix = plan([a_unit(patrol_s=900)], [a_stop("s", 2000.0)])
        way = int(np.ceil(matrix.between(HOME, (2000.0, 0.0))[0]))
        assert [(one.code, one.short_by_s) for one in found.shortfalls] == [(codes.SHARE_TOO_SHORT, 2 * way + 780 - 900)]
        assert {(one.code, one.unit, one.short_by_s) for one in found.dropped} == {(codes.SHARE_TOO_SHORT, "A", 2 * way + 780 - 900)}

    def test_no_unit_may_go_there_and_there_is_no_way(self):
        found, _ = plan([a_unit(areas=frozenset({"north"}))], [a_stop("s", area="south")])
        assert {one.code for one in found.dropped} == {codes.NO_UNIT_ALLOWED}
        stops = [a_stop("island"), a_stop("s", 500.0)]
        matrix = straight(places([a_unit()], stops))
        seconds = matrix.seconds.copy()
        seconds[1, :] = seconds[:, 1] = np.inf
        seconds[1, 1] = 0
        found, _ = plan([a_unit()], stops, matrix=Matrix(matrix.points, seconds, matrix.metres))
        assert {one.code for one in found.dropped if one.stop == "island"} == {codes.NO_WAY}
        assert {visit.stop for visit in found.routes[0].visits} == {"s"}

    def test_a_stop_open_when_nobody_is_on_duty(self):
        found, _ = plan([a_unit(), UnitDay("B", HOME, HOME, 10 * HOUR, 18 * HOUR)], [a_stop("s", window=(8 * HOUR + 600, 9 * HOUR))])
        assert found.dropped and {one.code for one in found.dropped} == {codes.OUTSIDE_SHIFTS}
        assert all(one.short_by_s > 0 for one in found.dropped)

    def test_a_break_that_a_commitment_leaves_no_room_for(self):
        unit = a_unit(rest=Rest(2 * HOUR, 3 * HOUR, 1800), commitments=(Commitment(2 * HOUR, 3 * HOUR - 600),))
        found, _ = plan([unit], [a_stop("s")])
        assert [(one.code, one.short_by_s) for one in found.shortfalls] == [(codes.REST_DOES_NOT_FIT, 1200)]

    def test_nobody_and_nothing(self):
        assert [one.code for one in plan([], [a_stop("s")])[0].shortfalls] == [codes.NO_UNITS]
        empty, _ = plan([a_unit()], [])
        assert [one.code for one in empty.shortfalls] == [codes.NO_STOPS] and len(empty.routes) == 1


@pytest.mark.parametrize(
    ("units", "stops"),
    [
        ([a_unit(), a_unit()], [a_stop("s")]),
        ([a_unit()], [a_stop("s"), a_stop("s")]),
        ([UnitDay("A", HOME, HOME, 100, 100)], [a_stop("s")]),
        ([a_unit(fixed=(Visit("other", 0, 600),))], [a_stop("s")]),
        ([a_unit(rest=Rest(0, 600, 1800))], [a_stop("s")]),
        ([a_unit()], [a_stop("s", dosage_s=300)]),
        ([a_unit()], [a_stop("s", weight=-1.0)]),
        ([a_unit()], [a_stop("s", weight=float("nan"))]),
    ],
)
def test_nonsense_is_refused(units, stops):
    with pytest.raises(ValueError):
        plan(units, stops)


def test_a_search_ended_by_the_clock_says_so():
    days, demand = a_shift(1, units=6, stops=150)
    found, matrix = plan(days, demand, iterations=10_000_000, time_limit_s=0.3)
    assert found.cut_by_clock and found.seconds < 5
    assert check_plan(found, days, demand, matrix) == []
