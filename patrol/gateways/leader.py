"""One gateway at a time holds the broker's session: two under one name would throw each other out."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg

from core.relay import connect

_LOCK = 0x4B48_4D51_5454
LOOK_EVERY_S = 3.0


class Leadership:
    """An advisory lock that lives and dies with a connection of its own."""

    def __init__(self) -> None:
        self._db: psycopg.Connection[Any] | None = None
        self._looked_at = 0.0

    def wait(self, stop: threading.Event) -> bool:
        """Block until we lead (``True``) or are told to stop. A database that is away is waited for."""
        while not stop.is_set():
            try:
                if self._db is None or self._db.closed:
                    self._db = connect()
                row = self._db.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
                if row and row[0]:
                    return True
            except psycopg.Error:
                self.give_up()
            stop.wait(LOOK_EVERY_S)
        return False

    def holds(self) -> bool:
        """Whether the lock is ours still; asked of the database now and then."""
        if self._db is None or time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return self._db is not None
        self._looked_at = time.monotonic()
        try:
            self._db.execute("SELECT 1")
        except psycopg.Error:
            self.give_up()
        return self._db is not None

    def give_up(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None
