"""PAT-5, PAT-8, PAT-9 at /api/v1/patrol: assignments and their verbs, advice, units' states, run cards, aid, intervals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.gis.geos import Point
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from interop.services import issue_key
from interop.tests.conftest import Caller
from patrol.models import Assignment, Duty, Member, MutualAid, RunCard, RunCardLine, UnitPosition
from patrol.services.assignments import assign
from patrol.services.targets import ensure_default_targets

LISTS = ["assignments", "recommendations", "run-cards", "units/states", "aid/agreements", "aid/requests"]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def reader(police_system) -> Caller:
    return Caller(*issue_key(partner=police_system, name="patrol", scopes=["patrol:read"], by=None, all_governorates=True))


def signed_in(person) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(client, path, body=None):
    return client.post(f"/api/v1/patrol/{path}", body or {}, content_type="application/json")


@pytest.mark.parametrize("name", LISTS)
def test_each_list_answers_a_key_with_the_scope_and_no_other(name, force, reader, caller):
    answer = reader.get(f"patrol/{name}")
    assert answer.status_code == 200 and "results" in answer.json()
    assert caller.get(f"patrol/{name}").status_code == 403
    assert Client().get(f"/api/v1/patrol/{name}").status_code == 401


def test_a_list_asks_the_database_no_more_for_more_rows(force, reader, cast, report):
    for name in ("assignments", "units/states"):
        reader.get(f"patrol/{name}")
        with CaptureQueriesContext(connection) as few:
            reader.get(f"patrol/{name}")
        for number in range(4):
            assign(unit=force.p1, incident=report(external_id=f"{name}-{number}"), kind="incident", by=None, although_busy="a list")
        with CaptureQueriesContext(connection) as more:
            reader.get(f"patrol/{name}")
        assert len(more) <= len(few) + 1


def test_a_unit_is_sent_moved_and_its_clock_read_back(force, cast, report, reader):
    desk, incident = signed_in(cast.dispatcher), report()
    answer = post(desk, "assignments", {"unit": force.p1.pk, "incident": incident.ref, "seen": []})
    assert answer.status_code == 201, answer.content
    sent = answer.json()[0]
    assert (sent["call_sign"], sent["state"], sent["incident"]) == ("P1", "assigned", incident.ref)
    assert post(desk, f"assignments/{sent['id']}/move", {"state": "en_route"}).json()["en_route_at"] is not None
    assert post(desk, f"assignments/{sent['id']}/move", {"state": "accepted", "expected": "assigned"}).status_code == 409
    assert post(desk, f"assignments/{sent['id']}/move", {"state": "cancelled"}).status_code == 422
    late = post(desk, f"assignments/{sent['id']}/move", {"state": "accepted", "at": now().isoformat()})
    assert late.json()["log"][-1]["late"] and late.json()["log"][-1]["doubt"] == "out_of_order"
    future = post(desk, f"assignments/{sent['id']}/move", {"state": "on_scene", "at": (now() + timedelta(hours=1)).isoformat()})
    assert future.status_code == 422 and future.json()["errors"][0]["code"] == "in_the_future"
    read = reader.get(f"patrol/assignments/{sent['id']}").json()
    assert [step["to_state"] for step in read["log"]] == ["assigned", "en_route", "accepted"]
    states = {row["call_sign"]: row["state"] for row in reader.get("patrol/units/states").json()["results"]}
    assert states["P1"] == "en_route" and states["P2"] == "available"
    assert reader.get("patrol/assignments", {"incident": incident.ref, "is_open": "true"}).json()["results"][0]["id"] == sent["id"]
    assert reader.get("patrol/assignments", {"is_open": "false"}).json()["results"] == []
    assert reader.get("patrol/assignments", {"state": "lost"}).status_code == 422


def test_the_second_of_two_who_saw_it_free_is_told(force, cast, report):
    first = post(signed_in(cast.dispatcher), "assignments", {"unit": force.p1.pk, "incident": report().ref, "seen": []})
    other = {"unit": force.p1.pk, "incident": report(external_id="other").ref, "seen": []}
    refused = post(signed_in(cast.supervisor), "assignments", other)
    assert (first.status_code, refused.status_code) == (201, 409) and "dispatcher" in refused.json()["detail"]
    assert post(signed_in(cast.supervisor), "assignments", {**other, "although_busy": "nearest"}).status_code == 201


def test_tasks_for_a_unit_and_a_team_are_given_taken_back_given_on_and_handed_over(force, cast):
    desk = signed_in(cast.dispatcher)
    assert len(post(desk, "assignments", {"team": force.team.pk, "title": "Match"}).json()) == 2
    (task,) = post(desk, "assignments", {"unit": force.p1.pk, "title": "Barrier", "longitude": 47.92, "latitude": 29.35}).json()
    moved = post(desk, f"assignments/{task['id']}/reassign", {"unit": force.p2.pk, "reason": "closer"})
    assert moved.status_code == 201 and moved.json()["call_sign"] == "P2"
    assert post(desk, f"assignments/{moved.json()['id']}/cancel", {"reason": ""}).status_code == 422
    assert post(desk, f"assignments/{moved.json()['id']}/cancel", {"reason": "over"}).json()["state"] == "cancelled"
    given = post(desk, "assignments/hand-over", {"from_unit": force.p1.pk, "to_unit": force.p2.pk, "reason": "shift"})
    assert [row["call_sign"] for row in given.json()] == ["P2"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": "x"},
        {"unit": 1, "team": 1, "title": "x"},
        {"unit": 1, "title": "x", "longitude": 4},
        {"unit": "x", "title": "x"},
        {"team": 1, "incident": "KW-26-1"},
        {"unit": 1, "title": "x" * 300},
        {"unit": 1, "title": "x", "priority": 9},
    ],
)
def test_what_cannot_be_given_out_is_422(force, cast, body):
    assert post(signed_in(cast.dispatcher), "assignments", body).status_code == 422


def test_foreign_ids_are_404_and_roles_and_keys_are_kept_to(force, cast, report, reader):
    desk, incident = signed_in(cast.dispatcher), report()
    mine = assign(unit=force.p1, incident=incident, kind="incident", by=None)
    assert post(desk, "assignments", {"unit": force.c1.pk, "incident": incident.ref}).status_code == 404
    assert post(desk, "assignments", {"unit": force.p2.pk, "incident": "KW-26-999999"}).status_code == 404
    assert post(desk, "assignments", {"unit": force.c1.pk, "title": "x"}).status_code == 404
    stranger, officer = signed_in(cast.stranger), signed_in(cast.officer)
    assert post(stranger, f"assignments/{mine.pk}/move", {"state": "done"}).status_code == 404
    assert post(officer, f"assignments/{mine.pk}/cancel", {"reason": "x"}).status_code == 403
    assert post(officer, f"assignments/{mine.pk}/move", {"state": "accepted"}).status_code == 200, "their own unit's"
    assert signed_in(cast.firefighter).get(f"/api/v1/patrol/assignments/{mine.pk}").status_code == 404
    assert reader.post(f"patrol/assignments/{mine.pk}/move", {"state": "done"}).status_code == 403, "keys read"
    assert desk.get("/api/v1/patrol/assignments/999999999999999999999").status_code == 404


def test_advice_over_the_api(force, cast, report, reader, burglary):
    card = RunCard.objects.create(agency=cast.police, type=burglary)
    RunCardLine.objects.create(card=card, skill=force.water_rescue, within_minutes=20)
    UnitPosition.objects.create(unit=force.p1, at=now(), location=Point(47.92, 29.35), source="http")
    desk, incident = signed_in(cast.dispatcher), report()
    made = post(desk, "recommendations", {"incident": incident.ref, "alarm_level": 1})
    assert made.status_code == 201, made.content
    body = made.json()
    assert body["shortfalls"][0]["skill"] == "water-rescue" and body["ranked"][0]["unit"] == force.p1.pk and body["inputs"]["version"] == 1
    told = reader.get(f"patrol/recommendations/{body['id']}").json()
    assert told["inputs"] == {} and told["ranked"] == body["ranked"]
    assert reader.get("patrol/recommendations", {"incident": incident.ref}).json()["results"][0]["id"] == body["id"]
    assert post(desk, "recommendations", {"incident": incident.ref, "alarm_level": 9}).status_code == 422
    assert post(desk, "recommendations", {"incident": "KW-26-999999"}).status_code == 404
    assert post(signed_in(cast.officer), "recommendations", {"incident": incident.ref}).status_code == 403
    given = {"unit": force.p2.pk, "incident": incident.ref, "recommendation": body["id"]}
    refused = post(desk, "assignments", given)
    assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "override_reason"
    assert post(desk, "assignments", {**given, "override_reason": "diver aboard"}).status_code == 201
    assert reader.get("patrol/run-cards").json()["results"][0]["lines"][0]["within_minutes"] == 20


def test_aid_over_the_api(force, cast, report, places, reader):
    member = Member.objects.create(agency=cast.fire, governorate=places.hawalli, service_number="F", name_en="F", user=cast.firefighter)
    Duty.objects.create(member=member, agency=cast.fire, started_at=now())
    Duty.objects.create(unit=force.f1, agency=cast.fire, governorate=places.hawalli, started_at=now())
    agreement = MutualAid.objects.create(
        lender=cast.fire, borrower=cast.police, starts_at=now() - timedelta(days=1), ends_at=now() + timedelta(days=1),
        lender_consent_by=cast.firefighter, borrower_consent_by=cast.supervisor,
    )  # fmt: skip
    desk, fire, incident = signed_in(cast.dispatcher), signed_in(cast.firefighter), report()
    asked = post(desk, "aid/requests", {"agreement": agreement.pk, "incident": incident.ref, "units_wanted": 1})
    assert asked.status_code == 201, asked.content
    pk = asked.json()["id"]
    assert post(desk, f"aid/requests/{pk}/answer", {"is_granted": True}).status_code == 404, "the lender's to answer"
    assert post(fire, "assignments", {"unit": force.f1.pk, "incident": incident.ref}).status_code == 404
    assert post(fire, f"aid/requests/{pk}/answer", {"is_granted": True}).json()["is_granted"] is True
    assert post(fire, "assignments", {"unit": force.f1.pk, "incident": incident.ref}).status_code == 201
    assert post(fire, f"aid/requests/{pk}/end").json()["ended_at"] is not None
    assert fire.get("/api/v1/patrol/aid/requests").json()["results"] == []
    assert post(signed_in(cast.stranger), f"aid/requests/{pk}/end").status_code == 404
    assert Assignment.objects.get().unit == force.f1


def test_intervals_over_the_api(force, cast, report, reader):
    ensure_default_targets()
    assign(unit=force.p1, incident=report(), kind="incident", by=None)
    window = {"start": (now() - timedelta(hours=2)).isoformat(), "end": (now() + timedelta(hours=1)).isoformat()}
    told = reader.get("patrol/intervals", window).json()
    assert told["whole"]["incidents"] == 1
    assert [it["interval"] for it in told["whole"]["intervals"]] == ["queue", "turnout", "travel", "response", "on_scene", "consumed"]
    assert reader.get("patrol/intervals", {**window, "governorate": "T-KU"}).json()["whole"]["incidents"] == 0
    assert reader.get("patrol/intervals", {**window, "type": "no-such"}).status_code == 404
    assert reader.get("patrol/intervals", {**window, "by": "mood"}).status_code == 422
    assert reader.get("patrol/intervals").status_code == 422
    assert reader.get("patrol/intervals", {"start": window["end"], "end": window["start"]}).status_code == 422
