"""The relay numbers what has been committed, feeds the log's readers and rings the web processes.

One leader at a time, by an advisory lock that lives and dies with the very connection that numbers: a relay that lost its lock
cannot number. Beside that the counter's row is locked in each numbering transaction, so that even two leaders could neither
repeat a number nor leave one out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Set
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import DatabaseError, connection

from core.events import LOG_CURSOR, NOTIFY_CHANNEL
from core.subscribers import Subscriber, advance, enlist, find_subscribers

logger = logging.getLogger("relay")

LEADER_LOCK = 0x4B48_5245_4C41  # "KHRELA": advisory locks are per database
BELL_CHANNEL = "khareetaty:live"
POLL_S = 1.0
HEARTBEAT_S = 2.0
BATCH = 5_000
LONGEST_WAIT_S = 30.0
LONGEST_REST_S = 5.0  # of a gentle reader after a batch
GATHER_S = 0.02  # in a rush what comes within so long is numbered together; what comes after a silence, at once
UNCONCERNED_S = 1.0  # how late the cursor of a reader may move past what it does not hear

_OPEN_COUNTER = """
INSERT INTO core_eventcursor (name, seq, moved_at) SELECT %s, coalesce(max(seq), 0), now() FROM core_event ON CONFLICT (name) DO NOTHING
"""
_LOCK_COUNTER = "SELECT seq FROM core_eventcursor WHERE name = %s FOR UPDATE"
# The counter is locked by an earlier statement, so that this one's snapshot holds whatever the last holder numbered.
_NUMBER = """
WITH fresh AS (
    SELECT id, row_number() OVER (ORDER BY id) AS place
    FROM (SELECT id FROM core_event WHERE seq IS NULL ORDER BY id LIMIT %s) AS oldest
)
UPDATE core_event SET seq = %s + fresh.place FROM fresh WHERE core_event.id = fresh.id RETURNING core_event.type
"""
_MOVE_COUNTER = "UPDATE core_eventcursor SET seq = %s, moved_at = now() WHERE name = %s"


def number_pending(db: psycopg.Connection[Any], *, limit: int = BATCH, types: set[str] | None = None) -> tuple[int, int]:
    """Give committed events their numbers, in one transaction: ``(head, how many)``. Killed anywhere, it has done all or nothing. Of which
    types they are is added to ``types``."""
    with db.transaction(), db.cursor() as cursor:
        cursor.execute(_LOCK_COUNTER, [LOG_CURSOR])
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_OPEN_COUNTER, [LOG_CURSOR])
            cursor.execute(_LOCK_COUNTER, [LOG_CURSOR])
            row = cursor.fetchone()
            assert row is not None
        head = int(row[0])
        cursor.execute(_NUMBER, [limit, head])
        count = cursor.rowcount
        if count:
            if types is not None:
                types.update(type for (type,) in cursor.fetchall())
            cursor.execute(_MOVE_COUNTER, [head + count, LOG_CURSOR])
    return head + count, count


def connect() -> psycopg.Connection[Any]:
    """A connection of our own to Django's database. A dead peer is noticed within half a minute, not after hours."""
    given = connection.settings_dict
    known = {"dbname": given["NAME"], "user": given["USER"], "password": given["PASSWORD"], "host": given["HOST"], "port": given["PORT"]}
    of_django = {"pool", "isolation_level", "assume_role", "server_side_binding"}
    options = {key: value for key, value in given["OPTIONS"].items() if key not in of_django}  # sslmode and its like
    return psycopg.connect(
        **options,
        **{key: value for key, value in known.items() if value},
        autocommit=True,
        application_name="khareetaty relay",
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=20_000,
    )


def enlist_readers() -> None:
    """Give every reader met for the first time its cursor, so that it hears what happens from now on, however late the relay starts."""
    with connect() as db:
        head, count = number_pending(db)
        while count == BATCH:
            head, count = number_pending(db)
    for subscriber in find_subscribers():
        enlist(subscriber, head=head)


class Relay:
    """``run`` until told to stop; whatever happens to the database or to Redis is waited out."""

    def __init__(self, *, subscribers: list[Subscriber] | None = None, poll_s: float = POLL_S) -> None:
        self.subscribers = find_subscribers() if subscribers is None else subscribers
        self.poll_s = poll_s

    def run(self, stop: threading.Event) -> None:
        wait_s = 0.5
        while not stop.is_set():
            try:
                with connect() as db:
                    if self._becomes_leader(db, stop):
                        wait_s = 0.5
                        self._lead(db, stop)
            except psycopg.Error as error:
                logger.warning("the database is away (%s); trying again in %.1f s", _short(error), wait_s)
                stop.wait(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S / 3)
        logger.info("stopped")

    def _becomes_leader(self, db: psycopg.Connection[Any], stop: threading.Event) -> bool:
        is_told = False
        while not stop.is_set():
            row = db.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
            if row and row[0]:
                return True
            if not is_told:
                logger.info("another relay leads; standing by")
                is_told = True
            stop.wait(self.poll_s)
        return False

    def _lead(self, db: psycopg.Connection[Any], stop: threading.Event) -> None:
        db.execute(f"LISTEN {NOTIFY_CHANNEL}")
        head, _count = number_pending(db)
        logger.info("leading from %d with %d subscribers", head, len(self.subscribers))
        over = threading.Event()
        bell = Bell(over)
        workers = [bell, *(Follower(subscriber, over, head) for subscriber in self.subscribers)]
        for worker in workers:
            worker.start()
        types: set[str] | None = None
        try:
            while not stop.is_set():
                for worker in workers:
                    worker.tell(head, types)
                if types:
                    stop.wait(GATHER_S)
                for _notify in db.notifies(timeout=min(self.poll_s, HEARTBEAT_S), stop_after=1):
                    pass
                count, types = BATCH, set()
                while count == BATCH:
                    head, count = number_pending(db, types=types)
                db.execute(
                    "UPDATE core_eventcursor SET moved_at = now() WHERE name = %s AND moved_at < now() - make_interval(secs => %s)",
                    [LOG_CURSOR, HEARTBEAT_S],
                )
        finally:
            over.set()
            for worker in workers:
                worker.tell(head)
            for worker in workers:
                worker.join(10)


class Worker(threading.Thread):
    """Something that is told of the log's new head and acts on it in its own time, so that nothing it meets can stop the numbering."""

    def __init__(self, name: str, over: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.over = over
        self._told = threading.Event()
        self.head = 0

    def tell(self, head: int, types: Set[str] | None = None) -> None:
        """The log reaches to ``head``; what is new is of ``types`` (``None``: of any)."""
        if head != self.head or self.over.is_set():
            self.head = head
            self._told.set()

    def run(self) -> None:
        wait_s: float | None = None
        while True:
            # A back-off is not cut short by news; the end is.
            if wait_s is None:
                self._told.wait()
            else:
                self.over.wait(wait_s)
            self._told.clear()
            if self.over.is_set():
                break
            try:
                self.act()
            except Exception as error:
                wait_s = min((wait_s or 0.25) * 2, LONGEST_WAIT_S)
                self.failed(error, wait_s)
            else:
                wait_s = None
        self.close()

    def act(self) -> None:
        raise NotImplementedError

    def failed(self, error: Exception, wait_s: float) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what the thread holds."""


class Bell(Worker):
    """Tells the web processes to look at the log. Only the newest number counts: what was rung in vain need not be rung again."""

    def __init__(self, over: threading.Event) -> None:
        super().__init__("bell", over)
        self.client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)

    def act(self) -> None:
        self.client.publish(BELL_CHANNEL, self.head)

    def failed(self, error: Exception, wait_s: float) -> None:
        if not isinstance(error, redis.RedisError):
            logger.exception("the bell failed")
        else:
            logger.warning("Redis is away (%s); pages fall back to looking once a second; ringing again in %.1f s", _short(error), wait_s)

    def close(self) -> None:
        self.client.close()


class Follower(Worker):
    """Leads one subscriber through the log."""

    def __init__(self, subscriber: Subscriber, over: threading.Event, head: int) -> None:
        super().__init__(f"subscriber {subscriber.name}", over)
        self.subscriber = subscriber
        self.first_head = head
        self.is_enlisted = False
        self.is_careful = False
        self.told_at = float("-inf")

    def tell(self, head: int, types: Set[str] | None = None) -> None:
        now = time.monotonic()
        if types is None or now - self.told_at >= UNCONCERNED_S or any(self.subscriber.hears(type) for type in types):
            self.told_at = now
            super().tell(head, types)

    def act(self) -> None:
        if not self.is_enlisted:
            enlist(self.subscriber, head=self.first_head)
            self.is_enlisted = True
        # After a failure events are handed over one by one, so that those before the troublesome one get through.
        began = time.monotonic()
        while not self.over.is_set() and advance(self.subscriber, limit=1 if self.is_careful else None):
            if self.subscriber.is_gentle:
                self.over.wait(min(3 * (time.monotonic() - began), LONGEST_REST_S))
            began = time.monotonic()
        self.is_careful = False

    def failed(self, error: Exception, wait_s: float) -> None:
        self.is_careful = True
        if isinstance(error, DatabaseError) and not connection.in_atomic_block:
            connection.close()
        logger.error("%s failed; again in %.1f s", self.name, wait_s, exc_info=error)

    def close(self) -> None:
        connection.close()


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
