"""The log of calls: who called what, how it was answered, how long it took. No bodies, no values.

A call's row is put into a queue in memory, and a thread of the web process writes what has gathered by COPY, twice a second. So a call
waits for nothing, the log needs neither Redis nor a worker, and a process that is killed loses at most ``REQUEST_LOG_EVERY_S`` of its log.
While the database is away rows wait, up to ``MOST_WAITING``; beyond that the oldest are dropped and counted. See docs/decisions/0211.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from core.partitions import Days

logger = logging.getLogger(__name__)

MOST_WAITING = 20_000
MOST_AT_ONCE = 5_000
UNWRITTEN = (Error, psycopg.Error)  # COPY is the driver's own: its errors do not come as Django's
DAYS = Days(table="interop_requestlog", lock=0x4B48_4C4F_4753)


class Call(NamedTuple):
    """A row of the log, in the order of its columns."""

    at: datetime
    request_id: str
    key_id: int | None
    partner_id: int | None
    user_id: int | None
    agency_id: int | None
    caller: str
    method: str
    route: str
    status: int
    ms: float
    bytes_in: int
    bytes_out: int
    address: str | None


_COPY = f"COPY interop_requestlog ({', '.join(Call._fields)}) FROM STDIN"


class RequestLogWriter:
    """Rows (named tuples) that wait for the next COPY; the record of reads has one of its own (``services.sharing.reads``)."""

    def __init__(
        self, *, copy: str = _COPY, name: str = "request-log", most_waiting: int = MOST_WAITING, most_at_once: int = MOST_AT_ONCE
    ) -> None:
        self._copy, self._name, self._most_waiting, self._most_at_once = copy, name, most_waiting, most_at_once
        self._waiting: deque[Any] = deque(maxlen=most_waiting)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self.dropped = 0

    def note(self, call: Any) -> None:
        """Costs an append; the thread is started by the process's first call."""
        if len(self._waiting) == self._most_waiting:
            self.dropped += 1
        self._waiting.append(call)
        if self._thread is None and settings.REQUEST_LOG_EVERY_S > 0:
            self._start()

    def flush(self) -> int:
        """Write what waits, on the calling thread's connection; how many rows. Rows that cannot be written go on waiting."""
        written = 0
        while self._waiting:
            batch = [self._waiting.popleft() for _n in range(min(len(self._waiting), self._most_at_once))]
            try:
                with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
                    for call in batch:
                        copy.write_row(call)
            except UNWRITTEN:
                room = self._most_waiting - len(self._waiting)
                self.dropped += max(len(batch) - room, 0)
                self._waiting.extendleft(reversed(batch[-room:] if room else []))
                raise
            written += len(batch)
        return written

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
                atexit.register(self._finish)

    def _run(self) -> None:
        while not self._stop.wait(settings.REQUEST_LOG_EVERY_S):
            self._write()
        self._write()
        connection.close()

    def _write(self) -> None:
        try:
            self.flush()
        except UNWRITTEN as error:
            logger.warning("%s waits (%d rows): %s", self._name, len(self._waiting), error)
            connection.close()

    def _finish(self) -> None:
        """At the process's orderly end: what waits is written."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=3)


writer = RequestLogWriter()
note: Callable[[Call], None] = writer.note


def keep_log(*, now: datetime | None = None) -> dict[str, Any]:
    """The days ahead are there, strays come home, days older than ``REQUEST_LOG_KEEP_DAYS`` go."""
    now = now or timezone.now()
    return {"made": DAYS.keep_ready(now=now), "dropped": DAYS.drop_older(now=now, keep_days=settings.REQUEST_LOG_KEEP_DAYS)}


# p50 and p95 are exact, of the day's every call. Days are those of the site's time zone.
_COUNT = """
INSERT INTO interop_keyusage (key_id, day, calls, refused, limited, failed, p50_ms, p95_ms, bytes_in, bytes_out, last_at, counted_at)
SELECT log.key_id, %(day)s, count(*), count(*) FILTER (WHERE log.status BETWEEN 400 AND 499), count(*) FILTER (WHERE log.status = 429),
       count(*) FILTER (WHERE log.status >= 500),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY log.ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY log.ms),
       sum(log.bytes_in), sum(log.bytes_out), max(log.at), now()
FROM interop_requestlog log JOIN interop_partnerkey key ON key.id = log.key_id
WHERE log.at >= %(start)s AND log.at < %(end)s
GROUP BY log.key_id
ON CONFLICT (key_id, day) DO UPDATE SET
    calls = excluded.calls, refused = excluded.refused, limited = excluded.limited, failed = excluded.failed,
    p50_ms = excluded.p50_ms, p95_ms = excluded.p95_ms, bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out,
    last_at = excluded.last_at, counted_at = excluded.counted_at
"""


def count_usage(*, now: datetime | None = None) -> int:
    """Count today and yesterday from the log; how many rows. Safe to run at any time, any number of times."""
    today = timezone.localtime(now or timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    counted = 0
    with connection.cursor() as cursor:
        for start in (today - timedelta(days=1), today):
            cursor.execute(_COUNT, {"day": start.date(), "start": start, "end": start + timedelta(days=1)})
            counted += cursor.rowcount
    return counted
