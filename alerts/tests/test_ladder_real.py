"""The whole ladder against servers that speak the providers' own protocols; nothing is patched (ALR-3, ALR-5, FIELD-alerts-iot 1.4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alerts.models import Channel, ContactMethod, EscalationRun, NotificationRule, PolicyStep, Receipt, StepRun
from alerts.services.delivery import climb_due, page_person, send_due
from alerts.tests.servers import HttpServer, Reply, SmtpServer, TwilioServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def three_ways(alerting, cast):
    """The officer is told by WhatsApp, after a minute by SMS, then by a call."""
    for position, channel in enumerate((Channel.WHATSAPP, Channel.SMS, Channel.VOICE)):
        ContactMethod.objects.create(
            user=cast.officer, channel=channel, address="+96550000077", verified_at=timezone.now(), last_inbound_at=timezone.now()
        )
        NotificationRule.objects.create(user=cast.officer, position=position, channel=channel, wait_s=60)
    return cast.officer


def say(twilio: TwilioServer, taken, status, *, code="", forged=False):
    """Twilio calls us back, at our own door."""
    form = twilio.status_form(taken, status, code)
    signature = "Zm9yZ2Vk" if forged else twilio.signature(taken.callback, form)
    path = taken.callback.removeprefix("https://alerts.example")
    return Client().post(path, form, headers={"X-Twilio-Signature": signature}).status_code


def states(page):
    return {one.channel: one.state for one in page.deliveries.exclude(channel="in_app")}


def round_at(at):
    climb_due(now=at)
    send_due(now=at)


def test_whatsapp_undelivered_after_a_minute_then_sms_then_a_call_then_the_next_person(three_ways, alerting, fire, cast, now, twilio):
    alert = fire()
    run = EscalationRun.objects.create(alert=alert, policy=alerting.policy, next_at=now + timedelta(minutes=30))
    step = StepRun.objects.create(run=run, loop=0, step_no=0, kind=PolicyStep.Kind.PERSON, due_at=now, ran_at=now, outcome="done")
    page = page_person(alert=alert, step_run=step, user=three_ways, now=now)
    send_due(now=now)
    assert say(twilio, twilio.messages[0], "sent") == 200  # taken is not arrived
    round_at(now + timedelta(seconds=59))
    assert len(twilio.taken) == 1
    round_at(now + timedelta(seconds=61))
    assert [(taken.kind, taken.to) for taken in twilio.taken] == [("Messages", "whatsapp:+96550000077"), ("Messages", "+96550000077")]
    assert say(twilio, twilio.taken[1], "undelivered", code="30003") == 200
    round_at(now + timedelta(seconds=63))  # refused: no waiting for the minute
    assert [taken.kind for taken in twilio.taken] == ["Messages", "Messages", "Calls"]
    assert say(twilio, twilio.taken[2], "no-answer") == 200
    climb_due(now=timezone.now() + timedelta(seconds=65))
    page.refresh_from_db()
    run.refresh_from_db()
    assert page.state == "exhausted" and run.next_at < now + timedelta(minutes=5)
    assert states(page) == {"whatsapp": "sent", "sms": "failed", "voice": "failed"}


def test_receipts_out_of_order_twice_and_forged(alerting, fire, cast, now, twilio):
    page = page_person(alert=fire(), user=cast.dispatcher, now=now)
    send_due(now=now)
    taken = twilio.messages[0]
    assert say(twilio, taken, "delivered", forged=True) == 403 and states(page) == {"sms": "sent"}
    for status in ("delivered", "sent", "delivered", "undelivered", "queued"):
        assert say(twilio, taken, status) == 200
    assert states(page) == {"sms": "delivered"} and Receipt.objects.filter(status="delivered").count() == 1


def test_twilio_is_down_and_the_mail_goes_meanwhile(alerting, fire, cast, now, twilio, smtp: SmtpServer):
    NotificationRule.objects.filter(user=cast.supervisor).delete()
    for position, channel in enumerate(("sms", "email")):
        NotificationRule.objects.create(user=cast.supervisor, position=position, channel=channel, wait_s=60)
    twilio.script(*[TwilioServer.error(503, 20503, "Busy")] * 9)
    page = page_person(alert=fire(), user=cast.supervisor, now=now)
    for seconds in range(0, 400, 25):
        round_at(now + timedelta(seconds=seconds))
    assert states(page) == {"sms": "failed", "email": "sent"}
    assert len(smtp.mails) == 1 and page.deliveries.get(channel="sms").attempts == 4


def test_an_answer_lost_on_the_way_is_found_by_its_callback(alerting, fire, cast, now, twilio):
    """Twilio took it and the connection broke: the callback carries our key. It is not sent again, although it is critical."""
    page = page_person(alert=fire(level="critical"), user=cast.dispatcher, now=now)
    twilio.script(Reply.dropped())
    send_due(now=now)
    delivery = page.deliveries.get(channel="sms")
    assert delivery.state == "sending" and delivery.tries.get().outcome == "unknown"
    taken = twilio.accept(twilio.seen[0])
    assert say(twilio, taken, "delivered") == 200
    round_at(now + timedelta(seconds=75))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.provider_id, len(twilio.seen)) == ("delivered", taken.sid, 1)


def test_a_limit_of_the_providers_is_kept(alerting, fire, cast, now, twilio):
    page = page_person(alert=fire(), user=cast.dispatcher, now=now)
    busy = TwilioServer.error(429, 20429, "Too many requests")
    twilio.script(Reply(busy.status, busy.body, busy.kind, {"Retry-After": "7"}))
    send_due(now=now)
    delivery = page.deliveries.get(channel="sms")
    assert delivery.next_at is not None
    assert (delivery.next_at - now).total_seconds() < 45  # seven seconds from the answer, not the usual minute
    round_at(now + timedelta(seconds=30))
    assert states(page) == {"sms": "sent"}


def test_a_number_that_is_none_is_switched_off_and_said_to_be(alerting, fire, cast, now, twilio):
    page = page_person(alert=fire(), user=cast.dispatcher, now=now)
    twilio.script(TwilioServer.error(400, 21211, "Invalid 'To' Phone Number"))
    send_due(now=now)
    assert states(page) == {"sms": "failed"}
    method = cast.dispatcher.contact_methods.get(channel="sms")
    assert not method.is_active and "21211" in page.deliveries.get(channel="sms").error_code


def test_a_webhook_step_calls_its_webhook_once(alerting, fire, now, hook_receiver: HttpServer):
    from alerts.services.escalation.doing import call_webhook

    alert = fire()
    run = EscalationRun.objects.create(alert=alert, policy=alerting.policy, next_at=now)
    step = StepRun.objects.create(run=run, loop=0, step_no=0, kind=PolicyStep.Kind.WEBHOOK, due_at=now, ran_at=now, outcome="done")
    hook_receiver.script(Reply(503))
    call_webhook(alert, step, {"webhook": "room"}, now)
    send_due(now=now)
    send_due(now=now + timedelta(seconds=80))
    assert [seen.path for seen in hook_receiver.seen] == ["/alerts", "/alerts"]
    assert len({seen.headers["webhook-id"] for seen in hook_receiver.seen}) == 1  # the same message: their end can tell
    assert hook_receiver.seen[1].json["data"]["alert"]["title_en"] == "Smoke over the market"
    alert.deliveries.get(state="delivered")
