"""ING-2: the inbox survives races and is replayed by a person; INT-5, ACC-2: reading back, by page and filter."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Agency
from conftest import square
from core.errors import NotAllowed
from core.models import AuditEntry
from geography.services import rebuild_pieces
from incidents.models import Incident, Report
from interop.models import InboxMessage
from interop.services import receive_message, replay_messages, revoke_key, sweep_inbox

MOI = "ingest/moi-incident"


@pytest.mark.django_db(transaction=True)
def test_eight_posts_of_one_message_at_once_open_one_incident(caller, burglary_report):
    outcomes, start = [], threading.Barrier(8)

    def post():
        try:
            start.wait(10)
            outcomes.append(str(receive_message(key=caller.key, kind="moi-incident", body=burglary_report).outcome))
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["opened"] + ["repeated"] * 7
    assert Incident.objects.count() == Report.objects.count() == InboxMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_key_on_two_contents_at_once_opens_one_incident(caller, burglary_report):
    outcomes, start = [], threading.Barrier(2)

    def post(number):
        try:
            start.wait(10)
            body = {**burglary_report, "report_number": number}
            outcomes.append(str(receive_message(key=caller.key, kind="moi-incident", body=body, idempotency_key="k").outcome))
        except Exception as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=[number]) for number in ("A", "B")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["KeyReused", "opened"]
    assert Incident.objects.count() == Report.objects.count() == 1


@pytest.mark.django_db
def test_rejected_messages_go_in_on_replay_once_the_map_reaches_them(caller, burglary_report, places, cast):
    at_sea = {"longitude": places.at_sea.x, "latitude": places.at_sea.y}
    caller.post(MOI, {**burglary_report, "location": at_sea})
    caller.post(MOI, {**burglary_report, "report_number": "2", "occurred_at": "never"})
    ids = list(InboxMessage.objects.refused().values_list("pk", flat=True))
    country = places.region.zones.get(code="T-KW")
    country.boundary = square(47.0, 29.0, 49.0, 30.0)
    country.save()
    rebuild_pieces(zone_ids=[country.pk])
    went = replay_messages(ids=ids, by=cast.superadmin)
    assert (went.opened, went.rejected, went.failed) == (1, 1, 0)
    assert AuditEntry.objects.filter(verb="message.replay").count() == 2
    assert AuditEntry.objects.get(verb="incident.open").actor_name == "root"
    assert replay_messages(ids=ids, by=cast.superadmin).repeated == 1
    assert Incident.objects.count() == 1


@pytest.mark.django_db
def test_who_may_not_open_incidents_may_not_replay_and_others_messages_are_not_there(caller, burglary_report, cast):
    caller.post(MOI, {**burglary_report, "occurred_at": "never"})
    ids = list(InboxMessage.objects.values_list("pk", flat=True))
    with pytest.raises(NotAllowed):
        replay_messages(ids=ids, by=cast.officer)
    went = replay_messages(ids=ids, by=cast.firefighter)
    assert (went.opened, went.repeated, went.rejected, went.failed) == (0, 0, 0, 0)


@pytest.mark.django_db
def test_what_a_key_sent_before_it_was_revoked_waits_for_a_person(caller, burglary_report, cast, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("interop.services.letters.open_incident", lambda **given: 1 / 0)
        caller.post(MOI, burglary_report)
    revoke_key(key=caller.key, by=cast.superadmin)
    assert sweep_inbox(older_than_s=0).rejected == 1
    assert replay_messages(ids=InboxMessage.objects.values_list("pk", flat=True), by=cast.superadmin).opened == 1


@pytest.mark.django_db
def test_the_list_is_newest_first_in_pages_that_do_not_shift(caller, burglary_report):
    refs = [caller.post(MOI, {**burglary_report, "report_number": str(n)}).json()["ref"] for n in range(5)]
    first = caller.get("incidents", {"limit": 2}).json()
    caller.post(MOI, {**burglary_report, "report_number": "new"})
    seen = [row["ref"] for row in first["results"]]
    page = first
    while page["next"]:
        page = Client().get(page["next"], headers={"X-API-Key": caller.secret}).json()
        seen += [row["ref"] for row in page["results"]]
    assert seen == refs[::-1]


@pytest.mark.django_db
def test_the_list_is_filtered_by_state_time_and_box(caller, burglary_report, places):
    caller.post(MOI, burglary_report)
    spot = places.in_salmiya
    around = f"{spot.x - 0.01},{spot.y - 0.01},{spot.x + 0.01},{spot.y + 0.01}"

    def count(**filters):
        return len(caller.get("incidents", filters).json()["results"])

    assert count(state="received", since="2026-03-14T00:00:00+03:00", bbox=around) == 1
    assert count(state="closed,cancelled") == count(since="2026-03-15T00:00:00+03:00") == count(bbox="47.0,28.0,47.1,28.1") == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "lost"),
        ("since", "yesterday"),
        ("since", "2026-03-14T00:00:00"),
        ("bbox", "1,2,3"),
        ("bbox", "40,20,50,30"),
        ("bbox", "nan,0,1,1"),
        ("bbox", "1,1,0,0"),
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "x"),
        ("cursor", "nonsense"),
        ("cursor", "cD1hYmM="),
        ("cursor", "cD0lMDA="),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(caller, name, value):
    answer = caller.get("incidents", {name: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [name]


@pytest.mark.django_db
def test_the_list_costs_the_same_few_queries_however_long_it_is(caller, burglary_report, django_assert_num_queries):
    for n in range(4):
        caller.post(MOI, {**burglary_report, "report_number": str(n)})
    caller.get("incidents")
    with django_assert_num_queries(2):  # the key, the page
        assert len(caller.get("incidents").json()["results"]) == 4


@pytest.mark.django_db
def test_a_person_who_is_signed_in_reads_within_their_jurisdiction_and_sends_nothing(caller, burglary_report, cast):
    ref = caller.post(MOI, burglary_report).json()["ref"]
    for person, status in ((cast.officer, 200), (cast.stranger, 404), (cast.firefighter, 404)):
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        assert client.get(f"/api/v1/incidents/{ref}").status_code == status
        assert client.post("/api/v1/ingest/moi-incident", burglary_report, content_type="application/json").status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("ref", ["KW-26-999999", "XX-26-000001", "nonsense", "KW-26-99999999999999999999", "%00"])
def test_a_reference_that_names_nothing_is_404(caller, ref):
    answer = caller.get(f"incidents/{ref}")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert Agency.objects.exists()
