"""ANA-11: a kind of step may be split into parts; each replaces its own results, and a part that is no more leaves nothing standing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Q

from incidents.models import HotSpot, Incident, IncidentType, ModelCard, ModelSwitch
from incidents.services import pipeline
from incidents.services.pipeline import kinds
from incidents.services.pipeline.steps import Kind, Outcome
from incidents.tests.conftest import NIGHT

STEP = kinds.KINDS["hotspots"].step


def categories(task):
    rows = Incident.objects.modelled().filter(region=task.region, occurred_at__lt=task.moment.instant_in(task.region))
    since = task.moment.instant_in(task.region) - timedelta(days=task.parameters.window_days)
    return sorted(set(rows.filter(occurred_at__gte=since).values_list("type__category", flat=True)))


def one_category(task):
    outcome = STEP(task)
    rows = [row for row in outcome.rows if row.category == task.part]
    return Outcome(rows, {"hot_spots": len(rows)})


def split(**given):
    return Kind(
        **{
            "step": one_category,
            "models": (HotSpot,),
            "counted_as": "hot_spots",
            "parts": categories,
            "scope": lambda model, part: Q(category=part),
            **given,
        }
    )


@pytest.fixture
def by_category(monkeypatch):
    """``by_category(**changes)`` splits the hot spots into one step a category."""

    def use(**given):
        monkeypatch.setattr(kinds, "KINDS", {"hotspots": split(**given)})

    use()
    return use


def run(*, days=0):
    return pipeline.run_pipeline(trigger="manual", as_of=NIGHT + timedelta(days=days), regions=["kw"])


def test_each_part_is_a_step_of_its_own_and_replaces_only_its_own_results(crowd, by_category, monkeypatch):
    fires = IncidentType.objects.create(code="fire-x", name_en="Fire", category="fire")
    crowd(47.92, 29.35)
    crowd(47.92, 29.35, type=fires)
    done = run()
    assert [step.name for step in done.steps.all()] == ["hotspots:kw:fire", "hotspots:kw:property"]
    assert (done.status, done.counts["hot_spots"]) == ("done", 2)

    def fails_for_fire(task):
        if task.part == "fire":
            raise ValueError("no")
        return one_category(task)

    by_category(step=fails_for_fire)
    again = run(days=1)
    assert again.status == "failed"
    assert set(HotSpot.objects.current().values_list("category", "run")) == {("fire", done.pk), ("property", again.pk)}


def test_a_part_that_is_no_more_stands_no_more_and_is_retired_once(crowd, by_category):
    fires = IncidentType.objects.create(code="fire-x", name_en="Fire", category="fire")
    crowd(47.92, 29.35, days_ago=(1, 5))
    crowd(47.92, 29.35, type=fires, days_ago=(20, 29))
    run()
    later = run(days=12)
    retired = later.steps.get(name="hotspots:kw:fire")
    assert (retired.status, retired.counts["empty_because"]) == ("done", "no longer a part")
    assert set(HotSpot.objects.current().values_list("category", flat=True)) == {"property"}
    assert HotSpot.objects.filter(category="fire").count() == 1  # kept, as it was issued
    assert not run(days=13).steps.filter(name="hotspots:kw:fire").exists()


def test_a_look_back_in_which_a_part_is_missing_leaves_it_standing(crowd, by_category):
    fires = IncidentType.objects.create(code="fire-x", name_en="Fire", category="fire")
    crowd(47.92, 29.35)
    crowd(47.92, 29.35, type=fires, days_ago=(1, 5))
    run()
    run(days=-8)
    assert set(HotSpot.objects.current().values_list("category", flat=True)) == {"fire", "property"}


def test_hooks_run_with_the_rows_in_the_transaction_that_stores_them(crowd, by_category, monkeypatch):
    crowd(47.92, 29.35)
    seen: list[tuple] = []

    def before(*, rows, run, region, part, is_current):
        seen.append(("before", part, [row.pk for row in rows], is_current, rows[0].run == run, rows[0].region == region))

    def after(*, rows, run, region, part, is_current):
        seen.append(("after", part, HotSpot.objects.filter(run=run).count(), is_current))
        raise ValueError("the hook refuses")

    by_category(before=before, after=after)
    done = run()
    assert seen == [("before", "property", [None], True, True, True), ("after", "property", 1, True)]
    assert done.status == "failed" and not HotSpot.objects.exists()


def test_a_step_may_return_a_card_and_nothing_that_is_not_its_kinds(crowd, by_category):
    crowd(47.92, 29.35)
    by_category(step=lambda task: Outcome([ModelCard(model="m", facts={"seed": 1})]))
    done = run()
    assert (done.status, ModelCard.objects.get().run, ModelCard.objects.get().region.code) == ("done", done, "kw")
    by_category(step=lambda task: Outcome([ModelSwitch(model="m")]))
    assert "none of this kind's models" in run(days=1).error
