"""The one way from the streams to the rows: take, write, and only then take off the stream.

Any number of these may run. What one had taken when it died is taken over by another; what it had committed is written twice and there
once. While PostgreSQL is away nothing is acknowledged: the stream waits. What breaks the writing three times is put aside.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone

from iot.models import DeadReading
from iot.services.dying import Dead, bury
from iot.services.writing import Known, Written, write
from iot.stream import READINGS, Entry, Said, Stream, packed
from iot.written import Teller

logger = logging.getLogger("telemetry")

MOST_READINGS = 10_000  # in one transaction, about
MOST_ENTRIES = 400
WAIT_MS = 250
GATHER_S = 0.1
LONGEST_REST_S = 5.0
TAKE_OVER_AFTER_MS = 30_000
TAKE_OVER_EVERY_S = 5.0
MOST_TRIES = 3
REPORT_EVERY_S = 60.0
AWAY = (OperationalError, InterfaceError)


@dataclass
class Tally:
    """Since the writer began."""

    kept: int = 0
    repeated: int = 0
    dead: int = 0
    batches: int = 0
    put_aside: int = 0

    def add(self, written: Written) -> None:
        self.kept += written.kept
        self.repeated += written.repeated
        self.dead += written.dead
        self.batches += 1


class Writer:
    def __init__(self, stream: Stream | None = None, *, name: str = "", take_over_after_ms: int = TAKE_OVER_AFTER_MS) -> None:
        self.stream = stream or Stream(READINGS)
        self.name = name or f"{socket.gethostname()}-{os.getpid()}"
        self.take_over_after_ms = take_over_after_ms
        self.known = Known()
        self.teller = Teller()
        self._held: list[list[Entry]] = []
        self.tally = Tally()
        self._looked_at = 0.0
        self._is_behind = False  # more may wait than was taken
        self._rest_s = 0.0
        self._reported_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; what it has taken is then written."""
        try:
            self.stream.join(self.name)
        except redis.RedisError as error:
            logger.warning("the stream is away (%s); its writer is not seen until there is something to write", error)
        while not stop.is_set():
            began = time.monotonic()
            try:
                finished = self.step()
                self._rest_s = 0.0
                if finished and not self._is_behind:
                    # A little company for each transaction: a tenth of a second costs the reader nothing and the database much less.
                    stop.wait(max(0.0, GATHER_S - (time.monotonic() - began)))
            except (*AWAY, redis.RedisError) as error:
                self._rest(stop, error)
            except Exception:
                # The outermost loop of a worker: said with its traceback, and gone on from.
                logger.exception("the writer failed; it goes on")
                stop.wait(1.0)
            self._report()
        try:
            self.stream.leave(self.name)
        except redis.RedisError as error:
            logger.warning("left without taking our name off the stream: %s", error)

    def step(self, *, wait_ms: int = WAIT_MS) -> int:
        """One batch, at the most; how many entries were finished."""
        finished = 0
        if not self._held and time.monotonic() - self._looked_at >= TAKE_OVER_EVERY_S:
            finished += self.take_over()
        # What could not be written while PostgreSQL was away is held here and comes first.
        if not self._held:
            entries = self.stream.take(self.name, most=MOST_ENTRIES, wait_ms=wait_ms)
            self._is_behind = len(entries) == MOST_ENTRIES
            self._held = _portions(entries)
        while self._held:
            finished += self._finish(self._held[0])
            self._held.pop(0)
        return finished

    def take_over(self) -> int:
        """What some writer took and did not finish. Not while PostgreSQL is away: each taking over counts as a try."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        self._looked_at = time.monotonic()
        entries = self.stream.take_over(self.name, idle_ms=self.take_over_after_ms, most=MOST_ENTRIES)
        if entries:
            logger.warning("took over %d entries that another writer did not finish", len(entries))
        finished = 0
        for some in _portions([entry for entry in entries if entry.tries < MOST_TRIES]):
            finished += self._finish(some)
        for entry in entries:
            # Whoever had these died of one of them, perhaps: each alone, and no oftener than three times.
            if entry.tries > MOST_TRIES:
                self._put_aside(entry, "killed the writer")
                finished += 1
            elif entry.tries == MOST_TRIES:
                finished += self._finish([entry])
        return finished

    def _finish(self, entries: Sequence[Entry]) -> int:
        """Write them and take them off the stream. Raises only while PostgreSQL or Redis is away; then nothing is acknowledged."""
        readable: list[Entry] = []
        envelopes: list[Said] = []
        for entry in entries:
            try:
                envelopes += entry.envelopes()
                readable.append(entry)
            except ValueError as error:
                self._put_aside(entry, f"cannot be read: {error}")
        self._write(envelopes)
        self.stream.done(readable)
        return len(entries)

    def _write(self, envelopes: list[Said]) -> None:
        """All of them in one transaction, or halves of them: what breaks it is found, tried three times and put aside."""
        if not envelopes:
            return
        try:
            self._count(write(envelopes, known=self.known))
        except AWAY:
            raise
        except Exception as error:
            if len(envelopes) > 1:
                logger.warning("a batch of %d failed (%s): halved", len(envelopes), error)
                middle = len(envelopes) // 2
                self._write(envelopes[:middle])
                self._write(envelopes[middle:])
                return
            self._alone(envelopes[0])

    def _count(self, written: Written) -> None:
        self.tally.add(written)
        if written.rows is not None:
            self.teller.tell(written.rows)

    def _alone(self, said: Said) -> None:
        for _again in range(MOST_TRIES - 1):
            self.known = Known()  # a profile or a stream that changed meanwhile is not the sender's fault
            try:
                self._count(write([said], known=self.known))
                return
            except AWAY:
                raise
            except Exception as error:
                failure = error
        logger.error("an envelope of device %d broke the writer %d times", said.device_id, MOST_TRIES, exc_info=failure)
        raw = repr(said.measurements).encode()
        dead = Dead(said.door, DeadReading.Why.BROKE_WRITER, raw, timezone.now(), n=max(len(said.measurements), 1), detail=str(failure))
        bury([dead])
        # Whole, beside the count of it: once the cause is mended it can be put back.
        self.stream.bury(Entry("", dead.n, packed([said])), str(failure))
        self.tally.put_aside += 1

    def _put_aside(self, entry: Entry, why: str) -> None:
        logger.error("an entry of the stream was put aside: %s", why)
        bury([Dead("stream", DeadReading.Why.BROKE_WRITER, entry.raw, timezone.now(), n=entry.n, detail=why)])
        self.stream.bury(entry, why)
        self.stream.done([entry])
        self.tally.put_aside += 1

    def _rest(self, stop: threading.Event, error: Exception) -> None:
        self._rest_s = min(max(self._rest_s * 2, 0.25), LONGEST_REST_S)
        logger.warning("waiting %.2g s; nothing was acknowledged: %s", self._rest_s, str(error).strip().split("\n")[0])
        if isinstance(error, DatabaseError | InterfaceError):
            connection.close()
        stop.wait(self._rest_s)

    def _report(self) -> None:
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = time.monotonic()
            if self.tally.batches:
                logger.info("%s", self.tally)


def _portions(entries: Sequence[Entry]) -> list[list[Entry]]:
    found: list[list[Entry]] = []
    count = MOST_READINGS
    for entry in entries:
        if count + entry.n > MOST_READINGS:
            found.append([])
            count = 0
        found[-1].append(entry)
        count += entry.n
    return found
