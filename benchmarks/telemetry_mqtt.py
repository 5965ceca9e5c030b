"""Five thousand devices, each with its own connection and its own password, say 200 bytes of JSON by MQTT at QoS 1: to committed rows.

The broker, PostgreSQL and both Redis servers are durable ones, all on the same machine as the load. A row's way is watched from outside: a
prober compares the time a reading was taken at with the time it could first be read, of two hundred of the devices.
``KHAREETATY_BENCH_SECONDS`` is how long each steady load lasts, ``KHAREETATY_BENCH_RATES`` how many messages a
second, ``KHAREETATY_BENCH_BURST`` how many come at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.memory import Watch
from benchmarks.own import Own, drive, tree_seconds
from benchmarks.report import Report
from benchmarks.telemetry import DEVICES, SETUP, Bench, Prober, p95, telemetry_services
from deploy.local.layout import HOST

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


class MqttBench(Bench):
    def __init__(self, report: Report, own: Own, accounts: list[Any], watched: list[int]) -> None:
        super().__init__(report, own)
        self.accounts, self.watched = accounts, watched
        self.pids: dict[str, int] = {}

    def load(self, rate: float, seconds: float) -> dict[str, Any]:
        told: dict[str, Any] = drive(
            "benchmarks.telemetry_mqtt_client", HOST, self.own.broker.sensor_port, rate, seconds, given=self.accounts
        )
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
        before, cpu = self.count(), {name: tree_seconds(pid) for name, pid in self.pids.items()}
        prober, watch = Prober(self.database, only=self.watched), Watch(self.pids)
        prober.start()
        watch.start()
        went = self.load(rate, SECONDS)
        watch.stop()
        prober.over.set()
        prober.join()
        kept, _came = self.all_kept(before, went["acknowledged"])
        spent = {name: 1e6 * (tree_seconds(pid) - cpu[name]) / max(kept, 1) for name, pid in self.pids.items()}
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
        watch.stop()
        title, took, row = f"{BURST:,} at once", came - began, self.report.row
        row(
            SECTION, f"{title}: taken by the broker", went["acknowledged"] / went["seconds"], "1/s", "everything else on the same two cores"
        )
        row(SECTION, f"{title}: to committed rows", kept / took, "1/s", f"{took:.0f} s in all; memory {watch.told()} MiB")
        self.report.row(SECTION, f"{title}: not kept", went["acknowledged"] - kept, "")


@contextlib.contextmanager
def mqtt_bench(report: Report, section: str) -> Iterator[MqttBench]:
    """Five thousand devices with their accounts, a broker, a gateway and a writer, warm."""
    with telemetry_services("telemetry", "broker") as own:
        made = own.shell(ACCOUNTS)
        bench = MqttBench(report, own, json.loads(made["ACCOUNTS"][0]), json.loads(made["WATCHED"][0]))
        report.row(section, "devices", DEVICES, "", "a connection, a password and a session each; 200 bytes of JSON, QoS 1")
        with own.program("writer", "telemetry_writer") as writer, own.program("gateway", "mqtt_gateway") as gateway:
            bench.pids = {
                "postgres": own.postgres.postmaster() or 0, "broker": own.broker.server() or 0, "streams": own.streams.server() or 0,
                "writer": writer.pid, "gateway": gateway.pid,
            }  # fmt: skip
            time.sleep(5)
            bench.load(500, 4)  # what happens once
            bench.all_kept(0, 2_000)
            yield bench


def run(report: Report) -> None:
    with mqtt_bench(report, SECTION) as bench:
        for rate in RATES:
            bench.steady(rate)
        if BURST:
            bench.at_once()
