"""Readings of 5,000 devices: by HTTP in batches to committed rows, the writer alone on a burst, and one device's day as the table grows.

PostgreSQL and both Redis servers are durable ones (the streams' with ``appendfsync always``), all on the same machine as the client. A
row's way is watched from outside: a prober compares the time a reading was taken at with the time it could first be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import redis

from benchmarks.intake import web_process
from benchmarks.report import Report
from deploy.local.layout import Layout
from deploy.local.services import Postgres, Redis, Streams

ROOT = Path(__file__).resolve().parents[1]
SECTION = "Telemetry"
DEVICES, KEYS = 5_000, 40
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "15"))
BURST = int(os.environ.get("KHAREETATY_BENCH_BURST", "100000"))
ROWS = [int(text) for text in os.environ.get("KHAREETATY_BENCH_ROWS", "1000000,10000000").split(",") if text]
BYTES_A_ROW = 300  # with its key and what PostgreSQL writes ahead meanwhile
SETUP = f"""
from django.utils import timezone
from accounts.models import Agency
from geography.models import Zone
from incidents.services.vocabulary import ensure_vocabulary
from iot.models import Datastream, Device, DeviceProfile, Metric
from iot.services import issue_device_key
from iot.services.partitions import keep_days_ready
ensure_vocabulary()
keep_days_ready(now=timezone.now())
police, place = Agency.objects.get(slug="police"), Zone.objects.filter(level="governorate").first()
profile, _ = DeviceProfile.objects.get_or_create(code="bench", defaults=dict(name_en="B", name_ar="B", kind="environment",
    expected_every_s=60, most_per_min=600000))
metric, _ = Metric.objects.get_or_create(profile=profile, code="temperature", defaults=dict(name_en="T", name_ar="T", least=-50, most=90))
if not Device.objects.exists():
    Device.objects.bulk_create(Device(code=f"B{{n}}", profile=profile, agency=police, governorate=place, state="active", is_synthetic=True)
        for n in range({DEVICES}))
    Datastream.objects.bulk_create(Datastream(device=device, metric=metric) for device in Device.objects.all())
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("TRUNCATE iot_reading, iot_rollup_1m, iot_rollup_1h, iot_rollup_1d, iot_deadreading; ANALYZE")
devices = list(Device.objects.order_by("pk"))
print("IDS", devices[0].pk, devices[-1].pk)
for device in devices[:{KEYS}]:
    device.credentials.all().delete()
    print("KEY", issue_device_key(device=device, by=None)[1])
"""


LATELY = """
SELECT id, last_at FROM iot_datastream WHERE last_at > now() - interval '20 seconds' AND (%s::bigint[] IS NULL OR id = ANY(%s::bigint[]))
"""


class Prober(threading.Thread):
    """How long after it was taken each stream's newest reading could be read; of all streams, or of some."""

    def __init__(self, database: str, *, only: list[int] | None = None) -> None:
        super().__init__(daemon=True)
        self.database, self.only = database, only
        self.lags: list[float] = []
        self.over = threading.Event()

    def run(self) -> None:
        seen: dict[int, Any] | None = None
        with psycopg.connect(self.database, autocommit=True) as connection:
            while not self.over.wait(0.05):
                rows = connection.execute(LATELY, [self.only, self.only]).fetchall()
                now = time.time()
                if seen is not None:
                    self.lags += [now - at.timestamp() for id, at in rows if seen.get(id) != at]
                seen = (seen or {}) | dict(rows)


def p95(values: list[float]) -> float:
    ordered = sorted(values)
    return 1_000 * ordered[int(0.95 * (len(ordered) - 1))] if ordered else float("nan")


class Bench:
    def __init__(self, report: Report, layout: Layout, environment: dict[str, str], postgres: Postgres, streams: Streams) -> None:
        self.report, self.layout, self.environment = report, layout, environment
        self.database = postgres.url.replace("postgis://", "postgresql://")
        self.streams_url = streams.url
        self.redis = redis.Redis.from_url(streams.url)

    def one(self, sql: str) -> Any:
        with psycopg.connect(self.database) as connection:
            row = connection.execute(sql).fetchone()
            return row[0] if row else None

    def count(self) -> int:
        return int(self.one("SELECT count(*) FROM iot_reading"))

    def waiting(self) -> int:
        told: Any = self.redis.get("iot:readings:waiting")
        return int(told or 0)

    @contextlib.contextmanager
    def writer(self) -> Iterator[int]:
        with (self.layout.log / "writer.log").open("ab") as log:
            command = [sys.executable, "manage.py", "telemetry_writer"]
            process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                yield process.pid
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def drained(self, patience_s: float = 300) -> float:
        """When the stream was empty."""
        deadline = time.monotonic() + patience_s
        while self.waiting() and time.monotonic() < deadline:
            time.sleep(0.02)
        return time.monotonic()

    def drive(self, url: str, keys: list[str], batch: int, rate: float) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.telemetry_client", url, str(batch), str(rate), str(SECONDS)]
        driven = subprocess.run(command, cwd=ROOT, check=True, input=json.dumps(keys), stdout=subprocess.PIPE, text=True)
        told: dict[str, Any] = json.loads(driven.stdout)
        return told

    def http(self, url: str, keys: list[str]) -> None:
        for name, batch, rate in (("as many as they go", 500, 0.0), ("2,000 readings a second", 20, 100.0)):
            before, prober, started = self.count(), Prober(self.database), time.monotonic()
            prober.start()
            went = self.drive(url, keys, batch, rate)
            took = self.drained() - started
            prober.over.set()
            prober.join()
            kept, told = self.count() - before, ", ".join(f"{n} × {status}" for status, n in went["statuses"].items())
            title = f"HTTP batches of {batch}, {name}"
            self.report.row(SECTION, f"{title}: taken", went["accepted"] / went["seconds"], "1/s", told)
            self.report.row(SECTION, f"{title}: committed", kept / took, "1/s", f"{took:.1f} s in all, the client's start among them")
            self.report.row(SECTION, f"{title}: not kept", went["accepted"] - kept, "", "acknowledged, less the rows in the table")
            self.report.row(SECTION, f"{title}: p95 of the answer", went["p95_ms"], "ms")
            self.report.row(SECTION, f"{title}: p95 from the reading to the row", p95(prober.lags), "ms", f"{len(prober.lags):,} seen")

    def burst(self, first: int) -> None:
        from iot.decoders.measurement import Measurement
        from iot.stream import Envelope, Stream

        stream, now = Stream(url=self.streams_url), datetime.now(UTC)
        before, began = self.count(), time.monotonic()
        for start in range(0, BURST, 1_000):
            stream.offer(
                Envelope(
                    first + n % DEVICES, "bench", now, [Measurement("temperature", 20 + n % 9, now - timedelta(milliseconds=3 * n + 7))]
                )
                for n in range(start, min(start + 1_000, BURST))
            )
        offered = time.monotonic() - began
        self.report.row(SECTION, "on the stream, one reading a message", BURST / offered, "1/s", "1,000 an offer, on the disk each")
        with self.writer():
            while self.waiting() == BURST:
                time.sleep(0.005)
            started = time.monotonic()
            took = self.drained() - started
        kept = self.count() - before
        self.report.row(
            SECTION, "the writer alone", BURST / took, "rows/s", f"a burst of {BURST:,} from {DEVICES:,} devices, three roll-ups"
        )
        self.report.row(SECTION, "of the burst not kept", BURST - kept, "")

    def growth(self) -> None:
        """A reading a minute of as many streams as it takes, in the last 24 hours; then one device's day, cold and warm."""
        for rows in ROWS:
            streams = -(-rows // 1_440)
            if rows * BYTES_A_ROW > (free := shutil.disk_usage(self.layout.var).free):
                note = f"needs {rows * BYTES_A_ROW / 1e9:.0f} GB of disk with its log, {free / 1e9:.0f} are free"
                self.report.row(SECTION, f"one device's last day among {rows:,} rows: not measured", 0, "", note)
                continue
            with psycopg.connect(self.database, autocommit=True) as connection:
                connection.execute(
                    "INSERT INTO iot_reading SELECT 10000000 + s, date_trunc('minute', now()) - m * interval '1 minute', random() * 30, 0 "
                    "FROM generate_series(0, 1439) AS m, generate_series(1, %s) AS s ON CONFLICT DO NOTHING",
                    [streams],
                )
                connection.execute("ANALYZE iot_reading")
                query = "SELECT at, value, quality FROM iot_reading WHERE datastream_id = %s AND at >= now() - interval '1 day' ORDER BY at"
                times = []
                for turn in range(40):
                    began = time.perf_counter()
                    found = len(connection.execute(query, [10_000_001 + turn * (streams // 41)]).fetchall())
                    times.append(time.perf_counter() - began)
                    assert found >= 1_438, found
            self.report.row(
                SECTION,
                f"one device's last day among {rows:,} rows: p95",
                p95(times),
                "ms",
                f"1,440 rows; the median {sorted(times)[20] * 1e3:.1f} ms",
            )
        size = self.one("SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'iot_reading'::regclass")
        self.report.row(SECTION, "bytes a reading", float(size) / max(self.count(), 1), "", "with its key")


def run(report: Report) -> None:
    layout = Layout(Path(os.environ.get("KHAREETATY_VAR", ROOT / "var/bench")).resolve() / "telemetry")
    layout.make()
    postgres, cache, streams = Postgres(layout), Redis(layout), Streams(layout)
    for service in (postgres, cache, streams):
        service.start()
    environment = os.environ | {
        "DATABASE_URL": postgres.url, "REDIS_URL": cache.url, "STREAMS_URL": streams.url, "KHAREETATY_VAR": str(layout.var),
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    try:
        streams_client = redis.Redis.from_url(streams.url)
        streams_client.flushall()
        for command in (["migrate", "--verbosity", "0"], ["load_gazetteer"]):
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        shell = [sys.executable, "manage.py", "shell", "-v", "0", "-c", SETUP]
        made = subprocess.run(shell, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        keys = [line.split()[1] for line in made if line.startswith("KEY ")]
        first = next(int(line.split()[1]) for line in made if line.startswith("IDS "))
        bench = Bench(report, layout, environment, postgres, streams)
        bench.burst(first)
        with web_process(environment, layout.log / "web.log") as (url, _web_process), bench.writer():
            bench.drive(url, keys, 20, 5.0)  # what happens once
            bench.drained()
            bench.http(url, keys)
        bench.growth()
    finally:
        for service in (streams, cache, postgres):
            service.stop()
