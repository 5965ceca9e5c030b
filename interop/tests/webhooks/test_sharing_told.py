"""INT-4, INT-7: both sides' systems are told what becomes of an agreement, and an agency's own when a system of it falls silent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from core.models import Event
from interop.models import ExternalSystem, Partner
from interop.services import issue_key
from interop.services.sharing import AgreementTerms, propose_agreement, revoke_agreement, sign_agreement
from interop.services.systems import Finding, note_findings
from interop.services.webhooks import fan_out, make_webhook
from interop.tests.webhooks.conftest import Hook

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hears(places, receiver):
    """``hears("fire-cad", agency)``: a system of the agency with a webhook for agreements and for systems."""

    def make(slug, agency, types=("sharing.*",), scopes=("incidents:read", "webhooks:manage"), governorates=()):
        partner, _made = Partner.objects.get_or_create(slug=slug, defaults={"name": slug, "agency": agency, "region": places.region})
        key, _secret = issue_key(
            partner=partner, name="hooks", scopes=list(scopes), by=None, governorates=governorates, all_governorates=not governorates
        )
        return Hook(*make_webhook(key=key, url=f"{receiver.url}/{slug}", types=list(types), by=key), key)

    return make


@pytest.fixture
def chiefs(cast):
    return [
        User.objects.create(username=f"{agency.slug}-chief", role=Role.SUPERVISOR, agency=agency, sees_all_governorates=True)
        for agency in (cast.police, cast.fire)
    ]


@pytest.fixture
def agree(cast, chiefs):
    """``agree()``: the police give, the fire service receives; signed by both."""

    def make(**changes):
        now = timezone.now()
        usual = {
            "title": "Burglaries", "purpose": "Decree 7", "giver": cast.police, "receiver": cast.fire, "all_types": True,
            "all_governorates": True, "starts_at": now - timedelta(minutes=1), "ends_at": now + timedelta(days=30),
        }  # fmt: skip
        agreement = propose_agreement(terms=AgreementTerms(**{**usual, **changes}), by=chiefs[0])
        for person in chiefs:
            sign_agreement(agreement=agreement, version=1, by=person)
        return agreement

    return make


def told(hook):
    return [row.type for row in hook.rows()]


def test_both_sides_hear_of_an_agreements_life_and_nobody_else_does(hears, agree, chiefs, cast, receiver, relayed, sender):
    theirs, ours = hears("fire-cad", cast.fire), hears("police-records", cast.police)
    town = type(cast.fire).objects.create(slug="town", kind="municipality", name_en="Town", name_ar="البلدية")
    stranger = hears("town-desk", town)
    agreement = agree()
    revoke_agreement(agreement=agreement, by=chiefs[0], reason="Abuse by A. Person")
    relayed()
    life = ["sharing.proposed", "sharing.agreed", "sharing.revoked"]
    assert (told(theirs), told(ours), told(stranger)) == (life, life, [])
    sender().until_idle()
    last = [theirs.opens(seen) for seen in receiver.seen if seen.path == "/fire-cad"][-1]
    assert last["type"] == "sharing.revoked" and last["subject"] == f"agreement/{agreement.pk}"
    assert {name: last["data"][name] for name in ("version", "giver", "receiver")} == {"version": 1, "giver": "police", "receiver": "fire"}
    assert "Abuse" not in str(last), "the reason is read where it may be read"
    key = issue_key(partner=theirs.webhook.partner, name="r", scopes=["incidents:read"], by=None, all_governorates=True)[1]
    answer = Client().get(last["data"]["url"].removeprefix("https://map.example"), headers={"X-API-Key": key})
    assert answer.status_code == 200 and answer.json()["state"] == "revoked"


def test_an_agreement_with_one_system_is_told_to_that_one(hears, agree, cast):
    named, other = hears("fire-cad", cast.fire), hears("fire-records", cast.fire)
    agree(partner=named.webhook.partner)
    fan_out(list(Event.objects.filter(type__startswith="sharing.").order_by("id")))
    assert told(named) == ["sharing.proposed", "sharing.agreed"] and told(other) == []


def test_what_waits_when_the_right_is_taken_away_is_not_sent(hears, agree, cast, receiver, relayed, sender):
    hook = hears("fire-cad", cast.fire)
    agree()
    relayed()
    type(hook.key).objects.filter(pk=hook.key.pk).update(scopes=["webhooks:manage"])
    sender().until_idle()
    assert receiver.seen == [] and {row.last_error for row in hook.rows()} == {"rights"}


def test_an_agencys_own_systems_are_told_which_of_them_does_not_answer(hears, cast, places, receiver, relayed, sender):
    scopes = ("incidents:write", "webhooks:manage")
    ours = hears("police-noc", cast.police, types=["system.*"], scopes=scopes, governorates=[places.hawalli])
    theirs = hears("fire-noc", cast.fire, types=["system.*"], scopes=scopes)
    system = ExternalSystem.objects.create(
        name="Records", agency=cast.police, health_url="https://cad.example/health?token=s3cret", failures_to_down=1, state="up"
    )
    now = timezone.now()
    note_findings([Finding(system.pk, now, False, code=503, error="http", detail="https://10.1.2.3/inside")])
    note_findings([Finding(system.pk, now + timedelta(minutes=7), True, ms=3.0, code=200)])
    relayed()
    assert (told(ours), told(theirs)) == (["system.down", "system.up"], [])
    sender().until_idle()
    down, up = [ours.opens(seen)["data"] for seen in receiver.seen]
    assert (down["system"], down["error"], down["code"], up["minutes"]) == ("Records", "http", 503, 7)
    assert "s3cret" not in str(down) and "10.1.2.3" not in str(down) and "url" not in down
