"""Sensors that keep a TCP connection: who they are first, then lines of JSON or small binary frames, each answered when it is on the disk.

One loop holds every connection. What all of them said within some milliseconds is judged and offered together (``together``), in a thread,
and answered when the stream has it. Whoever says more than is being worked off is read no further until it is: nothing waits in memory
without bound. See docs/iot.md for the lines and the frame, docs/decisions/0292 for why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import orjson
from django.db import DatabaseError, InterfaceError, close_old_connections

from iot.gateways import tcp_frame
from iot.gateways.tcp_messages import DOOR, Message, judge
from iot.gateways.together import CERTIFICATE, Together, Verdict, alive, end_thread
from iot.services.credentials import fingerprint_of, who_certifies, who_shows
from iot.services.senders import Sender

logger = logging.getLogger("telemetry")

LONGEST = 65_536  # of a line
LONGEST_HELLO = 512
HELLO_WITHIN_S = 5.0
WHOLE_WITHIN_S = 30.0  # a line or a frame that was begun
READ_WITHIN_S = 30.0  # our answers
MOST_WAITING = 512  # messages of one connection; beyond it nothing is read
MOST_UNKNOWN = 500  # connections that have not said who they are
PER_DEVICE = 2
LOOK_EVERY_S = 1.0


class Connection(asyncio.Protocol):
    """One device's wire."""

    def __init__(self, gateway: TcpGateway) -> None:
        self.gateway = gateway
        self.sender: Sender | None = None
        self.secret = ""
        self.metrics: tuple[str, ...] = ()
        self.waiting = 0
        self.opened_at = self.heard_at = time.monotonic()
        self.begun_at = 0.0  # of what is not whole yet
        self.stuck_at = 0.0  # since when the other side does not read
        self.is_closing = self.is_paused = False
        self._buffer = bytearray()
        self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=LONGEST)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)  # the kernel's share of what waits
        if not self.gateway.admits(self):
            self.say(b"ERR busy\n")
            self.close()
        elif (wire := transport.get_extra_info("ssl_object")) is not None and (shown := wire.getpeercert(binary_form=True)):
            self._asked = True  # its certificate says who it is
            self.gateway.ask(self, certificate=shown)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closing = True
        self.gateway.forget(self)

    def data_received(self, data: bytes) -> None:
        if self.is_closing:
            return
        self.heard_at = time.monotonic()
        if not self._buffer:
            self.begun_at = self.heard_at
        self._buffer += data
        if self.sender is None:
            self._hello()
        else:
            self._messages()

    def pause_writing(self) -> None:
        self.stuck_at = time.monotonic()
        self._hold()

    def resume_writing(self) -> None:
        self.stuck_at = 0.0
        self.let_go()

    # -- what came -----------------------------------------------------------------------------------------------------------------------

    def _hello(self) -> None:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > LONGEST_HELLO:
                self.refuse("unauthorized")
            return
        if self._asked:
            if len(self._buffer) > LONGEST:
                self._hold()
            return
        self._asked = True
        line = bytes(self._buffer[:end]).strip()
        del self._buffer[: end + 1]
        self.gateway.ask(self, _secret_in(line) if len(line) <= LONGEST_HELLO else "")

    def known_as(self, sender: Sender, secret: str) -> None:
        self.sender, self.secret, self.metrics = sender, secret, tuple(sorted(sender.metrics))
        self.say(f"OK {sender.code} {','.join(self.metrics)}\n".encode())
        self._messages()

    def _messages(self) -> None:
        """Take whole lines and frames out of the buffer."""
        buffer, start, size = self._buffer, 0, len(self._buffer)
        while start < size and not self.is_closing:
            if buffer[start] == tcp_frame.MAGIC[0]:
                end = tcp_frame.end_of(buffer, start)
                if end is None:
                    break
                if end < 0:
                    self.refuse("unreadable")
                    return
                self._one(Message(self, bytes(buffer[start:end]), is_frame=True))
                start = end
                continue
            end = buffer.find(b"\n", start)
            if end < 0:
                if size - start > LONGEST:
                    self.refuse("too_long")
                    return
                break
            if end - start > LONGEST:
                self.refuse("too_long")
                return
            if end - start > 1 or buffer[start:end].strip():
                self._one(Message(self, bytes(buffer[start:end]), is_frame=False))
            start = end + 1
        del buffer[:start]
        if start:
            self.begun_at = time.monotonic()
        if self.waiting >= MOST_WAITING or self.gateway.together.is_behind:
            self._hold()

    def _one(self, message: Message[Connection]) -> None:
        self.waiting += 1
        self.gateway.together.put(message)

    # -- what is answered ----------------------------------------------------------------------------------------------------------------

    def answered(self, messages: int, answer: bytes) -> None:
        self.waiting -= messages
        self.say(answer)
        if self.waiting < MOST_WAITING // 2 and not self.stuck_at:
            self.let_go()

    def say(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)

    def refuse(self, code: str) -> None:
        self.gateway.counts[code] += 1
        self.say(f"ERR {code}\n".encode())
        self.close()

    def close(self) -> None:
        self.is_closing = True
        self.transport.close()

    def _hold(self) -> None:
        if not self.is_paused and not self.transport.is_closing():
            self.is_paused = True
            self.transport.pause_reading()
            self.gateway.held.add(self)

    def let_go(self) -> None:
        if self.is_paused and not self.transport.is_closing() and not self.gateway.together.is_behind:
            self.is_paused = False
            self.gateway.held.discard(self)
            self.transport.resume_reading()

    def is_too_slow(self, now: float, idle_s: float) -> str:
        """Why it has to go, if it has."""
        if self.sender is None:
            return "unauthorized" if now - self.opened_at > HELLO_WITHIN_S else ""
        if self.stuck_at and now - self.stuck_at > READ_WITHIN_S:
            return "unread"
        if self._buffer and not self.is_paused and now - self.begun_at > WHOLE_WITHIN_S:
            return "too_slow"
        return "idle" if not self.waiting and now - self.heard_at > idle_s else ""


@dataclass
class TcpGateway:
    """``started`` is told the port, once it listens."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    most: int = 10_000
    idle_s: float = 900.0
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.open: dict[Connection, None] = {}
        self.held: set[Connection] = set()
        self._of: defaultdict[int, deque[Connection]] = defaultdict(deque)
        self._unknown = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.together: Together[Message[Connection]] = Together(judge, self._answer, door=DOOR)
        self._keys = ThreadPoolExecutor(1, thread_name_prefix="tcp-keys")

    async def run(self, stop: asyncio.Event, started: Callable[[int], None] = lambda port: None) -> None:
        """Until told to stop; what was taken is then answered."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), self.host, self.port, ssl=self.tls, backlog=512)
        started(server.sockets[0].getsockname()[1])
        worker, looker = asyncio.create_task(self.together.work_off()), asyncio.create_task(self._look())
        await stop.wait()
        server.close()
        looker.cancel()
        for connection in list(self.open):
            if not connection.waiting:
                connection.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained(), 5)
        worker.cancel()
        for connection in list(self.open):
            connection.close()
        await self.together.close()
        await end_thread(self._keys)

    def admits(self, connection: Connection) -> bool:
        self.open[connection] = None
        self._unknown += 1
        return len(self.open) <= self.most and self._unknown <= MOST_UNKNOWN

    def forget(self, connection: Connection) -> None:
        if self.open.pop(connection, 0) is None and connection.sender is None:
            self._unknown -= 1
        self.held.discard(connection)
        if connection.sender is not None:
            mine = self._of[connection.sender.device_id]
            with contextlib.suppress(ValueError):
                mine.remove(connection)
            if not mine:
                del self._of[connection.sender.device_id]

    def ask(self, connection: Connection, secret: str = "", *, certificate: bytes = b"") -> None:
        task = asyncio.create_task(self._ask(connection, secret, certificate))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, connection: Connection, secret: str, certificate: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            sender = await loop.run_in_executor(self._keys, _shown, secret, certificate)
        except (DatabaseError, InterfaceError):
            connection.refuse("later")
            return
        if connection.is_closing or connection not in self.open:
            return
        if sender is None:
            connection.refuse("unauthorized")
        elif not sender.may_speak:
            connection.refuse("not_in_use")
        else:
            self._unknown -= 1
            mine = self._of[sender.device_id]
            mine.append(connection)
            connection.known_as(sender, secret or CERTIFICATE + fingerprint_of(certificate))
            if len(mine) > PER_DEVICE:
                mine[0].refuse("another_connection")  # the oldest: it may be half dead

    # -- the work ------------------------------------------------------------------------------------------------------------------------

    def _answer(self, batch: Sequence[Message[Connection]], verdicts: Sequence[Verdict]) -> None:
        answers: defaultdict[Connection, list[bytes]] = defaultdict(list)
        for message, verdict in zip(batch, verdicts, strict=True):
            answers[message.connection].append(message.answer(verdict))
            self.counts[verdict.code or "taken"] += 1
        for connection, said in answers.items():
            connection.answered(len(said), b"".join(said))
        if self.held and not self.together.is_behind:
            for connection in list(self.held):
                if connection.waiting < MOST_WAITING // 2 and not connection.stuck_at:
                    connection.let_go()

    async def _drained(self) -> None:
        while any(connection.waiting for connection in self.open):
            await asyncio.sleep(0.01)

    async def _look(self) -> None:
        """Who is too slow, and whose key does not hold any more."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            for connection in list(self.open):
                if why := connection.is_too_slow(now, self.idle_s):
                    connection.refuse(why)
                    if why == "unread":
                        connection.transport.abort()
            known = {connection: connection.secret for connection in self.open if connection.sender is not None}
            if not known:
                continue
            try:
                hold = await loop.run_in_executor(self._keys, alive, set(known.values()))
            except (DatabaseError, InterfaceError) as error:
                logger.warning("keys are looked at again later: %s", str(error).strip().split("\n")[0])
                continue
            for connection, secret in known.items():
                sender = hold.get(secret)
                if sender is None:
                    connection.refuse("unauthorized")
                elif not sender.may_speak:
                    connection.refuse("not_in_use")
                else:
                    connection.sender = sender


def _shown(secret: str, certificate: bytes) -> Sender | None:
    close_old_connections()
    if certificate:
        return who_certifies(certificate)
    return who_shows(secret) if secret else None


def _secret_in(line: bytes) -> str:
    """``AUTH <key>``, or ``{"auth": "<key>"}``."""
    word, _space, rest = line.partition(b" ")
    if word == b"AUTH":
        return rest.strip().decode("ascii", "replace")
    with contextlib.suppress(orjson.JSONDecodeError):
        told = orjson.loads(line)
        if isinstance(told, dict) and isinstance(told.get("auth"), str):
            return str(told["auth"])
    return ""
