"""PAT-11, PAT-5: calls for help, welfare timers, handover packs and a phone's acts at /api/v1/patrol."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from interop.services import issue_key
from interop.tests.conftest import Caller
from patrol.models import Sos
from patrol.services import packs, welfare
from patrol.services import sos as calls
from patrol.services.assignments import assign

LISTS = ["sos", "welfare", "shift-packs"]


@pytest.fixture
def reader(police_system) -> Caller:
    return Caller(*issue_key(partner=police_system, name="patrol", scopes=["patrol:read"], by=None, all_governorates=True))


@pytest.fixture
def rows(cast, force, places):
    calls.raise_sos(key=uuid4(), user=cast.officer, pressed_at=timezone.now(), location=places.in_salmiya)
    welfare.start_welfare(unit=force.p1, by=None)
    packs.make_pack(agency=cast.police, governorate=places.hawalli, start=force.shift.starts_at, end=force.shift.ends_at, by=None)


def signed_in(person) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(client, path, body=None):
    return client.post(f"/api/v1/patrol/{path}", body or {}, content_type="application/json")


@pytest.mark.parametrize("name", LISTS)
def test_each_list_answers_a_key_with_the_scope_people_who_watch_and_nobody_else(name, rows, reader, caller, cast):
    assert len(reader.get(f"patrol/{name}").json()["results"]) == 1
    assert caller.get(f"patrol/{name}").status_code == 403
    assert Client().get(f"/api/v1/patrol/{name}").status_code == 401
    assert len(signed_in(cast.dispatcher).get(f"/api/v1/patrol/{name}").json()["results"]) == 1
    assert signed_in(cast.officer).get(f"/api/v1/patrol/{name}").status_code == 403
    assert signed_in(cast.firefighter).get(f"/api/v1/patrol/{name}").json()["results"] == []


def test_the_list_of_calls_asks_the_database_no_more_for_more_rows(rows, reader, cast):
    reader.get("patrol/sos")
    with CaptureQueriesContext(connection) as few:
        reader.get("patrol/sos")
    for _ in range(5):
        calls.raise_sos(key=uuid4(), user=cast.officer, pressed_at=timezone.now())
    with CaptureQueriesContext(connection) as many:
        reader.get("patrol/sos")
    assert len(many) <= len(few), [query["sql"][:90] for query in many.captured_queries]


def test_a_key_reads_no_name_and_does_nothing(rows, reader, cast):
    call = reader.get("patrol/sos").json()["results"][0]
    assert (call["called_by"], call["unit"]) == ("", "P1")
    assert signed_in(cast.dispatcher).get("/api/v1/patrol/sos").json()["results"][0]["called_by"] == "Officer one"
    assert reader.post(f"patrol/sos/{call['id']}/answer", {}).status_code == 403
    assert reader.post("patrol/sos", {"key": str(uuid4())}).status_code == 403


def test_a_call_is_raised_for_oneself_answered_and_ended(cast, force):
    key = str(uuid4())
    officer = signed_in(cast.officer)
    assert [post(officer, "sos", {"key": key, "lon": 999, "lat": 0}).status_code for _ in range(2)] == [201, 200]
    call = Sos.objects.get()
    client = signed_in(cast.dispatcher)
    assert post(officer, f"sos/{call.pk}/answer").status_code == 403
    assert post(signed_in(cast.firefighter), f"sos/{call.pk}/answer").status_code == 404
    assert post(client, f"sos/{call.pk}/answer").json()["answered_at"]
    assert post(signed_in(cast.supervisor), f"sos/{call.pk}/answer").status_code == 409
    assert post(client, f"sos/{call.pk}/end", {}).status_code == 422
    assert post(client, f"sos/{call.pk}/end", {"outcome": "Found well"}).json()["outcome"] == "Found well"
    assert client.get("/api/v1/patrol/sos?open=1").json()["results"] == []
    assert post(signed_in(cast.auditor), "sos", {"key": str(uuid4())}).status_code == 403


def test_a_session_without_its_token_raises_nothing(cast, force):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.officer, backend="django.contrib.auth.backends.ModelBackend")
    assert post(client, "sos", {"key": str(uuid4())}).status_code == 403


def test_timers_are_started_answered_and_ended(cast, force):
    client = signed_in(cast.dispatcher)
    made = post(client, "welfare", {"unit": force.p1.pk, "minutes": 5}).json()
    assert post(client, "welfare", {"unit": force.p1.pk}).status_code == 409
    assert post(client, "welfare", {"unit": force.c1.pk}).status_code == 404
    assert post(client, "welfare", {"unit": force.p2.pk, "minutes": 0}).status_code == 422
    assert post(signed_in(cast.officer), f"welfare/{made['id']}/answer").json()["answered_at"]
    assert post(client, f"welfare/{made['id']}/end", {"because": "Back"}).json()["ended_because"] == "Back"
    assert post(client, "welfare/999999999999/answer").status_code == 404


def test_a_native_phones_acts_go_through_the_same_door(cast, force):
    task = assign(unit=force.p1, by=None, kind="task", title="Look at the gate")
    act = {"key": str(uuid4()), "verb": "move", "at": timezone.now().isoformat(), "assignment": task.pk, "to": "accepted"}
    client = signed_in(cast.officer)
    for result in ("done", "already"):
        assert post(client, "field-actions", {"actions": [act]}).json()["answers"][0]["result"] == result
    assert post(client, "field-actions", {"actions": []}).status_code == 422
    assert post(client, "field-actions", {"actions": [act | {"key": "x"}]}).status_code == 422


def test_a_pack_is_read_whole(rows, reader, cast, force):
    pack = reader.get("patrol/shift-packs").json()["results"][0]
    told = reader.get(f"patrol/shift-packs/{pack['id']}").json()
    assert told["facts"]["assessment"]["units_by_state"] and told["notes"] == {}
    assert signed_in(cast.firefighter).get(f"/api/v1/patrol/shift-packs/{pack['id']}").status_code == 404
