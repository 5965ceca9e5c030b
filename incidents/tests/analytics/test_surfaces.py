"""ANA-3: significance, density and change on the grid. What is planted is found, what is chance stays within its rate."""

from __future__ import annotations

import doctest
import importlib
import time
import warnings

import numpy as np
import pytest

from incidents.analytics.change import change
from incidents.analytics.density import density
from incidents.analytics.false_discovery import q_values
from incidents.analytics.gi_star import gi_star
from incidents.analytics.grid import Cells

SIDE = 250.0


def block(columns, rows, at=(0, 0)):
    c, r = (g.ravel() for g in np.meshgrid(np.arange(columns) + at[0], np.arange(rows) + at[1]))
    return Cells.of(c, r, SIDE)


@pytest.mark.parametrize("module", ["grid", "false_discovery", "gi_star", "density", "change"])
def test_the_examples_in_the_docstrings_hold(module):
    found = doctest.testmod(importlib.import_module(f"incidents.analytics.{module}"))
    assert found.attempted and not found.failed


# --- the grid --------------------------------------------------------------------------------------------------------
def test_cells_are_found_again_on_either_side_of_the_origin():
    rng = np.random.default_rng(1)
    xy = rng.uniform(-9_000, 9_000, (500, 2))
    cells = Cells.under(xy, cell_m=SIDE)
    assert (cells.of_points(xy) >= 0).all() and cells.counts(xy).sum() == 500
    assert (np.abs(cells.centres_m[cells.of_points(xy)] - xy) <= SIDE / 2).all()
    assert (cells.find(cells.columns + 10_000, cells.rows) == -1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e15])
def test_a_coordinate_that_is_no_place_is_refused(bad):
    with pytest.raises(ValueError, match=r"finite|metres"):
        Cells.under(np.array([[0.0, bad]]), cell_m=SIDE)


def test_an_empty_set_of_points_has_no_cells():
    cells = Cells.under(np.empty((0, 2)), cell_m=SIDE)
    assert len(cells) == 0 and len(cells.counts(np.array([[1.0, 1]]))) == 0 and len(cells.around(1)) == 0


# --- Gi* -------------------------------------------------------------------------------------------------------------
def test_the_statistic_is_that_of_esda():
    esda, libpysal = pytest.importorskip("esda.getisord"), pytest.importorskip("libpysal")
    rng = np.random.default_rng(4)
    cells = block(25, 20, at=(-7, 900)).where(rng.random(500) < 0.85)  # with holes and ragged edges
    counts = rng.negative_binomial(0.3, 0.3, len(cells))
    there = {(int(c), int(r)): k for k, (c, r) in enumerate(zip(cells.columns, cells.rows, strict=True))}
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    neighbours = {k: [there[c + i, r + j] for i, j in steps if (c + i, r + j) in there] for (c, r), k in there.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = libpysal.weights.W(neighbours, silence_warnings=True)
        theirs = esda.G_Local(counts.astype(float), weights, transform="B", star=True, permutations=0)
    assert gi_star(cells, counts).z == pytest.approx(theirs.Zs, abs=1e-9)


def test_its_p_values_are_those_of_many_shuffles():
    rng = np.random.default_rng(8)
    cells = block(12, 12)
    counts = rng.negative_binomial(0.4, 0.3, 144)
    found = gi_star(cells, counts)
    shuffled = np.stack([cells.sums_around(rng.permutation(counts), reach=1)[0] for _ in range(4_000)])
    upper, lower = (shuffled >= found.sums).mean(axis=0), (shuffled <= found.sums).mean(axis=0)
    by_shuffling = np.minimum(1, 2 * np.minimum(upper, lower))
    assert np.abs(found.p - by_shuffling).max() < 0.08 and (found.p - by_shuffling).mean() > -0.01  # a little careful, never bold


@pytest.mark.parametrize("kind", ["sparse", "many zeros", "busy"])
def test_a_map_of_pure_chance_is_called_hot_or_cold_no_oftener_than_promised(kind):
    draw = {
        "sparse": lambda g: g.poisson(0.3, 900),
        "many zeros": lambda g: g.negative_binomial(0.15, 0.3, 900),
        "busy": lambda g: g.poisson(5, 900),
    }[kind]
    cells, maps = block(30, 30), 120
    found = [gi_star(cells, draw(np.random.default_rng(seed))) for seed in range(maps)]
    for rate in (0.10, 0.05):
        anything = sum(bool((one.q <= rate).any()) for one in found) / maps
        assert anything <= rate + 2 * (rate * (1 - rate) / maps) ** 0.5
    assert np.mean([(one.classes != 0).mean() for one in found]) < 0.001


def test_the_normal_approximation_would_not_keep_that_promise():
    from scipy.stats import norm

    cells = block(30, 30)
    maps = [gi_star(cells, np.random.default_rng(seed).negative_binomial(0.15, 0.3, 900)) for seed in range(30)]
    assert sum(bool((q_values(2 * norm.sf(np.abs(one.z))) <= 0.05).any()) for one in maps) > 20


def test_planted_hot_and_cold_places_are_found():
    cells = block(40, 40)
    hot, cold = (np.maximum(abs(cells.columns - at), abs(cells.rows - at)) <= 2 for at in (10, 28))  # squares of five by five
    inner_hot, inner_cold = (np.maximum(abs(cells.columns - at), abs(cells.rows - at)) <= 1 for at in (10, 28))
    far = np.minimum(*(np.maximum(abs(cells.columns - at), abs(cells.rows - at)) for at in (10, 28))) > 3
    rate = np.where(hot, 6.0, np.where(cold, 0.2, 2.0))
    found = [gi_star(cells, np.random.default_rng(seed).poisson(rate)).classes for seed in range(10)]
    assert np.mean([classes[inner_hot] >= 2 for classes in found]) > 0.98
    assert np.mean([classes[inner_cold] <= -1 for classes in found]) > 0.9
    assert np.mean([classes[far] != 0 for classes in found]) < 0.005


def test_a_thousand_incidents_on_one_point_are_no_cluster_of_cells_and_an_even_map_has_none():
    cells = block(30, 30)
    counts = np.zeros(900, dtype=np.int64)
    counts[450] = 1_000
    assert not gi_star(cells, counts).classes.any()
    even = gi_star(cells, np.full(900, 3))
    assert not even.classes.any() and not even.z.any() and (even.p == 1).all()


def test_all_on_a_line_is_answered():
    cells = Cells.of(np.arange(60), np.zeros(60, dtype=np.int64), SIDE)
    counts = np.ones(60, dtype=np.int64)
    counts[20:26] = 12
    assert (gi_star(cells, counts).classes[21:25] > 0).all()


def test_what_cannot_be_answered_is_refused():
    with pytest.raises(ValueError, match="needs 30 cells, not 4"):
        gi_star(block(2, 2), np.ones(4, dtype=np.int64))
    with pytest.raises(ValueError, match="below 0"):
        gi_star(block(10, 10), np.full(100, -1))
    with pytest.raises(ValueError, match="100 cells and 5 counts"):
        gi_star(block(10, 10), np.ones(5, dtype=np.int64))


def test_a_nation_takes_less_than_a_second():
    cells = block(200, 150)
    counts = np.random.default_rng(1).negative_binomial(0.2, 0.1, len(cells))
    began = time.process_time()
    gi_star(cells, counts)
    assert time.process_time() - began < 1


# --- density ---------------------------------------------------------------------------------------------------------
def test_density_is_that_of_the_textbook():
    rng = np.random.default_rng(3)
    xy = rng.normal(0, 900, (400, 2))
    cells = Cells.under(xy, cell_m=SIDE)
    found = density(cells, xy, bandwidth_m=600, ground=cells.around(4))
    squared = ((cells.centres_m[:, None] - xy[None]) ** 2).sum(axis=2) / 600**2
    plain = (3 / (np.pi * 0.6**2) * np.clip(1 - squared, 0, None) ** 2).sum(axis=1)
    assert found.per_km2 == pytest.approx(plain, rel=1e-9) and found.on_ground == pytest.approx(1)


def test_the_whole_of_it_is_the_number_of_incidents():
    xy = np.random.default_rng(3).normal(0, 900, (400, 2))
    everywhere = Cells.under(xy, cell_m=SIDE).around(4)
    found = density(everywhere, xy, bandwidth_m=750, ground=everywhere.around(4))
    assert found.per_km2.sum() * SIDE**2 / 1e6 == pytest.approx(400, rel=0.01)


def test_a_coast_does_not_thin_what_happens_on_it():
    rng = np.random.default_rng(3)
    land = block(40, 40)
    xy = rng.uniform(0, 40 * SIDE, (16_000, 2))  # 160 a km²
    found = density(land, xy, bandwidth_m=750, ground=land)
    on_edge = (land.columns == 0) | (land.rows == 0) | (land.columns == 39) | (land.rows == 39)
    assert found.per_km2[on_edge].mean() == pytest.approx(160, rel=0.05)
    assert found.on_ground[on_edge].mean() < 0.75 and found.on_ground[land.find(np.array([20]), np.array([20]))[0]] == pytest.approx(1)


@pytest.mark.parametrize("bandwidth", [0, -1, np.nan, 100])
def test_a_bandwidth_that_misses_the_cells_is_refused(bandwidth):
    with pytest.raises(ValueError, match="half a cell"):
        density(block(3, 3), np.array([[1.0, 1]]), bandwidth_m=bandwidth, ground=block(3, 3))


def test_no_incidents_have_no_density():
    assert not density(block(3, 3), np.empty((0, 2)), bandwidth_m=500, ground=block(3, 3)).per_km2.any()


# --- change ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rate", [0.3, 1.0, 5.0])
def test_two_windows_of_one_rate_differ_no_oftener_than_promised(rate):
    cells, pairs = block(30, 30), 120
    found = []
    for seed in range(pairs):
        rng = np.random.default_rng(seed)
        found.append(change(cells, rng.poisson(rate, 900), rng.poisson(rate, 900)))
    for level in (0.10, 0.05):
        anything = sum(bool((one.q <= level).any()) for one in found) / pairs
        assert anything <= level + 2 * (level * (1 - level) / pairs) ** 0.5


def test_a_rise_and_a_fall_are_found_where_they_are():
    rng = np.random.default_rng(5)
    cells = block(30, 30)
    before, now = np.full(900, 2.0), np.full(900, 2.0)
    grown, shrunk = ([g.ravel() for g in np.meshgrid(np.arange(at, at + 5), np.arange(at, at + 5))] for at in (5, 20))
    now[cells.find(*grown)], before[cells.find(*shrunk)] = 7.0, 7.0
    found = change(cells, rng.poisson(before), rng.poisson(now))
    rose, fell = ((cells.columns - at) ** 2 + (cells.rows - at) ** 2 <= 2 for at in (7, 22))  # whole neighbourhoods of them
    assert (found.classes[rose] == 2).all() and (found.classes[fell] == -2).all()
    assert found.per_km2[rose].min() > 0 > found.per_km2[fell].max()


def test_too_little_to_test_is_not_called_unchanged_by_a_number():
    found = change(Cells.of(np.array([0, 9]), np.array([0, 9]), SIDE), np.array([0, 0]), np.array([5, 6]))
    assert np.isnan(found.p[0]) and found.p[1] == pytest.approx(2 / 64) and found.classes.tolist() == [0, 2]


def test_nothing_before_and_nothing_now_is_no_change():
    found = change(block(5, 5), np.zeros(25, dtype=int), np.zeros(25, dtype=int))
    assert not found.classes.any() and not found.per_km2.any() and np.isnan(found.q).all()


def test_counts_below_zero_or_of_other_cells_are_refused():
    with pytest.raises(ValueError, match="below 0"):
        change(block(2, 2), np.array([1, 2, 3, -1]), np.zeros(4, dtype=int))
    with pytest.raises(ValueError, match="4 cells"):
        change(block(2, 2), np.zeros(3, dtype=int), np.zeros(4, dtype=int))
