"""ALR-3: SMS through a server that speaks Twilio's API."""

from __future__ import annotations

import time
from typing import Any

import pytest

from alerts.channels.base import PermanentFailure, TemporaryFailure
from alerts.channels.registry import sender_of
from alerts.tests.servers import Reply, TwilioServer
from alerts.tests.words import a_message


def send(**given: Any) -> Any:
    sender = sender_of(given.pop("channel", "sms"))
    assert sender is not None
    return sender.send(a_message(given.pop("to", "+96550000001"), **given))


def test_an_sms_is_taken_and_the_callback_carries_the_deliverys_key(twilio: TwilioServer):
    message = a_message("5000 0001", text="دخان فوق السوق 🔥")
    sender = sender_of("sms")
    assert sender is not None and sender.has_receipts
    handed = sender.send(message)
    (taken,) = twilio.messages
    assert (handed.provider, handed.provider_id) == ("twilio", taken.sid)
    assert (taken.to, taken.body, taken.form["From"]) == ("+96550000001", "دخان فوق السوق 🔥", "+15005550006")
    assert taken.callback == f"https://alerts.example/hooks/twilio/status?key={message.key}"


def test_a_messaging_service_is_named_as_one(twilio: TwilioServer, settings: Any):
    settings.TWILIO_SMS_FROM = "MG" + "0" * 32
    send()
    assert twilio.messages[0].form["MessagingServiceSid"].startswith("MG") and "From" not in twilio.messages[0].form


def test_10_kb_are_cut_to_what_twilio_takes_and_keep_their_link(twilio: TwilioServer):
    send(text="ا" * 10_000)
    body = twilio.messages[0].body
    assert len(body) <= 1600 and body.endswith("https://alerts.example/a/abc/")


@pytest.mark.parametrize(
    ("reply", "code", "address_bad"),
    [
        (TwilioServer.error(400, 21211, "Invalid 'To' Phone Number"), "21211", True),
        (TwilioServer.error(400, 21610, "Attempt to send to unsubscribed recipient"), "21610", True),
        (TwilioServer.error(400, 21606, "The From phone number is not valid"), "21606", False),
        (TwilioServer.error(401, 20003, "Authenticate"), "20003", False),
    ],
)
def test_what_will_not_heal_is_told_apart_by_whose_fault_it_is(twilio: TwilioServer, reply: Reply, code: str, address_bad: bool):
    twilio.script(reply)
    with pytest.raises(PermanentFailure) as refused:
        send()
    assert (refused.value.code, refused.value.is_address_bad) == (code, address_bad)


@pytest.mark.parametrize(
    ("reply", "code", "perhaps_taken"),
    [
        (TwilioServer.error(429, 20429, "Too Many Requests"), "20429", False),
        (TwilioServer.error(503, 20503, "Service Unavailable"), "20503", False),
        (Reply.html(502), "http 502", False),
        (Reply.html(200), "http 200", True),
        (Reply.json(201, []), "http 201", True),
        (Reply.dropped(), "connect", True),
    ],
)
def test_what_may_heal_says_whether_it_may_have_been_taken(twilio: TwilioServer, reply: Reply, code: str, perhaps_taken: bool):
    twilio.script(reply)
    with pytest.raises(TemporaryFailure) as later:
        send()
    assert (later.value.code, later.value.may_have_been_taken) == (code, perhaps_taken)


@pytest.mark.parametrize("reply", [Reply.hang(), Reply.drip(0.05)])
def test_neither_silence_nor_a_drip_of_bytes_holds_us_beyond_the_time(twilio: TwilioServer, settings: Any, reply: Reply):
    settings.ALERT_SEND_TIMEOUT_S = 0.5
    twilio.script(reply)
    began = time.monotonic()
    with pytest.raises(TemporaryFailure) as late:
        send()
    assert late.value.code == "timeout" and late.value.may_have_been_taken
    assert time.monotonic() - began < 10


def test_no_server_at_all_heals_and_nothing_was_taken(twilio: TwilioServer, settings: Any):
    settings.TWILIO_API_URL = "http://127.0.0.1:9"
    with pytest.raises(TemporaryFailure) as gone:
        send()
    assert (gone.value.code, gone.value.may_have_been_taken) == ("connect", False)


def test_what_is_no_number_is_refused_before_anything_is_said(twilio: TwilioServer):
    for wrong in ("112", "call me", "+965 1234", "+96532345678", "", "+1' OR 1=1"):
        with pytest.raises(PermanentFailure) as refused:
            send(to=wrong)
        assert refused.value.is_address_bad
    assert twilio.seen == []


def test_numbers_are_completed_as_people_write_them_here(twilio: TwilioServer):
    sender = sender_of("sms")
    assert sender is not None
    for written in ("50000001", "٥٠٠٠٠٠٠١", "+965 5000-0001", "0096550000001", "\u200e96550000001", "(965) 5000 0001"):
        assert sender.check_address(written) == "+96550000001"
    assert sender.check_address("+44 20 7946 0958") == "+442079460958"
