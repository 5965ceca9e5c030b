"""ALR-3: trying a channel, switching one off, how the channels are doing, browsers that take push messages, and the page of it all."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from alerts.models import ChannelHealth, Contact, ContactMethod, Delivery, DeliveryAttempt, DeliveryState, PushSubscription
from alerts.services import channels, push
from alerts.services.delivery import send_due
from alerts.tests.servers import HttpServer, PushService, SmtpServer, TwilioServer
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import Event

pytestmark = pytest.mark.django_db


def health(channel: str) -> ChannelHealth:
    return ChannelHealth.objects.get(channel=channel)


def attempts(channel: str, *outcomes: str, code: str = "") -> None:
    """Oldest first."""
    delivery = Delivery.objects.create(key=uuid4(), channel=channel, address="x")
    for number, outcome in enumerate(outcomes, 1):
        now = timezone.now()
        DeliveryAttempt.objects.create(
            delivery=delivery, number=number, started_at=now, ended_at=now, outcome=outcome, code=code if outcome != "accepted" else ""
        )


# --- tests ---------------------------------------------------------------------------------------------------------------
def test_a_test_goes_the_way_an_alert_goes_and_says_that_it_is_one(alerting: Any, cast: Any, smtp: SmtpServer):
    made = channels.send_test(by=cast.supervisor, channel="email")
    send_due()
    made.refresh_from_db()
    assert made.state == DeliveryState.SENT and made.is_test and made.alert is None
    assert "test" in smtp.mails[0].subject.lower() and "Nothing has happened" in smtp.mails[0].part("html")


def test_an_account_without_an_address_of_its_own_uses_its_e_mail(cast: Any, smtp: SmtpServer):
    with pytest.raises(Invalid):
        channels.send_test(by=cast.dispatcher, channel="email")
    cast.dispatcher.email = "dispatcher@example.org"
    assert channels.send_test(by=cast.dispatcher, channel="email").address == "dispatcher@example.org"


def test_a_test_goes_to_ones_own_address_or_as_a_manager_to_a_contacts(alerting: Any, cast: Any, twilio: TwilioServer):
    theirs = ContactMethod.objects.get(user=cast.supervisor, channel="sms")
    with pytest.raises(NotFound):
        channels.send_test(by=cast.dispatcher, channel="sms", method=theirs)
    room = ContactMethod.objects.get(contact=alerting.room)
    with pytest.raises(NotAllowed):
        channels.send_test(by=cast.dispatcher, channel="sms", method=room)
    assert channels.send_test(by=cast.supervisor, channel="sms", method=room).address == "+96550000009"
    Contact.objects.filter(pk=alerting.room.pk).update(agency=cast.fire)
    room.refresh_from_db()
    with pytest.raises(NotFound):
        channels.send_test(by=cast.supervisor, channel="sms", method=room)


def test_tests_are_few(alerting: Any, cast: Any, smtp: SmtpServer):
    for _ in range(channels.TESTS_AT_MOST):
        channels.send_test(by=cast.supervisor, channel="email")
    with pytest.raises(Conflict):
        channels.send_test(by=cast.supervisor, channel="email")


def test_what_is_not_set_up_cannot_be_tried(alerting: Any, cast: Any, settings: Any):
    settings.EMAIL_URL = ""
    with pytest.raises(Invalid):
        channels.send_test(by=cast.supervisor, channel="email")


def test_a_webhook_is_tried_by_those_who_manage_alerts_and_by_its_name(alerting: Any, cast: Any, hook_receiver: HttpServer):
    with pytest.raises(NotAllowed):
        channels.send_test(by=cast.dispatcher, channel="webhook", name="room")
    with pytest.raises(Invalid):
        channels.send_test(by=cast.supervisor, channel="webhook", name="elsewhere")
    channels.send_test(by=cast.supervisor, channel="webhook", name="room")
    send_due()
    assert hook_receiver.seen[0].json["type"] == "alert.test"


# --- switching off, and health -------------------------------------------------------------------------------------------
def test_a_channel_is_switched_off_with_a_reason_and_sends_tests_only(alerting: Any, cast: Any, smtp: SmtpServer):
    with pytest.raises(NotAllowed):
        channels.switch_off(by=cast.dispatcher, channel="email", because="x")
    with pytest.raises(Invalid):
        channels.switch_off(by=cast.supervisor, channel="email", because="  ")
    channels.switch_off(by=cast.supervisor, channel="email", because="The mail server is being moved")
    with pytest.raises(Conflict):
        channels.switch_off(by=cast.supervisor, channel="email", because="again")
    assert Event.objects.filter(type="channel.changed", data={"channel": "email", "state": "off"}).count() == 1
    channels.send_test(by=cast.supervisor, channel="email")
    Delivery.objects.create(key=uuid4(), channel="email", address="a@example.org", next_at=timezone.now())
    send_due()
    assert [mail.to for mail in smtp.mails] == [("supervisor@example.org",)]
    channels.switch_on(by=cast.supervisor, channel="email")
    with pytest.raises(Conflict):
        channels.switch_on(by=cast.supervisor, channel="email")
    with pytest.raises(NotFound):
        channels.switch_off(by=cast.supervisor, channel="in_app", because="x")


def test_health_follows_the_newest_attempts_and_each_change_is_announced_once(db: None):
    attempts("sms", "accepted", "accepted")
    assert channels.look_at_health() == ["sms"] and health("sms").state == "ok"
    assert channels.look_at_health() == []
    attempts("sms", "heals", code="20503")
    channels.look_at_health()
    assert (health("sms").state, health("sms").fail_streak) == ("shaky", 1)
    attempts("sms", "heals", "unknown", code="timeout")
    channels.look_at_health()
    assert (health("sms").state, health("sms").last_error) == ("down", "timeout")
    attempts("sms", *["accepted"] * 18)
    channels.look_at_health()
    assert health("sms").state == "ok" and health("sms").last_ok_at is not None
    states = Event.objects.filter(type="channel.changed").order_by("id").values_list("data__state", flat=True)
    assert list(states) == ["ok", "shaky", "down", "ok"]


def test_numbers_that_nobody_has_do_not_blame_the_channel(db: None):
    attempts("sms", "refused", "refused", "refused", code="21211")
    channels.look_at_health()
    assert health("sms").state == "ok"
    attempts("email", "refused", "refused", "refused", code="535")
    channels.look_at_health()
    assert health("email").state == "down"


def test_old_attempts_say_nothing_of_tonight(db: None):
    attempts("sms", "heals", "heals", "heals")
    assert channels.look_at_health(now=timezone.now() + timedelta(days=2)) == []


# --- browsers ------------------------------------------------------------------------------------------------------------
def test_a_browser_belongs_to_whoever_subscribed_last_and_the_oldest_give_way(cast: Any, push_service: PushService, settings: Any):
    def subscribe(user: Any, number: int = 0) -> PushSubscription:
        return push.subscribe(user=user, endpoint=f"https://push.example/{number}", **push_service.keys)

    first = subscribe(cast.officer)
    assert subscribe(cast.dispatcher).pk == first.pk and PushSubscription.objects.get().user == cast.dispatcher
    for number in range(12):
        subscribe(cast.dispatcher, number)
    assert PushSubscription.objects.filter(user=cast.dispatcher).count() == push.MOST_BROWSERS
    assert push.unsubscribe(user=cast.dispatcher, endpoint="https://push.example/11")
    assert not push.unsubscribe(user=cast.officer, endpoint="https://push.example/10")


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "http://push.example/x"},
        {"endpoint": "javascript:alert(1)"},
        {"p256dh": "AAAA"},
        {"auth": "A" * 300},
        {"auth": "é"},
        {"endpoint": "https://push.example/" + "x" * 2000},
    ],
)
def test_what_is_no_subscription_is_refused(cast: Any, push_service: PushService, wrong: dict[str, str]):
    with pytest.raises(Invalid):
        push.subscribe(user=cast.officer, **{"endpoint": "https://push.example/x", **push_service.keys, **wrong})


def test_a_push_test_reaches_ones_own_browser(cast: Any, push_service: PushService):
    with pytest.raises(Invalid):
        channels.send_test(by=cast.officer, channel="push")
    push.subscribe(user=cast.officer, endpoint=push_service.endpoint, **push_service.keys)
    channels.send_test(by=cast.officer, channel="push")
    send_due()
    assert push_service.opened[0]["is_test"] is True


def test_the_doors_of_a_browser_take_a_session_and_refuse_nonsense(cast: Any, push_service: PushService, client: Client):
    path, told = "/alerts/push/subscribe/", {"endpoint": push_service.endpoint, "keys": push_service.keys}
    assert client.post(path, json.dumps(told), content_type="application/json").status_code == 302
    client.force_login(cast.officer)
    assert client.post(path, json.dumps(told), content_type="application/json").json() == {"done": True}
    for nonsense in ("", "[]", "{", json.dumps({"keys": []}), "x" * 9000):
        assert client.post(path, nonsense, content_type="application/json").status_code == 422
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(cast.officer)
    assert forged.post(path, json.dumps(told), content_type="application/json").status_code == 403
    worker = client.get("/alerts/push/worker.js")
    assert worker["Content-Type"].startswith("text/javascript") and "إقرار" in worker.content.decode()


# --- the page ------------------------------------------------------------------------------------------------------------
def test_the_page_says_what_is_missing_and_never_a_secret(alerting: Any, cast: Any, client: Client, settings: Any, tmp_path: Any):
    settings.EMAIL_URL, settings.TWILIO_AUTH_TOKEN = f"filemail://{tmp_path}", "token-nobody-may-see"
    settings.TWILIO_ACCOUNT_SID = settings.SLACK_WEBHOOK_URL = settings.SMS_GATEWAY_KIND = ""
    client.force_login(cast.supervisor)
    shown = client.get("/alerts/channels/").content.decode()
    assert "TWILIO_ACCOUNT_SID" in shown and "SLACK_WEBHOOK_URL" in shown and "SMS_GATEWAY_URL" in shown
    assert "reach nobody" in shown and str(tmp_path) in shown and "token-nobody-may-see" not in shown


def test_the_pages_buttons_try_and_switch_and_the_role_decides_which(alerting: Any, cast: Any, client: Client, smtp: SmtpServer):
    client.force_login(cast.dispatcher)
    assert "because" not in client.get("/alerts/channels/").content.decode()
    client.post("/alerts/channels/email/off/", {"because": "x"})
    assert not ChannelHealth.objects.filter(is_off=True).exists()
    client.force_login(cast.supervisor)
    client.post("/alerts/channels/email/test/")
    assert "data-testing" in client.get("/alerts/channels/part/").content.decode()
    send_due()
    assert "data-testing" not in client.get("/alerts/channels/part/").content.decode() and len(smtp.mails) == 1
    client.post("/alerts/channels/email/off/", {"because": "Moved <b>tonight</b>"})
    assert "Moved &lt;b&gt;tonight" in client.get("/alerts/channels/").content.decode()
    assert client.post("/alerts/channels/pigeon/test/").status_code == 404
    assert client.post("/alerts/channels/email/test/", {"method": "999999"}).status_code == 404
    assert client.get("/alerts/channels/email/test/").status_code == 405


def test_who_may_not_see_alerts_does_not_see_their_channels(cast: Any, client: Client):
    client.force_login(cast.officer)
    assert client.get("/alerts/channels/").status_code == 404
