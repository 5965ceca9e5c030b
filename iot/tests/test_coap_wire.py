"""IOT-1: the message layer of CoAP and our own form as CBOR, by themselves: broken, endless and lying messages."""

from __future__ import annotations

import random
from typing import Any

import cbor2
import pytest
from aiocoap.numbers.codes import Code

from iot.decoders import InvalidSettings, Undecodable, decoder
from iot.decoders.cbor_form import body_of
from iot.gateways import coap_wire
from iot.gateways.coap_wire import NotCoap, Refused, Wire
from iot.tests.coap_module import request

ONE = {"metric": "temperature", "value": 21.5}


def test_no_datagram_breaks_the_wire_and_little_is_remembered():
    chance, wire = random.Random(7), Wire()
    good = request(1, ONE)
    for n in range(3_000):
        raw = bytearray(good if n % 2 else chance.randbytes(chance.randrange(40)))
        if raw:
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            found = wire.take(bytes(raw))
        except NotCoap:
            continue
        if isinstance(found, coap_wire.Request):
            assert wire.answered(found.exchange, Code.BAD_REQUEST) is not None or found.exchange.no_response
    assert len(wire.exchanges) <= coap_wire.REMEMBERED


def test_blocks_with_gaps_and_lies_are_refused():
    def put(*rows):
        wire, found = Wire(), None
        for mid, (number, more, payload, exponent, form) in enumerate(rows):
            asked: Any = wire.take(request(mid, payload, form=form, block1=(number, more, exponent)))
            found = wire.whole(asked)
            wire.answered(asked.exchange, Code.CONTINUE)
        assert wire.held == (0 if found else sum(len(row[2]) for row in rows))
        return found

    full = b"x" * 64
    first = (0, True, full, 2, 50)
    assert put(first) is None and put(first, (1, False, b"y", 2, 50)) == full + b"y"
    gap, other_form = (2, True, full, 2, 50), (1, True, full, 2, 60)
    short, long, strange = (0, True, b"short", 2, 50), (0, False, full + b"x", 2, 50), (0, True, full, 7, 50)
    for rows in ([gap], [first, gap], [first, other_form], [short], [long], [strange]):
        with pytest.raises(Refused):
            put(*rows)
    with pytest.raises(Refused, match="too_long"):
        put(*((number, True, b"x" * 1_024, 6, 50) for number in range(70)))


# -- CBOR, whatever brings it ------------------------------------------------------------------------------------------------------------
def test_cbor_is_read_as_our_own_form_and_no_tag_builds_anything():
    read = decoder("cbor", {})
    one: Any
    (one,) = read(cbor2.dumps({"metric": "t", "value": 1.5, "at": 1_700_000_000_123}))
    assert (one.metric, one.value, one.at.timestamp()) == ("t", 1.5, 1_700_000_000.123)
    both = cbor2.dumps({"readings": [{"values": {"a": 1, "b": 2}}], "battery_pct": 5})
    assert [one.metric for one in read(both)] == ["battery_pct", "a", "b"]
    for raw in (
        b"", b"\xf7", b"\xc2\x42\xff\xff", bytes.fromhex("d81c81d81d00"), b"\x5b" + b"\x7f" * 8, b"\x9f" * 9,
        b"\xc1\xfb\x7f\xf0" + bytes(6),
        *(cbor2.dumps(one) for one in (cbor2.CBORTag(35, "(a*)*"), {1: 2}, {"a": b"x"}, [0] * 30_000)),
    ):  # fmt: skip
        with pytest.raises(Undecodable):
            read(raw)
    with pytest.raises(InvalidSettings):
        decoder("cbor", {"x": 1})
    assert body_of(cbor2.dumps({"at": 2**70 // 2**8, "x": [None, True, "é"]})) == {"at": 2**62, "x": [None, True, "é"]}
