"""A table partitioned by UTC day: days are made ahead, old ones are dropped whole, strays are brought home.

A day that nobody made is no reason to lose a row: it waits in ``<table>_rest``, the default partition, until ``keep_ready`` moves it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

DAYS_AHEAD = 3
_NAME = re.compile(r"_(\d{8})")

_DAYS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = '{table}'::regclass"
_STRAYS = "SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM {table}_rest"
# Attaching locks the rest against writers for the moment it takes to see that nothing in it belongs here, and the whole not at all.
_MAKE = """
CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES);
WITH strays AS (DELETE FROM {table}_rest WHERE at >= '{start}' AND at < '{end}' RETURNING *)
INSERT INTO {name} SELECT * FROM strays;
ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}');
"""


@dataclass(frozen=True)
class Days:
    """The days of ``table``, which is partitioned by its column ``at``. ``lock`` lets one at a time make and drop them."""

    table: str
    lock: int

    def there(self) -> set[date]:
        with connection.cursor() as cursor:
            cursor.execute(_DAYS.format(table=self.table))
            names = [_NAME.fullmatch(name.removeprefix(self.table)) for (name,) in cursor.fetchall()]
        return {datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date() for found in names if found}

    def keep_ready(self, *, now: datetime) -> list[date]:
        """Make today, the days ahead and every day that strays belong to; answer those made."""
        today = now.astimezone(UTC).date()
        wanted = {today + timedelta(days=ahead) for ahead in range(-1, DAYS_AHEAD + 1)}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [self.lock])
            cursor.execute(_STRAYS.format(table=self.table))
            wanted |= {day for (day,) in cursor.fetchall()}
            missing = sorted(wanted - self.there())
            for day in missing:
                bounds = {"start": f"{day:%Y-%m-%d} 00:00:00+00", "end": f"{day + timedelta(days=1):%Y-%m-%d} 00:00:00+00"}
                cursor.execute(_MAKE.format(table=self.table, name=f"{self.table}_{day:%Y%m%d}", **bounds))
        return missing

    def drop_older(self, *, now: datetime, keep_days: int) -> list[date]:
        """Drop the days older than ``keep_days``; answer those dropped."""
        first_kept = now.astimezone(UTC).date() - timedelta(days=keep_days)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [self.lock])
            old = sorted(day for day in self.there() if day < first_kept)
            for day in old:
                cursor.execute(f"DROP TABLE {self.table}_{day:%Y%m%d}")
        return old

    def strays(self) -> int:
        """How many rows wait in the rest. More than none for long means that nobody makes the days."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {self.table}_rest")  # noqa: S608  (the name is ours)
            row = cursor.fetchone()
        return int(row[0]) if row else 0
