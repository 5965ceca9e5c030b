"""ANA-11: runs over the API: read by partners with the scope and by people, asked for and stopped by people whose role allows it."""

from __future__ import annotations

import pytest
from django.test import Client

from incidents.models import PipelineRun, PipelineStep
from incidents.services import pipeline
from incidents.services.pipeline.lease import Lease
from incidents.services.pipeline.planning import plan_run
from interop.services import issue_key
from interop.tests.conftest import Caller


@pytest.fixture
def analytics_caller(police_system):
    key, secret = issue_key(partner=police_system, name="analytics", scopes=["hotspots:read"], by=None, all_governorates=True)
    return Caller(key, secret)


@pytest.fixture
def signed_in(cast):
    def enter(who):
        client = Client(raise_request_exception=False)
        client.force_login(getattr(cast, who))
        return client

    return enter


@pytest.fixture
def over(places):
    run = PipelineRun.objects.create(
        key="nightly:2026-03-10", as_of="2026-03-09T23:00Z", status="failed", seconds=4.2, counts={"hot_spots": 7}
    )
    PipelineStep.objects.create(run=run, name="hotspots:kw:property", status="done", counts={"hot_spots": 7})
    PipelineStep.objects.create(run=run, name="forecasts:kw", status="failed", error="ValueError: secret 4711")
    PipelineStep.objects.create(run=run, name="hotspots:st", status="done", counts={})
    return run


@pytest.fixture
def going_on(places):
    run = pipeline.create_run(trigger="manual", regions=["kw"])
    plan_run(run)
    Lease.claim(run)
    return run


def ask(client, path, body=None):
    return client.post(f"/api/v1/{path}", body or {}, content_type="application/json")


def test_a_partner_with_the_scope_lists_and_reads_runs(analytics_caller, over):
    listed = analytics_caller.get("runs").json()
    assert [run["key"] for run in listed["results"]] == ["nightly:2026-03-10"]
    told = analytics_caller.get(f"runs/{over.pk}").json()
    assert (told["status"], told["seconds"], told["counts"]) == ("failed", 4.2, {"hot_spots": 7})
    first = told["steps"][0]
    assert (first["kind"], first["region"], first["part"], first["status"]) == ("hotspots", "kw", "property", "done")
    assert told["steps"][1]["error"] == "failed"


def test_a_person_sees_the_steps_of_their_regions_and_errors_by_role(signed_in, over):
    steps = signed_in("officer").get(f"/api/v1/runs/{over.pk}").json()["steps"]
    assert [step["name"] for step in steps] == ["hotspots:kw:property", "forecasts:kw"] and steps[1]["error"] == "failed"
    assert len(signed_in("superadmin").get(f"/api/v1/runs/{over.pk}").json()["steps"]) == 3
    assert "4711" in signed_in("analyst").get(f"/api/v1/runs/{over.pk}").json()["steps"][1]["error"]


def test_only_those_of_a_status_are_listed_and_an_unknown_one_is_refused(signed_in, over, going_on):
    client = signed_in("analyst")
    assert [run["id"] for run in client.get("/api/v1/runs", {"status": "running"}).json()["results"]] == [going_on.pk]
    assert client.get("/api/v1/runs", {"status": "asleep"}).status_code == 422


def test_a_key_without_the_scope_and_strangers_are_refused(caller, over):
    assert caller.get("runs").status_code == 403
    assert Client().get("/api/v1/runs").status_code == 401


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 18, "9" * 40, "x", "-1"])
def test_a_forged_number_is_not_there(analytics_caller, signed_in, pk):
    assert analytics_caller.get(f"runs/{pk}").status_code == 404
    assert ask(signed_in("analyst"), f"runs/{pk}/cancel").status_code == 404


def test_an_analyst_asks_for_a_run_and_a_second_is_a_conflict(signed_in, cast):
    answer = ask(signed_in("analyst"), "runs", {"as_of": "2026-03-10", "regions": ["kw"], "only": ["hotspots"]})
    run = PipelineRun.objects.get()
    assert answer.status_code == 202 and answer.json()["id"] == run.pk and answer.json()["status"] == "waiting"
    assert run.requested_by == cast.analyst and run.parameters["as_of_day"] == "2026-03-10"
    again = ask(signed_in("analyst"), "runs")
    assert again.status_code == 409 and again["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"regions": ["atlantis"]}, "regions"),
        ({"regions": []}, "regions"),
        ({"only": ["astrology"]}, "only.0"),
        ({"as_of": "2199-01-01"}, "as_of"),
        ({"as_of": "soon"}, "as_of"),
    ],
)
def test_what_cannot_be_run_is_refused_by_field(signed_in, cast, given, field):
    answer = ask(signed_in("analyst"), "runs", given)
    assert answer.status_code == 422 and field in answer.content.decode()
    assert not PipelineRun.objects.exists()


def test_keys_and_roles_without_the_verb_neither_ask_nor_stop(analytics_caller, signed_in, going_on):
    assert analytics_caller.post("runs", {}).status_code == 403
    assert analytics_caller.post(f"runs/{going_on.pk}/cancel", {}).status_code == 403
    assert ask(signed_in("officer"), "runs").status_code == 403
    assert ask(signed_in("officer"), f"runs/{going_on.pk}/cancel").status_code == 403
    going_on.refresh_from_db()
    assert going_on.cancel_requested_at is None and PipelineRun.objects.count() == 1


def test_a_run_is_stopped_once_with_its_reason(signed_in, cast, going_on):
    client = signed_in("supervisor")
    answer = ask(client, f"runs/{going_on.pk}/cancel", {"reason": "wrong day"})
    assert answer.status_code == 200 and answer.json()["cancel_requested_at"]
    going_on.refresh_from_db()
    assert (going_on.cancelled_by, going_on.cancel_reason) == (cast.supervisor, "wrong day")
    assert ask(client, f"runs/{going_on.pk}/cancel").status_code == 409
    assert ask(client, f"runs/{going_on.pk}/cancel", {"reason": "x" * 401}).status_code == 422


def test_a_run_that_is_over_cannot_be_stopped(signed_in, over):
    assert ask(signed_in("supervisor"), f"runs/{over.pk}/cancel").status_code == 409


def test_a_session_needs_its_token_to_ask(cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.analyst)
    assert ask(client, "runs").status_code == 403
