"""INT-1: partners' keys: shown once, hashed, scoped, expiring, revocable at once; ACC-2: a key sees its agency and governorates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from incidents.models import Incident
from interop.models import InboxMessage, Kind, Partner, PartnerKey, Precision
from interop.services import issue_key, revoke_key, rotate_key
from interop.tests.conftest import Caller, message

pytestmark = pytest.mark.django_db
MOI = "ingest/moi-incident"


def test_only_a_hash_of_the_secret_is_kept_and_the_making_is_audited(cast, police_system):
    key, secret = issue_key(partner=police_system, name="main", scopes=["incidents:write"], by=cast.superadmin, all_governorates=True)
    row = PartnerKey.objects.filter(pk=key.pk).values().get()
    assert secret not in map(str, row.values()) and secret.split(".")[1] not in str(row)
    assert row["hashed_key"].startswith("sha512$$") and len(secret.split(".")[1]) == 40
    assert AuditEntry.objects.about("interop.partnerkey", key.pk).get().verb == "key.issue"
    assert secret not in str(AuditEntry.objects.about("interop.partnerkey", key.pk).values().get())


def test_where_a_key_holds_is_said_never_assumed(police_system, places):
    make = {"partner": police_system, "name": "k", "scopes": ["incidents:write"], "by": None}
    for where in ({}, {"governorates": [places.hawalli], "all_governorates": True}, {"governorates": [places.salmiya]}):
        with pytest.raises(Invalid) as refusal:
            issue_key(**make, **where)
        assert list(refusal.value.fields) == ["governorates"]


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"scopes": []}, {"scopes": ["everything"]}, {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}]
)
def test_a_key_that_makes_no_sense_is_refused(police_system, wrong):
    with pytest.raises(Invalid) as refusal:
        issue_key(**{"partner": police_system, "name": "k", "scopes": ["incidents:read"], "by": None, "all_governorates": True, **wrong})
    assert list(refusal.value.fields) == list(wrong)


def test_only_who_manages_keys_may_make_or_revoke_one(cast, police_system, caller):
    with pytest.raises(NotAllowed):
        issue_key(partner=police_system, name="k", scopes=["incidents:read"], by=cast.supervisor, all_governorates=True)
    with pytest.raises(NotAllowed):
        revoke_key(key=caller.key, by=cast.supervisor)


def test_a_revoked_key_stops_at_once_and_for_good(caller, burglary_report, cast):
    assert caller.post(MOI, burglary_report).status_code == 201
    revoke_key(key=caller.key, by=cast.superadmin, reason="lost laptop")
    answer = caller.post(MOI, burglary_report)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:khareetaty:problem:invalid_key")
    assert AuditEntry.objects.get(verb="key.revoke").reason == "lost laptop"
    with pytest.raises(Conflict):
        revoke_key(key=caller.key, by=cast.superadmin)


def test_an_expired_key_and_one_of_a_partner_out_of_use_are_refused(caller, burglary_report, police_system):
    Partner.objects.update(is_active=False)
    assert caller.post(MOI, burglary_report).status_code == 401
    Partner.objects.update(is_active=True)
    PartnerKey.objects.update(expiry_date=datetime.now(UTC) - timedelta(seconds=1))
    assert caller.post(MOI, burglary_report).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "nonsense"},
        {"X-API-Key": ""},
        {"X-API-Key": "abcdefgh." + "x" * 40},
        {"X-API-Key": "ab\u00e9defgh.x"},
        {"Authorization": "Token nonsense"},
        {"Authorization": "Bearer abc"},
        {"Authorization": "Token"},
    ],
)
def test_without_a_good_key_the_answer_is_401_and_says_how(headers, db):
    answer = Client().post("/api/v1/ingest/moi-incident", {}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"].startswith("Token")


def test_the_key_may_come_as_a_token_but_not_as_two_different_ones(caller, burglary_report):
    token = {"Authorization": f"Token {caller.secret}"}
    post = {"path": "/api/v1/ingest/moi-incident", "data": burglary_report, "content_type": "application/json"}
    assert Client().post(**post, headers=token).status_code == 201
    assert Client().post(**post, headers={**token, "X-API-Key": caller.secret}).status_code == 200
    assert Client().post(**post, headers={**token, "X-API-Key": "abcdefgh.other"}).status_code == 401


def test_a_key_does_only_what_its_scopes_say(police_system, burglary_report):
    reader = Caller(*issue_key(partner=police_system, name="r", scopes=["incidents:read"], by=None, all_governorates=True))
    writer = Caller(*issue_key(partner=police_system, name="w", scopes=["incidents:write"], by=None, all_governorates=True))
    answer = reader.post(MOI, burglary_report)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:khareetaty:problem:missing_scope")
    assert writer.post(MOI, burglary_report).status_code == 201
    assert (writer.get("incidents").status_code, reader.get("incidents").status_code) == (403, 200)


def test_a_partner_sends_only_its_kinds(caller, places, police_system):
    Partner.objects.filter(pk=police_system.pk).update(kinds=[Kind.MOI_INCIDENT])
    assert caller.post("ingest/fire-incident", message(Kind.FIRE_INCIDENT, places)).status_code == 403
    assert not InboxMessage.objects.exists()


def test_a_key_of_one_governorate_neither_writes_nor_reads_another(police_system, places, caller, burglary_report):
    here = Caller(
        *issue_key(
            partner=police_system,
            name="h",
            scopes=["incidents:write", "incidents:read"],
            by=None,
            governorates=[places.capital],
        )
    )
    answer = here.post(MOI, burglary_report)
    assert answer.status_code == 422 and answer.json()["errors"][0]["code"] == "outside_jurisdiction"
    caller.post(MOI, {**burglary_report, "report_number": "2"})
    ref = Incident.objects.get().ref
    assert (here.get(f"incidents/{ref}").status_code, caller.get(f"incidents/{ref}").status_code) == (404, 200)
    assert here.get("incidents").json()["results"] == []


def test_a_key_of_another_agency_sees_nothing_of_ours(caller, burglary_report, cast, places):
    fire = Partner.objects.create(slug="fire-cad", name="Fire", agency=cast.fire, region=places.region, kinds=[Kind.FIRE_INCIDENT])
    theirs = Caller(*issue_key(partner=fire, name="f", scopes=["incidents:read"], by=None, all_governorates=True))
    ref = caller.post(MOI, burglary_report).json()["ref"]
    assert theirs.get(f"incidents/{ref}").status_code == 404
    assert theirs.get("incidents").json()["results"] == []


def test_use_is_noted_at_most_once_a_minute(caller):
    caller.get("incidents")
    first = PartnerKey.objects.get(pk=caller.key.pk).last_used_at
    caller.get("incidents")
    assert first is not None and PartnerKey.objects.get(pk=caller.key.pk).last_used_at == first
    PartnerKey.objects.update(last_used_at=first - timedelta(minutes=2))
    caller.get("incidents")
    again = PartnerKey.objects.get(pk=caller.key.pk).last_used_at
    assert again is not None and again >= first


def test_a_key_is_told_places_exactly_unless_it_is_made_with_less(police_system):
    exact, _secret = issue_key(partner=police_system, name="a", scopes=["incidents:read"], by=None, all_governorates=True)
    coarse, _secret = issue_key(
        partner=police_system, name="b", scopes=["incidents:read"], by=None, all_governorates=True, precision=Precision.AREA
    )
    assert (exact.precision, coarse.precision) == ("exact", "area")
    with pytest.raises(Invalid) as refusal:
        issue_key(partner=police_system, name="c", scopes=["incidents:read"], by=None, all_governorates=True, precision="10km")
    assert list(refusal.value.fields) == ["precision"]


# --- rotation ------------------------------------------------------------------------------------------------------------------------


def test_a_rotated_key_and_its_successor_both_open_until_the_overlap_ends(cast, caller):
    new, secret = rotate_key(key=caller.key, by=cast.superadmin, overlap_h=2)
    successor = Caller(new, secret)
    assert (new.scopes, new.all_governorates, new.replaces_id) == (caller.key.scopes, True, caller.key.pk)
    assert (caller.get("incidents").status_code, successor.get("incidents").status_code) == (200, 200)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2, seconds=5), tick=True):
        assert (caller.get("incidents").status_code, successor.get("incidents").status_code) == (401, 200)


def test_a_rotation_without_overlap_ends_the_old_key_now(cast, caller):
    new, secret = rotate_key(key=caller.key, by=cast.superadmin, overlap_h=0)
    assert (caller.get("incidents").status_code, Caller(new, secret).get("incidents").status_code) == (401, 200)
    for rotated_or_revoked in (caller.key,):
        with pytest.raises(Conflict):
            rotate_key(key=rotated_or_revoked, by=cast.superadmin)


def test_a_key_is_rotated_once_and_its_successor_lives_as_long_as_it_was_made_for(cast, police_system):
    make = {"partner": police_system, "name": "k", "scopes": ["incidents:read"], "by": None, "all_governorates": True}
    key, _secret = issue_key(**make, expires_at=datetime.now(UTC) + timedelta(days=10))
    new, _secret = rotate_key(key=key, by=cast.superadmin)
    assert new.expiry_date is not None and abs((new.expiry_date - datetime.now(UTC)) - timedelta(days=10)) < timedelta(minutes=1)
    key.refresh_from_db()
    assert key.expiry_date is not None and key.expiry_date - datetime.now(UTC) < timedelta(hours=24, seconds=1)
    with pytest.raises(Conflict):
        rotate_key(key=key, by=cast.superadmin)
    for wrong in ({"overlap_h": -1}, {"overlap_h": 10_000}, {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}):
        with pytest.raises(Invalid):
            rotate_key(key=new, by=cast.superadmin, **wrong)


# --- networks ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status"),
    [("10.20.3.4", 200), ("::ffff:10.20.3.4", 200), ("2001:db8::7", 200), ("10.21.0.1", 403), ("2001:db9::1", 403), ("", 403)],
)
def test_a_key_opens_only_from_the_networks_named_on_it(police_system, address, status):
    _key, secret = issue_key(
        partner=police_system,
        name="n",
        scopes=["incidents:read"],
        by=None,
        all_governorates=True,
        networks=["10.20.0.0/16", "2001:db8::/32"],
    )
    # What a caller writes into its own headers is not where it calls from.
    forged = {"X-API-Key": secret, "X-Forwarded-For": "10.20.3.4", "X-Real-IP": "10.20.3.4", "Forwarded": "for=10.20.3.4"}
    answer = Client(REMOTE_ADDR=address).get("/api/v1/incidents", headers=forged)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["type"] == "urn:khareetaty:problem:address_not_allowed"


@pytest.mark.parametrize("wrong", ["everywhere", "10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.0/104", ""])
def test_what_is_no_network_is_refused(police_system, wrong):
    with pytest.raises(Invalid) as refusal:
        issue_key(partner=police_system, name="k", scopes=["incidents:read"], by=None, all_governorates=True, networks=[wrong])
    assert list(refusal.value.fields) == ["networks"]
