"""Devices that keep a TCP connection: lines of 200 bytes and binary frames of 27, answered when on the disk, to committed rows.

All servers are durable ones on the machine of the load, which speaks from a process of its own: ``KHAREETATY_BENCH_CONNECTIONS``
connections (200), each up to 256 messages ahead of its answers. ``KHAREETATY_BENCH_SECONDS`` is how long each load lasts.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
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
SECTION = "Telemetry by TCP"
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "20"))
CONNECTIONS = int(os.environ.get("KHAREETATY_BENCH_CONNECTIONS", "200"))
LOADS = (("lines", 0.0), ("lines", 5_000.0), ("frames", 0.0), ("frames", 5_000.0))
KEYS = f"""
{SETUP}
from iot.models import DeviceCredential
DeviceCredential.objects.filter(kind="key").delete()
print("KEYS", *(issue_device_key(device=device, by=None)[1] for device in devices[:{CONNECTIONS}]))
"""


class TcpBench(Bench):
    @contextlib.contextmanager
    def gateway(self) -> Iterator[tuple[int, int]]:
        """Its port and its process."""
        port = free_port()
        environment = self.environment | {"IOT_TCP_PORT": str(port), "IOT_TCP_HOST": HOST}
        with (self.layout.log / "tcp.log").open("ab") as log:
            command = [sys.executable, "manage.py", "tcp_gateway"]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                yield port, process.pid
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def load(self, port: int, keys: list[str], form: str, rate: float, seconds: float) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.telemetry_tcp_client", HOST, str(port), form, str(rate), str(seconds)]
        driven = subprocess.run(command, cwd=ROOT, check=True, input=json.dumps(keys), stdout=subprocess.PIPE, text=True)
        told: dict[str, Any] = json.loads(driven.stdout)
        return told

    def measure(self, port: int, pid: int, keys: list[str], form: str, rate: float) -> None:
        before, spent, prober = self.count(), _tree_seconds(pid), Prober(self.database)
        prober.start()
        began = time.monotonic()
        went = self.load(port, keys, form, rate, SECONDS)
        share = 100 * (_tree_seconds(pid) - spent) / (time.monotonic() - began)
        self.drained()
        prober.over.set()
        prober.join()
        kept = self.count() - before
        title = f"{form}, {f'{rate:,.0f} readings a second' if rate else 'as many as they go'}"
        row = self.report.row
        row(SECTION, f"{title}: acknowledged", went["acknowledged"] / went["seconds"], "1/s", f"{len(keys)} connections, one reading each")
        row(SECTION, f"{title}: not kept", went["acknowledged"] - kept, "", "acknowledged, less the rows in the table")
        row(SECTION, f"{title}: refused", went["refused"], "")
        row(SECTION, f"{title}: p95 of the answer", went["p95_ms"], "ms", f"the gateway took {share:.0f} % of a core")
        row(SECTION, f"{title}: p95 from the reading to the row", p95(prober.lags), "ms", f"{len(prober.lags):,} seen")


def run(report: Report) -> None:
    layout = Layout(Path(os.environ.get("KHAREETATY_VAR", ROOT / "var/bench")).resolve() / "telemetry_tcp")
    layout.make()
    postgres, cache, streams = Postgres(layout), Redis(layout), Streams(layout)
    for service in (postgres, cache, streams):
        service.start()
    environment = os.environ | {
        "DATABASE_URL": postgres.url, "REDIS_URL": cache.url, "STREAMS_URL": streams.url, "KHAREETATY_VAR": str(layout.var),
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    try:
        redis.Redis.from_url(streams.url).flushall()
        for command in (["migrate", "--verbosity", "0"], ["load_gazetteer"]):
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        shell = [sys.executable, "manage.py", "shell", "-v", "0", "-c", KEYS]
        made = subprocess.run(shell, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        keys = next(line.split()[1:] for line in made if line.startswith("KEYS "))
        bench = TcpBench(report, layout, environment, postgres, streams)
        with bench.gateway() as (port, pid), bench.writer():
            _wait_for(port)
            bench.load(port, keys, "lines", 500.0, 2.0)  # what happens once
            bench.drained()
            for form, rate in LOADS:
                bench.measure(port, pid, keys, form, rate)
    finally:
        for service in (streams, cache, postgres):
            service.stop()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.2)
    raise TimeoutError("the gateway does not listen")
