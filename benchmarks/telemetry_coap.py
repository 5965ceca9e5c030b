"""NB-IoT modules in sessions of CoAP over DTLS: bodies of 200 bytes, each acknowledged when on the disk, to committed rows.

All servers are durable ones on the machine of the load, which speaks from a process of its own: ``KHAREETATY_BENCH_SESSIONS`` modules
(200), each with a certificate, a session and up to 8 messages ahead of their answers. A session may send 50 datagrams a second, so "as
many as they go" is bounded by that too. ``KHAREETATY_BENCH_SECONDS`` is how long each load lasts.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from benchmarks.positions import _tree_seconds
from benchmarks.report import Report
from benchmarks.telemetry import SETUP, Bench, Prober, p95
from deploy.local.layout import HOST, Layout, free_port
from deploy.local.services import Postgres, Redis, Streams

ROOT = Path(__file__).resolve().parents[1]
SECTION = "Telemetry by CoAP"
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "20"))
SESSIONS = int(os.environ.get("KHAREETATY_BENCH_SESSIONS", "200"))
LOADS = (0.0, 500.0)
CERTIFICATES = f"""
{SETUP}
import json
from iot.services import issue_certificate
made = [issue_certificate(device=device, by=None) for device in devices[:{SESSIONS}]]
print("WORDS", json.dumps([one.pem + one.key_pem + one.authority_pem for one in made]))
"""


class CoapBench(Bench):
    @contextlib.contextmanager
    def gateway(self) -> Iterator[tuple[int, int]]:
        """Its port and its process. Who knocks before it listens knocks again: there is nothing to wait for."""
        port = free_port()
        environment = self.environment | {"IOT_COAP_PORT": str(port), "IOT_COAP_HOST": HOST}
        with (self.layout.log / "coap.log").open("ab") as log:
            command = [sys.executable, "manage.py", "coap_gateway"]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                yield port, process.pid
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def load(self, port: int, words: list[str], rate: float, seconds: float) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.telemetry_coap_client", HOST, str(port), str(rate), str(seconds)]
        driven = subprocess.run(command, cwd=ROOT, check=True, input=json.dumps(words), stdout=subprocess.PIPE, text=True)
        told: dict[str, Any] = json.loads(driven.stdout)
        return told

    def measure(self, port: int, pid: int, words: list[str], rate: float) -> None:
        before, spent, prober = self.count(), _tree_seconds(pid), Prober(self.database)
        prober.start()
        began = time.monotonic()
        went = self.load(port, words, rate, SECONDS)
        share = 100 * (_tree_seconds(pid) - spent) / (time.monotonic() - began)
        self.drained()
        prober.over.set()
        prober.join()
        kept = self.count() - before
        title = f"{rate:,.0f} readings a second" if rate else "as many as they go"
        row = self.report.row
        row(SECTION, f"{title}: acknowledged", went["acknowledged"] / went["seconds"], "1/s", f"{len(words)} sessions, one reading each")
        row(SECTION, f"{title}: not kept", went["acknowledged"] - kept, "", "acknowledged, less the rows in the table")
        row(SECTION, f"{title}: refused", went["refused"], "")
        row(SECTION, f"{title}: said again", went["again"], "", "for want of an answer within two seconds")
        row(SECTION, f"{title}: p95 of the answer", went["p95_ms"], "ms", f"the gateway took {share:.0f} % of a core")
        row(SECTION, f"{title}: p95 from the reading to the row", p95(prober.lags), "ms", f"{len(prober.lags):,} seen")
        if not rate:
            row(SECTION, "handshakes", len(words) / went["handshakes_s"], "1/s", "all at once, both ends on this machine")


def run(report: Report) -> None:
    layout = Layout(Path(os.environ.get("KHAREETATY_VAR", ROOT / "var/bench")).resolve() / "telemetry_coap")
    layout.make()
    postgres, cache, streams = Postgres(layout), Redis(layout), Streams(layout)
    for service in (postgres, cache, streams):
        service.start()
    environment = os.environ | {
        "DATABASE_URL": postgres.url, "REDIS_URL": cache.url, "STREAMS_URL": streams.url, "KHAREETATY_VAR": str(layout.var),
        "IOT_CA_DIR": str(layout.ca), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    try:
        redis.Redis.from_url(streams.url).flushall()
        for command in (["migrate", "--verbosity", "0"], ["load_gazetteer"]):
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        shell = [sys.executable, "manage.py", "shell", "-v", "0", "-c", CERTIFICATES]
        made = subprocess.run(shell, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        words = json.loads(next(line.removeprefix("WORDS ") for line in made if line.startswith("WORDS ")))
        bench = CoapBench(report, layout, environment, postgres, streams)
        with bench.gateway() as (port, pid), bench.writer():
            bench.load(port, words, 100.0, 2.0)  # what happens once
            bench.drained()
            for rate in LOADS:
                bench.measure(port, pid, words, rate)
    finally:
        for service in (streams, cache, postgres):
            service.stop()
