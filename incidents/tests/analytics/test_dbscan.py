"""ANA-1: clustering is exact (scikit-learn's core points and clusters), in metres, and says no to nonsense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

from incidents.analytics.dbscan import NOISE, dbscan


def assert_agrees(xy, *, eps_m, min_points):
    labels = dbscan(xy, eps_m=eps_m, min_points=min_points)
    theirs = DBSCAN(eps=eps_m, min_samples=min_points).fit(xy)
    core = theirs.core_sample_indices_
    pairs = set(zip(labels[core].tolist(), theirs.labels_[core].tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == theirs.labels_.max(initial=-1) + 1
    assert NOISE not in labels[core]
    assert ((labels == NOISE) == (theirs.labels_ == NOISE)).all()
    # A border point lies within reach of a core point of its cluster.
    border = np.setdiff1d(np.flatnonzero(labels != NOISE), core)
    for point in border[:200]:
        mine = core[labels[core] == labels[point]]
        assert np.hypot(*(xy[mine] - xy[point]).T).min() <= eps_m
    return labels


@settings(max_examples=150, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=0, max_size=120),
    min_points=st.integers(1, 8),
    eps=st.integers(1, 20),
    jitter=st.integers(0, 2**16),
)
def test_small_sets_agree_with_scikit_learn(points, min_points, eps, jitter):
    xy = np.array(points, dtype=float).reshape(-1, 2)
    # A little noise keeps distances off the radius itself, where rounding decides; whole distances are tested below.
    xy = xy + np.random.default_rng(jitter).uniform(-0.01, 0.01, xy.shape)
    if len(xy):
        assert_agrees(xy, eps_m=float(eps), min_points=min_points)
    else:
        assert len(dbscan(xy, eps_m=float(eps), min_points=min_points)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_twenty_thousand_points_of_every_density_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    middles, spreads = rng.uniform(0, 30_000, (15, 2)), rng.uniform(1, 900, 15)
    which = rng.integers(0, 15, 12_000)
    blobs = middles[which] + rng.normal(size=(12_000, 2)) * spreads[which][:, None]
    line = np.stack([np.linspace(0, 30_000, 500), np.full(500, 15_000.0)], axis=1)
    same = np.repeat(rng.uniform(0, 30_000, (30, 2)), 50, axis=0)
    xy = np.concatenate([blobs, line, same, rng.uniform(0, 30_000, (6_000, 2))])
    assert_agrees(xy, eps_m=float(rng.choice([60, 150, 300])), min_points=int(rng.choice([3, 10, 40])))


@settings(max_examples=120, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=150),
    step_m=st.sampled_from([1.0, 50.0, 100.0]),
    radius=st.sampled_from([1, 2, 3, 5, 10]),  # 5 is reached by (3, 4) too: many distances lie exactly on the radius
    min_points=st.integers(1, 9),
    east_m=st.sampled_from([0.0, 500_000.0, -20_000_000.0]),
)
def test_on_a_lattice_whose_distances_lie_exactly_on_the_radius_it_agrees_too(points, step_m, radius, min_points, east_m):
    xy = np.array(points, dtype=float) * step_m + [east_m, 3_250_000.0 if east_m else 0.0]
    assert_agrees(xy, eps_m=radius * step_m, min_points=min_points)


@settings(max_examples=40, deadline=None)
@given(
    spacing=st.integers(1, 400),
    n=st.integers(1, 300),
    copies=st.integers(1, 6),
    slope=st.sampled_from([(1, 0), (0, 1), (3, 4)]),
    min_points=st.integers(1, 30),
)
def test_lines_and_points_one_on_another_agree_too(spacing, n, copies, slope, min_points):
    along = np.repeat(np.arange(n), copies)[:, None] * spacing * np.array(slope, dtype=float)
    assert_agrees(along, eps_m=300.0, min_points=min_points)


@pytest.mark.parametrize(("n", "seed"), [(100_000, 1), (100_000, 2)])
def test_a_hundred_thousand_points_of_a_nation_agree_with_scikit_learn(n, seed):
    rng = np.random.default_rng(seed)
    middles, spreads = rng.uniform([0, 0], [60_000, 80_000], (60, 2)), rng.uniform(150, 900, 60)
    which = rng.integers(0, 60, n * 7 // 10)
    blobs = middles[which] + rng.normal(size=(len(which), 2)) * spreads[which][:, None]
    labels = assert_agrees(np.concatenate([blobs, rng.uniform([0, 0], [60_000, 80_000], (n - len(which), 2))]), eps_m=300.0, min_points=10)
    assert labels.max() > 20


def test_one_point_is_noise_or_a_cluster_of_its_own():
    assert dbscan(np.array([[5.0, 5.0]]), eps_m=300, min_points=2).tolist() == [NOISE]
    assert dbscan(np.array([[5.0, 5.0]]), eps_m=300, min_points=1).tolist() == [0]


def test_the_radius_is_inclusive():
    xy = np.array([[0.0, 0], [300, 0], [600, 0], [901, 0]])
    assert dbscan(xy, eps_m=300, min_points=2).tolist() == [0, 0, 0, NOISE]


def test_the_order_of_the_input_changes_no_cluster():
    rng = np.random.default_rng(5)
    xy = rng.uniform(0, 5_000, (2_000, 2))
    shuffled = rng.permutation(len(xy))
    first, second = dbscan(xy, eps_m=120, min_points=5), dbscan(xy[shuffled], eps_m=120, min_points=5)
    assert len(set(zip(first[shuffled].tolist(), second.tolist(), strict=True))) == first.max() + 2


def test_planted_hot_spots_are_found_and_an_even_spread_has_few():
    rng = np.random.default_rng(11)
    middles = np.array([[x, y] for x in range(5_000, 50_000, 9_000) for y in range(5_000, 50_000, 9_000)], dtype=float)
    planted = np.concatenate([middle + rng.normal(0, 80, (25, 2)) for middle in middles])
    background = rng.uniform(0, 55_000, (1_500, 2))
    labels = dbscan(np.concatenate([planted, background]), eps_m=300, min_points=10)
    assert labels.max() + 1 == len(middles)
    assert all((labels[25 * i : 25 * (i + 1)] == labels[25 * i]).mean() > 0.9 for i in range(len(middles)))
    assert dbscan(background, eps_m=300, min_points=10).max() + 1 == 0


def test_fifty_thousand_incidents_at_one_address_are_one_cluster_and_take_little_memory():
    # A list of every point's neighbours would be 2.5 thousand million pairs.
    assert set(dbscan(np.zeros((50_000, 2)), eps_m=300, min_points=10).tolist()) == {0}


@pytest.mark.parametrize(
    ("xy", "eps_m", "min_points", "why"),
    [
        ([[0, np.nan], [1, 1]], 300, 10, "1 of 2 points"),
        ([[0, np.inf]], 300, 10, "1 of 1 points"),
        ([[1, 2, 3]], 300, 10, "shape"),
        ([[0, 0]], 0, 10, "radius"),
        ([[0, 0]], float("nan"), 10, "radius"),
        ([[0, 0]], 300, 0, "At least 1"),
        ([[0, 0], [1e15, 0]], 300, 1, "metres"),
    ],
)
def test_nonsense_is_refused_by_name(xy, eps_m, min_points, why):
    with pytest.raises(ValueError, match=why):
        dbscan(np.array(xy, dtype=float), eps_m=eps_m, min_points=min_points)
