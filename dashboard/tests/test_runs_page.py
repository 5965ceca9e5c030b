"""ANA-11: who reads the runs sees when, with what and how far; who may asks for one or stops one, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from geography.models import Region
from incidents.models import PipelineRun, PipelineStep
from incidents.services import pipeline
from incidents.services.pipeline.lease import Lease
from incidents.services.pipeline.planning import plan_run

AS_OF = datetime(2026, 3, 9, 23, 0, tzinfo=UTC)


@pytest.fixture
def signed_in(cast):
    def enter(who):
        client = Client()
        client.force_login(getattr(cast, who))
        return client

    return enter


@pytest.fixture
def over(places, burglary):
    """A run that is over: one step done, one failed."""
    parameters = {"trigger": "nightly", "regions": None, "only": None, "as_of_day": None, **pipeline.Parameters().as_dict()}
    run = PipelineRun.objects.create(
        key="nightly:2026-03-10",
        as_of=AS_OF,
        status="failed",
        began_at=AS_OF,
        finished_at=AS_OF + timedelta(seconds=42),
        seconds=42.3,
        code_version="v1.2-abc",
        counts={"hot_spots": 7, "steps": 2, "failed": 1},
        parameters=parameters,
    )
    window = {"from": "2026-02-08T00:00:00+03:00", "to": "2026-03-10T02:00:00+03:00"}
    PipelineStep.objects.create(run=run, name="hotspots:kw:property", status="done", seconds=1.5, counts={"hot_spots": 7, **window})
    PipelineStep.objects.create(run=run, name="forecasts:kw", status="failed", seconds=2.5, attempts=2, error="ValueError: secret 4711")
    return run


def test_the_list_says_what_ran_when_and_what_it_found(signed_in, over):
    page = signed_in("officer").get("/runs/").content.decode()
    assert f"#{over.pk}" in page and "Nightly" in page and "42.3" in page and "7 hot spots" in page and "1 step failed" in page
    assert "Run now" not in page


def test_a_run_tells_its_figures_its_data_window_and_its_code(signed_in, over):
    page = signed_in("officer").get(f"/runs/{over.pk}/").content.decode()
    assert "v1.2-abc" in page and "300 m" in page and "8 Feb 2026" in page and "10 Mar 2026" in page
    assert "Property" in page and "2 of 2 steps" in page and "every 2s" not in page
    assert "4711" not in page and "An error; those who run the analytics see it." in page
    assert "4711" in signed_in("analyst").get(f"/runs/{over.pk}/").content.decode()
    assert "4711" in signed_in("auditor").get(f"/runs/{over.pk}/").content.decode()


def test_steps_of_a_region_one_has_nothing_to_do_with_are_not_shown(signed_in, over, cast):
    Region.objects.create(code="st", name_en="St. Louis", name_ar="سانت لويس", time_zone="America/Chicago", metric_srid=32615)
    PipelineStep.objects.create(run=over, name="hotspots:st:burglary", status="done", counts={"hot_spots": 99})
    assert "99 hot spots" not in signed_in("officer").get(f"/runs/{over.pk}/").content.decode()
    assert "99 hot spots" in signed_in("superadmin").get(f"/runs/{over.pk}/").content.decode()


def test_whoever_may_see_nothing_sees_no_run(signed_in, over, cast):
    cast.officer.governorates.set([])
    assert signed_in("officer").get(f"/runs/{over.pk}/").status_code == 404
    assert f"#{over.pk}" not in signed_in("officer").get("/runs/").content.decode()


@pytest.mark.parametrize("path", ["/runs/", "/runs/list/", "/runs/1/", "/runs/1/progress/"])
def test_strangers_are_sent_to_sign_in(db, path):
    assert Client().get(path).status_code == 302


@pytest.mark.parametrize("path", ["/runs/999999999/", "/runs/999999999999999999/", "/runs/999999999/progress/", "/runs/-1/", "/runs/x/"])
def test_a_forged_number_is_not_there(signed_in, cast, path):
    assert signed_in("analyst").get(path).status_code == 404


@pytest.mark.parametrize("before", ["", "x", "-3", "9" * 30, "٣"])
def test_a_forged_page_begins_at_the_newest(signed_in, over, before):
    assert f"#{over.pk}" in signed_in("analyst").get("/runs/", {"before": before}).content.decode()


def test_older_runs_are_a_click_away_and_a_page_asks_the_database_a_few_times(signed_in, over, django_assert_max_num_queries, monkeypatch):
    for n in range(31):
        PipelineRun.objects.create(key=f"manual:{n}", as_of=AS_OF, status="done", counts={"hot_spots": n})
    client = signed_in("analyst")
    with django_assert_max_num_queries(14):
        page = client.get("/runs/").content.decode()
    assert f"#{over.pk}<" not in page and "Earlier runs" in page
    before = PipelineRun.objects.order_by("-pk")[29].pk
    assert f"?before={before}" in page
    assert f"#{over.pk}<" in client.get("/runs/", {"before": before}).content.decode()


# --- asking ----------------------------------------------------------------------------------------------------------
def test_an_analyst_asks_for_a_run_of_what_they_chose(signed_in, cast, places):
    answer = signed_in("analyst").post("/runs/new/", {"as_of": "2026-03-10", "only": ["hotspots"], "regions": ["kw"]})
    run = PipelineRun.objects.get()
    assert answer.status_code == 302 and answer.url == f"/runs/{run.pk}/"
    assert (run.status, run.requested_by) == ("waiting", cast.analyst)
    assert (run.parameters["as_of_day"], run.parameters["only"], run.parameters["regions"]) == ("2026-03-10", ["hotspots"], ["kw"])


def test_nothing_chosen_is_everything_from_now(signed_in, cast):
    signed_in("supervisor").post("/runs/new/", {})
    run = PipelineRun.objects.get()
    assert (run.parameters["as_of_day"], run.parameters["only"], run.parameters["regions"]) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"as_of": "2199-01-01"}, "has not begun"),
        ({"as_of": "yesterday"}, "valid date"),
        ({"regions": ["atlantis"]}, "atlantis"),
        ({"only": ["astrology"]}, "astrology"),
    ],
)
def test_what_cannot_be_run_is_said_beside_its_field(signed_in, cast, given, why):
    Region.objects.create(code="st", name_en="St. Louis", name_ar="سانت لويس", time_zone="America/Chicago", metric_srid=32615)
    answer = signed_in("analyst").post("/runs/new/", given)
    assert answer.status_code == 422 and why in answer.content.decode()
    assert not PipelineRun.objects.exists()


def test_a_second_one_while_one_waits_is_refused_with_a_word(signed_in, cast):
    client = signed_in("analyst")
    client.post("/runs/new/", {})
    answer = client.post("/runs/new/", {})
    assert answer.status_code == 409 and "running already" in answer.content.decode()


def test_those_who_may_not_are_refused(signed_in, cast, over):
    assert signed_in("officer").post("/runs/new/", {}).status_code == 403
    assert signed_in("officer").post(f"/runs/{over.pk}/cancel/", {}).status_code == 403
    assert PipelineRun.objects.count() == 1


# --- going on, stopping ----------------------------------------------------------------------------------------------
@pytest.fixture
def going_on(places):
    run = pipeline.create_run(trigger="manual", regions=["kw"])
    plan_run(run)
    Lease.claim(run)
    return PipelineRun.objects.get(pk=run.pk)


def test_a_run_that_goes_on_shows_its_progress_and_asks_again(signed_in, going_on):
    page = signed_in("analyst").get(f"/runs/{going_on.pk}/progress/").content.decode()
    assert "every 2s" in page and "<progress" in page and "Stop this run" in page
    assert "Stop this run" not in signed_in("officer").get(f"/runs/{going_on.pk}/progress/").content.decode()


def test_an_analyst_stops_a_run_and_the_page_says_who_and_why(signed_in, cast, going_on):
    client = signed_in("analyst")
    answer = client.post(f"/runs/{going_on.pk}/cancel/", {"reason": "<b>wrong day</b>"}, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert answer.status_code == 200 and "Stopping" in page and "analyst" in page and "&lt;b&gt;wrong day" in page
    assert "Stop this run" not in page
    again = client.post(f"/runs/{going_on.pk}/cancel/", {}, headers={"HX-Request": "true"})
    assert again.status_code == 409 and "already" in again.content.decode()


def test_a_run_that_is_over_cannot_be_stopped(signed_in, over):
    answer = signed_in("analyst").post(f"/runs/{over.pk}/cancel/", {})
    assert answer.status_code == 409 and "This run is over." in answer.content.decode()
    assert signed_in("analyst").post(f"/runs/{over.pk}/cancel/", {"reason": "x" * 401}).status_code == 422
    assert signed_in("analyst").get(f"/runs/{over.pk}/cancel/").status_code == 405


def test_a_late_night_is_said_above_the_list(signed_in, cast, monkeypatch):
    evening = timezone.now().astimezone(timezone.get_default_timezone()).replace(hour=5, minute=0)
    monkeypatch.setattr("dashboard.runs.timezone.now", lambda: evening)
    assert "run is late: none has been begun" in signed_in("officer").get("/runs/").content.decode()
