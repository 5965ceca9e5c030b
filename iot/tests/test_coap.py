"""IOT-1: NB-IoT modules that speak CoAP over DTLS: who they are by certificate, what they say in JSON, CBOR or their own bytes, each
acknowledged when it is on the disk. And our own form as CBOR, whatever brings it."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
import time
from typing import Any

import aiocoap
import cbor2
import pytest
from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type
from cryptography.hazmat.primitives.serialization import Encoding

from iot.ca import Authority, new_key
from iot.gateways import coap
from iot.gateways.coap import CoapGateway
from iot.gateways.coap_dtls import server_context
from iot.models import DeadReading, Reading
from iot.services import issue_certificate, revoke_certificate, suspend_device
from iot.services.certificates import authority, own_server_certificate
from iot.services.dying import Dead, bury
from iot.services.speakers import Speakers
from iot.services.taking import read_messages
from iot.stream import Stream
from iot.tests.coap_module import Module, Shut, Tunnel, request

pytestmark = pytest.mark.django_db(transaction=True)
Why = DeadReading.Why


class Door:
    """A gateway in a thread of its own. ``module()`` has begun a session as AIR-1."""

    def __init__(self, issued: Any) -> None:
        self.issued, ready = issued, threading.Event()
        self.modules: list[Module] = []
        certificate, key = own_server_certificate()
        self.gateway = CoapGateway("127.0.0.1", 0, server_context(certificate=certificate, key=key, trusted=authority().pem))

        def started(port: int) -> None:
            self.port = port
            ready.set()

        async def main() -> None:
            self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
            await self.gateway.run(self.stop, started)

        self.thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
        self.thread.start()
        assert ready.wait(20)

    def module(self, issued: Any = None, **how: Any) -> Module:
        self.modules.append(Module(self.port, issued or self.issued, **how))
        return self.modules[-1].begin()

    def end(self) -> None:
        for module in self.modules:
            module.close()
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(20)


@pytest.fixture
def door(sensors, settings, tmp_path, monkeypatch):
    settings.IOT_CA_DIR = tmp_path / "ca"
    settings.KEYS_KNOWN_S = 0.0
    monkeypatch.setattr(coap, "LOOK_EVERY_S", 0.05)
    made = Door(issue_certificate(device=sensors.salmiya, by=None))
    yield made
    made.end()


def posted(port: int, body: Any, form: int | None = 50, path: str = "r", code: Code = Code.POST) -> Message:
    """By aiocoap's own client, with its blocks and retransmissions."""

    async def ask() -> Message:
        client = await aiocoap.Context.create_client_context(transports=["simple6"])
        try:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            request = Message(code=code, uri=f"coap://127.0.0.1:{port}/{path}", payload=raw)
            request.opt.content_format = form
            return await asyncio.wait_for(client.request(request).response, 30)
        finally:
            await client.shutdown()

    return asyncio.run(ask())


def said(answer: bytes) -> tuple[Code, str]:
    message = Message.decode(answer)
    return message.code, message.payload.decode()


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


ONE = {"metric": "temperature", "value": 21.5}


def test_readings_are_acknowledged_when_they_are_on_the_disk(door, sensors, drain):
    at = sensors.ago(seconds=5)
    with Tunnel(door.module()) as tunnel:
        assert posted(tunnel.port, ONE | {"at": at.isoformat()}).code == Code.CHANGED
        assert Stream().standing()["readings"] == 1
        assert posted(tunnel.port, cbor2.dumps({"values": {"temperature": 22, "humidity": 40}, "battery_pct": 81}), 60).code == Code.CHANGED
        partly = posted(tunnel.port, [ONE, ONE | {"at": 0}], None)
        assert (partly.code, partly.payload) == (Code.CHANGED, b"OK 1 refused 1 too_old")
        assert posted(tunnel.port, cbor2.dumps(ONE | {"at": at}), 60).code == Code.CHANGED  # told again: harmless
    drain()
    assert Reading.objects.count() == 4
    sensors.salmiya.refresh_from_db()
    assert sensors.salmiya.battery_pct == 81


def test_a_long_body_comes_in_blocks_and_one_that_is_too_long_is_refused(door, sensors, drain):
    many = [{"metric": "humidity", "value": n / 10, "at": sensors.ago(seconds=n).isoformat()} for n in range(400)]
    with Tunnel(door.module()) as tunnel:
        assert len(json.dumps(many)) > 20_000 and posted(tunnel.port, many).code == Code.CHANGED
        refused = posted(tunnel.port, b" " * 70_000)
        assert (refused.code, refused.opt.size1) == (Code.REQUEST_ENTITY_TOO_LARGE, 65_536)
    drain()
    assert Reading.objects.count() == 400


WRONG = [
    (b"{", 50, (Code.BAD_REQUEST, "unreadable")), (b'{"metric": "temperature", "value": NaN}', 50, (Code.BAD_REQUEST, "unreadable")),
    (b"\x9f\x01", 60, (Code.BAD_REQUEST, "unreadable")), (b"\x81" * 900, 60, (Code.BAD_REQUEST, "unreadable")),
    (cbor2.dumps({"metric": "temperature", "value": float("nan")}), 60, (Code.BAD_REQUEST, "not_a_number")),
    (cbor2.dumps({"metric": "temperature", "value": 2**80}), 60, (Code.BAD_REQUEST, "unreadable")),
    (ONE | {"device": "AIR-2"}, 50, (Code.NOT_FOUND, "no_such_device")),
    (ONE | {"at": "2099-01-01T00:00:00Z"}, 50, (Code.BAD_REQUEST, "future")),
    ({"metric": "radiation", "value": 1}, 50, (Code.BAD_REQUEST, "unknown_metric")),
    (b"\x01", 42, (Code.UNSUPPORTED_CONTENT_FORMAT, "format")),
]  # fmt: skip


def test_each_thing_that_is_wrong_has_its_answer_and_the_next_is_taken(door, sensors):
    module = door.module()
    for mid, (body, form, answer) in enumerate(WRONG):
        assert said(module.ask(request(mid, body, form=form))) == answer
    assert said(module.ask(request(99, ONE))) == (Code.CHANGED, "")
    until(lambda: DeadReading.objects.filter(door="coap", device=sensors.salmiya).exists())


def test_what_is_not_the_door_is_said_to_be_not(door):
    module = door.module()
    assert said(module.ask(request(1, ONE, path="else")))[0] == Code.NOT_FOUND
    assert said(module.ask(request(2, code=Code.GET)))[0] == Code.METHOD_NOT_ALLOWED
    assert said(module.ask(request(3, ONE, form=40)))[0] == Code.UNSUPPORTED_CONTENT_FORMAT
    assert said(module.ask(request(4, ONE, if_none_match=True)))[0] == Code.BAD_OPTION
    assert Message.decode(module.ask(Message(code=Code.EMPTY, _mtype=Type.CON, _mid=5).encode())).mtype is Type.RST  # a ping


def test_what_is_told_again_is_answered_the_same_and_kept_once(door, sensors, drain):
    module = door.module()
    first = module.ask(request(7, ONE))
    assert module.ask(request(7, ONE)) == first
    module.say(request(8, ONE, kind=Type.NON, no_response=26))  # and one that wants to hear nothing
    assert said(module.ask(request(9, {"battery_pct": 50}))) == (Code.CHANGED, "")
    drain()
    assert Reading.objects.count() == 2


def test_bytes_are_read_by_the_profiles_decoder(door, sensors, drain):
    sensors.air.decoder, sensors.air.decoder_settings = "json_path", {"fields": [{"metric": "temperature", "path": "t"}]}
    sensors.air.save()
    module = door.module()
    assert said(module.ask(request(1, {"t": 20}, form=42))) == (Code.CHANGED, "")
    assert said(module.ask(request(2, {"t": 21}, form=None))) == (Code.CHANGED, "")
    assert said(module.ask(request(3, {"x": 21}, form=None))) == (Code.BAD_REQUEST, "unreadable")
    assert said(module.ask(request(4, ONE))) == (Code.CHANGED, "")
    drain()
    assert sorted(Reading.objects.values_list("value", flat=True)) == [20, 21, 21.5]


# -- who ---------------------------------------------------------------------------------------------------------------------------------
def test_a_certificate_that_is_revoked_ends_it_and_another_authoritys_never_begins(door, sensors):
    module = door.module()
    assert said(module.ask(request(1, ONE))) == (Code.CHANGED, "")
    revoke_certificate(credential=door.issued.credential, by=None, reason="Lost")
    until(lambda: said(module.ask(request(random.randrange(2, 60_000), ONE))) == (Code.UNAUTHORIZED, "unauthorized"))
    assert said(door.module().ask(request(1, ONE))) == (Code.UNAUTHORIZED, "unauthorized")
    stranger = Authority.made(now=sensors.now)
    public, key = new_key()
    forged = stranger.for_device("AIR-2", public, now=sensors.now, not_after=sensors.ago(days=-1))
    with pytest.raises(Shut):
        door.module(type(door.issued)(door.issued.credential, _pem(forged), key.decode(), door.issued.authority_pem))


def test_without_a_certificate_nothing_begins(door):
    bare = Module(door.port, None)
    with pytest.raises(Shut):
        bare.begin()
    bare.close()
    until(lambda: door.gateway.counts["refused"] == 1)


def test_a_device_that_is_suspended_is_told_so(door, sensors, cast):
    module = door.module()
    suspend_device(device=sensors.salmiya, by=cast.supervisor, reason="Tampered with")
    until(lambda: said(module.ask(request(random.randrange(60_000), ONE))) == (Code.FORBIDDEN, "not_in_use"))


def test_plain_coap_and_noise_are_not_answered_and_a_forged_address_leaves_nothing(door):
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.settimeout(0.5)
    plain.connect(("127.0.0.1", door.port))
    for noise in (request(1, ONE), b"", b"\x16", random.Random(1).randbytes(1_200), b"\x17" + bytes(60)):
        plain.send(noise)
    with pytest.raises(TimeoutError):
        plain.recv(100)
    hello = Module(door.port, door.issued).first_word()
    for _n in range(50):
        plain.send(hello)
    assert len(plain.recv(1_000)) < len(hello)  # the cookie: nobody is flooded through us
    assert not door.gateway.server.arriving and not door.gateway.server.sessions
    plain.close()


def test_a_module_that_was_switched_off_begins_anew_from_the_same_address(door):
    before = door.module()
    assert said(before.ask(request(1, ONE))) == (Code.CHANGED, "")
    after = door.module(wire=before.wire)
    assert said(after.ask(request(1, ONE))) == (Code.CHANGED, "")
    assert len(door.gateway.server.sessions) == 1


# -- limits ------------------------------------------------------------------------------------------------------------------------------
def test_one_that_floods_is_limited_and_another_unharmed(door, sensors):
    flood = door.module()
    other = door.module(issue_certificate(device=sensors.sharq, by=None))
    with Tunnel(flood) as tunnel:
        assert posted(tunnel.port, [ONE] * 1_000).code == Code.CHANGED
        assert posted(tunnel.port, [ONE] * 100).code == Code.TOO_MANY_REQUESTS
    for mid in range(2_000):
        flood.say(request(mid, b"{", kind=Type.NON))
    assert said(other.insist(request(1, ONE))) == (Code.CHANGED, "")
    until(lambda: door.gateway.counts["flood"] > 100)


def test_while_the_stream_is_away_it_says_later_and_takes_it_then(door, settings):
    module, url = door.module(), settings.STREAMS_URL
    settings.STREAMS_URL = "redis://127.0.0.1:1/0"
    answer = Message.decode(module.ask(request(1, ONE)))
    assert (answer.code, answer.opt.max_age) == (Code.SERVICE_UNAVAILABLE, 5)
    settings.STREAMS_URL = url
    assert said(module.ask(request(2, ONE))) == (Code.CHANGED, "")


# -- beside the door ---------------------------------------------------------------------------------------------------------------------
def test_a_profile_whose_decoder_is_cbor_speaks_it_by_mqtt(door, sensors):
    sensors.air.decoder = "cbor"
    sensors.air.save()
    speakers = Speakers()
    speakers.learn({"AIR-1"})
    said = (cbor2.dumps({"values": {"temperature": 20}, "battery_pct": 7}), b'{"metric":', cbor2.dumps(ONE | {"device": "AIR-2"}))
    rows = [("AIR-1", payload) for payload in said]
    taken = read_messages(rows, speakers=speakers, door="mqtt", now=sensors.now)
    assert [(one.measurements[0].value, one.facts) for one in taken.envelopes] == [(20, {"battery_pct": 7})]
    assert [row.why for row in taken.dead] == [Why.UNREADABLE] * 2


def test_of_a_device_nobody_knows_no_byte_is_kept(sensors):
    bury([
        Dead("mqtt", Why.UNKNOWN_DEVICE, b'{"plate": "12-34567"}', sensors.now, detail="GHOST"),
        Dead("mqtt", Why.UNREADABLE, b"12-34567", sensors.now, sensors.salmiya.pk),
    ])  # fmt: skip
    assert set(DeadReading.objects.values_list("why", "n")) == {("unknown_device", 1), ("unreadable", 1)}
    assert bytes(DeadReading.objects.get(why="unknown_device").raw) == b""
    assert bytes(DeadReading.objects.get(why="unreadable").raw) == b"12-34567"


def _pem(certificate: Any) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
