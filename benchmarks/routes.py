"""Routes of a shift against the sorted list cut in chunks, under the same rules; each plan held against the checker. Synthetic stops."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np

from benchmarks.patrol_cases import HOUR, shift_case
from benchmarks.report import Report
from patrol.analytics.greedy import best_next, chunk_the_list
from patrol.analytics.plain import check_plan
from patrol.analytics.road_building import RoadWay, build
from patrol.analytics.routing import RoutePlan, places, plan_routes
from patrol.analytics.travel import straight

GROUP = "Patrol: routes, 40 units × 400 stops (synthetic stops on Kuwait's inhabited ground, fixed seeds)"
ROADS = "Patrol: ways on a road network (synthetic grid)"
SEEDS = range(3)


def run(report: Report) -> None:
    report.row(GROUP, "load of the machine before measuring", os.getloadavg()[0], "", "others' work shows in every time below")
    _against_baselines(report, "each in its governorate", in_governorates=True)
    _against_baselines(report, "all over the country", in_governorates=False)
    _repeats(report)
    _balance(report)
    _again(report)
    _roads(report)


def _against_baselines(report: Report, name: str, *, in_governorates: bool) -> None:
    found, chunks, nexts, faults = [], [], [], 0
    for seed in SEEDS:
        units, stops = shift_case(seed, in_governorates=in_governorates)
        matrix = straight(places(units, stops))
        plan = plan_routes(units, stops, matrix, seed=seed)
        found.append(plan)
        chunks.append(chunk_the_list(units, stops, matrix))
        nexts.append(best_next(units, stops, matrix))
        faults += sum(len(check_plan(one, units, stops, matrix)) for one in (plan, chunks[-1], nexts[-1]))
    cut = sum(one.cut_by_clock for one in found)
    report.row(
        GROUP, f"{name}: slowest", max(one.seconds for one in found), "s", f"{len(found)} shifts, {cut} ended by the clock; goal 20 s"
    )
    for who, plans in (("ours", found), ("the list in chunks", chunks), ("the best next stop", nexts)):
        dosage, km = np.mean([one.dosage for one in plans]), np.mean([one.travel_m for one in plans]) / 1000
        note = f"{dosage:,.0f} risk-weighted minutes, {km:,.0f} km, {np.mean([one.visits for one in plans]):.0f} visits in the mean"
        report.row(GROUP, f"{name}: risk-weighted minutes a kilometre, {who}", _per_km(plans), "min/km", note)
    ratios = [one.dosage_per_km / other.dosage_per_km for one, other in zip(found, chunks, strict=True)]
    report.row(
        GROUP,
        f"{name}: more a kilometre than the list in chunks",
        100 * (_per_km(found) / _per_km(chunks) - 1),
        "%",
        f"goal 30; least of the shifts {100 * (min(ratios) - 1):.0f} %",
    )
    report.row(
        GROUP,
        f"{name}: more a kilometre than the best next stop",
        100 * (_per_km(found) / _per_km(nexts) - 1),
        "%",
        "a stronger baseline than asked for",
    )
    report.row(GROUP, f"{name}: faults the checker finds", faults, "", f"in {3 * len(found)} plans, the baselines' too")


def _per_km(plans: list[RoutePlan]) -> float:
    return sum(one.dosage for one in plans) / (sum(one.travel_m for one in plans) / 1000)


def _repeats(report: Report) -> None:
    units, stops = shift_case(0)
    matrix = straight(places(units, stops))
    first, again, other = (plan_routes(units, stops, matrix, seed=seed, iterations=5000) for seed in (1, 1, 2))
    report.row(GROUP, "the same seed again", "the same" if first.routes == again.routes else "another", "plan")
    legs = [
        {(route.unit, a.stop, b.stop) for route in one.routes for a, b in zip(route.visits, route.visits[1:], strict=False)}
        for one in (first, other)
    ]
    report.row(GROUP, "another seed: legs in common", 100 * len(legs[0] & legs[1]) / len(legs[0]), "%", "unit, stop and next stop alike")
    times: dict[object, list[int]] = {}
    for route in first.routes:
        for visit in route.visits:
            times.setdefault(visit.stop, []).append(visit.arrive_s)
    gaps = np.concatenate([np.diff(sorted(one)) for one in times.values()]) / 60
    report.row(
        GROUP,
        "time from visit to visit of a stop, median",
        float(np.median(gaps)),
        "min",
        f"least {gaps.min():.0f}, {len(gaps)} repeats; rule: about 120, never under 80",
    )


def _balance(report: Report) -> None:
    units, stops = shift_case(5, stops=120)
    stops = [replace(stop, visits=1) for stop in stops]
    matrix = straight(places(units, stops))
    plain = plan_routes(units, stops, matrix, seed=1, iterations=5000, balance_share=0.0)
    found = plan_routes(units, stops, matrix, seed=1, iterations=5000)
    report.row(
        GROUP,
        "too little work for all (120 visits): Gini of the units' shares, before",
        found.before.gini,
        "",
        f"used shares {100 * found.before.least:.0f} to {100 * found.before.most:.0f} %",
    )
    cost = 100 * (found.travel_m / plain.travel_m - 1)
    report.row(
        GROUP,
        "too little work for all (120 visits): after evening out",
        found.after.gini,
        "",
        f"used shares {100 * found.after.least:.0f} to {100 * found.after.most:.0f} %, {cost:.0f} % more driven, "
        f"{found.visits} visits ({plain.visits} before)",
    )


def _again(report: Report) -> None:
    units, stops = shift_case(0)
    matrix = straight(places(units, stops))
    first = plan_routes(units, stops, matrix, seed=1, iterations=5000)
    now = 4 * HOUR
    gone = {route.unit for route in first.routes[:3]}
    over = {visit.stop: visit.arrive_s for route in first.routes if route.unit in gone for visit in route.visits if visit.arrive_s <= now}
    left = []
    for unit, route in zip(units, first.routes, strict=True):
        if unit.key not in gone:
            rest = route.rest if route.rest is not None and route.rest[0] <= now else None
            kept = tuple(visit for visit in route.visits if visit.arrive_s <= now)
            left.append(replace(unit, fixed=kept, free_from_s=now, rest_taken=rest))
    known = [replace(stop, visited_s=(over[stop.key],)) if stop.key in over else stop for stop in stops]
    began = time.perf_counter()
    second = plan_routes(left, known, matrix, seed=2)
    faults = len(check_plan(second, left, known, matrix))
    report.row(
        GROUP,
        "three units drop out at mid-shift: planned again in",
        time.perf_counter() - began,
        "s",
        f"{sum(visit.is_fixed for route in second.routes for visit in route.visits)} visits kept as they were, {faults} faults",
    )


def _roads(report: Report) -> None:
    size, step = 300, 0.0015
    lon, lat = 47.6 + step * np.arange(size), 29.0 + step * np.arange(size)
    rng = np.random.default_rng(0)
    kmh = rng.choice([30.0, 45.0, 60.0], 2 * size)
    ways = [
        RoadWay([row * size + n for n in range(size)], lon.tolist(), [float(lat[row])] * size, 0, float(kmh[row])) for row in range(size)
    ]
    ways += [
        RoadWay([n * size + column for n in range(size)], [float(lon[column])] * size, lat.tolist(), 0, float(kmh[size + column]))
        for column in range(size)
    ]
    began = time.perf_counter()
    graph = build(ways).graph
    report.row(ROADS, "building the graph", time.perf_counter() - began, "s", f"{graph.nodes:,} junctions, {graph.edges:,} stretches")
    stored = graph.to_bytes()
    report.row(ROADS, "stored", len(stored) / 1e6, "MB", "as one value in the database")
    points = np.column_stack([rng.choice(lon, 440), rng.choice(lat, 440)])
    began = time.perf_counter()
    matrix = graph.matrix(points)
    took = time.perf_counter() - began
    report.row(
        ROADS,
        "440 × 440 ways (40 units, 400 stops)",
        took,
        "s",
        f"{1000 * took / 440:.1f} ms a place; {np.isfinite(matrix.seconds).mean():.0%} have a way",
    )
