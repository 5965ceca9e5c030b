"""What many connections said, judged together: one question for all limits, one offer, then an answer for each. TCP and CoAP share it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from django.utils import timezone

from core.limits import limiter
from iot.models import DeadReading, Device, DeviceCredential
from iot.services.dying import Dead, bury
from iot.services.senders import Sender
from iot.services.speaking import Read, dead_rows, limit_of, note_many_limited
from iot.stream import Envelope, StreamAway, StreamFull, offer

logger = logging.getLogger("telemetry")

GATHER_S = 0.008
MOST_TOGETHER = 4_000
AGAIN_S = 10.0
CERTIFICATE = "certificate:"  # before the fingerprint of one, where others have a key
Kinds = DeviceCredential.Kind
Why = DeadReading.Why


class Speaks(Protocol):
    @property
    def sender(self) -> Sender | None: ...


class Said(Protocol):
    """A whole message of somebody."""

    @property
    def connection(self) -> Speaks: ...
    @property
    def raw(self) -> bytes: ...


S = TypeVar("S", bound=Said)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``code``: why nothing of it was taken; empty where it is on the disk. ``refused``: so many readings of it were not."""

    code: str = ""
    taken: int = 0
    refused: str = ""

    def line(self) -> bytes:
        if self.code:
            return f"ERR {self.code}\n".encode()
        return f"OK {self.taken}{' ' + self.refused if self.refused else ''}\n".encode()


class Together(Generic[S]):
    """The one queue of a gateway. Its messages are judged some milliseconds' worth at a time, in one thread, so that what a device says
    keeps its order; ``answer`` is called in the loop with what was judged."""

    def __init__(self, judge: Callable[[list[S]], list[Verdict]], answer: Callable[[list[S], list[Verdict]], None], *, door: str) -> None:
        self._judge, self._answer = judge, answer
        self._waiting: deque[S] = deque()
        self._came = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{door}-work")

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_behind(self) -> bool:
        return len(self._waiting) >= MOST_TOGETHER * 2

    def put(self, message: S) -> None:
        self._waiting.append(message)
        self._came.set()

    async def work_off(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._came.wait()
            if len(self._waiting) < MOST_TOGETHER:
                await asyncio.sleep(GATHER_S)  # company for the offer: it costs a write to the disk
            batch = [self._waiting.popleft() for _n in range(min(len(self._waiting), MOST_TOGETHER))]
            if not self._waiting:
                self._came.clear()
            try:
                verdicts = await loop.run_in_executor(self._thread, self._judge, batch)
            except Exception:
                # The outermost loop of a worker: said with its traceback, and gone on from. Nothing was acknowledged.
                logger.exception("a batch of %d messages failed", len(batch))
                verdicts = [Verdict("later")] * len(batch)
            self._answer(batch, verdicts)

    async def close(self) -> None:
        await end_thread(self._thread)


async def end_thread(pool: ThreadPoolExecutor) -> None:
    """End a pool of one thread together with its connection to the database."""
    await asyncio.get_running_loop().run_in_executor(pool, connections.close_all)
    pool.shutdown(wait=True)


async def until_told_to_stop(serve: Callable[[asyncio.Event], Awaitable[None]], *, port: int) -> None:
    """Serve until SIGTERM or SIGINT; a port that cannot be had is tried again every ten seconds."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            await serve(stop)
        except OSError as error:
            logger.warning("port %d cannot be had (%s); again in %.0f s", port, error, AGAIN_S)
            try:
                await asyncio.wait_for(stop.wait(), AGAIN_S)
            except TimeoutError:
                continue


def judge_all(messages: Sequence[S], *, door: str, read: Callable[[S, Sender, datetime], Read | Verdict]) -> list[Verdict]:
    """In the order they came. What is not refused is on the disk when this returns."""
    now = timezone.now()
    senders = [message.connection.sender for message in messages]
    reads: list[Read | Verdict] = [
        read(message, sender, now) if sender is not None else Verdict("unauthorized")
        for message, sender in zip(messages, senders, strict=True)
    ]
    allowed = _allowed(senders, reads)
    envelopes: list[Envelope] = []
    limited: Counter[int] = Counter()
    dead: list[Dead] = []
    verdicts: list[Verdict] = []
    for message, sender, found in zip(messages, senders, reads, strict=True):
        if sender is None:
            verdicts.append(Verdict("unauthorized"))
            continue
        cost = found.rows if isinstance(found, Read) else 1
        if allowed[sender.device_id] < cost:
            limited[sender.device_id] += cost
            verdicts.append(Verdict("too_many"))
            continue
        allowed[sender.device_id] -= cost
        if isinstance(found, Verdict):
            dead.append(Dead(door, Why.UNREADABLE, message.raw, now, sender.device_id, detail=found.refused))
            verdicts.append(Verdict(found.code))
            continue
        if found.measurements or found.facts:
            envelopes.append(Envelope(sender.device_id, door, now, found.measurements, found.facts))
        if found.wrong:
            dead += dead_rows(found, sender, door, now)
        verdicts.append(_verdict(found))
    try:
        offer(envelopes)
    except (StreamFull, StreamAway):
        return [verdict if verdict.code else Verdict("later") for verdict in verdicts]
    if limited:
        note_many_limited(limited, door=door)
    if dead:
        try:
            close_old_connections()
            bury(dead)
        except (DatabaseError, InterfaceError):
            pass  # refused all the same; PostgreSQL is away, and counting them is not worth a device's wait
    return verdicts


def _verdict(read: Read) -> Verdict:
    if read.wrong and not read.measurements:
        return Verdict(read.wrong[0][1].value)
    return Verdict("", len(read.measurements), f"refused {len(read.wrong)} {read.wrong[0][1].value}" if read.wrong else "")


def _allowed(senders: Sequence[Sender | None], reads: Sequence[Read | Verdict]) -> Counter[int]:
    """How many readings of each device are within its limit."""
    asked: Counter[int] = Counter()
    by_id: dict[int, Sender] = {}
    for sender, read in zip(senders, reads, strict=True):
        if sender is not None:
            by_id[sender.device_id] = sender
            asked[sender.device_id] += max(read.rows, 1) if isinstance(read, Read) else 1
    given = limiter.take_some([(*limit_of(sender), asked[device_id]) for device_id, sender in by_id.items()])
    return Counter(dict(zip(by_id, given, strict=True)))


def alive(secrets: set[str]) -> dict[str, Sender]:
    """Of these keys and certificates the ones that hold still, with their devices as they are now: one question for all."""
    close_old_connections()
    digests = {_digest(secret): secret for secret in secrets}
    rows = DeviceCredential.objects.usable(timezone.now()).filter(kind__in=(Kinds.KEY, Kinds.CERTIFICATE), digest__in=digests)
    of = dict(rows.values_list("digest", "device_id"))
    devices = Device.objects.filter(pk__in=set(of.values())).select_related("profile").defer("location")
    senders = {sender.device_id: sender for sender in Sender.of_each(devices)}
    return {digests[digest]: senders[device_id] for digest, device_id in of.items() if device_id in senders}


def _digest(secret: str) -> str:
    return secret.removeprefix(CERTIFICATE) if secret.startswith(CERTIFICATE) else hashlib.sha256(secret.encode()).hexdigest()
