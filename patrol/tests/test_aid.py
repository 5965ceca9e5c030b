"""PAT-8: mutual aid by consent of both; one incident and the agreed units, and nothing after its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.gis.geos import Point
from django.test import Client
from django.urls import reverse

from accounts.models import User
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.services import move_incident
from patrol.models import AidRequest, Assignment, Duty, Member, MutualAid, UnitPosition
from patrol.services.aid import answer_aid, ask_for_aid, asked_of, consent_to_aid, end_agreement, end_aid, propose_aid
from patrol.services.assignments import assign, move_assignment
from patrol.services.recommend import advise
from patrol.subscribers import SUBSCRIBERS


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def fire_chief(cast, places) -> User:
    user = User(username="chief", role="supervisor", agency=cast.fire, sees_all_governorates=True, language="en")
    user.set_unusable_password()
    user.save()
    return user


@pytest.fixture
def on_duty(force, cast, places):
    """The fire service's dispatcher is on duty, and so is its engine, whose position is fresh."""
    member = Member.objects.create(agency=cast.fire, governorate=places.hawalli, service_number="F1", name_en="Fire", user=cast.firefighter)
    Duty.objects.create(member=member, agency=cast.fire, governorate=places.hawalli, started_at=now() - timedelta(hours=1))
    Duty.objects.create(unit=force.f1, agency=cast.fire, governorate=places.hawalli, started_at=now() - timedelta(hours=1))
    UnitPosition.objects.create(unit=force.f1, at=now(), location=Point(47.93, 29.35), source="http")


@pytest.fixture
def agreement(cast, fire_chief, on_duty) -> MutualAid:
    made = propose_aid(
        lender=cast.fire, borrower=cast.police, starts_at=now() - timedelta(days=1), ends_at=now() + timedelta(days=90),
        unit_kinds=["engine"], by=cast.supervisor,
    )  # fmt: skip
    return consent_to_aid(agreement=made, by=fire_chief)


@pytest.fixture
def asked(agreement, report, cast) -> AidRequest:
    return ask_for_aid(agreement=agreement, incident=report(), by=cast.dispatcher, note="smoke")


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_an_agreement_is_in_force_only_once_both_have_consented(cast, fire_chief, on_duty, report):
    made = propose_aid(
        lender=cast.fire, borrower=cast.police, starts_at=now() - timedelta(days=1), ends_at=now() + timedelta(days=9), by=cast.supervisor
    )
    assert (made.borrower_consent_by, made.lender_consent_by) == (cast.supervisor, None)
    with pytest.raises(Conflict, match="no agreement in force"):
        ask_for_aid(agreement=made, incident=report(), by=cast.dispatcher)
    with pytest.raises(Conflict):
        consent_to_aid(agreement=made, by=cast.supervisor)
    with pytest.raises(NotFound):
        consent_to_aid(agreement=made, by=cast.superadmin)
    with pytest.raises(NotAllowed):
        consent_to_aid(agreement=made, by=cast.firefighter)
    consent_to_aid(agreement=made, by=fire_chief)
    assert ask_for_aid(agreement=made, incident=report(), by=cast.dispatcher).is_granted is None
    assert set(AuditEntry.objects.filter(verb__startswith="aid.").values_list("verb", flat=True)) == {
        "aid.propose",
        "aid.consent",
        "aid.ask",
    }


def test_nobody_draws_up_an_agreement_of_others_or_with_themselves(cast, fire_chief):
    when: dict[str, Any] = {"starts_at": now(), "ends_at": now() + timedelta(days=1)}
    with pytest.raises(NotFound):
        propose_aid(lender=cast.fire, borrower=cast.police, by=cast.superadmin, **when)
    with pytest.raises(NotAllowed):
        propose_aid(lender=cast.fire, borrower=cast.police, by=cast.dispatcher, **when)
    with pytest.raises(Invalid):
        propose_aid(lender=cast.fire, borrower=cast.fire, by=fire_chief, **when)
    with pytest.raises(Invalid):
        propose_aid(lender=cast.fire, borrower=cast.police, by=fire_chief, starts_at=now(), ends_at=now() - timedelta(days=1))
    with pytest.raises(Invalid):
        propose_aid(lender=cast.fire, borrower=cast.police, by=fire_chief, unit_kinds=["ufo"], **when)


def test_before_the_grant_nothing_is_lent_and_after_it_only_the_agreed_units_to_that_one_incident(asked, cast, force, report):
    incident = asked.incident
    seen = {row["unit"] for row in advise(incident=incident, by=cast.dispatcher).ranked}
    assert force.f1.pk not in seen
    with pytest.raises(NotFound):
        assign(unit=force.f1, incident=incident, kind="incident", by=cast.dispatcher)
    answer_aid(request=asked, by=cast.firefighter, is_granted=True)
    row = next(row for row in advise(incident=incident, by=cast.dispatcher).ranked if row["unit"] == force.f1.pk)
    assert row["advised"] and row["parts"]["lent"] == 3.0
    other = report(external_id="other")
    assert force.f1.pk not in {row["unit"] for row in advise(incident=other, by=cast.dispatcher).ranked}
    with pytest.raises(NotFound):
        assign(unit=force.f1, incident=other, kind="incident", by=cast.dispatcher)
    sent = assign(unit=force.f1, incident=incident, kind="incident", by=cast.dispatcher)
    assert sent.agency == cast.police and sent.unit.agency == cast.fire
    move_assignment(assignment=sent, to="en_route", by=cast.firefighter)
    incident.refresh_from_db()
    assert incident.state == "en_route", "the lender's dispatcher moves their own unit, and the incident follows"


def test_units_of_another_kind_are_not_lent(asked, cast, force):
    answer_aid(request=asked, by=cast.firefighter, is_granted=True)
    force.f1.kind = "boat"
    force.f1.save(update_fields=["kind"])
    with pytest.raises(NotFound):
        assign(unit=force.f1, incident=asked.incident, kind="incident", by=cast.dispatcher)


def test_only_the_lender_answers_once_and_only_on_duty(asked, cast):
    with pytest.raises(NotFound):
        answer_aid(request=asked, by=cast.dispatcher, is_granted=True)
    Duty.objects.filter(member__user=cast.firefighter).update(ended_at=now())
    with pytest.raises(NotAllowed):
        answer_aid(request=asked, by=cast.firefighter, is_granted=True)
    Duty.objects.filter(member__user=cast.firefighter).update(ended_at=None)
    answer_aid(request=asked, by=cast.firefighter, is_granted=False)
    with pytest.raises(Conflict):
        answer_aid(request=asked, by=cast.firefighter, is_granted=True)
    assert Event.objects.get(type="aid.answered").data == {"incident": asked.incident_id, "granted": False}


def test_the_same_aid_is_asked_for_once_at_a_time(asked, agreement, cast):
    with pytest.raises(Conflict, match="already"):
        ask_for_aid(agreement=agreement, incident=asked.incident, by=cast.dispatcher)
    AidRequest.objects.filter(pk=asked.pk).update(ends_at=now() - timedelta(minutes=1), requested_at=now() - timedelta(hours=1))
    assert ask_for_aid(agreement=agreement, incident=asked.incident, by=cast.dispatcher).pk != asked.pk


def test_the_lender_sees_the_one_shared_incident_and_after_the_end_nothing(asked, cast, force, report):
    other = report(external_id="other")
    page = reverse("aid-shared", args=[asked.pk])
    fire, police = enter(cast.firefighter), enter(cast.dispatcher)
    assert asked.incident.ref in fire.get(page).content.decode()
    assert other.ref not in fire.get(reverse("aid")).content.decode()
    assert fire.get(reverse("incident", args=[asked.incident.ref])).status_code == 404, "the board's own page stays shut"
    assert police.get(page).status_code == 404, "it is the lender's page"
    fire.post(reverse("aid-answer", args=[asked.pk, "grant"]))
    assert fire.post(reverse("aid-send", args=[asked.pk]), {"unit": force.f1.pk}).status_code == 302
    assert Assignment.objects.get().unit == force.f1
    assert "state-assigned" in fire.get(page).content.decode()
    fire.post(reverse("aid-answer", args=[asked.pk, "end"]))
    assert fire.get(page).status_code == 404
    assert asked.incident.ref not in fire.get(reverse("aid")).content.decode()
    asked.refresh_from_db()
    assert asked.ended_at is not None and Assignment.objects.get().is_open, "the unit under way finishes what it was sent to"


def test_a_grant_runs_out_by_itself(asked, cast, force):
    answer_aid(request=asked, by=cast.firefighter, is_granted=True)
    AidRequest.objects.filter(pk=asked.pk).update(ends_at=now() - timedelta(seconds=1))
    assert not asked_of(cast.firefighter, at=now()).exists()
    with pytest.raises(NotFound):
        assign(unit=force.f1, incident=asked.incident, kind="incident", by=cast.dispatcher)


def test_the_end_of_an_agreement_and_of_the_incident_end_what_was_granted(asked, agreement, report, cast, fire_chief):
    answer_aid(request=asked, by=cast.firefighter, is_granted=True)
    second = ask_for_aid(agreement=agreement, incident=report(external_id="second"), by=cast.dispatcher)
    move_incident(incident=second.incident, to="cancelled", by=cast.dispatcher, reason="nothing there")
    reader = next(it for it in SUBSCRIBERS if it.name == "patrol.incidents_closed")
    reader.handle(list(Event.objects.filter(type="incident.moved").order_by("pk")))
    second.refresh_from_db()
    asked.refresh_from_db()
    assert second.ended_at is not None and asked.ended_at is None
    end_agreement(agreement=agreement, by=fire_chief)
    asked.refresh_from_db()
    assert asked.ended_at is not None
    with pytest.raises(Conflict):
        end_aid(request=asked, by=cast.dispatcher)
    with pytest.raises(Conflict):
        end_agreement(agreement=agreement, by=cast.supervisor)


def test_the_panel_asks_the_other_agency(agreement, report, cast):
    incident = report()
    desk = enter(cast.dispatcher)
    assert "Ask another agency…" in desk.get(reverse("incident-dispatch", args=[incident.ref])).content.decode()
    desk.post(reverse("incident-aid", args=[incident.ref]), {"agreement": agreement.pk, "units_wanted": "2", "note": ""})
    assert AidRequest.objects.get().units_wanted == 2
    assert desk.post(reverse("incident-aid", args=[incident.ref]), {"agreement": "0"}).status_code == 404


def test_an_agreement_is_drawn_up_consented_and_ended_on_the_page(cast, fire_chief, on_duty):
    police, fire = enter(cast.supervisor), enter(fire_chief)
    when = {"starts_at": "2026-01-01T00:00", "ends_at": f"{now().year + 1}-06-01T00:00"}
    assert police.post(reverse("aid-propose"), {"other": cast.fire.pk, "direction": "borrow", "ends_at": "x"}).status_code == 422
    police.post(reverse("aid-propose"), {"other": cast.fire.pk, "direction": "borrow", "unit_kinds": ["engine"], **when})
    made = MutualAid.objects.get()
    assert (made.lender, made.borrower, made.unit_kinds) == (cast.fire, cast.police, ["engine"])
    assert "Consent for our agency" in fire.get(reverse("aid")).content.decode()
    fire.post(reverse("aid-agreement", args=[made.pk, "consent"]))
    assert "In force" in police.get(reverse("aid")).content.decode()
    fire.post(reverse("aid-agreement", args=[made.pk, "end"]))
    made.refresh_from_db()
    assert made.ended_at is not None
