"""ALR-3, ALR-5: the doors providers call. Forged, repeated, late, huge, unknown: each is answered calmly, and only the true one counts."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.utils import timezone

from alerts.channels.gateway_smpp import Heard
from alerts.management.commands import sms_gateway
from alerts.models import AlertState, ContactMethod, Delivery, DeliveryState, Page, Receipt
from alerts.services.delivery import page_person, send_due
from alerts.tests.servers import HttpServer, PushService, SmppServer, TwilioServer

pytestmark = pytest.mark.django_db
PUBLIC = "https://alerts.example"


@pytest.fixture
def page(alerting: Any, fire: Any, cast: Any, twilio: TwilioServer) -> Page:
    """The dispatcher, who is reached by SMS, is paged and the SMS is with Twilio."""
    made = page_person(alert=fire(), user=cast.dispatcher, now=timezone.now())
    send_due()
    return made


def sms_of(page: Page) -> Delivery:
    return page.deliveries.get(channel="sms")


def post(twilio: TwilioServer, path: str, form: dict[str, str], *, signature: str | None = None) -> Any:
    signed = twilio.signature(PUBLIC + path, form) if signature is None else signature
    return Client().post(path, form, headers={"X-Twilio-Signature": signed})


def status(twilio: TwilioServer, word: str, **more: Any) -> Any:
    taken = twilio.taken[-1]
    return post(twilio, taken.callback.removeprefix(PUBLIC), twilio.status_form(taken, word, more.pop("code", "")), **more)


def text(answer: Any) -> str:
    """The first words in an answer for Twilio."""
    tree = ElementTree.fromstring(answer.content)  # noqa: S314  (our own)
    return " ".join(part.text or "" for part in tree.iter() if part.tag in ("Message", "Say")).strip()


def write(twilio: TwilioServer, words: str, *, sender: str = "+96550000002", **more: Any) -> Any:
    form = {"MessageSid": "SM" + uuid4().hex, "From": sender, "To": "+15005550006", "Body": words}
    return post(twilio, "/hooks/twilio/inbound", form | more.pop("form", {}), **more)


# --- what became of a message -------------------------------------------------------------------------------------------
def test_receipts_lift_the_delivery_in_whatever_order_they_come(page: Page, twilio: TwilioServer):
    for word in ("delivered", "sent", "queued", "delivered"):
        assert status(twilio, word).status_code == 200
    assert sms_of(page).state == DeliveryState.DELIVERED


def test_an_undelivered_message_keeps_the_vendors_code(page: Page, twilio: TwilioServer):
    assert status(twilio, "undelivered", code="30003").status_code == 200
    assert (sms_of(page).state, sms_of(page).error_code) == (DeliveryState.FAILED, "30003")


def test_a_forged_signature_is_refused_and_changes_nothing(page: Page, twilio: TwilioServer, settings: Any):
    assert status(twilio, "delivered", signature="AAAA").status_code == 403
    assert status(twilio, "delivered", signature="").status_code == 403
    form = twilio.status_form(twilio.taken[-1], "delivered")
    elsewhere = twilio.signature(f"{PUBLIC}/hooks/twilio/inbound", form)
    assert status(twilio, "delivered", signature=elsewhere).status_code == 403
    settings.TWILIO_AUTH_TOKEN = ""
    assert status(twilio, "delivered", signature=twilio.signature(PUBLIC, {})).status_code == 403
    assert sms_of(page).state == DeliveryState.SENT and not Receipt.objects.exists()


def test_a_receipt_of_something_unknown_is_kept(page: Page, twilio: TwilioServer):
    path, form = "/hooks/twilio/status", {"MessageSid": "SMunknown", "MessageStatus": "delivered"}
    assert post(twilio, path, form).status_code == 200
    assert Receipt.objects.filter(provider_id="SMunknown", applied_at=None).exists()
    assert post(twilio, path, {"nonsense": "x"}).status_code == 200


def test_a_callback_tells_the_id_of_a_message_whose_answer_was_lost(page: Page, twilio: TwilioServer):
    Delivery.objects.filter(pk=sms_of(page).pk).update(provider="", provider_id="", state=DeliveryState.SENDING)
    assert status(twilio, "delivered").status_code == 200
    assert (sms_of(page).state, sms_of(page).provider_id) == (DeliveryState.DELIVERED, twilio.taken[-1].sid)


def test_something_huge_is_refused_before_it_is_read(page: Page, twilio: TwilioServer):
    assert post(twilio, "/hooks/twilio/inbound", {"Body": "x" * 70_000}).status_code == 413
    assert Client().get("/hooks/twilio/status").status_code == 405


# --- replies ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("words", ["1", "١", " 1. ", "\u200f١\u200f"])
def test_a_lone_1_acknowledges_the_only_alert_that_waits(page: Page, twilio: TwilioServer, cast: Any, words: str):
    answer = write(twilio, words)
    page.alert.refresh_from_db()
    assert page.alert.state == AlertState.ACKNOWLEDGED and page.alert.acknowledged_by == cast.dispatcher
    assert page.alert.acknowledged_through == "sms" and text(answer) == "Acknowledged: Smoke over the market"


def test_1_with_the_code_acknowledges_that_alert_and_a_second_time_says_who_did(page: Page, twilio: TwilioServer, cast: Any, fire: Any):
    other = page_person(alert=fire(), user=cast.dispatcher, now=timezone.now())
    asked = text(write(twilio, "1"))
    assert page.code in asked and other.code in asked
    assert text(write(twilio, f"1 {page.code}")).startswith("Acknowledged")
    assert "acknowledged it already" in text(write(twilio, f"1-{page.code}"))
    other.alert.refresh_from_db()
    assert other.alert.state == AlertState.FIRING


def test_the_same_message_twice_has_no_second_effect(page: Page, twilio: TwilioServer):
    form = {"MessageSid": "SMtwice"}
    assert text(write(twilio, "1", form=form)).startswith("Acknowledged")
    assert text(write(twilio, "1", form=form)) == ""


def test_somebody_elses_code_acknowledges_nothing(page: Page, twilio: TwilioServer):
    assert text(write(twilio, f"1 {page.code}", sender="+96550000001")) == "There is no alert of this code for you."
    assert text(write(twilio, f"1 {page.code}", sender="+96599999999")) == ""
    page.alert.refresh_from_db()
    assert page.alert.state == AlertState.FIRING


def test_chatter_is_answered_only_while_something_waits(page: Page, twilio: TwilioServer):
    assert "1" in text(write(twilio, "what is this?"))
    write(twilio, "1")
    assert text(write(twilio, "thanks!")) == ""


def test_a_person_is_answered_in_their_language(page: Page, twilio: TwilioServer, cast: Any):
    cast.dispatcher.language = "ar"
    cast.dispatcher.save(update_fields=["language"])
    assert "دخان فوق السوق" in text(write(twilio, "1"))


def test_2_passes_it_on_and_says_so_where_nobody_follows(page: Page, twilio: TwilioServer):
    assert text(write(twilio, "٢")) == "There is no further step. Nobody else is told."


def test_a_whatsapp_reply_opens_the_day_of_free_text(page: Page, twilio: TwilioServer, cast: Any):
    method = ContactMethod.objects.create(user=cast.dispatcher, channel="whatsapp", address="+96550000002")
    write(twilio, "1", sender="whatsapp:+96550000002")
    method.refresh_from_db()
    page.alert.refresh_from_db()
    assert method.last_inbound_at is not None and page.alert.acknowledged_through == "whatsapp"


# --- calls ---------------------------------------------------------------------------------------------------------------
@pytest.fixture
def called(page: Page) -> str:
    """The path of the call's door."""
    made = Delivery.objects.create(
        key=uuid4(), alert=page.alert, page=page, rung_no=5, channel="voice", address="+96550000002", language="en", subject="Smoke",
        body="Smoke over the market.", state=DeliveryState.SENT,
    )  # fmt: skip
    return f"/hooks/twilio/voice/{made.key}"


def test_a_call_reads_the_alert_and_one_key_acknowledges(page: Page, called: str, twilio: TwilioServer):
    said = text(post(twilio, called, {"CallSid": "CA1"}))
    assert "Smoke over the market" in said and "press 1" in said
    assert text(post(twilio, f"{called}/gather", {"Digits": "1"})).startswith("Acknowledged")
    page.alert.refresh_from_db()
    assert (page.alert.state, page.alert.acknowledged_through) == (AlertState.ACKNOWLEDGED, "voice")
    assert "no longer waits" in text(post(twilio, called, {"CallSid": "CA1"}))


def test_another_key_or_none_has_it_said_once_more(page: Page, called: str, twilio: TwilioServer):
    answer = post(twilio, f"{called}/gather", {"Digits": "7"}).content.decode()
    assert "Redirect" in answer and f"{called}?again=1" in answer
    assert "No key was pressed" in text(post(twilio, f"{called}?again=1", {}))
    assert post(twilio, f"/hooks/twilio/voice/{uuid4()}", {}).status_code == 200
    assert post(twilio, called, {}, signature="forged").status_code == 403


# --- gateways and browsers -----------------------------------------------------------------------------------------------
def gateway(path: str, told: Any, secret: str = "secret-of-tests") -> Any:
    body = told if isinstance(told, str) else json.dumps(told)
    return Client().post(path, body, content_type="application/json", headers={"Authorization": f"Bearer {secret}"})


def test_a_gateway_shows_its_secret_with_receipts_and_replies(page: Page, http_gateway: HttpServer):
    Delivery.objects.filter(pk=sms_of(page).pk).update(provider="gateway", provider_id="q-1")
    assert gateway("/hooks/gateway/receipt", {"id": "q-1", "status": "delivered"}, "wrong").status_code == 403
    assert gateway("/hooks/gateway/receipt", {"id": "q-1", "status": "delivered"}).status_code == 200
    assert sms_of(page).state == DeliveryState.DELIVERED
    assert gateway("/hooks/gateway/inbound", {"id": "i-1", "from": "50000002", "text": "١"}).json()["reply"].startswith("Acknowledged")
    for nonsense in ("[]", "{", '{"id": {}}', "null"):
        assert gateway("/hooks/gateway/receipt", nonsense).status_code == 200
        assert gateway("/hooks/gateway/inbound", nonsense).json() == {"reply": ""}


def test_without_a_secret_no_gateway_is_believed(http_gateway: HttpServer, settings: Any):
    settings.SMS_GATEWAY_SECRET = ""
    assert gateway("/hooks/gateway/inbound", {"from": "50000002", "text": "1"}, "").status_code == 403


def test_a_browser_says_what_it_has_shown_and_its_button_acknowledges(page: Page, push_service: PushService, cast: Any):
    made = Delivery.objects.create(
        key=uuid4(), alert=page.alert, page=page, rung_no=6, channel="push", address=push_service.endpoint, language="en",
        state=DeliveryState.SENT, provider="push",
    )  # fmt: skip
    Delivery.objects.filter(pk=made.pk).update(provider_id=str(made.key))

    def tell(path: str, key: object) -> Any:
        return Client(enforce_csrf_checks=True).post(path, json.dumps({"key": key}), content_type="application/json")

    assert tell("/hooks/push/shown", str(uuid4())).status_code == 200
    assert tell("/hooks/push/shown", str(made.key)).status_code == 200
    made.refresh_from_db()
    assert made.state == DeliveryState.DELIVERED
    assert tell("/hooks/push/acknowledge", "x").status_code == 404
    assert tell("/hooks/push/acknowledge", str(sms_of(page).key)).status_code == 404
    assert tell("/hooks/push/acknowledge", str(made.key)).json()["text"].startswith("Acknowledged")
    page.alert.refresh_from_db()
    assert page.alert.acknowledged_through == "push"


@pytest.mark.django_db(transaction=True)
def test_the_whole_way_out_and_back(alerting: Any, fire: Any, cast: Any, twilio: TwilioServer, live_server: Any):
    """A page leaves by a real request, Twilio calls back by real requests, and a reply acknowledges."""
    twilio.reach, twilio.receipts = live_server.url, ("delivered", "sent")
    page = page_person(alert=fire(), user=cast.dispatcher, now=timezone.now())
    send_due()
    until = time.monotonic() + 30
    while len(twilio.called_back) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert [one.answer for one in twilio.called_back] == [200, 200] and sms_of(page).state == DeliveryState.DELIVERED
    taken = twilio.messages[0]
    assert twilio.call_back(taken, "failed", forged=True).answer == 403
    answer = twilio.write_to(f"{PUBLIC}/hooks/twilio/inbound", sender="+96550000002", to="+15005550006", text=f"1 {page.code}")
    assert answer.status_code == 200 and "Acknowledged" in answer.text
    page.refresh_from_db()
    assert page.state == Page.State.ANSWERED


def test_a_message_centres_receipts_and_replies_count_as_any_others(page: Page, smpp: SmppServer):
    Delivery.objects.filter(pk=sms_of(page).pk).update(provider="smpp", provider_id="m7")
    sms_gateway.hear(Heard(provider_id="m7", status="undelivered", code="34"))
    assert (sms_of(page).state, sms_of(page).error_code) == (DeliveryState.FAILED, "34")
    sms_gateway.hear(Heard(sender="+96599999999", text="1"))
    assert smpp.parts == []  # a number we do not know is not answered
    sms_gateway.hear(Heard(sender="+96550000002", text="١"))
    page.alert.refresh_from_db()
    assert page.alert.state == AlertState.ACKNOWLEDGED and smpp.texts == ["Acknowledged: Smoke over the market"]
