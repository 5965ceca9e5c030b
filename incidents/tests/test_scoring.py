"""ANA-8: each prediction is scored once when its time has passed, and so are the baselines frozen beside it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from core.models import Event
from incidents.models import Score
from incidents.services.trust.scoring import score_due
from incidents.tests.issued import cell_of, days_ago, forecast, risk, run_at


@pytest.fixture
def week(places, cast, report):
    """A surface of four cells issued twelve days ago for a week, with incidents in two of its cells and one outside all."""
    salmiya = cell_of(places.region, 47.92, 29.35)
    sharq = cell_of(places.region, 47.85, 29.35)
    cells = [salmiya, (salmiya[0] + 40, salmiya[1]), sharq, (sharq[0] + 1, sharq[1])]
    start = days_ago(12)
    for _ in range(3):
        report(occurred_at=start + timedelta(days=2), location=places.in_salmiya)
    report(occurred_at=start + timedelta(days=3), location=places.in_sharq)
    report(occurred_at=start + timedelta(days=3), location=places.in_jabriya)  # in no cell: missed
    report(occurred_at=start - timedelta(days=1))  # before
    report(occurred_at=start + timedelta(days=7))  # the very end is not within
    run = run_at(start)
    zones = [places.hawalli, places.hawalli, places.capital, places.capital]
    return run, cells, zones, start


def facts_of(**where):
    return Score.objects.get(**where).facts


def test_a_surface_is_scored_with_what_fell_into_the_cells_it_pointed_at(week, places):
    run, cells, zones, _start = week
    risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones)
    assert score_due().surfaces == 1
    facts = facts_of(zone=None)
    assert facts["outside"] == 1
    first = facts["1"]
    assert (first["hits"], first["incidents"], first["chosen"], first["cells"], first["best"]) == (3, 5, 1, 5, 3)
    assert first["pai"] == pytest.approx((3 / 5) / (1 / 5)) and first["pei_star"] == 1 and first["hit_rate"] == 0.6
    assert first["rri"] is None


def test_each_governorate_is_scored_among_its_own_cells(week, places):
    run, cells, zones, _start = week
    risk(run, places.region, cells, [9, 1, 1, 2], governorates=zones)
    score_due()
    assert Score.objects.count() == 3
    here, there = facts_of(zone=places.hawalli), facts_of(zone=places.capital)
    assert (here["1"]["hits"], here["1"]["incidents"], here["outside"]) == (3, 4, 1)
    assert (there["1"]["hits"], there["1"]["incidents"], there["outside"]) == (0, 1, 0)


def test_models_baselines_and_what_is_held_back_are_scored_alike(week, places):
    run, cells, zones, _start = week
    for role, model in (("published", "last_52_weeks"), ("baseline", "last_52_weeks"), ("held_back", "ensemble")):
        risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones, role=role, model=model)
    assert score_due().surfaces == 3
    assert sorted(Score.objects.filter(zone=None).values_list("role", flat=True)) == ["baseline", "held_back", "published"]


def test_nothing_is_scored_before_late_reports_have_had_their_two_days(week, places):
    run, cells, zones, start = week
    risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones)
    end = start + timedelta(days=7)
    assert score_due(now=end + timedelta(hours=47)).scores == 0
    assert score_due(now=end + timedelta(hours=48)).surfaces == 1


def test_scoring_again_changes_nothing(week, places):
    run, cells, zones, _start = week
    risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones)
    score_due()
    before = list(Score.objects.values())
    assert score_due().scores == 0 and list(Score.objects.values()) == before
    assert Event.objects.filter(type="predictions.scored").count() == 1


def test_a_report_that_comes_after_the_score_changes_no_score(week, places, report):
    run, cells, zones, start = week
    risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones)
    score_due()
    before = list(Score.objects.values())
    report(occurred_at=start + timedelta(days=2))
    score_due()
    assert list(Score.objects.values()) == before


def test_a_score_can_be_neither_changed_nor_deleted(week, places):
    run, cells, zones, _start = week
    risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones)
    score_due()
    for change in (lambda: Score.objects.update(incident_count=99), lambda: Score.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_a_look_back_is_scored_but_marked_as_no_prediction(week, places):
    _run, cells, zones, start = week
    risk(run_at(days_ago(1), as_of=start), places.region, cells, [9, 1, 2, 1], governorates=zones, valid_from=start)
    score_due()
    assert set(Score.objects.values_list("is_hindcast", flat=True)) == {True}


def test_the_stability_index_is_against_the_score_before(week, places):
    run, cells, zones, start = week
    earlier = run_at(start - timedelta(days=7))
    risk(earlier, places.region, cells, [9, 1, 2, 1], governorates=zones)  # one incident in Salmiya, the day before
    risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones)
    score_due()
    first, second = facts_of(run=earlier, zone=None)["1"], facts_of(run=run, zone=None)["1"]
    assert first["pai"] == 4 and second["rri"] == pytest.approx(second["pai"] / 4)


def test_discovered_and_enforcement_driven_incidents_do_not_count_as_hits(week, places, report, burglary):
    from incidents.models import Incident, IncidentType

    run, cells, zones, start = week
    kind = IncidentType.objects.create(
        code="drugs", name_en="Drugs", name_ar="مخدرات", category="drugs", agency=burglary.agency, enforcement_sensitive=True
    )
    report(occurred_at=start + timedelta(days=2), type=kind)
    report(occurred_at=start + timedelta(days=2), origin=Incident.Origin.DISCOVERED)
    risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones)
    score_due()
    assert Score.objects.get(zone=None).incident_count == 5


def test_a_time_in_which_nothing_happened_has_a_score_without_indices(places, cast):
    run = run_at(days_ago(12))
    risk(run, places.region, [(1, 1), (1, 2)], [1, 2])
    score_due()
    facts = facts_of(zone=None)["1"]
    assert facts["pai"] is None and facts["hit_rate"] is None and facts["incidents"] == 0


def test_a_surface_without_cells_misses_everything(week, places):
    run, _cells, _zones, _start = week
    risk(run, places.region, [], [])
    score_due()
    assert facts_of(zone=None)["outside"] == 5


@pytest.fixture
def forecast_days(places, cast, report):
    """Seven days forecast for Hawalli (3 a day, from 1 to 5) and the Capital; two in Hawalli on the first, nine on the second."""
    clock = places.region.zone_info
    first = (datetime.now(UTC) - timedelta(days=12)).astimezone(clock).date()
    begin = datetime.combine(first, datetime.min.time(), clock)
    run = run_at(begin + timedelta(hours=2))
    for number in range(7):
        for zone in (places.hawalli, places.capital):
            forecast(run, zone, first + timedelta(days=number))
    for day, count in ((0, 2), (1, 9)):
        for _ in range(count):
            report(occurred_at=begin + timedelta(days=day, hours=5))
    return run


def test_forecasts_are_scored_by_series_and_by_level_with_each_baseline(forecast_days, places):
    assert score_due().forecasts == 14
    own = Score.objects.get(zone=places.hawalli, role="published")
    assert own.incident_count == 11 and own.facts["days"] == 7
    assert own.facts["abs_error"] == pytest.approx(1 + 6 + 5 * 3)
    assert own.facts["inside_80"] == 1 and own.facts["inside_95"] == 6
    assert own.facts["wape"] == pytest.approx(22 / 11, abs=1e-5) and own.facts["crps"] > 0
    assert own.facts["against"]["mean_28"]["abs_error"] == pytest.approx(0.5 + 6.5 + 5 * 2.5)
    pooled = Score.objects.get(zone=None, role="published", level="governorate")
    assert pooled.facts["series"] == 2 and pooled.facts["days"] == 14
    assert Score.objects.get(role="baseline", model="mean_28").facts["days"] == 14
    assert not Score.objects.filter(is_hindcast=True).exists()


def test_forecasts_wait_for_the_last_of_their_days(forecast_days, places):
    end = forecast_days.as_of.replace() + timedelta(days=7)
    assert score_due(now=end + timedelta(hours=40)).forecasts == 0
    assert score_due(now=end + timedelta(hours=60)).forecasts == 14
    assert score_due(now=end + timedelta(hours=60)).forecasts == 0


def test_the_command_scores_too_and_says_so_in_json(forecast_days):
    out = StringIO()
    call_command("score_predictions", "--json", stdout=out)
    assert json.loads(out.getvalue())["forecasts"] == 14


@pytest.mark.django_db(transaction=True)
def test_two_replicas_at_once_score_each_prediction_once(week, places):
    run, cells, zones, _start = week
    for model in ("a", "b", "c"):
        risk(run, places.region, cells, [9, 1, 2, 1], governorates=zones, model=model)
    counted = []

    def replica():
        try:
            counted.append(score_due())
        finally:
            connection.close()

    threads = [threading.Thread(target=replica) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done.surfaces for done in counted) == 3 and sum(done.scores for done in counted) == 9
    assert Score.objects.count() == 9
