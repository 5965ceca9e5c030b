"""INT-4: owners' verbs: who hears what, replay, health, retention, secrets at rest; and ACC-2: whose a webhook is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from alerts.models import Alert
from alerts.tests.servers.http import Reply
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import Event
from interop.models import Partner, WebhookAttempt, WebhookDelivery, WebhookSecret, WebhookSubscription
from interop.services import issue_key, revoke_key, rotate_key
from interop.services.webhooks import (
    CATALOGUE,
    change_webhook,
    fan_out,
    forget_old_deliveries,
    make_webhook,
    pause_webhook,
    replay_delivery,
    replay_failed,
    replay_since,
    resume_webhook,
    revoke_secret,
    rotate_secret,
    send_test,
)
from interop.services.webhooks.health import note_failures, send_notices
from interop.services.webhooks.payload import example
from interop.tests.webhooks.conftest import due_now

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


# -- who hears what ----------------------------------------------------------------------------------------------------------------


def key_of(partner, scopes=("incidents:read", "webhooks:manage"), **where):
    return issue_key(partner=partner, name="k", scopes=list(scopes), by=None, **(where or {"all_governorates": True}))[0]


def test_a_key_of_one_governorate_hears_nothing_of_another(police_system, receiver, happen, places):
    key = key_of(police_system, governorates=[places.hawalli])
    make_webhook(key=key, url=receiver.url, types=["*"], by=key)
    happen(governorate_id=places.capital.pk)
    assert not WebhookDelivery.objects.exists()
    happen(governorate_id=places.hawalli.pk)
    assert WebhookDelivery.objects.count() == 1


def test_another_agencys_incident_an_unnamed_event_and_a_scope_that_is_not_held_never_go_out(hook, owner, receiver, happen, cast):
    make_webhook(key=owner.key, url=receiver.url, types=["*"], by=owner.key)
    happen(agency_id=cast.fire.pk)
    for hidden in ("sos.raised", "sos.duress", "person.changed", "alert.delivery", "welfare.missed", "webhook.tested", "made.up"):
        happen(hidden)
    happen("alert.fired", data={"level": "high"})  # the key lacks alerts:read
    assert not WebhookDelivery.objects.exists()


def test_only_the_named_values_of_an_event_leave(owner, receiver, happen, hook):
    happen("incident.moved", data={"from": "received", "to": "queued", "by": 7, "note": "private"})
    data = json.loads(hook.rows()[0].body)["data"]
    assert "by" not in data and "note" not in data and data["to"] == "queued"


def test_a_filter_by_type_and_governorate_narrows_and_never_widens(owner, receiver, happen, places):
    make_webhook(key=owner.key, url=receiver.url, types=["incident.moved"], by=owner.key, governorates=[places.capital])
    happen("incident.opened", governorate_id=places.capital.pk)
    happen("incident.moved", governorate_id=places.hawalli.pk)
    happen("incident.moved", governorate_id=None)
    happen("incident.moved", governorate_id=places.capital.pk)
    assert [row.governorate_id for row in WebhookDelivery.objects.all()] == [places.capital.pk]


def test_hot_spots_go_by_governorate_alone(owner, receiver, happen, places):
    make_webhook(key=owner.key, url=receiver.url, types=["hot_spot.*"], by=owner.key)
    happen("hot_spot.changed", agency_id=None, data={"change": "born", "category": "property", "track": 3})
    assert json.loads(WebhookDelivery.objects.get().body)["data"]["change"] == "born"


def test_an_alert_of_a_place_and_of_no_agency_is_told_as_the_api_shows_it(police_system, receiver, happen, places, cast):
    key = key_of(police_system, scopes=["alerts:read", "webhooks:manage"], governorates=[places.hawalli])
    make_webhook(key=key, url=receiver.url, types=["alert.*"], by=key)
    for hidden in ({"agency_id": cast.fire.pk}, {"agency_id": None, "governorate_id": places.capital.pk}):
        happen("alert.fired", data={"kind": "rule", "level": "high"}, **hidden)
    assert not WebhookDelivery.objects.exists()
    happen("alert.fired", data={"kind": "rule", "level": "high"}, agency_id=None)
    assert WebhookDelivery.objects.get().governorate_id == places.hawalli.pk


def test_the_same_event_told_twice_is_one_delivery(hook, happen):
    event = happen()
    fan_out([event, event])
    fan_out([event])
    assert len(hook.rows()) == 1


@pytest.mark.parametrize("types", [[], ["nonsense"], ["incident.op*"], ["sos.*"], ["webhook.test"], ["alert.*"], ["x"] * 101, "incident.*"])
def test_types_that_do_not_exist_or_are_not_the_keys_are_refused(owner, receiver, types):
    with pytest.raises(Invalid) as refusal:
        make_webhook(key=owner.key, url=receiver.url, types=types, by=owner.key)
    assert list(refusal.value.fields) == ["types"]


def test_every_type_of_the_catalogue_has_an_example_without_a_hole():
    for kind in CATALOGUE.values():
        body = example(kind)
        assert body["type"] == kind.name and "…" not in json.dumps(body["data"], ensure_ascii=False), kind.name
        assert len(json.dumps(body)) < 2_000


# -- whose it is --------------------------------------------------------------------------------------------------------------------


def test_a_webhook_is_its_keys_alone(hook, cast, places, police_system):
    fire = Partner.objects.create(slug="fire-cad", name="Fire CAD", agency=cast.fire, region=places.region)
    for stranger in (key_of(fire), key_of(police_system, governorates=[places.hawalli])):
        for verb in (pause_webhook, send_test, rotate_secret):
            with pytest.raises(NotFound):
                verb(webhook=hook.webhook, by=stranger)
        with pytest.raises(NotFound):
            change_webhook(webhook=hook.webhook, by=stranger, changes={"name": "mine now"})
    with pytest.raises(NotAllowed):
        pause_webhook(webhook=hook.webhook, by=key_of(police_system, scopes=["incidents:read"]))
    with pytest.raises(NotAllowed):
        pause_webhook(webhook=hook.webhook, by=cast.supervisor)
    pause_webhook(webhook=hook.webhook, by=cast.superadmin)


def test_the_key_that_replaces_one_has_its_webhooks_and_they_go_on(hook, receiver, sender, happen, cast):
    new, _secret = rotate_key(key=hook.key, by=None, overlap_h=0)
    assert WebhookSubscription.objects.visible_to(new).get() == hook.webhook
    happen()
    sender().until_idle()
    assert len(receiver.seen) == 1
    change_webhook(webhook=hook.webhook, by=new, changes={"name": "taken over"})
    assert hook.now().key == new
    revoke_key(key=new, by=None)
    happen(subject=2)
    assert len(hook.rows()) == 1


def test_secrets_are_sealed_and_in_no_row_and_no_audit(hook):
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM interop_webhooksecret")
        sealed = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT string_agg(core_auditentry::text, ' ') FROM core_auditentry")
        audit = cursor.fetchone()[0]
    new = rotate_secret(webhook=hook.webhook, by=hook.key)
    assert all(hook.secret[6:] not in one for one in sealed) and hook.secret not in audit and new not in audit
    assert hook.secret.startswith("whsec_")


def test_at_most_two_secrets_live_and_the_last_is_never_merely_ended(hook):
    rotate_secret(webhook=hook.webhook, by=hook.key)
    rotate_secret(webhook=hook.webhook, by=hook.key)
    now = datetime.now(UTC)
    live = [one for one in WebhookSecret.objects.all() if one.expires_at is None or one.expires_at > now]
    assert len(live) == 2
    ending = next(one for one in live if one.expires_at is not None)
    assert ending.expires_at is not None and timedelta(hours=23) < ending.expires_at - now < timedelta(hours=25)
    revoke_secret(webhook=hook.webhook, secret_id=ending.pk, by=hook.key)
    with pytest.raises(Conflict):
        revoke_secret(webhook=hook.webhook, secret_id=next(one.pk for one in live if one.expires_at is None), by=hook.key)
    rotate_secret(webhook=hook.webhook, by=hook.key, overlap_h=0)
    assert sum(one.expires_at is None or one.expires_at > datetime.now(UTC) for one in WebhookSecret.objects.all()) == 1


# -- health -------------------------------------------------------------------------------------------------------------------------


def fails(hook, *hours):
    """Failures so many hours after noon; whether the last of them switched it off."""
    return [note_failures(hook.webhook.pk, error="HTTP 500", now=NOW + timedelta(hours=hour)) for hour in hours][-1]


def test_five_days_of_failing_switch_it_off_with_an_event_an_alert_and_an_audit(hook):
    assert not fails(hook, 0, 1, 11, 13, 24, 48, 72, 96, 119)
    assert fails(hook, 120.1)
    held = hook.now()
    assert (held.state, held.state_because) == ("disabled", "HTTP 500")
    event = Event.objects.get(type="webhook.disabled")
    assert event.agency_id == held.partner.agency_id and event.data["webhook"] == str(held.uid)
    assert Alert.objects.get().fingerprint == f"audit:webhook:{held.pk}"
    assert not fails(hook, 121)  # once


def test_an_event_a_week_that_happens_to_fail_switches_nobody_off(hook):
    assert not fails(hook, 0, 48, 96, 144, 200, 300)
    assert hook.now().failing_since is None


def test_a_success_ends_the_streak(hook, receiver, sender, happen):
    fails(hook, 0, 13, 50)
    assert hook.now().failing_since is not None
    happen()
    sender().until_idle()
    held = hook.now()
    assert held.failing_since is None and held.first_failure_at is None and held.last_error == ""


def test_a_replay_that_fails_switches_nobody_off(hook, receiver, sender, happen):
    receiver.script(*[Reply(500)] * 3)
    happen()
    one = sender()
    one.until_idle()
    long_ago = datetime.now(UTC) - timedelta(days=6)
    WebhookSubscription.objects.update(first_failure_at=long_ago, failing_since=long_ago, last_failure_at=datetime.now(UTC))
    WebhookDelivery.objects.update(state="failed")
    replay_failed(webhook=hook.webhook, by=hook.key)
    one.until_idle()
    assert hook.now().state == "active" and WebhookAttempt.objects.latest("id").trigger == "replay"


def test_what_waited_when_it_was_switched_off_can_be_replayed_once_it_is_back(hook, receiver, sender, happen):
    receiver.script(Reply(500))
    happen(), happen(subject=2)
    one = sender()
    one.until_idle()
    WebhookDelivery.objects.filter(state="delivered").delete()
    long_ago = datetime.now(UTC) - timedelta(days=6)
    WebhookSubscription.objects.update(first_failure_at=long_ago, failing_since=long_ago, last_failure_at=datetime.now(UTC))
    receiver.script(Reply(500))
    due_now()
    one.until_idle()
    assert hook.now().state == "disabled" and {row.state for row in hook.rows()} == {"failed"}
    happen(subject=3)
    with pytest.raises(Conflict):
        replay_failed(webhook=hook.webhook, by=hook.key)
    resume_webhook(webhook=hook.webhook, by=hook.key)
    done = replay_since(webhook=hook.webhook, by=hook.key, sequence=0)
    assert done.queued == 3 and not done.more
    due_now()
    one.until_idle()
    assert {row.state for row in hook.rows()} == {"delivered"} and len(hook.rows()) == 3


def test_the_owner_is_written_to_once(hook, smtp):
    WebhookSubscription.objects.update(contact_email="ops@fire.example", notice_due=True, state="disabled", state_because="HTTP 500")
    assert (send_notices(), send_notices()) == (1, 0)
    assert "HTTP 500" in smtp.mails[0].part()


# -- replay and retention -------------------------------------------------------------------------------------------------------------


def test_one_delivery_is_sent_again_with_todays_secret_under_the_same_id(hook, receiver, sender, happen):
    happen()
    one = sender()
    one.until_idle()
    hook.secret = rotate_secret(webhook=hook.webhook, by=hook.key, overlap_h=0)
    replay_delivery(delivery=hook.rows()[0], by=hook.key)
    with pytest.raises(Conflict):
        replay_delivery(delivery=hook.rows()[0], by=hook.key)
    one.until_idle()
    first, second = receiver.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"] and first.body == second.body
    assert hook.opens(second)


def test_a_replay_from_a_time_brings_what_was_never_queued_and_not_what_was_delivered(hook, receiver, sender, happen):
    start = datetime.now(UTC) - timedelta(seconds=5)
    happen()
    one = sender()
    one.until_idle()
    pause_webhook(webhook=hook.webhook, by=hook.key)
    happen(subject=2)
    assert len(hook.rows()) == 1
    resume_webhook(webhook=hook.webhook, by=hook.key)
    assert replay_since(webhook=hook.webhook, by=hook.key, at=start).queued == 1
    assert replay_since(webhook=hook.webhook, by=hook.key, at=start, also_delivered=True).queued == 1
    due_now()
    one.until_idle()
    assert len(receiver.seen) == 3


def test_a_replay_says_from_where_and_not_from_last_year(hook):
    for wrong in ({}, {"sequence": 1, "at": datetime.now(UTC)}, {"at": datetime.now(UTC) - timedelta(days=40)}):
        with pytest.raises(Invalid):
            replay_since(webhook=hook.webhook, by=hook.key, **wrong)


def test_a_replay_is_spread_out(hook, happen):
    for number in range(20):
        happen(subject=number + 1)
    WebhookDelivery.objects.update(state="failed")
    replay_failed(webhook=hook.webhook, by=hook.key)
    times = [row.next_at for row in hook.rows()]
    assert times == sorted(times) and times[-1] - times[0] >= timedelta(seconds=0.37)


def test_bodies_are_forgotten_first_and_rows_later_and_a_body_can_be_made_again(hook, receiver, sender, happen, settings):
    happen()
    sender().until_idle()
    before = hook.rows()[0]
    WebhookDelivery.objects.update(done_at=datetime.now(UTC) - timedelta(days=31))
    assert forget_old_deliveries() == (1, 0)
    row = hook.rows()[0]
    assert row.body == "" and row.digest == before.digest and WebhookAttempt.objects.get().excerpt == ""
    replay_delivery(delivery=row, by=hook.key)
    assert hook.rows()[0].digest == before.digest
    WebhookDelivery.objects.update(state="delivered", done_at=datetime.now(UTC) - timedelta(days=91))
    assert forget_old_deliveries()[1] == 1 and not hook.rows() and not WebhookAttempt.objects.exists()
