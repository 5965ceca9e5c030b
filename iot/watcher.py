"""The one process that follows what is written and runs the detectors over it. A second one stands by.

Nothing is owed to it by the stream it listens to: after a hole, and at its start, it reads what it missed from PostgreSQL.
"""

from __future__ import annotations

import logging
import threading
import time

import redis
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone

from core.leadership import Leadership
from iot.services.anomalies.catching_up import catch_up
from iot.services.anomalies.raising import resolve_unused
from iot.services.anomalies.watching import Heard, Watched
from iot.services.rules.following import Followed
from iot.written import Follower, joined

logger = logging.getLogger("detectors")

LOCK = 0x4B48_4445_5445
BLOCK_MS = 1_000
REFRESH_EVERY_S = 30.0
REPORT_EVERY_S = 60.0
LONGEST_REST_S = 5.0
AWAY = (OperationalError, InterfaceError, redis.RedisError)


class Watcher:
    def __init__(self, *, watched: Watched | None = None) -> None:
        self.watched = watched or Watched()
        self.followed = Followed()
        self.tally = Heard()
        self._refreshed_at = time.monotonic()
        self._reported_at = time.monotonic()
        self._rest_s = 0.0
        self._follower: Follower | None = None

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. Whoever does not lead waits."""
        from iot.analytics.streaming import warm

        warm()
        leads = Leadership(LOCK)
        while leads.wait(stop):
            self.watched, self.followed, self._follower = Watched(self.watched.most), Followed(), None
            # whoever led meanwhile has raised what we do not know of
            while not stop.is_set() and leads.holds():
                try:
                    self.step()
                    self._rest_s = 0.0
                except AWAY as error:
                    self._rest(stop, error)
                except Exception:
                    # The outermost loop of a worker: said with its traceback, and gone on from.
                    logger.exception("the detectors failed; they go on")
                    self._follower = None
                    stop.wait(1.0)
                self._report()
        leads.give_up()

    def step(self, *, block_ms: int = BLOCK_MS) -> Heard:
        """What was written since the last step; after a hole everything that was missed."""
        done = Heard()
        if self._follower is None:
            self._follower = Follower()  # from here on nothing passes unseen
            done = catch_up(self.watched, now=timezone.now())
            self.followed.refresh(now=timezone.now())
        batches = self._follower.read(block_ms=block_ms)
        if self._follower.has_gap:
            done = _sum(done, catch_up(self.watched, now=timezone.now()))
            self.followed = Followed()
            self.followed.refresh(now=timezone.now())
        batch = joined(batches)
        if batch is not None:
            now, at_s = timezone.now(), batch.at_us / 1e6
            done = _sum(done, self.watched.hear(batch.stream_id, at_s, batch.value, now=now))
            self.followed.hear(batch.stream_id, at_s, batch.value, now=now)
        if time.monotonic() - self._refreshed_at >= REFRESH_EVERY_S:
            self.look_around()
        self.tally = _sum(self.tally, done)
        return done

    def look_around(self) -> None:
        """Settings, maintenance and devices out of use, as they are by now."""
        self._refreshed_at = time.monotonic()
        now = timezone.now()
        self.watched.refresh(now=now)
        resolve_unused(now=now)
        self.watched.settle(now=now)
        self.followed.refresh(now=now)
        self.followed.look(now=now)

    def _rest(self, stop: threading.Event, error: Exception) -> None:
        self._rest_s = min(max(self._rest_s * 2, 0.25), LONGEST_REST_S)
        logger.warning("waiting %.2g s: %s", self._rest_s, str(error).strip().split("\n")[0])
        if isinstance(error, DatabaseError | InterfaceError):
            connection.close()
        self._follower = None  # what was read and not judged is read from the rows
        stop.wait(self._rest_s)

    def _report(self) -> None:
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = time.monotonic()
            if self.tally.judged:
                logger.info("%s; %d series", self.tally, len(self.watched))
                self.tally = Heard()


def _sum(one: Heard, other: Heard) -> Heard:
    return Heard(**{name: getattr(one, name) + getattr(other, name) for name in Heard.__dataclass_fields__})
