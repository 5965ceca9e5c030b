"""From the broker's messages to rows: half a second of them in one transaction, acknowledged when it is committed."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from accounts.jurisdiction import Jurisdiction
from patrol.gateways.mqtt import Broker, Message
from patrol.models import PositionSource
from patrol.services.fences import FenceIndex, announce_silence, arrive, fence_stations, judge_fences
from patrol.services.positions import Named, Refused, Sender, own_form, receive_positions

logger = logging.getLogger("positions")

GATHER_S = 0.4
MOST = 2_000
MOST_A_MESSAGE = 200
TOLD_EVERY_S = 300.0
LONGEST_WAIT_S = 15.0


def positions_in(message: Message) -> list[Named | Refused]:
    """A message holds one position or a list of them, of the unit whose topic it came by and of no other."""
    try:
        body: Any = json.loads(message.payload)
    except (ValueError, RecursionError):
        return [Refused.NOT_A_NUMBER]
    rows = body if isinstance(body, list) else [body]
    return [_of_topic(own_form(row), message.tracker) for row in rows[:MOST_A_MESSAGE]]


def _of_topic(row: Named | Refused, tracker: str) -> Named | Refused:
    if isinstance(row, Refused):
        return row
    if row.call_sign is not None or row.unit_id is not None or row.tracker not in (None, tracker):
        return Refused.UNKNOWN
    return replace(row, tracker=tracker)


class PositionGateway:
    """``run`` until told to stop. While the database is away nothing is acknowledged, and the broker holds what comes."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.sender = Sender(Jurisdiction.everything())
        self.counts: Counter[str] = Counter()
        self._told_at = time.monotonic()

    def run(self, stop: threading.Event, *, while_: Callable[[], bool] = lambda: True) -> None:
        self.broker.start()
        try:
            while not stop.is_set() and while_():
                messages = self.broker.take(most=MOST, wait_s=0.5)
                if not messages:
                    continue
                stop.wait(GATHER_S)
                messages += self.broker.take(most=MOST - len(messages), wait_s=0.001)
                self._keep_until_done(messages, stop)
                self._tell()
        finally:
            self.broker.stop()
            logger.info("stopped after %s", dict(self.counts))

    def _keep_until_done(self, messages: list[Message], stop: threading.Event) -> None:
        wait_s = 0.5
        while not stop.is_set():
            try:
                self.keep(messages)
            except DatabaseError as error:
                logger.warning("the database is away (%s); trying again in %.1f s", str(error).strip().splitlines()[:1], wait_s)
                connection.close()
                stop.wait(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            else:
                return

    def keep(self, messages: list[Message]) -> None:
        rows = [row for message in messages for row in positions_in(message)]
        recorded = receive_positions(rows, sender=self.sender, source=PositionSource.MQTT, now=timezone.now())
        self.broker.acknowledge(messages)
        for taken in recorded.results:
            self.counts[taken.refused.value if taken.refused is not None else taken.outcome] += 1

    def _tell(self) -> None:
        if time.monotonic() - self._told_at >= TOLD_EVERY_S:
            self._told_at = time.monotonic()
            logger.info("so far: %s", dict(self.counts))


class FenceFollower:
    """Judges fences once a second, whichever door the positions came in by."""

    EVERY_S = 1.0
    INDEX_S = 5.0
    SILENCE_S = 15.0
    STATIONS_S = 120.0

    def __init__(self) -> None:
        self._index: FenceIndex | None = None
        self._due = {"index": 0.0, "silence": 0.0, "stations": 0.0}

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(self.EVERY_S):
            try:
                while self.look() and not stop.is_set():
                    pass
            except DatabaseError as error:
                logger.warning("fences wait for the database (%s)", str(error).strip().splitlines()[:1])
                connection.close()
            except Exception:
                # The outermost loop: a fault in one look must not end all later ones.
                logger.exception("a look at the fences failed; the next one begins where it began")
            close_old_connections()

    def look(self) -> bool:
        """One look; whether there is more to do at once."""
        now = timezone.now()
        if self._is_due("stations", self.STATIONS_S):
            fence_stations()
        if self._index is None or self._is_due("index", self.INDEX_S):
            self._index = FenceIndex.read()
        judged = judge_fences(now=now, index=self._index)
        arrive(now=now)
        if self._is_due("silence", self.SILENCE_S):
            announce_silence(now=now)
        return judged.is_full

    def _is_due(self, what: str, every_s: float) -> bool:
        if time.monotonic() < self._due[what]:
            return False
        self._due[what] = time.monotonic() + every_s
        return True
