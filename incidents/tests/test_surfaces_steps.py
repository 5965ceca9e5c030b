"""ANA-3, ANA-4: the steps that store significance, density, change and the near-repeat tests; too little data says so instead."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.db import InternalError, connection, transaction
from django.db.utils import IntegrityError

from incidents.models import IncidentType, ModelCard, NearRepeat, Surface
from incidents.services import pipeline
from incidents.services.pipeline import Parameters
from incidents.tests.conftest import NIGHT


def run(*kinds, **given):
    return pipeline.run_pipeline(**{"trigger": "manual", "as_of": NIGHT, "only": kinds or ["surfaces"], **given})


def counts_of(done):
    step = done.steps.get()
    assert step.status == "done", step.error
    return step.counts


@pytest.fixture
def town(crowd):
    """A year of incidents thinly over three kilometres, and a crowd in Salmiya within the last month."""
    crowd(47.92, 29.35, n=400, spread_m=900, days_ago=(1, 400))
    crowd(47.925, 29.352, n=60, spread_m=150, days_ago=(1, 27))


def surface(kind, category=""):
    return Surface.objects.current().published().get(kind=kind, category=category)


# --- the surfaces ----------------------------------------------------------------------------------------------------
def test_a_run_stores_significance_density_and_change_for_all_and_for_each_category(town, places):
    counts = counts_of(run())
    assert {(s.kind, s.category) for s in Surface.objects.current()} == {
        (kind, category) for kind in ("gi_star", "density", "change") for category in ("", "property")
    }
    assert counts["surfaces"] == 6 and counts["cells"] > 100 and counts["history_days"] >= 390
    gi = surface("gi_star")
    lengths = {len(getattr(gi, name)) for name in ("columns", "rows", "values", "classes", "governorate_ids", "area_ids")}
    assert len(lengths) == 1 and len(gi.parts) == len(gi.part_names) * lengths.pop()
    assert gi.srid == 32638 and gi.cell_m == 250 and gi.learnt_to == NIGHT and gi.learnt_to - gi.learnt_from == timedelta(days=90)
    assert gi.parameters["neighbours"] == "queen, with itself" and gi.parameters["correction"] == "Benjamini-Hochberg"
    assert not gi.is_synthetic and set(ModelCard.objects.values_list("model", flat=True)) == {"gi_star", "quartic_density", "rate_change"}


def test_the_crowd_is_significant_and_rose_and_the_rest_is_called_not_significant(town):
    run()
    gi, change = surface("gi_star"), surface("change")
    hot = int(np.argmax(gi.values))
    assert gi.classes[hot] == 3 and 0 in gi.classes
    assert max(change.classes) == 2 and change.values[int(np.argmax(change.values))] > 0
    before, now = change.part_names.index("before"), change.part_names.index("now")
    parts = np.reshape(change.parts, (-1, len(change.part_names)))
    top = int(np.argmax(change.values))
    assert parts[top, now] > parts[top, before] and change.parameters["days"] == 28


def test_cells_are_those_every_other_surface_of_the_region_has(town):
    run()
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, 32638, always_xy=True).transform(47.925, 29.352)
    density = surface("density")
    top = int(np.argmax(density.values))
    assert abs(density.columns[top] - int(x // 250)) <= 1 and abs(density.rows[top] - int(y // 250)) <= 1


def test_a_cell_lies_where_most_of_its_incidents_do(town, crowd, places):
    run()
    gi = surface("gi_star")
    assert (
        set(gi.governorate_ids) <= {places.hawalli.pk, places.capital.pk}
        and gi.governorate_ids[int(np.argmax(gi.values))] == places.hawalli.pk
    )
    assert set(gi.area_ids) <= {places.salmiya.pk, places.sharq.pk}


def test_a_cell_whose_incidents_lie_in_no_zone_takes_that_of_its_centre(crowd, places):
    crowd(47.92, 29.35, n=300, spread_m=900, days_ago=(1, 300), governorate=None, area=None)
    run()
    assert set(surface("gi_star").governorate_ids) <= {places.hawalli.pk, places.capital.pk}


def test_what_is_synthetic_says_so(town, crowd):
    crowd(47.92, 29.35, n=1, is_synthetic=True)
    run()
    assert surface("gi_star").is_synthetic


def test_a_step_reads_nothing_at_or_after_its_moment(town, crowd):
    run()
    before = surface("density").values
    crowd(47.92, 29.35, n=50, days_ago=(-9, 0))
    run()
    assert surface("density").values == before and Surface.objects.filter(kind="density", category="").count() == 2


def test_an_issued_surface_is_frozen(town):
    run()
    issued = surface("gi_star")
    with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
        Surface.objects.filter(pk=issued.pk).update(values=[])


def test_a_category_that_had_a_surface_and_has_too_little_now_shows_none(town, crowd):
    fires = IncidentType.objects.create(code="fire-x", name_en="Fire", category="fire")
    crowd(47.92, 29.35, n=30, type=fires, days_ago=(100, 130))
    run(as_of=NIGHT - timedelta(days=90))
    assert Surface.objects.current().filter(category="fire", kind="density").exists()
    counts = counts_of(run())
    assert not Surface.objects.current().filter(category="fire").exists()
    assert counts["left_out"]["density"] == {"fire": "too few incidents: 0, needs 10"}


# --- too little ------------------------------------------------------------------------------------------------------
def test_an_empty_database_says_no_incidents_yet(places):
    assert counts_of(run())["empty_because"] == "no incidents yet"
    assert counts_of(run("near_repeat"))["empty_because"] == "no incidents yet"


def test_one_incident_makes_no_surface(crowd):
    crowd(47.92, 29.35, n=1, days_ago=(60, 61))
    counts = counts_of(run())
    assert counts["empty_because"] == "too few incidents: 0, needs 10" and not Surface.objects.exists()


def test_two_days_of_history_are_too_little_and_the_counts_say_how_much_is_needed(crowd):
    crowd(47.92, 29.35, n=500, spread_m=900, days_ago=(0, 2))
    counts = counts_of(run())
    assert counts["empty_because"] == "too little history: 1 days, needs 28"
    assert counts["left_out"]["change"]["all"] == "too little history: 1 days, needs 56"
    assert counts_of(run("near_repeat"))["empty_because"] == "too little history: 1 days, needs 56"
    assert not Surface.objects.exists() and not NearRepeat.objects.exists()


def test_a_region_whose_data_ended_long_ago_says_when(crowd):
    crowd(47.92, 29.35, n=40, days_ago=(1200, 1500))
    counts = counts_of(run())
    assert counts["empty_because"] == "no incidents in the window" and counts["newest_incident"] < "2023-01-01"


@pytest.mark.parametrize("shape", ["a point", "a line"])
def test_a_thousand_on_one_point_or_on_a_line_are_answered(crowd, shape):
    if shape == "a point":
        crowd(47.92, 29.35, n=1000, spread_m=0, days_ago=(1, 80))
    else:
        for step in range(50):
            crowd(47.91 + step * 0.0005, 29.35, n=20, spread_m=0, days_ago=(1, 80))
    counts = counts_of(run())
    assert Surface.objects.current().filter(kind="density", category="").count() == 1
    assert "too few cells" in counts["left_out"]["gi_star"]["all"]
    step = run("near_repeat").steps.get()
    assert step.status == "done" and NearRepeat.objects.exists()


# --- near repeat -----------------------------------------------------------------------------------------------------
@pytest.fixture
def repeating(crowd):
    """150 burglaries anywhere over a year, forty of them followed by another within 80 m and ten days."""
    from incidents.models import Incident

    rng = np.random.default_rng(2)
    firsts = crowd(47.92, 29.35, n=150, spread_m=3_000, days_ago=(20, 360))
    for first in firsts[:40]:
        first.pk = None
        first.location.x += float(rng.uniform(-60, 60)) / 97_000
        first.occurred_at += timedelta(days=float(rng.uniform(1, 10)))
    Incident.objects.bulk_create(firsts[:40])


def test_planted_near_repeats_are_found_by_category_in_the_region_and_its_governorates(repeating, places):
    counts = counts_of(run("near_repeat"))
    tests = {test.governorate_id: test for test in NearRepeat.objects.filter(is_current=True)}
    assert None in tests and set(tests) <= {None, places.hawalli.pk, places.capital.pk}
    whole = tests[None]
    assert (
        whole.is_significant and (whole.ratio or 0) > 1.5 and (whole.q_value or 1) <= 0.05 and whole.observed_pairs > whole.expected_pairs
    )
    assert (whole.category, whole.within_m, whole.within_days, whole.permutations, whole.seed) == ("property", 200, 14, 999, 1)
    assert len(whole.bands) == 12 and whole.incident_count == 190
    assert counts["near_repeats"] == len(tests) and counts["significant"] >= 1
    assert ModelCard.objects.get(model="near_repeat").facts["seed"] == 1


def test_the_same_data_and_seed_give_the_same_test(repeating):
    run("near_repeat")
    first = NearRepeat.objects.get(is_current=True, governorate=None)
    run("near_repeat")
    second = NearRepeat.objects.get(is_current=True, governorate=None)
    assert first.pk != second.pk and (first.expected_pairs, first.p_value) == (second.expected_pairs, second.p_value)
    run("near_repeat", parameters=Parameters(seed=2))
    assert NearRepeat.objects.get(is_current=True, governorate=None).expected_pairs != first.expected_pairs


def test_too_few_of_a_category_are_named_and_not_tested(repeating, crowd):
    fires = IncidentType.objects.create(code="fire-x", name_en="Fire", category="fire")
    crowd(47.92, 29.35, n=12, type=fires)
    counts = counts_of(run("near_repeat"))
    assert counts["left_out"]["fire"]["region"] == "too few incidents: 12, needs 30"
    assert not NearRepeat.objects.filter(category="fire").exists()


def test_zones_of_cells_take_one_statement_however_many_there_are(places, django_assert_num_queries):
    from incidents.analytics.grid import Cells
    from incidents.services.pipeline.cells import zones_of_centres

    columns, rows = (g.ravel() for g in np.meshgrid(np.arange(3_100, 3_180), np.arange(12_960, 13_060)))
    with django_assert_num_queries(1):
        found = zones_of_centres(places.region, Cells.of(columns, rows, 250.0))
    assert found.is_ground.any() and set(found.governorate_id.tolist()) >= {places.hawalli.pk}
    assert connection.vendor == "postgresql"
