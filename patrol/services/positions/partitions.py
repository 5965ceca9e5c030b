"""The table of positions is partitioned by UTC day: days are made ahead, old ones are dropped whole, strays are brought home.

A day that nobody made is no reason to lose a position: it waits in ``patrol_position_rest`` until ``keep_days_ready`` moves it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

DAYS_AHEAD = 3
_LOCK = 0x4B48_504F_5344  # one at a time makes and drops days
_NAME = re.compile(r"patrol_position_(\d{8})")

_DAYS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'patrol_position'::regclass"
_STRAYS = "SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM patrol_position_rest"
# Attaching locks the rest against writers for the moment it takes to see that nothing in it belongs here, and the whole not at all.
_MAKE = """
CREATE TABLE {name} (LIKE patrol_position INCLUDING DEFAULTS INCLUDING INDEXES);
WITH strays AS (DELETE FROM patrol_position_rest WHERE at >= '{start}' AND at < '{end}' RETURNING *)
INSERT INTO {name} SELECT * FROM strays;
ALTER TABLE patrol_position ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}');
"""


def days_there() -> set[date]:
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
        names = [_NAME.fullmatch(name) for (name,) in cursor.fetchall()]
    return {datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date() for found in names if found}


def keep_days_ready(*, now: datetime) -> list[date]:
    """Make today, the days ahead and every day that strays belong to; answer those made."""
    today = now.astimezone(UTC).date()
    wanted = {today + timedelta(days=ahead) for ahead in range(-1, DAYS_AHEAD + 1)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(_STRAYS)
        wanted |= {day for (day,) in cursor.fetchall()}
        missing = sorted(wanted - days_there())
        for day in missing:
            bounds = {"start": f"{day:%Y-%m-%d} 00:00:00+00", "end": f"{day + timedelta(days=1):%Y-%m-%d} 00:00:00+00"}
            cursor.execute(_MAKE.format(name=f"patrol_position_{day:%Y%m%d}", **bounds))
    return missing


def drop_old_days(*, now: datetime) -> list[date]:
    """Drop the days older than ``POSITION_KEEP_DAYS``; answer those dropped."""
    first_kept = now.astimezone(UTC).date() - timedelta(days=settings.POSITION_KEEP_DAYS)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        old = sorted(day for day in days_there() if day < first_kept)
        for day in old:
            cursor.execute(f"DROP TABLE patrol_position_{day:%Y%m%d}")
    return old


def strays() -> int:
    """How many positions wait in the rest. More than none for long means that nobody makes the days."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM patrol_position_rest")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
