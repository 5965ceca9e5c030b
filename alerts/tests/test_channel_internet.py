"""ALR-3: WhatsApp, calls, push, Slack and webhooks, each against a real server."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from standardwebhooks import Webhook

from alerts.channels.base import PermanentFailure, TemporaryFailure
from alerts.channels.registry import sender_of
from alerts.channels.web import Guard
from alerts.tests.servers import HttpServer, PushService, Reply, TwilioServer
from alerts.tests.words import a_message


def send(channel: str, to: str, **given: Any) -> Any:
    sender = sender_of(channel)
    assert sender is not None
    return sender.send(a_message(to, **given))


# --- WhatsApp and calls -------------------------------------------------------------------------------------------------
def test_whatsapp_is_free_text_while_the_person_wrote_within_a_day(twilio: TwilioServer):
    send("whatsapp", "50000001", text="دخان فوق السوق")
    form = twilio.messages[0].form
    assert (form["To"], form["From"], form["Body"]) == ("whatsapp:+96550000001", "whatsapp:+15005550006", "دخان فوق السوق")


def test_whatsapp_outside_the_day_is_the_approved_template_with_its_variables(twilio: TwilioServer):
    send("whatsapp", "50000001", may_be_free_text=False, provider_template="HX" + "1" * 32, text="two\nlines", code="")
    form = twilio.messages[0].form
    assert form["ContentSid"].startswith("HX") and "Body" not in form
    assert json.loads(form["ContentVariables"]) == {
        "1": "High: smoke over the market", "2": "two lines", "3": "https://alerts.example/a/abc/", "4": "–",
    }  # fmt: skip


def test_whatsapp_without_an_approved_template_is_refused_before_it_is_sent(twilio: TwilioServer):
    with pytest.raises(PermanentFailure) as refused:
        send("whatsapp", "50000001", may_be_free_text=False)
    assert refused.value.code == "no_template" and not refused.value.is_address_bad and twilio.seen == []


def test_a_call_asks_our_own_door_what_to_say(twilio: TwilioServer):
    message = a_message("50000001")
    sender = sender_of("voice")
    assert sender is not None
    handed = sender.send(message)
    (call,) = twilio.calls
    assert handed.provider_id == call.sid and call.form["Url"] == f"https://alerts.example/hooks/twilio/voice/{message.key}"
    assert call.callback.endswith(f"?key={message.key}")


def test_a_call_reads_the_words_in_the_persons_language_and_not_its_links():
    from alerts.channels.twilio_voice import asking, spoken

    said = asking(language="ar", text=spoken("دخان 🔥", "انظر https://alerts.example/x"), gather_path="/g")
    tree = ElementTree.fromstring(said)  # noqa: S314  (our own)
    gather = tree.find("Gather")
    assert gather is not None and gather.attrib["numDigits"] == "1"
    says = gather.findall("Say")
    assert says[0].attrib["language"] == "arb" and says[0].text == "دخان . انظر"


# --- push ----------------------------------------------------------------------------------------------------------------
def test_a_push_is_sealed_for_that_browser_and_signed_by_us(push_service: PushService):
    message = a_message(push_service.endpoint, keys=push_service.keys, level="critical", text="دخان " * 500)
    sender = sender_of("push")
    assert sender is not None and sender.takes_key
    handed = sender.send(message)
    (seen,) = push_service.seen
    assert (handed.provider, handed.provider_id) == ("push", str(message.key))
    assert (seen.headers["urgency"], seen.headers["topic"], seen.headers["ttl"]) == ("high", message.key.hex, "14400")
    assert message.subject.encode() not in seen.body
    (told,) = push_service.opened
    assert told["title"] == message.subject and told["url"] == "/alerts/7/" and told["text"].startswith("دخان")


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_unsubscribed_is_gone_for_good(push_service: PushService, status: int):
    push_service.script(Reply(status))
    with pytest.raises(PermanentFailure) as gone:
        send("push", push_service.endpoint, keys=push_service.keys)
    assert gone.value.is_address_bad


def test_a_push_service_that_asks_to_wait_is_waited_for(push_service: PushService):
    push_service.script(Reply(429, headers={"Retry-After": "30"}))
    with pytest.raises(TemporaryFailure) as later:
        send("push", push_service.endpoint, keys=push_service.keys)
    assert later.value.retry_after_s == 30


def test_a_subscription_may_not_lead_into_our_own_network(push_service: PushService, settings: Any):
    settings.PUSH_ALLOW = []
    for endpoint in (push_service.endpoint, push_service.endpoint.replace("http:", "https:"), "https://[::ffff:10.0.0.1]/x"):
        with pytest.raises(PermanentFailure):
            send("push", endpoint, keys=push_service.keys)
    assert push_service.seen == []


def test_keys_that_are_none_are_refused(push_service: PushService):
    for keys in ({}, {"p256dh": "AAAA", "auth": "AAAA"}, {"p256dh": "%%%", "auth": ""}):
        with pytest.raises(PermanentFailure):
            send("push", push_service.endpoint, keys=keys)


# --- Slack ---------------------------------------------------------------------------------------------------------------
def test_slack_shows_blocks_and_no_mention_from_outside(hook_receiver: HttpServer):
    hook_receiver.script(Reply(200, b"ok", "text/plain"))
    send("slack", "#ops", subject="<!channel> Fire & smoke", text="<@U1> see <http://evil.example|here> " + "&" * 4000)
    told = hook_receiver.seen[0].json
    section = told["blocks"][1]["text"]["text"]
    assert "<" not in section and len(section) <= 3000 and told["text"] == "&lt;!channel&gt; Fire &amp; smoke"
    assert told["blocks"][2]["elements"][0]["url"] == "https://alerts.example/alerts/7/"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(404, b"no_service"), PermanentFailure),
        (Reply(403, b"action_prohibited"), PermanentFailure),
        (Reply(429, b"rate_limited"), TemporaryFailure),
        (Reply(500, b"rollup_error"), TemporaryFailure),
        (Reply.html(200), TemporaryFailure),
    ],
)
def test_slacks_refusals_are_told_apart(hook_receiver: HttpServer, reply: Reply, kind: type[Exception]):
    hook_receiver.script(reply)
    with pytest.raises(kind):
        send("slack", "")


# --- webhooks ------------------------------------------------------------------------------------------------------------
def test_a_webhook_is_signed_so_that_the_receiver_can_check_it(hook_receiver: HttpServer, settings: Any):
    message = a_message("room", facts={"alert": 7, "kind": "manual"}, text="دخان")
    sender = sender_of("webhook")
    assert sender is not None
    handed = sender.send(message)
    (seen,) = hook_receiver.seen
    verified = Webhook(settings.ALERT_WEBHOOKS["room"]["secret"]).verify(seen.body, seen.headers)
    assert verified["data"]["alert"] == {"alert": 7, "kind": "manual"} and verified["data"]["text"] == "دخان"
    assert handed.is_delivered and seen.headers["webhook-id"] == f"msg_{message.key.hex}"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(302, headers={"Location": "http://127.0.0.1/elsewhere"}), PermanentFailure),
        (Reply(401), PermanentFailure),
        (Reply.html(503), TemporaryFailure),
        (Reply(429, headers={"Retry-After": "5"}), TemporaryFailure),
    ],
)
def test_a_webhooks_refusals_are_told_apart_and_no_redirect_is_followed(hook_receiver: HttpServer, reply: Reply, kind: type[Exception]):
    hook_receiver.script(reply)
    with pytest.raises(kind):
        send("webhook", "room")
    assert len(hook_receiver.seen) == 1


def test_a_webhook_into_a_private_network_is_refused_unless_allowed(hook_receiver: HttpServer, settings: Any):
    settings.ALERT_WEBHOOK_ALLOW = []
    with pytest.raises(PermanentFailure) as refused:
        send("webhook", "room")
    assert refused.value.code == "private" and hook_receiver.seen == []
    settings.ALERT_WEBHOOK_ALLOW = ["127.0.0.0/8"]
    assert send("webhook", "room").is_delivered


def test_names_and_secrets_that_are_none_are_refused(hook_receiver: HttpServer, settings: Any):
    with pytest.raises(PermanentFailure):
        send("webhook", "http://127.0.0.1/anything")
    settings.ALERT_WEBHOOKS = {"room": {"url": f"{hook_receiver.url}/", "secret": ""}}
    with pytest.raises(PermanentFailure):
        send("webhook", "room")
    assert hook_receiver.seen == []


def test_the_guard_knows_private_addresses_in_every_dress():
    for address in (
        "10.1.2.3",
        "127.0.0.1",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "fe80::1%eth0",
        "::ffff:192.168.0.1",
        "224.0.0.1",
    ):
        assert not Guard().admits("x", address), address
    assert Guard().admits("x", "8.8.8.8") and Guard(("room.local",)).admits("ROOM.local", "10.0.0.1")


def test_a_gigabyte_of_answer_is_not_read(hook_receiver: HttpServer):
    hook_receiver.script(Reply(200, b"x" * 3_000_000))
    assert send("webhook", "room").is_delivered
