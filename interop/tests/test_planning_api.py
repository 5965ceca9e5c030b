"""PAT-2 to PAT-4, PAT-6, PAT-10 over the API: predicted cells, recommended routes, plans and their verbs, gaps, studies, what if."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.test import Client

from interop.services import issue_key
from interop.tests.conftest import Caller
from patrol.models import Assignment, CoverageStudy, Plan
from patrol.services.plans import execute_plan

HERE = {"agency": "police", "governorate": "T-HA"}


@pytest.fixture
def reader(police_system) -> Caller:
    return Caller(*issue_key(partner=police_system, name="patrol", scopes=["patrol:read"], by=None, all_governorates=True))


def enter(person) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(client, path, body=None):
    return client.post(f"/api/v1/patrol/{path}", body or {}, content_type="application/json")


READS = ["hotspots/predicted", "routes/recommended", "plans", "coverage/studies"]


@pytest.mark.parametrize("name", READS)
def test_each_reading_answers_a_key_with_the_scope_and_no_other(name, tomorrow, reader, caller):
    assert reader.get(f"patrol/{name}").status_code == 200
    assert caller.get(f"patrol/{name}").status_code == 403
    assert Client().get(f"/api/v1/patrol/{name}").status_code == 401


def test_predicted_cells_and_recommended_routes_are_those_of_the_plan(tomorrow, reader, cast):
    plan = tomorrow.make()
    cells = reader.get("patrol/hotspots/predicted", {"governorate": "T-HA"}).json()
    assert datetime.fromisoformat(cells[0]["shift_from"]) == tomorrow.shift.starts_at and cells[0]["cells"][0]["tactics"]
    routes = reader.get("patrol/routes/recommended", HERE).json()
    assert routes[0]["id"] == plan.pk and sum(len(route["stops"]) for route in routes[0]["routes"]) == plan.stops.count()
    assert reader.get("patrol/routes/recommended", {"governorate": "T-KU"}).json() == []


def test_a_plan_is_asked_for_made_reviewed_published_changed_and_compared(tomorrow, cast):
    supervisor, root = enter(cast.supervisor), enter(cast.superadmin)
    asked = post(supervisor, "plans", {"shift": tomorrow.shift.pk, "seed": 7})
    assert asked.status_code == 202 and asked.json()["making"] == "waiting"
    plan = execute_plan(plan=Plan.objects.get())
    seen = supervisor.get(f"/api/v1/patrol/plans/{plan.pk}").json()
    assert seen["making"] == "made" and seen["verdict"] == [] and seen["figures"]["plain"]["visits"] > 0 and seen["demand"]["weights"]
    assert post(supervisor, f"plans/{plan.pk}/review", {"edition": plan.edition}).status_code == 409
    assert post(root, f"plans/{plan.pk}/review", {"edition": plan.edition}).json()["state"] == "reviewed"
    assert post(supervisor, f"plans/{plan.pk}/publish").json()["state"] == "published"
    assert Assignment.objects.filter(plan_stop__plan=plan).exists()
    stop = plan.stops.order_by("arrive_at")[0]
    tried = post(supervisor, f"plans/{plan.pk}/changes", {"kind": "move", "stop": stop.pk, "minutes": 5, "only_try": True})
    assert tried.status_code == 202 and "dosage_too_short" in {one["code"] for one in tried.json()["violations"]}
    changed = post(
        supervisor, f"plans/{plan.pk}/changes", {"kind": "remove", "stop": stop.pk, "reason": "A wedding.", "edition": plan.edition}
    ).json()
    assert changed["version"] == 2 and changed["made_from"] == plan.pk
    lines = supervisor.get(f"/api/v1/patrol/plans/{changed['id']}/diff/{plan.pk}").json()
    assert [line["kind"] for line in lines] == ["removed"]
    assert post(supervisor, f"plans/{changed['id']}/discard", {"reason": "No."}).json()["state"] == "discarded"
    again = post(supervisor, f"plans/{plan.pk}/replan", {"reason": "A unit fell out.", "without": []})
    assert again.status_code == 202 and again.json()["version"] == 3


@pytest.mark.parametrize("body", [{"seed": "seven"}, {"seed": -1}, {"stops": 10_000}, {"units": 0}, {"units": 1.5}, {"shift": "x"}])
def test_bad_input_is_a_problem_with_its_field(tomorrow, cast, body):
    answer = post(enter(cast.supervisor), "plans", {"shift": tomorrow.shift.pk, **body})
    assert answer.status_code in (400, 422) and next(iter(body)) in answer.content.decode()
    assert not Plan.objects.exists()


def test_foreign_ids_are_not_there_and_keys_write_nothing(tomorrow, cast, reader):
    plan = tomorrow.make()
    for person in (cast.stranger, cast.firefighter):
        client = enter(person)
        assert client.get(f"/api/v1/patrol/plans/{plan.pk}").status_code in (403, 404)
        assert post(client, "plans", {"shift": tomorrow.shift.pk}).status_code == 404
    assert enter(cast.supervisor).get(f"/api/v1/patrol/plans/{2**62}").status_code == 404
    assert post(enter(cast.supervisor), "plans", {"shift": 10**9}).status_code == 404
    assert reader.post("patrol/plans", {"shift": tomorrow.shift.pk}).status_code == 403
    assert reader.get("patrol/coverage/gaps", {"agency": "fire", "governorate": "T-HA"}).status_code == 404
    assert post(enter(cast.dispatcher), "plans", {"shift": tomorrow.shift.pk}).status_code == 403


def test_gaps_move_up_studies_and_what_if(tomorrow, cast, force, reader):
    when = {**HERE, "start": tomorrow.shift.starts_at.isoformat(), "hours": 8}
    gaps = reader.get("patrol/coverage/gaps", when).json()
    assert gaps["made_from"] == "roster" and len(gaps["units"]) == 8 and any(one["area"] == "T-SAL" for one in gaps["gaps"])
    assert reader.get("patrol/coverage/gaps", {"agency": "police"}).status_code in (400, 422)
    assert reader.get("patrol/coverage/gaps", {**when, "hours": 49}).status_code in (400, 422)
    assert reader.get("patrol/coverage/move-up", HERE).json()["on_duty"] == 2
    client = enter(cast.supervisor)
    study = post(client, "coverage/studies/make", {**when, "units": 2, "minutes": 5}).json()
    assert study["gap"] is not None and study["result"]["is_proven"]
    station = force.salmiya_station.pk
    answer = post(client, "coverage/what-if", {**when, "stations": [{"station": station, "more": 2}], "name": "Two more"}).json()
    assert answer["result"]["after"]["units"] == 4
    assert post(client, "coverage/what-if", {**when, "stations": [{"station": 10**9, "more": 2}]}).status_code == 422
    assert reader.post("patrol/coverage/studies/make", when).status_code == 403
    assert post(enter(cast.dispatcher), "coverage/studies/make", when).status_code == 403
    assert reader.get("patrol/coverage/studies").json()["results"][0]["name"] == "Two more"
    assert CoverageStudy.objects.count() == 2 and reader.get(f"patrol/coverage/studies/{study['id']}").status_code == 200
