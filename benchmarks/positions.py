"""Two thousand units, a position every five seconds (400 a second), by each door, with fences judged meanwhile; and the most of each.

PostgreSQL is a durable one. A row's way is watched from outside: a prober asks for the last positions twenty times a second and compares
the time a position was taken at with the time it could first be read. Nothing may be missing at the end.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from typing import Any

import psycopg

from benchmarks.own import Own, drive, own_services, tree_seconds
from benchmarks.positions_client import UNITS
from benchmarks.report import Report

SECTION = "Positions"
RATE = UNITS / 5
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "40"))
FENCES = 300
SETUP = f"""
import random
from django.contrib.gis.geos import Point
from django.utils import timezone
from accounts.models import Agency
from geography.models import Region, Zone
from incidents.services.vocabulary import ensure_vocabulary
from interop.models import Partner
from interop.services import issue_key
from patrol.models import Duty, Geofence, Station, Unit
from patrol.services.positions import keep_days_ready
ensure_vocabulary()
keep_days_ready(now=timezone.now())
police, region = Agency.objects.get(slug="police"), Region.objects.get(is_default=True)
place = Zone.objects.filter(level="governorate", region=region).first()
if not Unit.objects.exists():
    rng = random.Random(0)
    station = Station.objects.create(agency=police, governorate=place, code="B", name_en="B", name_ar="B",
        location=Point(47.98, 29.35))
    own = dict(agency=police, governorate=place)
    Unit.objects.bulk_create(Unit(**own, station=station, call_sign=f"B{{n}}", tracker_id=f"B{{n}}") for n in range({UNITS}))
    Duty.objects.bulk_create(Duty(**own, unit=unit, started_at=timezone.now()) for unit in Unit.objects.all())
    Geofence.objects.bulk_create(
        Geofence(agency=police, governorate=place, name=f"F{{n}}", centre=Point(47.90 + rng.random() * 0.18, 29.28 + rng.random() * 0.10),
                 radius_m=rng.randint(100, 600)) for n in range({FENCES}))
partner = Partner.objects.filter(slug="bench").first() or Partner.objects.create(slug="bench", name="Bench", agency=police, region=region)
print("KEY", issue_key(partner=partner, name="bench", scopes=["telemetry:write"], by=None, all_governorates=True)[1])
"""


TWICE = """
SELECT count(*) FROM (SELECT 1 FROM core_event WHERE type LIKE 'fence.%' GROUP BY subject_id, type HAVING count(*) > 1) AS twice
"""


class Prober(threading.Thread):
    """How long after it was taken each position could be read."""

    def __init__(self, database: str) -> None:
        super().__init__(daemon=True)
        self.database = database
        self.lags: list[float] = []
        self.over = threading.Event()

    def run(self) -> None:
        seen: dict[int, Any] | None = None  # what stood there before is nobody's lag
        with psycopg.connect(self.database, autocommit=True) as connection:
            while not self.over.wait(0.05):
                rows = connection.execute("SELECT unit_id, at FROM patrol_unitposition WHERE at > now() - interval '20 seconds'").fetchall()
                now = time.time()
                if seen is not None:
                    self.lags += [now - at.timestamp() for unit, at in rows if seen.get(unit) != at]
                seen = (seen or {}) | dict(rows)

    def p95_ms(self) -> float:
        ordered = sorted(self.lags)
        return 1_000 * ordered[int(0.95 * (len(ordered) - 1))] if ordered else float("nan")


class Bench:
    def __init__(self, report: Report, url: str, key: str, own: Own, pids: dict[str, int]) -> None:
        self.report, self.url, self.key, self.broker, self.pids, self.database = report, url, key, own.broker, pids, own.database

    def drive(self, mode: str, rate: float, seconds: float) -> dict[str, Any]:
        url = self.broker.feeder_url if mode in ("mqtt", "flood") else self.url
        told: dict[str, Any] = drive("benchmarks.positions_client", url, self.key, mode, rate, seconds)
        return told

    def count(self) -> int:
        with psycopg.connect(self.database) as connection:
            row = connection.execute("SELECT count(*) FROM patrol_position").fetchone()
            return int(row[0]) if row else 0

    def sustained(self, name: str, mode: str) -> None:
        before, cpu, prober = self.count(), self._cpu(), Prober(self.database)
        prober.start()
        started = time.monotonic()
        went = self.drive(mode, RATE, SECONDS)
        sent = sum(went["statuses"].values())
        deadline = time.monotonic() + 30
        while self.count() - before < sent and time.monotonic() < deadline:
            time.sleep(0.1)
        took = time.monotonic() - started
        prober.over.set()
        prober.join()
        kept = self.count() - before
        good = sum(count for status, count in went["statuses"].items() if status in ("200", "201"))
        told = ", ".join(f"{count} × {status}" for status, count in went["statuses"].items())
        row = functools.partial(self.report.row, SECTION)
        row(f"{name}: kept", kept / went["seconds"], "1/s", f"{RATE:g}/s planned for {SECONDS:g} s; {told}")
        row(f"{name}: not kept", sent - kept, "", "sent and acknowledged, less the rows in the table")
        self.report.row(
            SECTION, f"{name}: p95 from the fix to the row", prober.p95_ms(), "ms", f"seen from outside, {len(prober.lags):,} of them"
        )
        self.report.row(
            SECTION, f"{name}: p95 of the answer", went["p95_ms"], "ms", "the broker's acknowledgement" if mode == "mqtt" else ""
        )
        spent = {who: 100 * (now - cpu[who]) / took for who, now in self._cpu().items()}
        shares = ", ".join(f"{who} {share:.0f} %" for who, share in spent.items())
        row(f"{name}: processor", sum(spent.values()), "%", f"100 is one core: {shares}")
        if good != sent or kept != sent:
            raise AssertionError(f"{name}: {sent} sent, {told}, {kept} kept")

    def most(self) -> None:
        for connections in (1, 8, 32):
            went = self.drive("closed", connections, 8)
            note = f"closed loop, p95 {went['p95_ms']:.0f} ms"
            self.report.row(
                SECTION, f"HTTP singles: most, {connections} connections", sum(went["statuses"].values()) / went["seconds"], "1/s", note
            )
        went = self.drive("batches", 0, 10)
        note = f"1,000 a request, one after the other, {went['p50_ms']:.0f} ms each"
        self.report.row(SECTION, "HTTP batches: most", sum(went["statuses"].values()) / went["seconds"], "1/s", note)
        before, amount = self.count(), 20_000
        started = time.monotonic()
        self.drive("flood", amount, 1)
        while self.count() - before < amount and time.monotonic() - started < 120:
            time.sleep(0.1)
        took = time.monotonic() - started
        self.report.row(SECTION, "MQTT: most", (self.count() - before) / took, "1/s", f"{amount:,} at once, sender on the same two cores")

    def fences(self) -> None:
        sql = """
            SELECT count(*), percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM e.occurred_at - v.entered_at))
            FROM core_event e JOIN patrol_fencevisit v ON v.id = e.subject_id WHERE e.type = 'fence.entered'
        """
        with psycopg.connect(self.database) as connection:
            row = connection.execute(sql).fetchone() or (0, None)
            twice = connection.execute(TWICE).fetchone()
        self.report.row(
            SECTION, "fences entered meanwhile", int(row[0]), "", f"{FENCES} circles; announced twice: {twice[0] if twice else 0}"
        )
        self.report.row(
            SECTION, "p95 from the fix to the announcement", 1_000 * float(row[1] or 0), "ms", "the follower looks once a second"
        )

    def _cpu(self) -> dict[str, float]:
        return {name: tree_seconds(pid) for name, pid in self.pids.items()}


def run(report: Report) -> None:
    with own_services("positions", "broker") as own:
        key = own.shell(SETUP)["KEY"][0]
        with own.web() as (url, web), own.program("gateway", "position_gateway") as gateway:
            time.sleep(4)
            pids = {"web": web.pid, "gateway": gateway.pid, "postgres": own.postgres.postmaster() or 0, "broker": own.broker.server() or 0}
            bench = Bench(report, url, key, own, pids)
            bench.drive("closed", 4, 2)  # what happens once
            bench.sustained("MQTT QoS 1", "mqtt")
            bench.sustained("HTTP batches", "batches")
            bench.sustained("HTTP singles", "singles")
            bench.fences()
            bench.most()
