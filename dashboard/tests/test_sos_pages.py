"""PAT-11: the doors of a call for help: the phone's press, the command screens' asking, and who gets in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client

from core.models import Event
from dashboard.live import IncidentPresenter
from dashboard.sos_tokens import token_for
from patrol.models import Sos
from patrol.services import sos as calls
from patrol.services import welfare


def enter(person, **options) -> Client:
    client = Client(**options)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def press(token, client=None, **given):
    body = {"token": token, "key": str(uuid4()), "pressed_at": datetime.now(UTC).isoformat(), **given}
    return (client or Client(enforce_csrf_checks=True)).post("/sos/press/", body, content_type="application/json")


@pytest.fixture
def call(cast, force, places):
    return calls.raise_sos(key=uuid4(), user=cast.officer, pressed_at=datetime.now(UTC), location=places.in_salmiya).sos


def test_a_press_needs_no_session_only_the_persons_own_token(cast, force):
    key = str(uuid4())
    first, again = (press(token_for(cast.officer), key=key, lon=47.92, lat=29.35, accuracy_m=9) for _ in range(2))
    assert (first.status_code, first.json()["id"]) == (200, again.json()["id"])
    assert Sos.objects.get().user == cast.officer


def test_a_token_ends_with_the_password_the_account_and_its_time(cast, force, settings):
    token = token_for(cast.officer)
    assert press("forged").status_code == press(token[:-1] + "x").status_code == press(None).status_code == 401
    cast.officer.set_password("another one entirely")
    cast.officer.save(update_fields=["password"])
    assert press(token).status_code == 401
    token = token_for(cast.officer)
    assert press(token).status_code == 200
    type(cast.officer).objects.filter(pk=cast.officer.pk).update(is_active=False)
    assert press(token).status_code == 401


def test_a_session_alone_does_not_press_so_no_other_site_can(cast, force):
    assert press("", client=enter(cast.officer)).status_code == 401
    assert not Sos.objects.exists()


WRONG = [{"pressed_at": "yesterday"}, {"lon": "x", "lat": []}, {"accuracy_m": -3}, {"pressed_at": 5, "located_at": {}}]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_else_is_wrong_is_left_out_and_never_refused(cast, force, wrong):
    assert press(token_for(cast.officer), **wrong).status_code == 200
    assert Sos.objects.get().pressed_at <= datetime.now(UTC)


def test_a_body_that_is_none_is_refused_without_an_error_of_ours(cast, force):
    client = Client()
    for body in (b"", b"[]", b"{", b"x" * 10_000, b"\xff\xfe"):
        assert client.post("/sos/press/", body, content_type="application/json").status_code == 401
    assert press(token_for(cast.officer), key="none").status_code == 422
    assert client.get("/sos/press/").status_code == 405


def test_open_calls_are_told_to_those_who_answer_and_see_them(call, cast):
    for person, seen in [(cast.dispatcher, [call.pk]), (cast.supervisor, [call.pk]), (cast.superadmin, [call.pk]), (cast.firefighter, [])]:
        told = enter(person).get("/sos/open.json").json()
        assert [alarm["id"] for alarm in told["alarms"]] == seen
    alarm = enter(cast.dispatcher).get("/sos/open.json?lang=ar").json()["alarms"][0]
    assert (alarm["call_sign"], alarm["place"]) == ("P1", "السالمية، حولي")
    assert enter(cast.officer).get("/sos/open.json").status_code == 403
    assert Client().get("/sos/open.json").status_code == 401


def test_asking_also_says_again_what_nobody_has_answered(call, cast):
    Sos.objects.update(received_at=datetime.now(UTC) - timedelta(seconds=12))
    enter(cast.dispatcher).get("/sos/open.json")
    assert Event.objects.filter(type="sos.repeated").count() == 1


def test_a_silent_or_forced_call_is_not_on_its_callers_own_screen(cast, force, places):
    calls.raise_sos(key=uuid4(), user=cast.dispatcher, pressed_at=datetime.now(UTC), location=places.in_salmiya, is_silent=True)
    assert enter(cast.dispatcher).get("/sos/open.json").json()["alarms"] == []
    assert len(enter(cast.supervisor).get("/sos/open.json").json()["alarms"]) == 1


def test_the_alarm_room_is_for_those_who_answer_and_told_apart_from_the_others(call, cast, places):
    presenter = IncidentPresenter()
    room, all_, here = (presenter.room(cast.dispatcher, name) for name in ("alarms", "all", f"governorate:{places.hawalli.pk}"))
    assert presenter.room(cast.officer, "alarms") is None
    (shown,) = presenter.show(list(Event.objects.filter(type="sos.raised")), ["en", "ar"])
    assert shown and [one is not None and one.admits(shown) for one in (room, all_, here)] == [True, False, False]
    assert shown.visible_to(cast.dispatcher.jurisdiction) and not shown.visible_to(cast.firefighter.jurisdiction)
    assert '"call_sign":"P1"' in shown.texts["en"]


def test_the_alarm_room_hears_of_nothing_else(report, cast):
    report()
    presenter = IncidentPresenter()
    (shown,) = presenter.show(list(Event.objects.filter(type="incident.opened")), ["en"])
    room = presenter.room(cast.dispatcher, "alarms")
    assert shown and room and not room.admits(shown)


def test_a_foreign_call_is_not_there(call, cast):
    client = enter(cast.firefighter)
    assert [client.get(f"/sos/{call.pk}/").status_code, client.post(f"/sos/{call.pk}/answer/").status_code] == [404, 404]
    assert enter(cast.officer).get("/sos/").status_code == 404, "not their page"
    assert enter(cast.officer).post(f"/sos/{call.pk}/answer/").status_code == 404


def test_answering_and_ending_from_the_page(call, cast):
    client = enter(cast.dispatcher)
    assert "Nobody has answered" in client.get("/sos/").content.decode()
    assert client.post(f"/sos/{call.pk}/answer/", headers={"accept": "application/json"}).json()["alarm"]["answered_by"] == "dispatcher"
    late = enter(cast.supervisor).post(f"/sos/{call.pk}/answer/", headers={"accept": "application/json"})
    assert (late.status_code, late.json()["alarm"]["answered_by"]) == (409, "dispatcher")
    assert client.post(f"/sos/{call.pk}/end/", {"outcome": ""}).status_code == 422
    assert client.post(f"/sos/{call.pk}/end/", {"outcome": "Found well"}, follow=True).status_code == 200
    assert client.get("/sos/open.json").json()["alarms"] == []


def test_answering_without_the_pages_own_token_is_refused(call, cast):
    assert enter(cast.dispatcher, enforce_csrf_checks=True).post(f"/sos/{call.pk}/answer/").status_code == 403


def test_every_page_of_those_who_answer_carries_the_alarm_the_command_centre_too(cast, force):
    for person, address, carries in [
        (cast.dispatcher, "/", True), (cast.supervisor, "/admin/", True), (cast.supervisor, "/map/", True), (cast.officer, "/", False),
    ]:  # fmt: skip
        assert ('id="alarms"' in enter(person).get(address).content.decode()) is carries


def test_a_dispatcher_sets_hears_and_ends_a_timer_on_the_page(cast, force):
    client = enter(cast.dispatcher)
    assert client.post("/sos/welfare/", {"unit": force.p2.pk, "minutes": "15"}, follow=True).status_code == 200
    check = force.p2.welfare.get()
    welfare.sweep(now=check.due_at)
    assert [alarm["kind"] for alarm in client.get("/sos/open.json").json()["alarms"]] == ["welfare"]
    assert client.post(f"/sos/welfare/{check.pk}/heard/", headers={"accept": "application/json"}).json() == {"done": True}
    assert client.get("/sos/open.json").json()["alarms"] == []
    client.post(f"/sos/welfare/{check.pk}/end/", {"because": "Back at the station"})
    check.refresh_from_db()
    assert check.ended_because == "Back at the station"
    assert client.post("/sos/welfare/", {"unit": force.c1.pk}).status_code == 404
    assert enter(cast.officer).post("/sos/welfare/", {"unit": force.p2.pk}).status_code == 404
