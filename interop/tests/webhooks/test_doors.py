"""INT-4 over the API and in the command centre: each verb, and each refusal."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from standardwebhooks import Webhook

from alerts.tests.servers.http import Reply
from interop.models import PartnerKey, WebhookDelivery, WebhookSubscription
from interop.services import issue_key
from interop.tests.conftest import Caller

pytestmark = pytest.mark.django_db


def call(caller, verb, path, body=None):
    client = Client(raise_request_exception=False)
    given = {"data": body, "content_type": "application/json"} if body is not None else {}
    return getattr(client, verb)(f"/api/v1/webhooks{path}", headers=caller.headers({}), **given)


def test_a_webhook_is_made_read_changed_tried_replayed_and_removed_by_its_key(owner, receiver, sender, happen, places):
    made = call(owner, "post", "", {"url": f"{receiver.url}/in", "types": ["incident.*"], "name": "main", "governorates": ["T-HA"]})
    assert made.status_code == 201 and made["Cache-Control"] == "no-store" and made["Location"].endswith(made.json()["id"])
    body, one = made.json(), f"/{made.json()['id']}"
    assert body["secret"].startswith("whsec_") and body["state"] == "active" and body["governorates"] == ["T-HA"]
    assert "secret" not in call(owner, "get", one).json()
    assert [row["id"] for row in call(owner, "get", "").json()["results"]] == [body["id"]]
    assert call(owner, "patch", one, {"name": "other"}).json()["name"] == "other"
    assert call(owner, "post", f"{one}/test").status_code == 202
    receiver.script(Reply(), Reply(500, b"no room"))
    sending = sender()
    sending.until_idle()
    happen()
    sending.until_idle()
    assert Webhook(body["secret"]).verify(receiver.seen[0].body, receiver.seen[0].headers)["type"] == "webhook.test"
    rows = call(owner, "get", f"{one}/deliveries").json()["results"]
    assert [row["type"] for row in rows] == ["incident.moved", "webhook.test"]
    assert [row["type"] for row in call(owner, "get", f"{one}/deliveries?state=pending").json()["results"]] == ["incident.moved"]
    detail = call(owner, "get", f"{one}/deliveries/{rows[0]['id']}").json()
    assert detail["attempts_made"][0]["code"] == 500 and detail["attempts_made"][0]["excerpt"] == "no room"
    assert call(owner, "post", f"{one}/deliveries/{rows[0]['id']}/replay").status_code == 409  # it is being retried
    WebhookDelivery.objects.filter(pk=rows[0]["id"]).update(state="failed")
    assert call(owner, "post", f"{one}/replay", {"what": "failed"}).json()["queued"] == 1
    assert call(owner, "post", f"{one}/replay", {"what": "since"}).status_code == 422
    rotated = call(owner, "post", f"{one}/secrets", {"overlap_hours": 1})
    assert rotated.status_code == 201 and len(rotated.json()["secrets"]) == 2
    assert call(owner, "delete", f"{one}/secrets/{rotated.json()['secrets'][-1]['id']}").status_code == 204
    assert call(owner, "post", f"{one}/pause").json()["state"] == "paused"
    assert call(owner, "post", f"{one}/pause").status_code == 409
    assert call(owner, "post", f"{one}/resume").json()["state"] == "active"
    assert call(owner, "delete", one).status_code == 204 and call(owner, "get", one).status_code == 404


def test_another_keys_webhook_does_not_exist(hook, police_system):
    other = Caller(*issue_key(partner=police_system, name="x", scopes=["webhooks:manage"], by=None, all_governorates=True))
    one = f"/{hook.webhook.uid}"
    for verb, path in (
        ("get", one), ("patch", one), ("delete", one), ("post", f"{one}/test"), ("post", f"{one}/secrets"), ("get", f"{one}/deliveries"),
        ("post", f"{one}/replay"), ("get", f"{one}/deliveries/1"), ("get", f"/{uuid4()}"), ("get", "/nonsense"),
    ):  # fmt: skip
        assert call(other, verb, path, {} if verb in {"patch", "post"} else None).status_code == 404, (verb, path)
    assert call(other, "get", "").json()["results"] == []


def test_without_the_scope_or_as_a_person_the_door_is_shut(caller, cast):
    assert call(caller, "get", "").status_code == 403
    client = Client()
    client.force_login(cast.superadmin)
    assert client.get("/api/v1/webhooks").status_code in {401, 403}


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://169.254.169.254/latest"},
        {"url": "http://example.org/"},
        {"url": "x" * 1001},
        {"url": 7},
        {"types": []},
        {"types": ["alert.*"]},
        {"types": "incident.*"},
        {"governorates": ["nowhere"]},
        {"contact_email": "nobody"},
        {"concurrency": 0},
        {"concurrency": 51},
    ],
)
def test_what_makes_no_sense_is_refused_with_the_field_named(owner, receiver, wrong):
    answer = call(owner, "post", "", {"url": receiver.url, "types": ["incident.*"], **wrong})
    assert answer.status_code == 422, answer.content
    assert {error["field"].split(".")[0] for error in answer.json()["errors"]} == set(wrong)
    assert not WebhookSubscription.objects.exists()


def test_the_types_say_what_each_carries_and_whether_the_key_may_hear_it(owner):
    rows = {row["name"]: row for row in call(owner, "get", "/types").json()}
    assert rows["incident.opened"]["is_yours"] and not rows["alert.fired"]["is_yours"]
    assert rows["incident.opened"]["example"]["specversion"] == "1.0" and "sos.raised" not in rows


def test_in_the_command_centre_the_secret_is_shown_once_and_refusals_stand_on_the_form(owner, receiver, cast):
    client = Client()
    client.force_login(cast.superadmin)
    add = reverse("admin:interop_webhooksubscription_add")
    given = {
        "key": owner.key.pk,
        "url": receiver.url,
        "types": "incident.*\nhot_spot.changed",
        "concurrency": 10,
        "name": "",
        "contact_email": "",
    }
    refused = client.post(add, {**given, "url": "https://10.0.0.1/"})
    assert refused.status_code == 200 and not WebhookSubscription.objects.exists()
    shown = client.post(add, given)
    assert b"whsec_" in shown.content
    webhook = WebhookSubscription.objects.get()
    assert webhook.types == ["incident.*", "hot_spot.changed"] and webhook.created_by == cast.superadmin
    change = reverse("admin:interop_webhooksubscription_change", args=[webhook.pk])
    empty = {"secrets-TOTAL_FORMS": 0, "secrets-INITIAL_FORMS": 0}
    page = client.get(change)
    assert page.status_code == 200 and b"whsec_" not in page.content
    assert client.post(change, {**given, **empty, "name": "renamed", "_save": "1"}).status_code == 302
    assert WebhookSubscription.objects.get().name == "renamed"
    listing = reverse("admin:interop_webhooksubscription_changelist")
    for action in ("test", "rotate", "pause", "resume", "replay_failed", "remove"):
        post = {"action": action, "_selected_action": [webhook.pk], "apply": "1", "overlap_hours": "24"}
        assert client.post(listing, post).status_code in {200, 302}, action
    assert WebhookSubscription.objects.get().state == "removed" and WebhookDelivery.objects.filter(trigger="test").count() == 1


def test_whoever_may_not_manage_keys_reads_and_writes_nothing(hook, cast):
    client = Client()
    client.force_login(cast.supervisor)
    change = reverse("admin:interop_webhooksubscription_change", args=[hook.webhook.pk])
    page = client.get(change)
    assert page.status_code == 200 and b'name="url"' not in page.content
    assert client.post(change, {"url": "https://example.org/"}).status_code == 403
    assert PartnerKey.objects.exists()
