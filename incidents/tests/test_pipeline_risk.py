"""ANA-5, ANA-7, ANA-8, ANA-9: risk surfaces are issued with their baselines frozen beside them, published only where they win."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.contrib.gis.geos import Point

from incidents.analytics.evaluation import Hits
from incidents.analytics.risk_backtest import AREA_SHARES
from incidents.analytics.risk_baselines import BASELINES
from incidents.analytics.risk_classes import risk_classes
from incidents.models import Incident, ModelCard, ModelChoice, Surface
from incidents.services import pipeline
from incidents.services.pipeline import risk
from incidents.services.trust.switches import switch_model

NIGHT = datetime(2026, 3, 9, 23, 0, tzinfo=UTC)  # 02:00 in Kuwait
HORIZONS = {"shift": 8 / 24, "day": 1, "week": 7, "month": 28}


@pytest.fixture
def town(police_112, burglary, places, cast):
    """``town(days=…, n=…)``: burglaries in Hawalli ending before NIGHT; two fifths of them in one place, which moved ten weeks ago."""

    def make(*, days=200, n=900, seed=2, is_hot=True, **given):
        rng = np.random.default_rng(seed)
        rows = []
        for age in rng.uniform(0.01, days, n):
            busy = (47.921, 29.351) if age < 70 else (47.961, 29.371)
            lon, lat = busy if is_hot and rng.uniform() < 0.4 else rng.uniform((47.905, 29.305), (47.995, 29.395))
            at = NIGHT - timedelta(days=float(age))
            point = Point(lon + float(rng.normal(0, 0.0004)), lat + float(rng.normal(0, 0.0004)), srid=4326)
            details = {
                "region": places.region, "source": police_112, "agency": cast.police, "type": burglary, "priority": 2, "severity": 2,
                "origin": "reported", "location": point, "governorate": places.hawalli,
                "area": places.salmiya if point.x < 47.95 else places.jabriya, "occurred_at": at, "reported_at": at,
            }  # fmt: skip
            rows.append(Incident(**{**details, **given}))
        return Incident.objects.bulk_create(rows)

    return make


def run(**given):
    return pipeline.run_pipeline(**{"trigger": "manual", "as_of": NIGHT, "only": ["risk"], **given})


def published(**given):
    return Surface.objects.current().get(kind="risk", role="published", **{"category": "", "horizon": "week", **given})


def test_each_horizon_begins_with_the_next_shift_and_has_its_baselines_frozen_beside_it(town, places):
    town()
    done = run()
    assert done.status == "done", done.error
    for horizon, days in HORIZONS.items():
        shown = published(horizon=horizon)
        assert shown.valid_from == datetime(2026, 3, 10, 3, 0, tzinfo=UTC)  # 06:00 in Kuwait
        assert shown.valid_to - shown.valid_from == timedelta(days=days) and shown.learnt_to == NIGHT
        beside = Surface.objects.filter(run=done, kind="risk", category="", horizon=horizon, role="baseline")
        assert {row.model for row in beside} == {"last_4_weeks", "last_52_weeks", "last_208_weeks", "kernel_52_weeks"}
        assert {tuple(row.columns) for row in beside} == {tuple(shown.columns)}
        assert sum(shown.values) == pytest.approx(4.5 * days, rel=0.4)
    assert set(shown.governorate_ids) == {places.hawalli.pk} and set(shown.area_ids) <= {places.salmiya.pk, places.jabriya.pk}
    assert done.steps.count() == 2 and {s.name for s in done.steps.all()} == {"risk:kw:all", "risk:kw:property"}


def test_a_busy_place_is_red_and_its_parts_add_up(town):
    town()
    run()
    shown = published(horizon="day")
    assert shown.model == "fading_counts"
    top = int(np.argmax(shown.values))
    assert shown.classes[top] == 5 and shown.classes.count(5) == max(1, round(len(shown.values) * 0.01))
    parts = np.array(shown.parts).reshape(len(shown.values), len(shown.part_names))
    assert parts.sum(axis=1) == pytest.approx(np.array(shown.values), rel=1e-6) and "long_run" in shown.part_names


def test_the_choice_says_what_was_published_why_and_by_which_figures(town):
    town()
    done = run()
    choice = ModelChoice.objects.get(run=done, category="", level="week")
    assert choice.predicts == "risk" and choice.champion == "fading_counts" and choice.origins >= 8
    code, facts = choice.reasons[0]
    assert (code in ("beats_baseline", "ahead_within_chance")) == choice.beats_baseline == (facts["ratio"] > 1)
    assert (published().model == "fading_counts") == choice.beats_baseline
    value, low, high = choice.scores["fading_counts"]["pai_1"]
    assert low <= value <= high and set(choice.scores) >= {"last_4_weeks", "fading_counts"}
    card = ModelCard.objects.get(run=done, model="fading_counts")
    assert card.facts["learns_from"]["incidents"] == 900 and card.facts["code_version"]


def test_weeks_in_which_nothing_could_be_caught_compare_nothing_and_the_baseline_stands_in():
    nothing = Hits(hits=0.0, incidents=0.0, chosen=3.0, cells=300.0, best=0.0)
    hits = {name: {share: [nothing] * 12 for share in AREA_SHARES} for name in (risk.NAME, *BASELINES)}
    shift: Any = SimpleNamespace(name="shift")
    ground: Any = SimpleNamespace(category="disorder", points=SimpleNamespace(is_synthetic=np.array([True])))
    choice = risk._choose(ground, shift, hits, expected_everywhere=0.0)
    code, facts = choice.reasons[0]
    assert code == "loses_to_baseline" and not choice.beats_baseline and choice.published in BASELINES
    assert (facts["ratio"], facts["low"], facts["high"]) == (None, None, None)
    assert json.loads(json.dumps([choice.reasons, choice.scores], allow_nan=False))


def test_where_chance_rules_the_baseline_that_wins_stands_in_and_ours_is_held_back_to_be_scored(town):
    town(is_hot=False, n=500, seed=11)
    done = run()
    lost = [choice for choice in ModelChoice.objects.filter(run=done) if not choice.beats_baseline]
    for choice in lost:
        rows = Surface.objects.filter(run=done, category=choice.category, horizon=choice.level)
        assert rows.get(role="published").model == choice.best_baseline == choice.published
        assert rows.get(role="held_back").model == "fading_counts"
    won = ModelChoice.objects.filter(run=done, beats_baseline=True)
    for choice in won:
        assert not Surface.objects.filter(run=done, category=choice.category, horizon=choice.level, role="held_back").exists()
    assert len(lost) + len(won) == 8


def test_a_model_that_is_off_is_not_published_however_well_it_did(town, cast):
    town()
    run()
    switch_model(model="fading_counts", on=False, by=cast.superadmin, reason="Being looked into")
    done = run(as_of=NIGHT + timedelta(minutes=1))
    choice = ModelChoice.objects.get(run=done, category="", level="week")
    assert choice.beats_baseline and choice.published == choice.best_baseline and choice.reasons[-1][0] == "switched_off"
    assert Surface.objects.filter(run=done, role="published", model="fading_counts").count() == 0


def test_what_was_discovered_or_follows_enforcement_changes_no_cell(town, burglary):
    town()
    first = run()
    town(n=400, seed=9, origin="discovered")
    second = run(as_of=NIGHT + timedelta(seconds=1))
    a, b = (Surface.objects.get(run=one, category="", horizon="week", model="fading_counts") for one in (first, second))
    assert a.columns == b.columns and a.values == pytest.approx(b.values, rel=1e-4)


@pytest.mark.parametrize(("days", "n", "says"), [(5, 60, "needs 28"), (100, 12, "12 incidents, needs 30"), (100, 0, "no incidents")])
def test_too_little_history_is_said_and_nothing_is_invented(town, days, n, says):
    town(days=days, n=n)
    done = run()
    assert done.status == "done" and says in done.steps.get(name="risk:kw:all").counts["empty_because"]
    assert not Surface.objects.filter(kind="risk").exists()


def test_a_thousand_on_one_point_make_one_cell_and_no_crash(town, places):
    town(n=300, location=places.in_salmiya)
    done = run()
    assert done.status == "done", done.error
    assert len(published().values) == 1


def test_a_category_that_falls_silent_has_no_surface_of_its_own(town, burglary):
    town(n=200)
    assert [step.name for step in run().steps.all()] == ["risk:kw:all"]


def test_classes_are_shares_of_the_area():
    values = np.arange(200.0)
    assert np.bincount(risk_classes(values)).tolist() == [0, 160, 30, 4, 4, 2]
    assert risk_classes(np.array([0.0, 0.0, 3.0])).tolist() == [1, 1, 5]
