"""Single posts through the API on one web process: 150 a second with p95 under 100 ms is the aim.

PostgreSQL here is a durable one (fsync and synchronous commit on), since a 2xx promises that the message is on disk; the
throw-away services of the other suites would flatter the figure.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

import psycopg

from benchmarks.own import Own, cpu_seconds, drive, own_services
from benchmarks.report import Report

SECTION = "Intake by API"
RATE = 150
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "25"))
SETUP = """
from accounts.models import Agency
from geography.models import Region
from incidents.services.vocabulary import ensure_vocabulary
from interop.models import Kind, Partner
from interop.services import issue_key
ensure_vocabulary()
partner = Partner.objects.filter(slug="bench").first() or Partner.objects.create(
    slug="bench", name="Bench", agency=Agency.objects.get(slug="police"), region=Region.objects.get(is_default=True), kinds=Kind.values)
print("KEY", issue_key(partner=partner, name="bench", scopes=["incidents:write"], by=None, all_governorates=True)[1])
"""


def run(report: Report) -> None:
    with own_services("intake") as own:
        key = own.shell(SETUP)["KEY"][0]
        with own.web() as (url, web):
            _measure(report, url, key, own, web)


def _drive(url: str, key: str, mode: str, amount: int, seconds: float) -> dict[str, Any]:
    name = f"{mode}-{time.time_ns():x}"
    return {**drive("benchmarks.intake_client", url, key, mode, amount, seconds, name), "run": name}


def _measure(report: Report, url: str, key: str, own: Own, web: subprocess.Popen[bytes]) -> None:
    _drive(url, key, "closed", 4, 2)  # what a web process does once: imports, prepared statements, the first connections
    before = cpu_seconds(web.pid)
    went = _drive(url, key, "open", RATE, SECONDS)
    spent = cpu_seconds(web.pid) - before
    opened = went["statuses"].get("201", 0)
    others = {status: count for status, count in went["statuses"].items() if status != "201"}
    how = f"open loop, {RATE}/s planned for {SECONDS:g} s, one web process, fsync on; latency from the planned time"
    report.row(SECTION, "single posts answered 201", opened / went["seconds"], "1/s", how)
    report.row(SECTION, "p50", went["p50_ms"], "ms")
    report.row(SECTION, "p95", went["p95_ms"], "ms", "aim: under 100")
    report.row(SECTION, "p99", went["p99_ms"], "ms")
    report.row(SECTION, "other answers", sum(others.values()), "", ", ".join(f"{n} × {s}" for s, n in others.items()))
    stored, logged, announced = _stored(own, went["run"])
    said = "incidents, log entries and events in the database for the messages answered 201"
    report.row(SECTION, "stored", stored, "", said)
    if not opened == stored == logged == announced:
        raise AssertionError(f"answered 201: {opened}; incidents {stored}, log entries {logged}, events {announced}")
    report.row(SECTION, "processor time of the web process", 1_000 * spent / max(1, opened), "ms/post")
    for connections in (1, 8, 32):
        most = _drive(url, key, "closed", connections, 8)
        note = f"closed loop, p95 {most['p95_ms']:.0f} ms"
        report.row(
            SECTION,
            f"most, {connections} connection{'s' * (connections > 1)}",
            most["statuses"].get("201", 0) / most["seconds"],
            "1/s",
            note,
        )
    batch = _drive(url, key, "batch", 500, 8)
    note = f"batches of 500, one after the other, each answered in {batch['p50_ms'] / 1000:.2f} s"
    report.row(SECTION, "batch", batch["statuses"].get("201", 0) / batch["seconds"], "rows/s", note)


def _stored(own: Own, run: str) -> tuple[int, int, int]:
    counted = """
        SELECT count(DISTINCT i.id), count(DISTINCT l.id), count(DISTINCT e.id)
        FROM interop_inboxmessage m
        JOIN incidents_incident i ON i.id = m.incident_id
        LEFT JOIN incidents_incidentlog l ON l.incident_id = i.id
        LEFT JOIN core_event e ON e.subject_id = i.id AND e.type = 'incident.opened'
        WHERE m.message_id LIKE %s AND m.status = 'processed'
    """
    with psycopg.connect(own.database) as connection:
        incidents, logged, announced = connection.execute(counted, [f"{run}-%"]).fetchone() or (0, 0, 0)
    return incidents, logged, announced
