"""One device's last day as the table grows: ``KHAREETATY_BENCH_ROWS=1000000,10000000,100000000 make bench ARGS=telemetry_growth``.

The rows are made by the server: a reading a minute of as many streams as it takes, all within the last 24 hours, so that the index that is
asked is as deep as it can be; in the order they would have come in (minute by minute, all streams in each), so that one device's day lies
scattered over the table. They stand in the table's own days; only the indexes are made after the rows, and compared with those of a day
that the product made. Asked cold (the server started anew, its files out of the page cache) and again warm.
"""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime, timedelta

import psycopg

from benchmarks.own import Own, own_services
from benchmarks.report import Report
from benchmarks.telemetry import p95

SECTION = "Telemetry as the table grows"
ROWS = [int(text) for text in os.environ.get("KHAREETATY_BENCH_ROWS", "1000000,10000000").split(",") if text]
BYTES_A_ROW = 200  # with its key, and what PostgreSQL writes ahead meanwhile
MINUTES = 1_440
FIRST = 10_000_000  # no stream that anything else has
ASKED = 40
SETUP = """
from django.utils import timezone
from iot.services.partitions import keep_days_ready
keep_days_ready(now=timezone.now())
"""
QUERY = "SELECT at, value, quality FROM iot_reading WHERE datastream_id = %s AND at >= now() - interval '1 day' ORDER BY at"
# The bounds stand as a check while the day is apart: attaching it need not look at each row then.
MAKE = """
CREATE TABLE made (LIKE iot_reading INCLUDING DEFAULTS, CONSTRAINT bounds CHECK (at IS NOT NULL AND at >= '{start}' AND at < '{end}'));
INSERT INTO made (datastream_id, at, value, quality, received_at)
    SELECT {first} + s, m, random() * 30, 0, m + interval '1 second'
    FROM generate_series(greatest('{start}'::timestamptz, '{since}'), least('{end}'::timestamptz - interval '1 minute', '{until}'),
                         interval '1 minute') AS m
    CROSS JOIN LATERAL generate_series(1, {streams}) AS s
"""
TAKE_IN = """
ALTER TABLE made ADD PRIMARY KEY (datastream_id, at);
CREATE INDEX ON made USING brin (at);
DROP TABLE {name};
ALTER TABLE made RENAME TO {name};
ALTER TABLE iot_reading ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}');
ALTER TABLE {name} DROP CONSTRAINT bounds;
"""
SIZE = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'iot_reading'::regclass"
# What is indexed how in a day, and whether each is a part of the whole table's own.
INDEXES = """
SELECT am.amname, i.indisprimary, i.indkey::text, EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid), i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam WHERE i.indrelid = %s::regclass ORDER BY 1, 2
"""


def run(report: Report) -> None:
    with own_services("telemetry_growth") as own:
        own.shell(SETUP)
        for rows in sorted(ROWS):
            needs, free = rows * BYTES_A_ROW, shutil.disk_usage(own.layout.var).free
            if needs > free:
                note = f"needs {needs / 1e9:.0f} GB of disk with its log, {free / 1e9:.0f} are free"
                report.row(SECTION, f"among {rows:,} rows: not measured", 0, "", note)
                continue
            _measure(own, report, rows)
        with psycopg.connect(own.database, autocommit=True) as connection:
            connection.execute("TRUNCATE iot_reading")  # what is kept for the next run is not to be gigabytes


def fill(own: Own, rows: int) -> int:
    """Make at least ``rows`` rows in the place of all there were; how many streams they are of."""
    streams = -(-rows // MINUTES)
    until = datetime.now(UTC).replace(second=0, microsecond=0)
    since = until - timedelta(minutes=MINUTES - 1)
    with psycopg.connect(own.database, autocommit=True) as connection:
        connection.execute("TRUNCATE iot_reading")
        for day in sorted({since.date(), until.date()}):
            bounds = {"start": f"{day} 00:00:00+00", "end": f"{day + timedelta(days=1)} 00:00:00+00"}
            name = f"iot_reading_{day:%Y%m%d}"
            with connection.transaction():
                connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
                connection.execute(MAKE.format(since=since, until=until, first=FIRST, streams=streams, **bounds))
                connection.execute(TAKE_IN.format(name=name, **bounds))
            product = f"iot_reading_{until.date() + timedelta(days=1):%Y%m%d}"
            made, ours = (connection.execute(INDEXES, [table]).fetchall() for table in (name, product))
            assert made == ours, f"a day has the indexes {made}, the product's own {ours}"
        connection.execute("VACUUM (ANALYZE) iot_reading")  # as the server does by itself after a while
        connection.execute("CHECKPOINT")
    return streams


def _measure(own: Own, report: Report, rows: int) -> None:
    began = time.monotonic()
    streams = fill(own, rows)
    took = time.monotonic() - began
    note = f"{rows / took / 1e3:,.0f} thousand a second; a reading a minute of {streams:,} streams; indexes and vacuum after them"
    report.row(SECTION, f"{rows:,} rows made in", took, "s", note)
    _forget(own)
    with psycopg.connect(own.database, autocommit=True) as connection:
        connection.execute("SELECT 1")
        for name in ("cold", "warm"):
            times = []
            for turn in range(ASKED):
                asked_at = time.perf_counter()
                found = len(connection.execute(QUERY, [FIRST + 1 + turn * (streams // (ASKED + 1))]).fetchall())
                times.append(time.perf_counter() - asked_at)
                # The day goes on while it is being made: what fell out of it since is not asked for.
                assert MINUTES - found <= 2 + (time.monotonic() - began) / 60, found
            middle = sorted(times)[ASKED // 2] * 1e3
            told = f"{ASKED} devices, {found:,} readings each; the median {middle:.1f} ms"
            report.row(SECTION, f"one device's last day among {rows:,} rows, {name}: p95", p95(times), "ms", told)
    report.row(SECTION, f"bytes a reading among {rows:,}", float(own.one(SIZE)) / (streams * MINUTES), "", "with its key")


def _forget(own: Own) -> None:
    """Start the server anew with nothing of its files in memory."""
    own.postgres.stop()
    for path in (own.postgres.data / "base").rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)
    own.postgres.start()
