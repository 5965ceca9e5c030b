"""ANA-3, ANA-5: who sees which cell of a surface, what a zone comes to, and why a cell is red."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from django.utils import timezone
from pyproj import Transformer

from core.errors import NotFound
from incidents.models import ModelChoice, ModelSwitch, PipelineRun, Surface
from incidents.services.surfaces import lattice, sight_of, surfaces_for, why, zone_sums

FORWARD = Transformer.from_crs(4326, 32638, always_xy=True)


@pytest.fixture
def issued(places):
    """``issued(kind=…)``: a surface of four cells: two in Salmiya, one in Jabriya, one in Sharq; the last in no governorate if asked."""
    run = PipelineRun.objects.create(key="surfaces", as_of=timezone.now(), status="done", code_version="abc1234")

    def make(kind="risk", *, nowhere=False, **given):
        points = [(47.92, 29.35), (47.93, 29.35), (47.97, 29.35), (47.85, 29.35)]
        governorates = [places.hawalli.pk, places.hawalli.pk, places.hawalli.pk, places.capital.pk]
        areas = [places.salmiya.pk, places.salmiya.pk, places.jabriya.pk, places.sharq.pk]
        if nowhere:
            points, governorates, areas = [*points, (48.5, 29.35)], [*governorates, 0], [*areas, 0]
        x, y = FORWARD.transform(*np.array(points).T)
        n = len(points)
        details = {
            "run": run,
            "region": places.region,
            "kind": kind,
            "horizon": "week" if kind == "risk" else "",
            "model": "blend" if kind == "risk" else kind,
            "learnt_from": timezone.now(),
            "learnt_to": timezone.now(),
            "srid": 32638,
            "origin_x_m": 0,
            "origin_y_m": 0,
            "cell_m": 250,
            "columns": np.floor(x / 250).astype(int).tolist(),
            "rows": np.floor(y / 250).astype(int).tolist(),
            "values": [0.5, 2.0, 1.0, 4.0, 9.0][:n],
            "classes": [2, 4, 3, 5, 5][:n],
            "governorate_ids": governorates,
            "area_ids": areas,
            "part_names": ["long_run", "recent"],
            "parts": [float(k) for k in range(2 * n)],
            "is_current": True,
        }
        return Surface.objects.create(**{**details, **given})

    return make


def test_each_sees_the_cells_of_their_governorates_and_no_other(issued, cast):
    surface = issued(nowhere=True)
    assert sight_of(cast.analyst, surface.pk).values.tolist() == [0.5, 2.0, 1.0]
    assert sight_of(cast.stranger, surface.pk).values.tolist() == [4.0]
    assert len(sight_of(cast.superadmin, surface.pk)) == 5
    assert len(sight_of(cast.firefighter, surface.pk)) == 5  # every governorate, and so what lies in none


def test_somebody_without_a_governorate_sees_no_surface_at_all(issued, cast, places):
    surface = issued()
    cast.officer.governorates.clear()
    officer = type(cast.officer).objects.get(pk=cast.officer.pk)
    assert not surfaces_for(officer).exists()
    with pytest.raises(NotFound):
        sight_of(officer, surface.pk)
    assert not surfaces_for(object()).exists()


def test_what_stands_no_more_or_is_held_back_or_switched_off_is_not_there(issued, cast):
    past, held, off = issued(is_current=False), issued(role="held_back"), issued(kind="density")
    ModelSwitch.objects.create(model="density", is_on=False, reason="test")
    assert not surfaces_for(cast.analyst).exists()
    for surface in (past, held, off):
        with pytest.raises(NotFound):
            sight_of(cast.analyst, surface.pk)


def test_a_list_of_surfaces_does_not_read_their_cells(issued, cast, django_assert_num_queries):
    issued()
    with django_assert_num_queries(1):
        (surface,) = surfaces_for(cast.superadmin)
        assert surface.region.code == "kw" and surface.run.key == "surfaces"
    assert {"values", "columns", "parts"} <= surface.get_deferred_fields()


# --- why is this red? ------------------------------------------------------------------------------------------------
def test_a_cell_says_value_class_rank_parts_model_and_what_the_baseline_says(issued, cast, places):
    surface = issued()
    columns, rows = surface.columns, surface.rows
    issued(role="baseline", model="last_52_weeks", values=[0.1, 0.7, 0.2, 1.0])
    choice = ModelChoice.objects.create(
        run=surface.run, region=places.region, predicts="risk", level="week", champion="blend", best_baseline="last_52_weeks",
        published="blend", beats_baseline=True, origins=52, is_current=True,
    )  # fmt: skip
    reasons = why(cast.analyst, surface.pk, column=columns[1], row=rows[1])
    assert (reasons.value, reasons.class_, reasons.rank, reasons.of) == (2.0, 4, 1, 3)
    assert (reasons.governorate, reasons.area, reasons.choice) == (places.hawalli, places.salmiya, choice)
    assert {part.name: part.value for part in reasons.parts} == {"long_run": 2.0, "recent": 3.0}
    assert reasons.baselines == (("last_52_weeks", 0.7),)
    assert abs(reasons.longitude - 47.93) < 0.002 and abs(reasons.latitude - 29.35) < 0.002
    assert why(cast.superadmin, surface.pk, column=columns[1], row=rows[1]).rank == 2


def test_a_cell_of_another_governorate_is_not_there(issued, cast):
    surface = issued()
    with pytest.raises(NotFound):
        why(cast.analyst, surface.pk, column=surface.columns[3], row=surface.rows[3])
    with pytest.raises(NotFound):
        why(cast.analyst, surface.pk, column=0, row=0)
    with pytest.raises(NotFound):
        why(cast.analyst, 2**70, column=0, row=0)


def test_equals_share_the_better_rank(issued, cast):
    surface = issued(values=[2.0, 2.0, 1.0, 4.0])
    assert [sight_of(cast.superadmin, surface.pk).rank_of(k) for k in range(4)] == [2, 2, 4, 1]


def test_a_part_that_was_not_tested_has_no_number(issued, cast):
    surface = issued(kind="change", part_names=["p", "q"], parts=[float("nan")] * 8)
    assert why(cast.analyst, surface.pk, column=surface.columns[0], row=surface.rows[0]).part("p") is None


# --- zones and shapes ------------------------------------------------------------------------------------------------
def test_zones_sum_what_the_viewer_may_see(issued, cast, places):
    surface = issued()
    mine = zone_sums(sight_of(cast.analyst, surface.pk))
    assert [(one.zone, one.cells, one.total, one.high) for one in mine] == [(places.salmiya, 2, 2.5, 1), (places.jabriya, 1, 1.0, 0)]
    by_governorate = zone_sums(sight_of(cast.superadmin, surface.pk), "governorate")
    assert [(one.zone, one.total) for one in by_governorate] == [(places.capital, 4.0), (places.hawalli, 3.5)]


def test_a_density_or_a_change_is_summed_as_incidents_and_not_as_densities(issued, cast, places):
    surface = issued(kind="change", values=[16.0, 16.0, -32.0, 0], classes=[2, 1, -2, 0])
    sums = {one.zone: one for one in zone_sums(sight_of(cast.analyst, surface.pk))}
    assert sums[places.salmiya].total == pytest.approx(2) and sums[places.jabriya].total == pytest.approx(-2)
    assert (sums[places.salmiya].high, sums[places.jabriya].low) == (2, 1)


def test_an_empty_surface_has_no_cells_and_no_sums(issued, cast):
    empty: dict[str, list[int]] = {name: [] for name in ("columns", "rows", "values", "classes", "governorate_ids", "area_ids", "parts")}
    seen = sight_of(cast.superadmin, issued(**empty).pk)
    assert len(seen) == 0 and zone_sums(seen) == [] and lattice(seen)["lon"] == [] and list(seen.rings()) == []


def test_a_ring_is_the_ground_a_cell_covers(issued, cast):
    seen = sight_of(cast.superadmin, issued().pk)
    ring = next(iter(seen.rings()))
    x, y = FORWARD.transform(*np.array(ring).T)
    assert ring[0] == ring[-1] and np.ptp(x) == pytest.approx(250, abs=0.3) and np.ptp(y) == pytest.approx(250, abs=0.3)
    assert x.min() == pytest.approx(seen.cells.columns[0] * 250, abs=0.3)
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring))
    assert area > 0  # anticlockwise


def test_between_its_known_points_the_grid_lies_within_half_a_metre(issued, cast):
    rng = np.random.default_rng(1)
    columns, rows = rng.integers(2_400, 3_300, 500), rng.integers(12_600, 13_300, 500)  # the whole country
    n = {"values": [1.0] * 500, "classes": [1] * 500, "governorate_ids": [0] * 500, "area_ids": [0] * 500, "part_names": [], "parts": []}
    seen = sight_of(cast.superadmin, issued(columns=columns.tolist(), rows=rows.tolist(), **n).pk)
    net = lattice(seen)
    lon, lat = (np.array(net[name]).reshape(net["up"], net["across"]) for name in ("lon", "lat"))
    i, j = (columns - net["column"]) / net["step"], (rows - net["row"]) / net["step"]
    left, low = np.floor(i).astype(int), np.floor(j).astype(int)
    u, v = i - left, j - low

    def between(of):
        here, right, up, over = of[low, left], of[low, left + 1], of[low + 1, left], of[low + 1, left + 1]
        return here * (1 - u) * (1 - v) + right * u * (1 - v) + up * (1 - u) * v + over * u * v

    x, y = FORWARD.transform(between(lon), between(lat))
    assert np.hypot(x - columns * 250, y - rows * 250).max() < 0.5


def test_a_baseline_that_stands_in_for_a_model_switched_off_has_its_colours_and_its_areas(issued, cast, places):
    ours = issued()
    ModelChoice.objects.create(
        run=ours.run, region=places.region, predicts="risk", level="week", champion="blend", best_baseline="last_52_weeks",
        published="blend", beats_baseline=True, origins=52, is_current=True,
    )  # fmt: skip
    counted = issued(role="baseline", model="last_52_weeks", classes=[], area_ids=[], part_names=[], parts=[])
    assert not surfaces_for(cast.superadmin).filter(pk=counted.pk).exists()
    ModelSwitch.objects.create(model="blend", is_on=False, reason="test")
    seen = sight_of(cast.superadmin, counted.pk)
    assert seen.classes.max() == 5 and {one.zone for one in zone_sums(seen)} == {places.salmiya, places.jabriya, places.sharq}
