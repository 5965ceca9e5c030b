"""One at a time: an advisory lock that lives and dies with a database connection of its own."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg

from core.relay import connect

LOOK_EVERY_S = 3.0


class Leadership:
    """Of what ``lock`` stands for. Whoever loses the connection has lost it."""

    def __init__(self, lock: int) -> None:
        self.lock = lock
        self._db: psycopg.Connection[Any] | None = None
        self._looked_at = 0.0

    def wait(self, stop: threading.Event) -> bool:
        """Block until we lead (``True``) or are told to stop. A database that is away is waited for."""
        while not stop.is_set():
            if self.try_now():
                return True
            stop.wait(LOOK_EVERY_S)
        return False

    def try_now(self) -> bool:
        try:
            if self._db is None or self._db.closed:
                self._db = connect()
            row = self._db.execute("SELECT pg_try_advisory_lock(%s)", [self.lock]).fetchone()
            return bool(row and row[0])
        except psycopg.Error:
            self.give_up()
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

    def lost_to_another(self) -> bool:
        """Whether somebody else leads by now. While the database is away nobody can be told to, and whoever led goes on."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return False
        held = self.holds()
        self._looked_at = time.monotonic()
        if held or self.try_now():
            return False
        return self._db is not None  # it answered, and the lock is not ours

    def give_up(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None
