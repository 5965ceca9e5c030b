"""INT-4: what is sent, how it is signed, and what becomes of whatever a receiver answers."""

from __future__ import annotations

import gzip
import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.tests.servers.http import HttpServer, Reply
from interop.models import WebhookAttempt, WebhookDelivery, WebhookSubscription
from interop.services import revoke_key
from interop.services.webhooks import make_webhook, revoke_secret, rotate_secret, send_test
from interop.services.webhooks.queue import MOST_RETRY_AFTER_S, SCHEDULE_S
from interop.tests.webhooks.conftest import due_now

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_an_incident_that_opens_is_told_by_a_thin_signed_cloud_event(hook, receiver, sender, report, relayed):
    incident = report()
    relayed()
    sender().until_idle()
    (seen,) = receiver.seen
    body = hook.opens(seen)
    (row,) = hook.rows()
    assert seen.headers["webhook-id"] == row.webhook_id == f"evt_{row.event_id}_{hook.webhook.pk}"
    assert seen.headers["content-type"] == "application/cloudevents+json"
    assert body["specversion"] == "1.0" and body["id"] == f"evt_{row.event_id}" and body["type"] == "incident.opened"
    assert body["subject"] == f"incident/{incident.ref}" and int(body["sequence"]) == row.seq
    assert body["data"]["url"] == f"https://map.example/api/v1/incidents/{incident.ref}"
    assert body["data"]["priority"] == incident.priority and body["data"]["subject"] == {"kind": "incident", "id": incident.ref}
    assert ("longitude" not in seen.body.decode() and incident.description not in seen.body.decode()) or not incident.description
    assert (row.state, row.last_code, row.tries) == ("delivered", 200, 1)
    assert hook.now().last_success_at is not None


def test_the_library_of_cloudevents_reads_what_we_send(hook, receiver, sender, happen):
    from cloudevents.core.bindings.http import HTTPMessage, from_http_event

    happen()
    sender().until_idle()
    event = from_http_event(HTTPMessage(headers=receiver.seen[0].headers, body=receiver.seen[0].body))
    data = event.get_data()
    assert event.get_type() == "incident.moved" and isinstance(data, dict) and data["to"] == "queued"


def test_a_body_that_was_tampered_with_is_found_out(hook, receiver, sender, happen):
    happen()
    sender().until_idle()
    (seen,) = receiver.seen
    with pytest.raises(WebhookVerificationError):
        Webhook(hook.secret).verify(seen.body.replace(b"queued", b"closed"), seen.headers)


def test_a_refusal_is_tried_again_with_the_same_id_and_body_and_a_new_time_and_signature(hook, receiver, sender, happen):
    receiver.script(Reply(503), Reply(404))
    happen()
    one = sender()
    one.until_idle()
    (row,) = hook.rows()
    assert (row.state, row.last_code, row.last_error, row.tries) == ("pending", 503, "http", 1)
    assert timedelta(0) < row.next_at - row.queued_at < timedelta(seconds=60)
    WebhookAttempt.objects.update(started_at=datetime.now(UTC) - timedelta(seconds=5))
    due_now()
    one.until_idle()
    due_now()
    one.until_idle()
    first, second, third = receiver.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == third.headers["webhook-id"]
    assert first.body == second.body == third.body
    assert {hook.opens(seen)["id"] for seen in receiver.seen} == {f"evt_{row.event_id}"}
    assert [a.code for a in WebhookAttempt.objects.order_by("number")] == [503, 404, 200]
    assert hook.rows()[0].state == "delivered"


def test_it_is_given_up_after_the_schedule_of_about_twenty_eight_hours(hook, receiver, sender, happen):
    assert 27.5 * 3600 < sum(SCHEDULE_S) < 29 * 3600
    receiver.script(*[Reply(500)] * 20)
    happen()
    one = sender()
    for _attempt in range(len(SCHEDULE_S) + 3):
        one.until_idle()
        due_now()
    (row,) = hook.rows()
    assert (row.state, row.tries, row.done_at is not None) == ("failed", len(SCHEDULE_S) + 1, True)
    assert len(receiver.seen) == len(SCHEDULE_S) + 1


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (Reply(400, b"no"), "http", 400),
        (Reply(302, headers={"Location": "http://127.0.0.1:1/elsewhere"}), "redirect", 302),
        (Reply(301, headers={"Location": "http://169.254.169.254/latest"}), "redirect", 301),
        (Reply.hang(), "timeout", None),
        (Reply.drip(0.05), "timeout", None),
        (Reply.dropped(), "protocol", None),
    ],
)
def test_whatever_else_a_receiver_does_is_a_failure_with_a_name(hook, receiver, sender, happen, settings, reply, error, code):
    settings.WEBHOOK_TIMEOUT_S = 1
    receiver.script(reply)
    happen()
    sender().until_idle()
    (row,) = hook.rows()
    assert (row.state, row.last_error, row.last_code) == ("pending", error, code)
    assert len(receiver.seen) == 1  # and nothing was followed
    assert hook.now().last_error


def test_ten_megabytes_of_answer_are_not_read(hook, receiver, sender, happen):
    receiver.script(Reply(200, b"a" * 10_000_000))
    happen()
    sender().until_idle()
    assert hook.rows()[0].state == "delivered" and len(WebhookAttempt.objects.get().excerpt) == 4096


def test_a_gzip_bomb_is_not_unpacked_and_a_nul_is_kept_out(hook, receiver, sender, happen):
    bomb = gzip.compress(b"\0" * 10_000_000)
    receiver.script(Reply(200, bomb, headers={"Content-Encoding": "gzip"}), Reply(200, b"\0\xff fine"))
    happen(), happen(subject=2)
    sender().until_idle()
    kept = sorted(WebhookAttempt.objects.values_list("excerpt", flat=True))
    assert kept[0].startswith(f"({len(bomb)} bytes of gzip") and "fine" in kept[1] and "\0" not in kept[1]


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("120", 120, 140),
        ("99999", MOST_RETRY_AFTER_S, MOST_RETRY_AFTER_S * 1.2),
        ("1", 5, 6),
        ("soon", 5, 6),
        ("in ten minutes, as a date", 580, 720),
    ],
)
def test_a_receiver_may_ask_for_more_time_up_to_an_hour(hook, receiver, sender, happen, asked, least, most):
    before = datetime.now(UTC)
    if "as a date" in asked:
        asked = format_datetime(before + timedelta(seconds=600), usegmt=True)
    receiver.script(Reply(429, headers={"Retry-After": asked}))
    happen()
    sender().until_idle()
    assert least - 1 <= (hook.rows()[0].next_at - before).total_seconds() <= most + 10


def test_410_ends_the_webhook_with_what_waits_for_it(hook, receiver, sender, happen):
    receiver.script(Reply(410))
    happen()
    one = sender()
    one.until_idle()
    assert hook.now().state == "ended" and hook.rows()[0].state == "failed"
    happen(subject=2)
    one.until_idle()
    assert len(receiver.seen) == 1 and len(hook.rows()) == 1


def test_both_secrets_sign_while_one_replaces_the_other_also_in_the_middle_of_retries(hook, receiver, sender, happen):
    receiver.script(Reply(500))
    happen()
    one = sender()
    one.until_idle()
    new = rotate_secret(webhook=hook.webhook, by=hook.key)
    due_now()
    one.until_idle()
    seen = receiver.seen[-1]
    assert len(seen.headers["webhook-signature"].split()) == 2
    assert Webhook(new).verify(seen.body, seen.headers) == Webhook(hook.secret).verify(seen.body, seen.headers)
    old = hook.webhook.secrets.order_by("pk").first()
    revoke_secret(webhook=hook.webhook, secret_id=old.pk, by=hook.key)
    happen(subject=2)
    one.until_idle()
    seen = receiver.seen[-1]
    assert Webhook(new).verify(seen.body, seen.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(hook.secret).verify(seen.body, seen.headers)


@pytest.mark.django_db(transaction=True)
def test_two_senders_at_once_send_each_delivery_once(hook, receiver, sender, happen):
    for number in range(60):
        happen(subject=number + 1)
    senders = [sender(owner=name) for name in ("a", "b", "c")]
    threads = [threading.Thread(target=_run_and_close, args=(one,)) for one in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [seen.headers["webhook-id"] for seen in receiver.seen]
    assert len(ids) == 60 and len(set(ids)) == 60
    assert {row.state for row in hook.rows()} == {"delivered"}


def _run_and_close(one):
    from django.db import connection

    try:
        one.until_idle()
    finally:
        connection.close()


def test_a_claim_nobody_finished_is_taken_up_when_its_lease_is_over(hook, receiver, sender, happen):
    from interop.services.webhooks.queue import claim_due

    happen()
    assert len(claim_due(room={hook.webhook.pk: 5}, owner="dead", lease=timedelta(seconds=30))) == 1
    one = sender()
    one.until_idle()
    assert not receiver.seen
    due_now()
    one.until_idle()
    assert hook.rows()[0].state == "delivered"


def test_a_later_event_of_a_subject_waits_for_the_earlier_but_not_for_ever(hook, receiver, sender, happen):
    receiver.script(Reply(500))
    happen(subject=7, data={"to": "first"})
    happen(subject=7, data={"to": "second"})
    one = sender()
    one.until_idle()
    happen(subject=8, data={"to": "other"})
    one.until_idle()
    told = [json.loads(seen.body)["data"]["to"] for seen in receiver.seen]
    assert told == ["first", "other"]
    for _attempt in range(2):
        due_now()
        one.until_idle()
    told = [json.loads(seen.body)["data"]["to"] for seen in receiver.seen]
    assert told == ["first", "other", "first", "second"]
    # Once the earlier one is in its long retries the later goes.
    receiver.script(Reply(500))
    happen(subject=9, data={"to": "stuck"})
    one.until_idle()
    WebhookDelivery.objects.filter(state="pending").update(queued_at=datetime.now(UTC) - timedelta(minutes=11))
    happen(subject=9, data={"to": "passes"})
    one.until_idle()
    assert json.loads(receiver.seen[-1].body)["data"]["to"] == "passes"


def test_a_receiver_that_hangs_holds_up_no_other(hook, receiver, sender, happen, owner, settings):
    settings.WEBHOOK_TIMEOUT_S = 4
    receiver.script(*[Reply.hang()] * 30)
    with HttpServer() as quick:
        make_webhook(key=owner.key, url=f"{quick.url}/in", types=["incident.*"], by=owner.key)
        for number in range(30):
            happen(subject=number + 1)
        one = sender()
        for _round in range(400):
            one.round()
            one._collect(0.02)
            if len(quick.seen) == 30:
                break
        assert len(quick.seen) == 30 and not WebhookAttempt.objects.filter(delivery__subscription=hook.webhook).exists()
        assert len(receiver.seen) <= 10  # its calls at once
        receiver._over.set()
        one.until_idle()


def test_a_key_that_is_revoked_stops_what_is_already_queued(hook, receiver, sender, happen, cast):
    happen()
    revoke_key(key=hook.key, by=cast.superadmin)
    sender().until_idle()
    assert not receiver.seen and [(row.state, row.last_error) for row in hook.rows()] == [("cancelled", "rights")]
    happen(subject=2)
    assert len(hook.rows()) == 1


def test_a_test_goes_out_even_where_the_webhook_is_switched_off_and_is_not_tried_again(hook, receiver, sender):
    WebhookSubscription.objects.update(state="disabled")
    send_test(webhook=hook.webhook, by=hook.key)
    one = sender()
    one.until_idle()
    assert hook.opens(receiver.seen[0])["type"] == "webhook.test"
    receiver.script(Reply(500))
    row = send_test(webhook=hook.webhook, by=hook.key)
    one.until_idle()
    row.refresh_from_db()
    assert row.state == "failed" and hook.now().first_failure_at is None
