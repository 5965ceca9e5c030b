"""Readings of 5,000 devices: by HTTP in batches to committed rows, and the writer alone on a burst.

PostgreSQL and both Redis servers are durable ones (the streams' with ``appendfsync always``), all on the same machine as the client. A
row's way is watched from outside: a prober compares the time a reading was taken at with the time it could first be read.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import redis

from benchmarks.own import Beside, Own, drive, own_services, tree_seconds
from benchmarks.report import Report

SECTION = "Telemetry"
DEVICES, KEYS = 5_000, 40
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "15"))
BURST = int(os.environ.get("KHAREETATY_BENCH_BURST", "100000"))
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
    def __init__(self, report: Report, own: Own) -> None:
        self.report, self.own, self.database = report, own, own.database

    def count(self) -> int:
        return int(self.own.one("SELECT count(*) FROM iot_reading"))

    def drained(self, patience_s: float = 300) -> float:
        """When the stream was empty."""
        deadline = time.monotonic() + patience_s
        while self.own.waiting() and time.monotonic() < deadline:
            time.sleep(0.02)
        return time.monotonic()

    def drive(self, url: str, keys: list[str], batch: int, rate: float) -> dict[str, Any]:
        told: dict[str, Any] = drive("benchmarks.telemetry_client", url, batch, rate, SECONDS, given=keys)
        return told

    def through(self, section: str, title: str, pid: int, load: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Report what a gateway (``pid``) made of ``load``, from the first answer to the last row; what the load told."""
        before, spent, prober = self.count(), tree_seconds(pid), Prober(self.database)
        prober.start()
        began = time.monotonic()
        went = load()
        share = 100 * (tree_seconds(pid) - spent) / (time.monotonic() - began)
        self.drained()
        prober.over.set()
        prober.join()
        kept = self.count() - before
        row = functools.partial(self.report.row, section)
        row(f"{title}: acknowledged", went["acknowledged"] / went["seconds"], "1/s", "one reading each")
        row(f"{title}: not kept", went["acknowledged"] - kept, "", "acknowledged, less the rows in the table")
        row(f"{title}: refused", went["refused"], "")
        row(f"{title}: p95 of the answer", went["p95_ms"], "ms", f"the gateway took {share:.0f} % of a core")
        row(f"{title}: p95 from the reading to the row", p95(prober.lags), "ms", f"{len(prober.lags):,} seen")
        return went

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

        stream, now = Stream(url=self.own.streams.url), datetime.now(UTC)
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
        with self.own.program("writer", "telemetry_writer"):
            while self.own.waiting() == BURST:
                time.sleep(0.005)
            started = time.monotonic()
            took = self.drained() - started
        kept = self.count() - before
        self.report.row(
            SECTION, "the writer alone", BURST / took, "rows/s", f"a burst of {BURST:,} from {DEVICES:,} devices, three roll-ups"
        )
        self.report.row(SECTION, "of the burst not kept", BURST - kept, "")


@contextlib.contextmanager
def telemetry_services(where: str, *beside: Beside) -> Iterator[Own]:
    """Services with empty streams; ``where`` is kept from run to run."""
    with own_services(where, "cache", "streams", *beside) as own:
        redis.Redis.from_url(own.streams.url).flushall()
        yield own


def run(report: Report) -> None:
    with telemetry_services("telemetry") as own:
        made = own.shell(SETUP)
        bench = Bench(report, own)
        bench.burst(int(made["IDS"][0].split()[0]))
        with own.web() as (url, _web), own.program("writer", "telemetry_writer"):
            bench.drive(url, made["KEY"], 20, 5.0)  # what happens once
            bench.drained()
            bench.http(url, made["KEY"])
