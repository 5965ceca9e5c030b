"""ING-2: what could not go in is listed with its reason, mended by a person with the original kept, and tried again, one or many."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from core.models import AuditEntry
from incidents.models import Incident
from interop.models import InboxMessage

pytestmark = pytest.mark.django_db
MOI = "ingest/moi-incident"


@pytest.fixture
def bad(caller, burglary_report):
    caller.post(MOI, {**burglary_report, "occurred_at": "yesterday evening"})
    return InboxMessage.objects.get()


def person(who):
    client = Client()
    client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(client, path, body):
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def test_a_refused_message_is_listed_with_its_reason_and_found_by_it(caller, bad, cast):
    client = person(cast.supervisor)
    [row] = client.get("/api/v1/messages").json()["results"]
    assert (row["id"], row["status"], row["errors"][0]["field"], row["incident"]) == (bad.pk, "rejected", "occurred_at", "")
    assert client.get("/api/v1/messages", {"code": "invalid", "kind": "moi-incident"}).json()["results"]
    for nothing in ({"code": "out_of_area"}, {"status": "dead"}, {"kind": "ems-call"}, {"until": "2020-01-01T00:00:00Z"}):
        assert client.get("/api/v1/messages", nothing).json()["results"] == []
    assert client.get("/api/v1/messages", {"status": "lost"}).status_code == 422


def test_a_mended_message_goes_in_and_what_was_sent_is_kept(caller, bad, burglary_report, cast):
    sent = bad.body
    answer = post(person(cast.supervisor), f"messages/{bad.pk}/correct", {"body": burglary_report, "reason": "by telephone: 21:05"})
    said = answer.json()
    assert (answer.status_code, said["outcome"], said["message"]["status"]) == (200, "opened", "processed")
    assert said["message"]["body"] == burglary_report
    assert [(one["before"], one["reason"]) for one in said["message"]["corrections"]] == [(sent, "by telephone: 21:05")]
    entry = AuditEntry.objects.get(verb="message.correct")
    assert (entry.actor_name, entry.reason) == (cast.supervisor.username, "by telephone: 21:05")
    assert entry.after == {"fields": ["occurred_at"], "correction": bad.corrections.get().pk}
    # The sender repeats what it sent: that is the incident it has become. Another content under the id is a conflict.
    again = caller.post(MOI, sent)
    assert (again.status_code, again.json()["ref"]) == (200, Incident.objects.get().ref)
    assert caller.post(MOI, {**burglary_report, "description": "other"}).status_code == 409
    assert post(person(cast.supervisor), f"messages/{bad.pk}/correct", {"body": sent, "reason": "x"}).status_code == 409
    assert Incident.objects.count() == 1


def test_a_number_wider_than_64_bits_is_read_back_as_it_came(caller, burglary_report, cast):
    wide = {**burglary_report, "occurred_at": "yesterday", "meters": [1e20, -1e300, 2**63, 2**64 - 1, -(2**63), 12345678901234567.5, 7]}
    assert caller.post(MOI, wide).status_code == 422
    letter = InboxMessage.objects.get()
    assert letter.body["meters"] == wide["meters"] and [type(one) for one in letter.body["meters"][:3]] == [float, float, int]
    supervisor = person(cast.supervisor)
    assert supervisor.get(f"/api/v1/messages/{letter.pk}").json()["body"] == wide
    assert post(supervisor, "messages/replay", {"ids": [letter.pk]}).status_code == 200
    mended = {**wide, "occurred_at": burglary_report["occurred_at"]}
    said = post(supervisor, f"messages/{letter.pk}/correct", {"body": mended, "reason": "by telephone"}).json()
    assert said["outcome"] == "opened", said
    assert caller.post(MOI, wide).status_code == 200, "the same content under the same id is a repeat"


def test_a_correction_that_does_not_help_is_kept_and_says_what_is_still_wrong(bad, burglary_report, cast):
    body = {**burglary_report, "incident_type": ""}
    said = post(person(cast.supervisor), f"messages/{bad.pk}/correct", {"body": body, "reason": "a try"}).json()
    assert (said["outcome"], said["message"]["status"]) == ("rejected", "rejected")
    assert [error["field"] for error in said["message"]["errors"]] == ["incident_type"]
    said = post(person(cast.supervisor), f"messages/{bad.pk}/correct", {"body": burglary_report, "reason": "again"}).json()
    assert said["outcome"] == "opened" and len(said["message"]["corrections"]) == 2
    assert said["message"]["corrections"][0]["before"] == {**burglary_report, "occurred_at": "yesterday evening"}


@pytest.mark.parametrize(
    "changes", [{"reason": ""}, {"reason": " "}, {"body": []}, {"body": "x"}, {"body": {"x": "y" * 300_000}}, {"reason": "x" * 2_001}]
)
def test_a_correction_needs_a_message_and_a_reason(bad, burglary_report, cast, changes):
    answer = post(person(cast.supervisor), f"messages/{bad.pk}/correct", {"body": burglary_report, "reason": "why", **changes})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == set(changes)
    assert not bad.corrections.exists()


def test_nothing_changed_is_no_correction(bad, cast):
    assert post(person(cast.supervisor), f"messages/{bad.pk}/correct", {"body": bad.body, "reason": "why"}).status_code == 422


def test_many_are_tried_again_by_filter_and_the_answer_says_how_many_are_left(caller, burglary_report, bad, cast):
    for number in range(4):
        caller.post(MOI, {**burglary_report, "report_number": f"N-{number}", "incident_type": ""})
    InboxMessage.objects.exclude(pk=bad.pk).update(body={**burglary_report, "report_number": None})
    client = person(cast.superadmin)
    said = post(client, "messages/replay", {"code": "out_of_area"}).json()
    assert (said["tried"], said["left"]) == (0, 0)
    said = post(client, "messages/replay", {"limit": 2}).json()
    assert (said["tried"], said["rejected"], said["opened"], said["left"]) == (2, 1, 1, 3)
    said = post(client, "messages/replay", {"ids": [bad.pk, 999_999]}).json()
    assert (said["tried"], said["rejected"]) == (1, 1)
    asked: list[dict] = [{"limit": 501}, {"ids": []}, {"status": "x"}, {"since": "never"}]
    for wrong in asked:
        assert post(client, "messages/replay", wrong).status_code == 422


def test_only_those_who_may_mend_see_the_letters_and_a_foreign_one_does_not_exist(caller, bad, burglary_report, cast):
    for who in (cast.dispatcher, cast.analyst, cast.officer):
        assert person(who).get("/api/v1/messages").status_code == 403
        assert post(person(who), "messages/replay", {}).status_code == 403
    assert caller.get("messages").status_code == 403
    assert Client().get("/api/v1/messages").status_code == 401
    InboxMessage.objects.update(agency_id=cast.fire.pk)
    client = person(cast.supervisor)
    assert client.get("/api/v1/messages").json()["results"] == []
    assert client.get(f"/api/v1/messages/{bad.pk}").status_code == 404
    assert post(client, f"messages/{bad.pk}/correct", {"body": burglary_report, "reason": "why"}).status_code == 404
    assert post(client, "messages/replay", {}).json()["tried"] == 0


def test_a_supervisor_mends_a_message_in_the_command_centre(bad, burglary_report, cast):
    client = person(cast.supervisor)
    listing = reverse("admin:interop_inboxmessage_changelist")
    asked = {"action": "correct", "_selected_action": [bad.pk]}
    assert b"yesterday evening" in client.post(listing, asked).content
    page = client.post(listing, {**asked, "apply": "1", "body": "{", "reason": "by telephone"})
    assert b"line 1" in page.content
    client.post(listing, {**asked, "apply": "1", "body": json.dumps(burglary_report), "reason": "by telephone"})
    bad.refresh_from_db()
    assert bad.status == "processed"
    shown = client.get(reverse("admin:interop_inboxmessage_change", args=[bad.pk])).content.decode()
    assert "by telephone" in shown and "yesterday evening" in shown
    assert client.get(listing, {"wrong": "no_offset"}).status_code == 200
