"""ANA-1: a hot spot's outline, weight, history and clock."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.analytics.hotspots import Events, Past, clear_peak, describe, find_hot_spots
from incidents.analytics.outline import inside, outline, ring_area


def crossings(ring):
    """How many pairs of edges that share no end cross: a simple ring has none."""
    a, b = ring[:-1], ring[1:]
    side = lambda p, q, r: np.sign((q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0]))  # noqa: E731
    p, q, r, s = a[:, None], b[:, None], a[None], b[None]
    crossed = (side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)
    return int(crossed.sum())


SHAPES = {
    "one address": np.zeros((10, 2)),
    "two addresses": np.array([[0.0, 0], [300, 0]]),
    "three on a line": np.array([[0.0, 0], [300, 0], [600, 0]]),
    "a street": np.stack([np.arange(50) * 250.0, np.zeros(50)], axis=1),
    "a slanting street": np.stack([np.arange(50) * 200.0, np.arange(50) * 200.0], axis=1),
    "a ring road": np.stack([np.cos(np.linspace(0, 6.28, 60)), np.sin(np.linspace(0, 6.28, 60))], axis=1) * 1500,
    "a crossing": np.random.default_rng(1).normal(0, 60, (40, 2)),
    "a town": np.random.default_rng(2).uniform(0, 20_000, (8_000, 2)),
    "a hair apart": np.random.default_rng(3).normal(0, 1e-7, (30, 2)) + 5e5,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_outline_holds_every_member_and_is_never_flat(shape):
    ring = outline(SHAPES[shape], reach_m=300.0)
    assert inside(ring, SHAPES[shape]).all()
    assert ring_area(ring) > 3_000
    assert (ring[0] == ring[-1]).all()
    assert crossings(ring) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-2_000, 2_000), st.integers(-2_000, 2_000)), min_size=1, max_size=60))
def test_an_outline_of_any_points_holds_them(points):
    xy = np.array(points, dtype=float)
    ring = outline(xy, reach_m=300.0)
    assert inside(ring, xy).all() and ring_area(ring) > 3_000 and crossings(ring) == 0


def test_an_outline_follows_a_bend_instead_of_covering_the_block_inside_it():
    bend = np.concatenate([np.stack([np.arange(40) * 50.0, np.zeros(40)], 1), np.stack([np.zeros(40), np.arange(40) * 50.0], 1)])
    ring = outline(bend, reach_m=300.0)
    assert not inside(ring, np.array([[1200.0, 1200.0]]))[0]
    assert ring_area(ring) < 0.5e6 < 2000**2 / 2


def test_an_outline_of_nothing_or_of_no_number_is_refused():
    for bad in (np.empty((0, 2)), np.array([[np.nan, 0]])):
        with pytest.raises(ValueError):
            outline(bad, reach_m=300.0)


def events(xy, *, severity=2, kind=1, hour=12, weekday=0):
    n = len(xy)
    column = lambda value: np.broadcast_to(np.asarray(value), n).copy()  # noqa: E731
    return Events(np.asarray(xy, dtype=float), column(severity), column(kind), column(hour), column(weekday))


def test_hot_spots_are_ranked_by_severity_and_not_by_count_alone():
    rng = np.random.default_rng(4)
    many, grave = rng.normal(0, 50, (30, 2)), rng.normal(5_000, 50, (12, 2))
    found = find_hot_spots(
        events(np.concatenate([many, grave]), severity=np.repeat([1, 4], [30, 12])),
        eps_m=300,
        min_points=10,
        past=Past(np.concatenate([many[:7], rng.uniform(20_000, 30_000, (50, 2))]), np.full(57, 0.5), (True,)),
        rng=rng,
    ).spots
    assert [(spot.count, spot.severity_score, spot.previous_counts) for spot in found] == [(12, 96.0, (0,)), (30, 30.0, (7,))]
    assert all(inside(spot.ring_m, np.array([spot.centre_m]))[0] for spot in found)
    assert found[1].density_per_km2 == pytest.approx(30 / found[1].area_km2)


def test_a_kind_of_night_is_named_and_chance_is_not():
    rng = np.random.default_rng(7)
    spot = describe(events(np.zeros((40, 2)), hour=rng.choice([21, 22, 23], 40)), np.arange(40), reach_m=300, past=Past.none())
    assert spot.peak_hour == 22
    named = sum(clear_peak(rng.integers(0, 24, 40), slots=24, width=3) is not None for _ in range(400))
    assert named / 400 < 0.08  # at most about one even spread in twenty
    assert clear_peak([], slots=24, width=3) is None


def test_a_night_peak_is_found_across_midnight():
    assert clear_peak([23] * 8 + [0] * 9 + [1] * 8 + [12] * 5, slots=24, width=3) == 0


@pytest.mark.parametrize("xy", [np.empty((0, 2)), np.zeros((1, 2)), np.zeros((9, 2))])
def test_too_few_incidents_make_no_hot_spot(xy):
    assert find_hot_spots(events(xy), eps_m=300, min_points=10, past=Past.none(), rng=np.random.default_rng(0)).spots == []


@pytest.mark.parametrize("module", ["dbscan", "outline", "hotspots", "background", "trend", "tracks"])
def test_the_examples_in_the_docstrings_run(module):
    found = doctest.testmod(importlib.import_module(f"incidents.analytics.{module}"))
    assert found.attempted and not found.failed
