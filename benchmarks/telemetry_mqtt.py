"""Five thousand devices, each with its own connection and its own password, say 200 bytes of JSON by MQTT at QoS 1: to committed rows.

The broker, PostgreSQL and both Redis servers are durable ones, all on the same machine as the load. A row's way is watched from outside: a
prober compares the time a reading was taken at with the time it could first be read, of two hundred of the devices.
``KHAREETATY_BENCH_SECONDS`` is how long the steady load lasts (600 for the ten minutes), ``KHAREETATY_BENCH_RATES`` how many messages a
second, ``KHAREETATY_BENCH_BURST`` how many come at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from benchmarks.positions import _tree_seconds
from benchmarks.report import Report
from benchmarks.telemetry import DEVICES, SETUP, Bench, Prober, p95
from deploy.local.layout import Layout
from deploy.local.mosquitto import Mosquitto
from deploy.local.services import Postgres, Redis, Streams

ROOT = Path(__file__).resolve().parents[1]
SECTION = "Telemetry by MQTT"
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "30"))
RATES = [float(text) for text in os.environ.get("KHAREETATY_BENCH_RATES", "1000,4000,8000").split(",")]
BURST = int(os.environ.get("KHAREETATY_BENCH_BURST", "500000"))
WATCHED = 200
ACCOUNTS = f"""
{SETUP}
import json, secrets
from pathlib import Path
from django.conf import settings
from iot.ca.passwords import hashed
from iot.models import DeviceCredential
from iot.services.broker import bring_up_to_date
DeviceCredential.objects.filter(kind="mqtt").delete()
made = [(device, secrets.token_urlsafe(12)) for device in devices]
DeviceCredential.objects.bulk_create(DeviceCredential(device=device, kind="mqtt", digest=hashed(secret)) for device, secret in made)
bring_up_to_date(now=timezone.now())
print("ACCOUNTS", json.dumps([(device.code, secret) for device, secret in made]))
print("WATCHED", json.dumps(list(Datastream.objects.order_by("?").values_list("pk", flat=True)[:{WATCHED}])))
"""


class Watch(threading.Thread):
    """The most memory each program had, and what it had at first and at last."""

    def __init__(self, pids: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self.pids, self.over = pids, threading.Event()
        self.seen: dict[str, list[float]] = {name: [] for name in pids}

    def run(self) -> None:
        while not self.over.wait(1.0):
            for name, pid in self.pids.items():
                with contextlib.suppress(OSError):
                    self.seen[name].append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096 / 2**20)

    def told(self) -> str:
        return ", ".join(f"{name} {rows[0]:.0f} → {rows[-1]:.0f} (most {max(rows):.0f})" for name, rows in self.seen.items() if rows)

    def growth(self) -> float:
        """From the first quarter's most to the last quarter's most, of all together."""
        return sum(max(rows[-len(rows) // 4 :]) - max(rows[: max(len(rows) // 4, 1)]) for rows in self.seen.values() if rows)


class MqttBench(Bench):
    def __init__(self, *services: Any, broker: Mosquitto, accounts: list[Any], watched: list[int]) -> None:
        super().__init__(*services)
        self.broker, self.accounts, self.watched = broker, accounts, watched
        self.pids: dict[str, int] = {}

    @contextlib.contextmanager
    def program(self, name: str, *command: str) -> Iterator[None]:
        with (self.layout.log / f"{name}.log").open("ab") as log:
            started = [sys.executable, "manage.py", *command]
            process = subprocess.Popen(started, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.pids[name] = process.pid
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def load(self, rate: float, seconds: float) -> dict[str, Any]:
        command = [
            sys.executable,
            "-m",
            "benchmarks.telemetry_mqtt_client",
            "127.0.0.1",
            str(self.broker.sensor_port),
            str(rate),
            str(seconds),
        ]
        driven = subprocess.run(command, cwd=ROOT, check=True, input=json.dumps(self.accounts), stdout=subprocess.PIPE, text=True)
        told: dict[str, Any] = json.loads(driven.stdout)
        return told

    def all_kept(self, before: int, wanted: int, patience_s: float = 600) -> tuple[int, float]:
        """How many rows there are at last, and when the last one came. Asked of the stream first: counting rows costs what is measured."""
        deadline, kept, grew_at = time.monotonic() + patience_s, -1, time.monotonic()
        while True:
            self.drained()
            came = time.monotonic()
            now_kept = self.count() - before
            if now_kept > kept:
                kept, grew_at = now_kept, came
            if kept >= wanted or came > min(deadline, grew_at + 30):
                return kept, grew_at
            time.sleep(0.5)

    def steady(self, rate: float) -> None:
        before, cpu = self.count(), {name: _tree_seconds(pid) for name, pid in self.pids.items()}
        prober, watch = Prober(self.database, only=self.watched), Watch(self.pids)
        prober.start()
        watch.start()
        went = self.load(rate, SECONDS)
        for thread in (prober, watch):
            thread.over.set()
        prober.join()
        kept, _came = self.all_kept(before, went["acknowledged"])
        spent = {name: 1e6 * (_tree_seconds(pid) - cpu[name]) / max(kept, 1) for name, pid in self.pids.items()}
        title = f"{rate:,.0f} messages a second"
        row = self.report.row
        row(SECTION, f"{title}: acknowledged", went["acknowledged"] / went["seconds"], "1/s", f"for {went['seconds']:.0f} s")
        row(SECTION, f"{title}: not kept", went["acknowledged"] - kept, "", "acknowledged, less the rows in the table")
        row(SECTION, f"{title}: p95 from the reading to the row", p95(prober.lags), "ms", f"{len(prober.lags):,} seen")
        row(SECTION, f"{title}: p95 of the broker's answer", went["p95_ms"], "ms")
        load = 1e6 * went["cpu_s"] / max(kept, 1)
        shares = ", ".join(f"{name} {share:.0f}" for name, share in spent.items())
        row(SECTION, f"{title}: processor a message", sum(spent.values()) + load, "µs", f"{shares}, the load itself {load:.0f}")
        row(SECTION, f"{title}: memory", watch.growth(), "MiB", f"more in the last quarter than in the first; {watch.told()} MiB")

    def at_once(self) -> None:
        before, began, watch = self.count(), time.monotonic(), Watch(self.pids)
        watch.start()
        went = self.load(0, BURST)
        kept, came = self.all_kept(before, went["acknowledged"])
        watch.over.set()
        title, took, row = f"{BURST:,} at once", came - began, self.report.row
        row(
            SECTION, f"{title}: taken by the broker", went["acknowledged"] / went["seconds"], "1/s", "everything else on the same two cores"
        )
        row(SECTION, f"{title}: to committed rows", kept / took, "1/s", f"{took:.0f} s in all; memory {watch.told()} MiB")
        self.report.row(SECTION, f"{title}: not kept", went["acknowledged"] - kept, "")


def run(report: Report) -> None:
    layout = Layout(Path(os.environ.get("KHAREETATY_VAR", ROOT / "var/bench")).resolve() / "telemetry")
    layout.make()
    postgres, cache, streams, broker = Postgres(layout), Redis(layout), Streams(layout), Mosquitto(layout)
    services = (postgres, cache, streams, broker)
    for service in services:
        service.start()
    environment = os.environ | {
        "DATABASE_URL": postgres.url, "REDIS_URL": cache.url, "STREAMS_URL": streams.url, "KHAREETATY_VAR": str(layout.var),
        "PYTHONUNBUFFERED": "1", "MQTT_URL": broker.gateway_url,
    }  # fmt: skip
    try:
        redis.Redis.from_url(streams.url).flushall()
        for command in (["migrate", "--verbosity", "0"], ["load_gazetteer"]):
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        shell = [sys.executable, "manage.py", "shell", "-v", "0", "-c", ACCOUNTS]
        made = subprocess.run(shell, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        told = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in made if line.startswith(("ACCOUNTS ", "WATCHED "))}
        accounts, watched = json.loads(told["ACCOUNTS"]), json.loads(told["WATCHED"])
        bench = MqttBench(report, layout, environment, postgres, streams, broker=broker, accounts=accounts, watched=watched)
        report.row(SECTION, "devices", DEVICES, "", "a connection, a password and a session each; 200 bytes of JSON, QoS 1")
        bench.pids |= {"postgres": postgres.postmaster() or 0, "broker": broker.server() or 0, "streams": streams.server() or 0}
        with bench.program("writer", "telemetry_writer"), bench.program("gateway", "mqtt_gateway"):
            time.sleep(5)
            bench.load(500, 4)  # what happens once
            bench.all_kept(0, 2_000)
            for rate in RATES:
                bench.steady(rate)
            if BURST:
                bench.at_once()
    finally:
        for service in reversed(services):
            service.stop()
