"""Single posts through the API on one web process: 150 a second with p95 under 100 ms is the aim.

PostgreSQL here is a durable one (fsync and synchronous commit on), since a 2xx promises that the message is on disk; the
throw-away services of the other suites would flatter the figure.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg

from benchmarks.report import Report
from deploy.local.layout import HOST, Layout, free_port
from deploy.local.services import Postgres

ROOT = Path(__file__).resolve().parents[1]
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
    layout = Layout(Path(os.environ.get("KHAREETATY_VAR", ROOT / "var/bench")).resolve() / "intake")
    layout.make()
    postgres = Postgres(layout)
    postgres.start()
    environment = os.environ | {"DATABASE_URL": postgres.url, "KHAREETATY_VAR": str(layout.var), "PYTHONUNBUFFERED": "1"}
    try:
        key = _prepare(environment)
        with web_process(environment, layout.log / "web.log") as (url, web):
            _measure(report, url, key, postgres.url, web)
    finally:
        postgres.stop()


def _prepare(environment: dict[str, str]) -> str:
    for command in (["migrate", "--verbosity", "0"], ["load_gazetteer"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    made = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", SETUP],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return next(line.split()[1] for line in made.stdout.splitlines() if line.startswith("KEY "))


@contextlib.contextmanager
def web_process(environment: dict[str, str], log: Path) -> Any:
    port = free_port()
    words = (ROOT / "Procfile").read_text().split("web: ", 1)[1].splitlines()[0]
    command = words.replace("$KHAREETATY_HOST", HOST).replace("$KHAREETATY_PORT", str(port)).split()
    with log.open("ab") as output:
        web = subprocess.Popen(
            [sys.executable, *command[1:]], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    url = f"http://{HOST}:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/livez", timeout=5).status_code == 200:
                    break
            if web.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the web process did not start; see {log}")
            time.sleep(0.1)
        yield url, web
    finally:
        web.terminate()
        web.wait(20)


def _drive(url: str, key: str, mode: str, amount: int, seconds: float) -> dict[str, Any]:
    name = f"{mode}-{time.time_ns():x}"
    command = [sys.executable, "-m", "benchmarks.intake_client", url, key, mode, str(amount), str(seconds), name]
    driven = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return {**json.loads(driven.stdout), "run": name}


def _measure(report: Report, url: str, key: str, database: str, web: subprocess.Popen[bytes]) -> None:
    _drive(url, key, "closed", 4, 2)  # what a web process does once: imports, prepared statements, the first connections
    before = _cpu_seconds(web.pid)
    went = _drive(url, key, "open", RATE, SECONDS)
    spent = _cpu_seconds(web.pid) - before
    opened = went["statuses"].get("201", 0)
    others = {status: count for status, count in went["statuses"].items() if status != "201"}
    how = f"open loop, {RATE}/s planned for {SECONDS:g} s, one web process, fsync on; latency from the planned time"
    report.row(SECTION, "single posts answered 201", opened / went["seconds"], "1/s", how)
    report.row(SECTION, "p50", went["p50_ms"], "ms")
    report.row(SECTION, "p95", went["p95_ms"], "ms", "aim: under 100")
    report.row(SECTION, "p99", went["p99_ms"], "ms")
    report.row(SECTION, "other answers", sum(others.values()), "", ", ".join(f"{n} × {s}" for s, n in others.items()))
    stored, logged, announced = _stored(database, went["run"])
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


def _stored(database: str, run: str) -> tuple[int, int, int]:
    counted = """
        SELECT count(DISTINCT i.id), count(DISTINCT l.id), count(DISTINCT e.id)
        FROM interop_inboxmessage m
        JOIN incidents_incident i ON i.id = m.incident_id
        LEFT JOIN incidents_incidentlog l ON l.incident_id = i.id
        LEFT JOIN core_event e ON e.subject_id = i.id AND e.type = 'incident.opened'
        WHERE m.message_id LIKE %s AND m.status = 'processed'
    """
    with psycopg.connect(database.replace("postgis://", "postgresql://")) as connection:
        incidents, logged, announced = connection.execute(counted, [f"{run}-%"]).fetchone() or (0, 0, 0)
    return incidents, logged, announced


def _cpu_seconds(pid: int) -> float:
    """User and system time a process has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
