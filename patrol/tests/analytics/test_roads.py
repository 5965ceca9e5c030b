"""PAT-4: the road network: quickest ways in time and metres, one-way streets, closures, islands, places off the road."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.analytics.road_building import LONGEST_M, RoadWay, build
from patrol.analytics.roads import OFF_ROAD_KMH, Closure, RoadGraph

STEP = 0.002  # degrees: about 195 m of longitude and 222 m of latitude here
WEST, SOUTH = 47.9, 29.3


def at(column, row):
    return WEST + column * STEP, SOUTH + row * STEP


def closed(column, row, radius_m):
    lon, lat = at(column, row)
    return Closure(lon, lat, radius_m)


def a_way(*corners, direction=0, kmh=36.0):
    """A way through corners of the grid; a node's number is its corner."""
    lon, lat = zip(*(at(*corner) for corner in corners), strict=True)
    return RoadWay([1 + column + 100 * row for column, row in corners], list(lon), list(lat), direction, kmh)


def a_grid(size=4, *, one_way_row=None):
    ways = [a_way(*[(column, row) for column in range(size)], direction=int(row == one_way_row)) for row in range(size)]
    return [*ways, *[a_way(*[(column, row) for row in range(size)]) for column in range(size)]]


def slow_ways(graph, closed=None):
    """Seconds and metres from each junction to each other, by Bellman and Ford, one after the other."""
    n = graph.nodes
    time, way = np.full((n, n), np.inf), np.full((n, n), np.inf)
    np.fill_diagonal(time, 0)
    np.fill_diagonal(way, 0)
    for _ in range(n):
        for edge in range(graph.edges):
            if closed is not None and closed[edge]:
                continue
            through = time[:, graph.start[edge]] + graph.seconds[edge]
            is_better = through < time[:, graph.end[edge]] - 1e-9
            time[is_better, graph.end[edge]] = through[is_better]
            way[is_better, graph.end[edge]] = way[is_better, graph.start[edge]] + graph.metres[edge]
    return time, way


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), shut=st.booleans())
def test_the_matrix_is_that_of_the_slow_way(seed, shut):
    rng = np.random.default_rng(seed)
    ways = [way._replace(kmh=float(rng.integers(20, 90)), direction=int(rng.integers(-1, 2))) for way in a_grid(4)]
    graph = build(ways).graph
    shut_edges = graph.closed_by([closed(1.5, 1, 30)]) if shut else None
    found = graph.matrix(np.column_stack([graph.lon, graph.lat]), closed=shut_edges)
    time, way = slow_ways(graph, shut_edges)
    assert np.isfinite(found.seconds).tolist() == np.isfinite(time).tolist()
    there = np.isfinite(time)
    assert np.allclose(found.seconds[there], time[there], atol=0.2)
    assert np.allclose(found.metres[there], way[there], atol=2) or (found.metres[there] <= way[there] + 2).all()


def test_both_figures_of_a_way():
    graph = build(a_grid()).graph
    found = graph.matrix([at(0, 0), at(3, 0)])
    assert found.metres[0, 1] == pytest.approx(3 * STEP * 111_195 * np.cos(np.radians(SOUTH)), rel=1e-3)
    assert found.seconds[0, 1] == pytest.approx(found.metres[0, 1] / 10, rel=1e-3)
    assert found.name == "roads" and found.details["off_road"] == 0


def test_a_one_way_street_is_driven_one_way():
    graph = build(a_grid(one_way_row=0)).graph
    found = graph.matrix([at(0, 0), at(3, 0)])
    assert found.metres[1, 0] == pytest.approx(found.metres[0, 1] + 2 * STEP * 111_195, rel=1e-3)
    backwards = build([way._replace(direction=-way.direction) for way in a_grid(one_way_row=0)]).graph
    assert backwards.matrix([at(0, 0), at(3, 0)]).metres[0, 1] == pytest.approx(found.metres[1, 0], rel=1e-6)


def test_a_closure_is_driven_round_and_two_may_cut_a_place_off():
    graph = build(a_grid()).graph
    free = graph.matrix([at(0, 0), at(3, 0)])
    round_it = graph.matrix([at(0, 0), at(3, 0)], closed=graph.closed_by([closed(1.5, 0, 20)]))
    assert round_it.metres[0, 1] == pytest.approx(free.metres[0, 1] + 2 * STEP * 111_195, rel=1e-3)
    off = graph.matrix([at(0, 0), at(3, 0)], closed=graph.closed_by([closed(0.5, 0, 20), closed(0, 0.5, 20)]))
    assert np.isinf(off.seconds[0, 1]) and np.isinf(off.metres[1, 0])
    assert not graph.closed_by([closed(50, 50, 20)]).any()


def test_a_closure_of_a_junction_closes_all_that_meet_there():
    graph = build(a_grid()).graph
    shut = graph.closed_by([closed(1, 1, 5)])
    assert shut.sum() == 8


def test_what_cannot_be_reached_and_left_again_is_left_out_and_counted():
    dead_end = a_way((3, 3), (9, 3), direction=1)
    island = a_way((50, 50), (51, 50))
    built = build([*a_grid(), dead_end, island])
    assert built.graph.nodes == 16 and built.islands >= 2 and built.island_nodes >= 3 and built.island_edges >= 3
    assert build([]).graph.edges == 0


def test_long_stretches_are_cut_so_that_a_place_beside_them_has_a_junction_near():
    far = RoadWay(list(range(1000, 1041)), [WEST + 0.0005 * n for n in range(41)], [SOUTH] * 41, 0, 60.0)
    graph = build([far]).graph
    assert graph.metres.max() < LONGEST_M + 60 and graph.nodes > 7


def test_of_two_stretches_between_the_same_junctions_the_quicker_is_driven():
    detour = RoadWay([1, 999, 2], [at(0, 0)[0], at(0.5, 0)[0], at(1, 0)[0]], [SOUTH, SOUTH + STEP / 4, SOUTH], 0, 120.0)
    graph = build([*a_grid(), detour]).graph
    assert graph.matrix([at(0, 0), at(1, 0)]).seconds[0, 1] < build(a_grid()).graph.matrix([at(0, 0), at(1, 0)]).seconds[0, 1]


def test_a_place_beside_the_road_drives_to_it_and_one_far_off_has_no_way():
    graph = build(a_grid()).graph
    beside = (at(0, 0)[0], SOUTH - STEP)
    found = graph.matrix([beside, at(0, 0), (49.0, 29.3)])
    assert found.metres[0, 1] == pytest.approx(STEP * 111_195, rel=1e-3)
    assert found.seconds[0, 1] == pytest.approx(found.metres[0, 1] / (OFF_ROAD_KMH / 3.6), rel=1e-3)
    assert np.isinf(found.seconds[2, :2]).all() and found.seconds[2, 2] == 0 and found.details["off_road"] == 1


def test_the_path_follows_the_streets():
    graph = build(a_grid(one_way_row=0)).graph
    line = graph.path([at(3, 0), at(0, 0), (49.0, 29.3)])
    assert line[0] == at(3, 0) and line[-1] == (49.0, 29.3)
    assert at(3, 1) in [(pytest.approx(x), pytest.approx(y)) for x, y in line]
    assert max(np.hypot(*np.diff(np.array(line[:-1]), axis=0).T)) < 1.1 * STEP


def test_a_network_comes_back_as_it_was_stored():
    graph = build(a_grid(one_way_row=2)).graph
    again = RoadGraph.from_bytes(graph.to_bytes())
    places = [at(0, 0), at(3, 3), at(1, 2)]
    assert np.allclose(again.matrix(places).seconds, graph.matrix(places).seconds, atol=0.2)
    assert np.allclose(again.path(places), graph.path(places))
