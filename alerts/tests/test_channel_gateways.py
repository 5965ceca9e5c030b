"""ALR-3: SMS without internet, by a gateway that takes JSON and by a short message centre (SMPP)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from alerts.channels.base import PermanentFailure, TemporaryFailure
from alerts.channels.gateway_smpp import Heard, listen, parts_of
from alerts.channels.registry import sender_of
from alerts.tests.servers import HttpServer, Reply, SmppServer
from alerts.tests.words import a_message


def send(**given: Any) -> Any:
    sender = sender_of("gateway")
    assert sender is not None
    return sender.send(a_message("+96550000001", **given))


def test_a_modem_takes_json_with_our_key_and_answers_with_its_own_id(http_gateway: HttpServer):
    http_gateway.script(Reply.json(202, {"id": "q-17"}))
    message = a_message("50000001", text="دخان")
    sender = sender_of("gateway")
    assert sender is not None and sender.takes_key and sender.has_receipts
    handed = sender.send(message)
    (seen,) = http_gateway.seen
    assert (handed.provider, handed.provider_id) == ("gateway", "q-17")
    assert seen.json["id"] == str(message.key) == seen.headers["idempotency-key"]
    assert (seen.json["to"], seen.json["text"]) == ("+96550000001", "دخان")
    assert seen.headers["authorization"] == "Bearer token-of-tests"


def test_a_modem_without_an_id_of_its_own_is_known_by_ours(http_gateway: HttpServer):
    message = a_message("50000001")
    sender = sender_of("gateway")
    assert sender is not None
    assert sender.send(message).provider_id == str(message.key)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.json(200, {"error": "unknown number", "is_address_bad": True}), PermanentFailure),
        (Reply(401), PermanentFailure),
        (Reply(422), PermanentFailure),
        (Reply(404), PermanentFailure),
        (Reply.html(200), TemporaryFailure),
        (Reply(503), TemporaryFailure),
        (Reply.dropped(), TemporaryFailure),
    ],
)
def test_a_modems_refusals_are_told_apart(http_gateway: HttpServer, reply: Reply, kind: type[Exception]):
    http_gateway.script(reply)
    with pytest.raises(kind):
        send()


def test_where_there_is_no_twilio_everybodys_sms_go_by_the_gateway(http_gateway: HttpServer, settings: Any):
    settings.TWILIO_AUTH_TOKEN = ""
    sender = sender_of("sms")
    assert sender is not None and sender.provider == "gateway" and sender.channel == "sms"


# --- SMPP ----------------------------------------------------------------------------------------------------------------
def test_a_short_english_text_is_one_part_in_the_default_alphabet(smpp: SmppServer):
    handed = send(text="Smoke over the market", acknowledge_url="", url="")
    (part,) = smpp.parts
    assert (part.text, part.data_coding, part.to, part.source) == ("Smoke over the market", 0, "96550000001", "MOI")
    assert part.registered == 1 and handed.provider_id == "m1" and not part.is_part


def test_arabic_and_pictures_go_as_ucs_2_in_parts_the_handset_puts_together(smpp: SmppServer):
    text = "دخان فوق السوق في السالمية 🔥" * 6
    handed = send(text=text)
    assert smpp.texts == [text]
    assert {part.data_coding for part in smpp.parts} == {8} and all(len(part.data) <= 140 for part in smpp.parts)
    assert [part.place[1:] for part in smpp.parts] == [(3, 1), (3, 2), (3, 3)]
    assert [part.registered for part in smpp.parts] == [0, 0, 1] and handed.provider_id == "m3"


def test_10_kb_are_cut_to_ten_parts_that_keep_the_link(smpp: SmppServer):
    send(text="ا" * 10_000)
    assert len(smpp.parts) == 10 and smpp.texts[0].endswith("https://alerts.example/a/abc/")


def test_no_letter_is_torn_between_two_parts():
    for text in ("🔥" * 100, "a" * 66 + "🔥" * 40, "x" * 161, "é" * 71):
        coding, parts = parts_of(text)
        codec = "ascii" if coding == 0 else "utf-16-be"
        assert "".join(part[6:].decode(codec) for part in parts) == text


@pytest.mark.parametrize(
    ("status", "kind", "address_bad"),
    [(0x58, TemporaryFailure, None), (0x14, TemporaryFailure, None), (0x0B, PermanentFailure, True), (0x0A, PermanentFailure, False)],
)
def test_a_centres_refusals_are_told_apart(smpp: SmppServer, status: int, kind: type[Any], address_bad: bool | None):
    smpp.refuse(status)
    with pytest.raises(kind) as refused:
        send()
    assert refused.value.code == f"smpp {status:#x}"
    assert getattr(refused.value, "is_address_bad", None) == address_bad


def test_half_a_message_taken_is_perhaps_taken(smpp: SmppServer):
    smpp.refuse(0, 0x58)
    with pytest.raises(TemporaryFailure) as failed:
        send(text="ا" * 100)
    assert failed.value.may_have_been_taken


def test_a_wrong_password_and_a_centre_that_is_silent_or_away(smpp: SmppServer, settings: Any):
    settings.ALERT_SEND_TIMEOUT_S = 0.5
    smpp.refuse_bind(0x0E)
    with pytest.raises(PermanentFailure):
        send()
    smpp.hang()
    with pytest.raises(TemporaryFailure) as silent:
        send()
    assert silent.value.may_have_been_taken
    settings.SMS_GATEWAY_URL = "smpp://a:b@127.0.0.1:9"
    with pytest.raises(TemporaryFailure) as away:
        send()
    assert not away.value.may_have_been_taken


def test_receipts_and_replies_come_to_the_bind_that_stays(smpp: SmppServer):
    heard: list[Heard] = []
    both, stop = threading.Event(), threading.Event()

    def hear(one: Heard) -> None:
        heard.append(one)
        if len(heard) == 3:
            both.set()

    listener = threading.Thread(target=listen, args=(smpp.url,), kwargs={"hear": hear, "stop": stop}, daemon=True)
    listener.start()
    for _ in range(400):
        if smpp.has_receiver:
            break
        threading.Event().wait(0.025)
    smpp.receipt("m1")
    smpp.receipt("m2", "UNDELIV", "034")
    smpp.reply("+96550000001", "١ K7Q2")
    assert both.wait(20)
    stop.set()
    listener.join(10)
    assert [(one.provider_id, one.status) for one in heard[:2]] == [("m1", "delivered"), ("m2", "undelivered")]
    assert heard[1].code == "34" and (heard[2].sender, heard[2].text) == ("+96550000001", "١ K7Q2")
