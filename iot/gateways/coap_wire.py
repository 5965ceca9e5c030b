"""The message layer of CoAP (RFC 7252) and blocks (RFC 7959) for a server: what came, what is answered, nothing without bound.

The bytes of messages and options are ``aiocoap``'s. What a device may make us remember is ours: a handful of exchanges and one body in
blocks, of each session. An answer always travels with the acknowledgement, so that "acknowledged" and "on the disk" are one word.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from aiocoap import error
from aiocoap.message import Message as CoapMessage
from aiocoap.numbers.codes import Code
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.numbers.types import Type

LONGEST = 65_536  # of a body in blocks
REMEMBERED = 64  # exchanges of a session
LIFETIME_S = 247.0  # so long a number means one message: EXCHANGE_LIFETIME
DATAGRAMS_PER_S, DATAGRAMS_AT_ONCE = 50.0, 400.0
JSON, CBOR, OCTETS = 50, 60, 42
TEXT = 0
_UNDERSTOOD = {
    OptionNumber.URI_HOST, OptionNumber.URI_PORT, OptionNumber.URI_PATH, OptionNumber.URI_QUERY, OptionNumber.ACCEPT, OptionNumber.BLOCK1,
}  # fmt: skip


class Block(NamedTuple):
    """Which part of a body this is; another follows where there is ``more``."""

    number: int
    more: bool
    exponent: int

    @property
    def size(self) -> int:
        return 16 << self.exponent

    @property
    def start(self) -> int:
        return self.number * self.size


class NotCoap(ValueError):
    pass


@dataclass(slots=True)
class Exchange:
    """A request, and what it was answered: the same again when it is told again. ``answer`` is ``None`` while it is worked on."""

    mid: int
    token: bytes
    is_confirmable: bool
    no_response: int
    at: float
    block: Block | None = None
    answer: bytes | None = None


@dataclass(slots=True)
class Request:
    exchange: Exchange
    path: tuple[str, ...]
    code: Code
    format: int | None
    payload: bytes
    size: int | None
    is_strange: bool  # it has an option that must be understood and is not


@dataclass(slots=True)
class _Body:
    format: int | None
    data: bytearray


class Refused(Exception):
    def __init__(self, code: Code, word: str = "", max_age: int | None = None) -> None:
        super().__init__(word)
        self.code, self.word, self.max_age = code, word, max_age


@dataclass
class Wire:
    """What is remembered of one session."""

    exchanges: OrderedDict[int, Exchange] = field(default_factory=OrderedDict)
    body: _Body | None = None
    _tokens: float = DATAGRAMS_AT_ONCE
    _filled_at: float = field(default_factory=time.monotonic)

    @property
    def held(self) -> int:
        """Bytes of a body that is not whole yet."""
        return len(self.body.data) if self.body is not None else 0

    def is_flood(self) -> bool:
        """More datagrams than a small device has to say: not read at all. It will say again what it wants to have acknowledged."""
        now = time.monotonic()
        self._tokens = min(DATAGRAMS_AT_ONCE, self._tokens + (now - self._filled_at) * DATAGRAMS_PER_S)
        self._filled_at = now
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False

    def take(self, datagram: bytes) -> Request | bytes | None:
        """A request; or the answer to what needs no thought; or nothing to be said. Raises ``NotCoap``."""
        message = _decoded(datagram)
        if message.code is Code.EMPTY or not message.code.is_request():
            return _bytes(Type.RST, Code.EMPTY, message.mid) if message.mtype is Type.CON else None  # a ping, or a word to somebody else
        if message.mtype not in (Type.CON, Type.NON):
            return None
        now = time.monotonic()
        before = self.exchanges.get(message.mid)
        if before is not None and now - before.at < LIFETIME_S:
            return before.answer if before.is_confirmable else None
        self._make_room(message.mid, now)
        block = message.opt.block1
        exchange = Exchange(
            message.mid, message.token, message.mtype is Type.CON, message.opt.no_response or 0, now,
            None if block is None else Block(*block),
        )  # fmt: skip
        self.exchanges[message.mid] = exchange
        content = message.opt.content_format
        strange = any(option.number.is_critical() and option.number not in _UNDERSTOOD for option in message.opt.option_list())
        return Request(
            exchange, tuple(message.opt.uri_path), message.code, None if content is None else int(content), message.payload,
            message.opt.size1, strange,
        )  # fmt: skip

    def _make_room(self, mid: int, now: float) -> None:
        """The oldest that was answered goes. More that are being worked on than we remember: this one is not read now."""
        self.exchanges.pop(mid, None)
        for old in list(self.exchanges.values()):
            if len(self.exchanges) < REMEMBERED and now - old.at < LIFETIME_S:
                return
            if old.answer is not None:
                del self.exchanges[old.mid]
        if len(self.exchanges) >= REMEMBERED:
            raise NotCoap("too many at once")

    def whole(self, request: Request) -> bytes | None:
        """The body, once its last block came; ``None`` before. Raises ``Refused``."""
        if request.size is not None and request.size > LONGEST:
            raise Refused(Code.REQUEST_ENTITY_TOO_LARGE, "too_long")
        block = request.exchange.block
        if block is None:
            return request.payload
        if block.exponent > 6 or (block.more and len(request.payload) != block.size) or len(request.payload) > block.size:
            raise Refused(Code.BAD_REQUEST, "block")
        if block.number == 0:
            self.body = _Body(request.format, bytearray())
        body = self.body
        if body is None or body.format != request.format or block.start != len(body.data):
            self.body = None
            raise Refused(Code.REQUEST_ENTITY_INCOMPLETE, "block")
        if len(body.data) + len(request.payload) > LONGEST:
            self.body = None
            raise Refused(Code.REQUEST_ENTITY_TOO_LARGE, "too_long")
        body.data += request.payload
        if block.more:
            return None
        self.body = None
        return bytes(body.data)

    def answered(self, exchange: Exchange, code: Code, text: str = "", *, max_age: int | None = None) -> bytes | None:
        """The bytes that say so, remembered; ``None`` where the device asked to hear nothing of it."""
        is_unwanted = bool(exchange.no_response & (1 << (code.class_ - 1)))
        if is_unwanted:
            exchange.answer = _bytes(Type.ACK, Code.EMPTY, exchange.mid) if exchange.is_confirmable else b""
        else:
            kind = Type.ACK if exchange.is_confirmable else Type.NON
            exchange.answer = _bytes(kind, code, exchange.mid, exchange.token, text, exchange.block, max_age)
        return exchange.answer or None


def _decoded(datagram: bytes) -> CoapMessage:
    token = datagram[0] & 0x0F if datagram else 9
    if token > 8 or len(datagram) < 4 + token:
        raise NotCoap("no message")
    try:
        return CoapMessage.decode(datagram)
    except (error.Error, ValueError, IndexError, TypeError) as refusal:  # ValueError: texts that are none, codes that are none
        raise NotCoap("no message") from refusal


def _bytes(
    kind: Type, code: Code, mid: int, token: bytes = b"", text: str = "", block: Block | None = None, max_age: int | None = None
) -> bytes:
    message = CoapMessage(code=code, payload=text.encode(), _mtype=kind, _mid=mid, _token=token)
    if text:
        message.opt.content_format = TEXT
    if block is not None:
        message.opt.block1 = (block.number, block.more and code is Code.CONTINUE, block.exponent)
    if code is Code.REQUEST_ENTITY_TOO_LARGE:
        message.opt.size1 = LONGEST
    if max_age is not None:
        message.opt.max_age = max_age
    return bytes(message.encode())
