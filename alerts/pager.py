"""The pager: it runs steps that are due, climbs rungs, hands messages over, and looks after what ends by time. Start as many as you like.

Each round has a thread and a database connection of its own, so that a slow provider delays no step. Whatever happens to the database,
to Redis or in one round is waited out; the rows are the queue, so a pager killed at any moment loses nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection

from alerts.services.alerts import look_after
from alerts.services.delivery import climb_due, send_due
from alerts.services.delivery.pool import POOL
from alerts.services.escalation import auditor, heart
from alerts.services.escalation.running import run_due

logger = logging.getLogger("pager")

IDLE_S = 0.2
LONGEST_WAIT_S = 5.0
STOP_WITHIN_S = 20.0
SEND_THREADS = 8
CLOCK_OFF_S = 5.0


@dataclass(frozen=True)
class Round:
    """Something done over and over: at once again while there is work, else after ``idle_s``."""

    name: str
    act: Callable[[], int]
    idle_s: float = IDLE_S


class Pager:
    def __init__(self, *, owner: str = "", rounds: list[Round] | None = None, send_threads: int = SEND_THREADS) -> None:
        self.owner = owner or heart.owner_here()
        self.send_threads = send_threads
        self.last_audit = time.monotonic()  # what waited while everything was down is given a moment
        self.rounds = rounds or [
            # Two of these: half of a step is waiting for the database, and a row is taken by one of them.
            Round("steps", lambda: run_due(limit=200, owner=self.owner)),
            Round("more steps", lambda: run_due(limit=200, owner=self.owner)),
            Round("rungs", lambda: climb_due(limit=200, owner=self.owner)),
            Round("messages", lambda: send_due(limit=100, owner=self.owner, workers=self.send_threads)),
            Round("ends", self._ends, idle_s=3.0),
            Round("heart", self._heart, idle_s=2.0),
        ]

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; then what is under way is finished, and nothing new begun."""
        threads = [threading.Thread(target=self._keep_doing, args=(it, stop), name=f"pager {it.name}", daemon=True) for it in self.rounds]
        logger.info("paging as %s", self.owner)
        for thread in threads:
            thread.start()
        stop.wait()
        ends = time.monotonic() + STOP_WITHIN_S
        for thread in threads:
            thread.join(max(0.1, ends - time.monotonic()))
        POOL.wait(max(0.1, ends - time.monotonic()))
        logger.info("stopped")

    def _keep_doing(self, it: Round, stop: threading.Event) -> None:
        wait_s, fails = 0.0, 0
        while not stop.wait(wait_s):
            try:
                did = it.act()
            except (DatabaseError, InterfaceError) as error:
                fails += 1
                wait_s = min(0.25 * 2**fails, LONGEST_WAIT_S)
                logger.warning("%s: the database is away (%s); again in %.1f s", it.name, _short(error), wait_s)
                connection.close()
            except Exception:
                fails += 1
                wait_s = min(0.25 * 2**fails, LONGEST_WAIT_S)
                logger.exception("%s failed; again in %.1f s", it.name, wait_s)
                connection.close()
            else:
                wait_s, fails = (0.0 if did else it.idle_s), 0
        connection.close()

    def _ends(self) -> int:
        look_after()
        return 0

    def _heart(self) -> int:
        freed = heart.free_leases_of_the_dead()
        if freed:
            logger.warning("%d messages of a dead process are taken up again", freed)
        heart.beat(heart.PAGER, facts={"owner": self.owner})
        if time.monotonic() - self.last_audit > auditor.LOOK_EVERY.total_seconds():
            self.last_audit = time.monotonic()
            self._mind_the_clock()
            auditor.look()
        return 0

    def _mind_the_clock(self) -> None:
        """A machine whose clock is wrong pages early or late: that is said, loudly."""
        off = heart.database_clock() - datetime.now(UTC)
        if abs(off) > timedelta(seconds=CLOCK_OFF_S):
            logger.error("this machine's clock is %.0f s away from the database's", off.total_seconds())


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
