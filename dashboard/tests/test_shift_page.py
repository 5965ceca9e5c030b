"""PAT-5, PAT-11: the officer's phone: its own doors, who gets in, and what it is told."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from conftest import PASSWORD
from patrol.models import Assignment, Duty, FieldAction, Sos
from patrol.services import sos as calls
from patrol.services.assignments import assign


def enter(person, **options) -> Client:
    client = Client(**options)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def send(client, *actions):
    return client.post("/patrol/me/actions/", json.dumps({"actions": actions}), content_type="application/json")


def act(verb, **facts):
    return {"key": str(uuid4()), "verb": verb, "at": timezone.now().isoformat(), **facts}


def test_who_sees_everything_sees_work_that_is_no_incidents(task, cast):
    assert task in Assignment.objects.visible_to(cast.superadmin)
    assert task not in Assignment.objects.visible_to(cast.firefighter)


@pytest.fixture
def task(cast, force, places):
    return assign(unit=force.p1, by=None, kind="task", title="Look at the gate", location=places.in_salmiya)


def test_the_page_is_a_shell_without_facts_and_only_for_those_in_the_field(cast, force, task):
    page = enter(cast.officer).get("/patrol/me/").content.decode()
    assert 'id="shift"' in page and "Look at the gate" not in page and "Officer one" not in page
    assert enter(cast.dispatcher).get("/patrol/me/").status_code == 404
    assert Client().get("/patrol/me/").status_code == 302
    assert enter(cast.officer).get("/patrol/").headers["Location"] == "/patrol/me/"


def test_the_state_holds_duty_unit_and_work(cast, force, task, report):
    assign(unit=force.p1, by=None, kind="incident", incident=report(), although_busy="near")
    state = enter(cast.officer).get("/patrol/me/state.json").json()
    assert state["duty"]["unit"]["call_sign"] == "P1"
    assert {one["title"] for one in state["assignments"]} == {"Look at the gate", "Burglary"}
    assert state["assignments"][0]["next"] == ["accepted", "en_route", "on_scene", "done"]
    assert state["has_codes"] is False and state["welfare"] is None
    assert Client().get("/patrol/me/state.json").status_code == 401
    assert enter(cast.stranger).get("/patrol/me/state.json").json()["is_member"] is False


def test_acts_are_taken_in_order_each_answered_by_itself_and_a_second_time_alike(cast, force, task):
    client = enter(cast.officer)
    acts = [act("move", assignment=task.pk, to=to) for to in ("accepted", "flown", "en_route")]
    for results in (["done", "refused", "done"], ["already", "refused", "already"]):
        told = send(client, *acts).json()
        assert [answer["result"] for answer in told["answers"]] == results
    assert told["state"]["assignments"][0]["state"] == "en_route"
    assert FieldAction.objects.count() == 3
    task.refresh_from_db()
    assert task.state == "en_route"


def test_foreign_and_unreadable_acts_are_refused_one_by_one(cast, force, task, places):
    theirs = assign(unit=force.p2, by=None, kind="task", title="Theirs")
    told = send(
        enter(cast.officer),
        act("move", assignment=theirs.pk, to="accepted"), act("move", assignment=10**30, to="accepted"), act("move", to="accepted"),
        act("move", assignment=True, to="accepted"), act("drop_tables"), act("arrive", stop=1), act("welfare", check=1), 7, {"key": "x"},
        act("duty_on", unit=force.c1.pk),
    )  # fmt: skip
    assert told.status_code == 200
    assert {answer["result"] for answer in told.json()["answers"]} == {"refused"}
    assert Assignment.objects.exclude(state="assigned").count() == 0


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"actions": []}', '{"actions": {}}', "\x00", json.dumps({"actions": [{}] * 51})])
def test_a_body_that_is_no_list_of_acts_is_refused(cast, force, body):
    assert enter(cast.officer).post("/patrol/me/actions/", body, content_type="application/json").status_code == 422


def test_no_other_site_and_nobody_unknown_sends_acts(cast, force, task):
    assert send(enter(cast.officer, enforce_csrf_checks=True), act("move", assignment=task.pk, to="accepted")).status_code == 403
    assert send(Client(), act("move", assignment=task.pk, to="accepted")).status_code == 401
    assert send(enter(cast.auditor), act("move", assignment=task.pk, to="accepted")).status_code == 404


def test_going_off_and_on_duty_from_the_phone(cast, force):
    client = enter(cast.officer)
    assert send(client, act("duty_off")).json()["state"]["duty"] is None
    told = send(client, act("duty_on", unit=force.p1.pk)).json()
    assert told["state"]["duty"]["unit"]["call_sign"] == "P1", told["answers"]


def test_codes_are_set_with_the_password_and_withdraw_alike(cast, force):
    client = enter(cast.officer)
    codes = {"code": "4711", "duress_code": "4712"}
    assert client.post("/patrol/me/codes/", codes | {"password": "wrong"}).status_code == 403
    assert client.post("/patrol/me/codes/", codes | {"password": PASSWORD, "duress_code": "4711"}).status_code == 422
    assert client.post("/patrol/me/codes/", codes | {"password": PASSWORD}).json() == {"done": True}
    answers = []
    for code in ("4711", "4712"):
        call = calls.raise_sos(key=uuid4(), user=cast.officer, pressed_at=timezone.now()).sos
        assert client.post(f"/patrol/me/sos/{call.pk}/withdraw/", {"code": "0000"}).status_code == 422
        answer = client.post(f"/patrol/me/sos/{call.pk}/withdraw/", {"code": code})
        answers.append((answer.status_code, answer.content, client.get("/patrol/me/state.json").json()["calls"]))
    assert answers[0] == answers[1] == (200, answers[0][1], [])
    assert [sos.ended_at is None for sos in Sos.objects.order_by("pk")] == [False, True]
    theirs = calls.raise_sos(key=uuid4(), user=cast.dispatcher, pressed_at=timezone.now()).sos
    assert client.post(f"/patrol/me/sos/{theirs.pk}/withdraw/", {"code": "4711"}).status_code == 404


def test_guessing_the_password_there_ends_as_at_the_sign_in(cast, force, settings):
    client = enter(cast.officer)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        last = client.post("/patrol/me/codes/", {"code": "4711", "duress_code": "4712", "password": "guess"})
    assert last.status_code == 429
    assert client.post("/patrol/me/codes/", {"code": "4711", "duress_code": "4712", "password": PASSWORD}).status_code in (403, 429)


def test_the_worker_comes_from_its_own_address_and_names_what_it_keeps(cast):
    answer = Client().get("/patrol/me/worker.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    text = answer.content.decode()
    assert "/static/js/patrol/shift.js" in text and text.startswith("const VERSION")


def test_what_was_done_on_duty_still_counts_when_it_arrives_after_it(cast, force, task):
    done_at = timezone.now()
    Duty.objects.filter(member=force.officer).update(ended_at=done_at + timedelta(seconds=1))
    late = act("move", assignment=task.pk, to="accepted") | {"at": (task.assigned_at + timedelta(seconds=0)).isoformat()}
    assert send(enter(cast.officer), late).json()["answers"][0]["result"] == "done"
