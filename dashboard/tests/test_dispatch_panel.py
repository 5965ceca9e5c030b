"""PAT-8: the dispatch section of an incident, as a dispatcher at the desk and an officer see it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.gis.geos import Point
from django.test import Client
from django.urls import reverse

from patrol.models import Assignment, Duty, Recommendation, RunCard, RunCardLine, UnitPosition
from patrol.services.assignments import assign


@pytest.fixture
def at_desk(client, cast) -> Client:
    client.force_login(cast.dispatcher, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def seen(force):
    for unit, lon in ((force.p1, 47.925), (force.p2, 47.95)):
        UnitPosition.objects.create(unit=unit, at=datetime.now(UTC), location=Point(lon, 29.35), source="http")


def url(name: str, incident, *more) -> str:
    return reverse(name, args=[incident.ref, *more])


def test_the_panel_asks_for_its_section_and_the_section_offers_advice(at_desk, force, report):
    incident = report()
    assert url("incident-dispatch", incident) in at_desk.get(url("incident-panel", incident)).content.decode()
    page = at_desk.get(url("incident-dispatch", incident)).content.decode()
    assert "Whom to send?" in page and "No unit is on it." in page
    assert "style=" not in page and "<script" not in page


def test_advice_comes_with_reasons_and_the_advised_goes_with_one_press(at_desk, force, report, seen):
    incident = report()
    page = at_desk.post(url("incident-ask", incident), {"alarm_level": 1}, headers={"HX-Request": "true"}).content.decode()
    assert "Send P1" in page and "km" in page and "times from straight lines" in page
    assert "Why this one and not the advised?" in page, "P2 is not advised"
    advice = Recommendation.objects.get()
    sending = {"unit": force.p1.pk, "recommendation": advice.pk, "seen": ""}
    page = at_desk.post(url("incident-send", incident), sending, headers={"HX-Request": "true"}).content.decode()
    assert "P1 is sent." in page and "state-assigned" in page
    assert Assignment.objects.get().recommendation == advice


def test_another_than_advised_without_a_reason_is_asked_for_one_in_place(at_desk, force, report, seen):
    incident = report()
    at_desk.post(url("incident-ask", incident), {"alarm_level": 1})
    sending = {"unit": force.p2.pk, "recommendation": Recommendation.objects.get().pk, "seen": ""}
    answer = at_desk.post(url("incident-send", incident), sending, headers={"HX-Request": "true"})
    assert answer.status_code == 422 and "Send all the same" in answer.content.decode()
    assert not Assignment.objects.exists()
    at_desk.post(url("incident-send", incident), {**sending, "override_reason": "knows the house"}, headers={"HX-Request": "true"})
    assert Assignment.objects.get().override_reason == "knows the house"


def test_a_unit_taken_meanwhile_is_told_and_may_be_queued_with_a_reason(at_desk, force, report, cast, seen):
    incident, other = report(), report(external_id="other")
    at_desk.post(url("incident-ask", incident), {"alarm_level": 1})
    assign(unit=force.p1, incident=other, kind="incident", by=cast.supervisor)
    sending = {"unit": force.p1.pk, "recommendation": Recommendation.objects.get().pk, "seen": ""}
    answer = at_desk.post(url("incident-send", incident), sending, headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert answer.status_code == 409 and "supervisor" in text and other.ref in text
    assert 'name="although_busy"' in text
    at_desk.post(url("incident-send", incident), {**sending, "although_busy": "next door"}, headers={"HX-Request": "true"})
    assert Assignment.objects.open().filter(unit=force.p1).count() == 2
    assert "Send all the same…" not in at_desk.get(url("incident-dispatch", other)).content.decode()


def test_the_card_says_what_is_sent_advised_and_missing(at_desk, force, report, cast, burglary, seen):
    card = RunCard.objects.create(agency=cast.police, type=burglary)
    RunCardLine.objects.create(card=card, count=2)
    RunCardLine.objects.create(card=card, skill=force.water_rescue, within_minutes=20)
    incident = report()
    assign(unit=force.p1, incident=incident, kind="incident", by=cast.dispatcher)
    page = at_desk.post(url("incident-ask", incident), {"alarm_level": 1}, headers={"HX-Request": "true"}).content.decode()
    assert [page.count(f'"is-{state}"') for state in ("met", "advised", "missing")] == [1, 1, 1]
    assert "No unit with Water rescue within 20 minutes. No unit here can do it." in page


def test_steps_are_taken_from_the_section_and_each_clock_is_shown(at_desk, force, report, cast):
    incident = report()
    sent = assign(unit=force.p1, incident=incident, kind="incident", by=cast.dispatcher)
    page = at_desk.post(
        url("incident-dispatch-step", incident, sent.pk, "en_route"), {"expected": "assigned"}, headers={"HX-Request": "true"}
    ).content.decode()
    sent.refresh_from_db()
    assert sent.state == "en_route" and "state-en_route" in page
    assert len(re.findall(r"<time datetime", page)) == 2
    late = at_desk.post(
        url("incident-dispatch-step", incident, sent.pk, "accepted"), {"expected": "assigned"}, headers={"HX-Request": "true"}
    )
    assert late.status_code == 409 and "moved on" in late.content.decode()
    at_desk.post(url("incident-dispatch-step", incident, sent.pk, "cancel"), {"reason": "not needed"})
    sent.refresh_from_db()
    assert (sent.state, sent.outcome) == ("cancelled", "not needed")


def test_an_officer_sees_the_units_moves_only_their_own_and_is_not_asked_whom_to_send(client, force, report, cast):
    incident = report()
    mine = assign(unit=force.p1, incident=incident, kind="incident", by=cast.dispatcher)
    other = assign(unit=force.p2, incident=incident, kind="incident", by=cast.dispatcher)
    client.force_login(cast.officer, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(url("incident-dispatch", incident)).content.decode()
    assert url("incident-dispatch-step", incident, mine.pk, "accepted") in page
    assert url("incident-dispatch-step", incident, other.pk, "accepted") not in page
    assert "Whom to send?" not in page and "Take back" not in page
    assert client.post(url("incident-ask", incident), {"alarm_level": 1}, headers={"HX-Request": "true"}).status_code == 403


def test_a_dispatcher_off_duty_is_told_so_and_strangers_find_nothing(at_desk, client, force, report, cast):
    incident = report()
    Duty.objects.filter(member=force.dispatcher).update(ended_at=datetime.now(UTC) + timedelta(seconds=1))
    assert "Go on duty first" in at_desk.get(url("incident-dispatch", incident)).content.decode()
    client.force_login(cast.firefighter, backend="django.contrib.auth.backends.ModelBackend")
    for name in ("incident-dispatch", "incident-dispatch-units"):
        assert client.get(url(name, incident)).status_code == 404
    assert client.post(url("incident-send", incident), {"unit": force.p1.pk}).status_code == 404


@pytest.mark.parametrize("unit", ["", "x", "-1", "9" * 30, "0"])
def test_a_forged_unit_is_not_there(at_desk, force, report, unit):
    assert at_desk.post(url("incident-send", report()), {"unit": unit}).status_code == 404


def test_the_section_costs_the_same_however_many_units_are_advised(at_desk, force, report, seen, django_assert_max_num_queries):
    incident = report()
    at_desk.post(url("incident-ask", incident), {"alarm_level": 1})
    with django_assert_max_num_queries(32):
        at_desk.get(url("incident-dispatch", incident))
