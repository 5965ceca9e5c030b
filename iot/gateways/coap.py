"""Sensors that speak CoAP over DTLS, as modules on NB-IoT do. ``POST /r`` with readings; 2.04 when they are on the disk, and not before.

    content format 50, or none   our own form as JSON; with none, what the profile's decoder reads, where it has one
    60                           our own form as CBOR
    42                           what the profile's decoder reads

Who speaks is what the certificate of the handshake says: it is looked up at once and again every second. Plain CoAP is not answered. One
loop holds every session; what all of them said within some milliseconds is judged and offered together, as at the TCP door.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from aiocoap.numbers.codes import Code
from django.db import DatabaseError, InterfaceError, close_old_connections
from OpenSSL import SSL

from core.errors import NotFound
from iot.decoders.cbor_form import CborForm, body_of
from iot.decoders.errors import Undecodable
from iot.gateways.coap_dtls import DtlsServer, Session
from iot.gateways.coap_wire import CBOR, JSON, OCTETS, Exchange, NotCoap, Refused, Request, Wire
from iot.gateways.together import CERTIFICATE, Together, Verdict, alive, end_thread, judge_all
from iot.services.credentials import fingerprint_of, who_certify
from iot.services.networks import facts_apart
from iot.services.senders import Sender
from iot.services.speakers import Speakers
from iot.services.speaking import MOST_ROWS, Read, read_body

logger = logging.getLogger("telemetry")

DOOR = "coap"
PATH = ("r",)
MOST_EARLY = 8  # datagrams of a session whose certificate is being looked up
MOST_HELD = 32 << 20  # bytes of bodies in blocks, of all sessions
LOOK_EVERY_S = 1.0
LATER_S = 5
CODES = {
    "": Code.CHANGED, "unauthorized": Code.UNAUTHORIZED, "not_in_use": Code.FORBIDDEN, "too_many": Code.TOO_MANY_REQUESTS,
    "later": Code.SERVICE_UNAVAILABLE, "too_long": Code.REQUEST_ENTITY_TOO_LARGE, "no_such_device": Code.NOT_FOUND,
    "format": Code.UNSUPPORTED_CONTENT_FORMAT,
}  # fmt: skip


class Connection:
    """One device, from its handshake on. ``word``: why it is not listened to."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.secret = CERTIFICATE + fingerprint_of(session.certificate)
        self.wire = Wire()
        self.sender: Sender | None = None
        self.word = ""
        self.early: list[bytes] | None = []

    def say(self, exchange: Exchange, verdict: Verdict) -> None:
        code = CODES.get(verdict.code, Code.BAD_REQUEST)
        text = verdict.code or verdict.line().decode().strip() if verdict.code or verdict.refused else ""
        wait = LATER_S if verdict.code == "later" else 60 if verdict.code == "too_many" else None
        self.answer(exchange, code, text, max_age=wait)

    def answer(self, exchange: Exchange, code: Code, word: str = "", *, max_age: int | None = None) -> None:
        if said := self.wire.answered(exchange, code, word, max_age=max_age):
            self.session.send(said)


@dataclass(slots=True)
class Said:
    """A whole body."""

    connection: Connection
    exchange: Exchange
    format: int | None
    raw: bytes


@dataclass
class CoapGateway:
    """``started`` is told the port, once it listens."""

    host: str
    port: int
    context: SSL.Context
    most: int = 10_000
    idle_s: float = 86_400.0
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.speakers = Speakers()
        self.server: DtlsServer | None = None
        self._open: dict[Session, Connection] = {}
        self._held: dict[Connection, int] = {}
        self._unasked: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.together = Together(self._judge, self._answer, door=DOOR)
        self._keys = ThreadPoolExecutor(1, thread_name_prefix="coap-keys")

    async def run(self, stop: asyncio.Event, started: Callable[[int], None] = lambda port: None) -> None:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(
            lambda: DtlsServer(
                self.context, most=self.most, idle_s=self.idle_s, opened=self._opened, heard=self._heard, closed=self._closed
            ),
            local_addr=(self.host, self.port),
        )
        self.server, server.counts = server, self.counts
        started(transport.get_extra_info("sockname")[1])
        tasks = [asyncio.create_task(one) for one in (self.together.work_off(), self._look(), server.look())]
        await stop.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained(), 5)
        for task in tasks:
            task.cancel()
        server.close()
        await self.together.close()
        await end_thread(self._keys)

    # -- who ------------------------------------------------------------------------------------------------------------------------------

    def _opened(self, session: Session) -> None:
        session.state = connection = Connection(session)
        self._open[session] = connection
        self._unasked.append(connection)
        if len(self._unasked) == 1:
            task = asyncio.create_task(self._ask())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _closed(self, session: Session) -> None:
        connection = self._open.pop(session, None)
        if connection is not None:
            self._held.pop(connection, None)

    async def _ask(self) -> None:
        """Who they are that came: those that come meanwhile are asked for together. A mast that is back brings hundreds at once."""
        loop = asyncio.get_running_loop()
        while self._unasked:
            came = self._unasked.copy()
            hold: dict[bytes, Sender] | None = None  # while nobody can say, they are looked at again with the others
            try:
                hold = await loop.run_in_executor(self._keys, _certified, {connection.session.certificate for connection in came})
            except (DatabaseError, InterfaceError):
                pass
            except Exception:
                # Said with its traceback, and gone on from: those that come next must be asked for.
                logger.exception("%d certificates could not be looked up", len(came))
            del self._unasked[: len(came)]
            for connection in came:
                connection.sender = hold.get(connection.session.certificate) if hold is not None else None
                connection.word = _word_of(connection.sender) if hold is not None else "later"
                early, connection.early = connection.early or [], None
                for datagram in early:
                    self._heard(connection.session, datagram)

    async def _look(self) -> None:
        """Whose certificate does not hold any more: it is told so once more, at its next word."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            known = {connection: connection.secret for connection in self._open.values() if connection.early is None}
            if not known:
                continue
            try:
                hold = await loop.run_in_executor(self._keys, alive, set(known.values()))
            except (DatabaseError, InterfaceError) as error:
                logger.warning("certificates are looked at again later: %s", str(error).strip().split("\n")[0])
                continue
            for connection, secret in known.items():
                connection.sender = hold.get(secret)
                connection.word = _word_of(connection.sender)

    # -- what -----------------------------------------------------------------------------------------------------------------------------

    def _heard(self, session: Session, datagram: bytes) -> None:
        connection: Connection = session.state
        if connection.early is not None:
            if len(connection.early) < MOST_EARLY:
                connection.early.append(datagram)
            return
        if connection.wire.is_flood():
            self.counts["flood"] += 1
            return
        try:
            found = connection.wire.take(datagram)
        except NotCoap:
            self.counts["no_message"] += 1
            return
        if isinstance(found, bytes):
            if found:
                session.send(found)
        elif found is not None:
            self._asked(connection, found)

    def _asked(self, connection: Connection, request: Request) -> None:
        try:
            body = self._body(connection, request)
        except Refused as refusal:
            self.counts[refusal.word or "refused"] += 1
            connection.answer(request.exchange, refusal.code, refusal.word, max_age=refusal.max_age)
            return
        finally:
            self._held[connection] = connection.wire.held
        if body is None:
            connection.answer(request.exchange, Code.CONTINUE)
            return
        self.together.put(Said(connection, request.exchange, request.format, body))

    def _body(self, connection: Connection, request: Request) -> bytes | None:
        if connection.word:
            raise Refused(CODES[connection.word], connection.word, LATER_S if connection.word == "later" else None)
        if request.is_strange:
            raise Refused(Code.BAD_OPTION)
        if request.path != PATH:
            raise Refused(Code.NOT_FOUND)
        if request.code is not Code.POST:
            raise Refused(Code.METHOD_NOT_ALLOWED)
        if request.format not in (None, JSON, CBOR, OCTETS):
            raise Refused(Code.UNSUPPORTED_CONTENT_FORMAT, "format")
        if self.together.is_behind or (request.exchange.block is not None and sum(self._held.values()) > MOST_HELD):
            raise Refused(Code.SERVICE_UNAVAILABLE, "later", LATER_S)
        return connection.wire.whole(request)

    def _answer(self, batch: Sequence[Said], verdicts: Sequence[Verdict]) -> None:
        for said, verdict in zip(batch, verdicts, strict=True):
            self.counts[verdict.code or "taken"] += 1
            said.connection.say(said.exchange, verdict)

    def _judge(self, batch: list[Said]) -> list[Verdict]:
        close_old_connections()
        with contextlib.suppress(DatabaseError, InterfaceError):  # those known are known still
            self.speakers.learn({said.connection.sender.code for said in batch if said.connection.sender is not None})
        return judge_all(batch, door=DOOR, read=self._read)

    def _read(self, said: Said, sender: Sender, now: datetime) -> Read | Verdict:
        speaker = self.speakers.get(sender.code)
        decode = speaker.decode if speaker is not None else None
        try:
            if said.format == CBOR or (said.format != JSON and isinstance(decode, CborForm)):
                read = read_body(body_of(said.raw), sender=sender, now=now)
            elif said.format == JSON or (said.format is None and decode is None):
                read = read_body(orjson.loads(said.raw), sender=sender, now=now)
            elif decode is not None:
                readings, facts = facts_apart(decode(said.raw), sender.metrics)
                rows = [{"metric": one.metric, "value": one.value, "at": one.at and one.at.isoformat()} for one in readings]
                read = read_body({"readings": rows, **facts}, sender=sender, now=now)
            else:
                return Verdict("later" if speaker is None else "format", refused="its profile has no decoder")
        except orjson.JSONDecodeError:
            return Verdict("unreadable", refused="not JSON")
        except Undecodable as error:
            return Verdict("unreadable", refused=error.reason)
        except NotFound:
            return Verdict("no_such_device", refused="it names another device")
        return read if read.rows <= MOST_ROWS else Verdict("too_long", refused=f"more than {MOST_ROWS} readings")

    async def _drained(self) -> None:
        while self.together or any(one.answer is None for connection in self._open.values() for one in connection.wire.exchanges.values()):
            await asyncio.sleep(0.01)


def _certified(certificates: set[bytes]) -> dict[bytes, Sender]:
    close_old_connections()
    return who_certify(certificates)


def _word_of(sender: Sender | None) -> str:
    return "unauthorized" if sender is None else "" if sender.may_speak else "not_in_use"
