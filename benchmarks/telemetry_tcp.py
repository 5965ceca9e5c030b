"""Devices that keep a TCP connection: lines of 200 bytes and binary frames of 27, answered when on the disk, to committed rows.

All servers are durable ones on the machine of the load, which speaks from a process of its own: ``KHAREETATY_BENCH_CONNECTIONS``
connections (200), each up to 256 messages ahead of its answers. ``KHAREETATY_BENCH_SECONDS`` is how long each load lasts.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any

from benchmarks.own import drive
from benchmarks.report import Report
from benchmarks.telemetry import SETUP, Bench, telemetry_services
from deploy.local.layout import HOST, free_port

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
    def load(self, port: int, keys: list[str], form: str, rate: float, seconds: float) -> dict[str, Any]:
        told: dict[str, Any] = drive("benchmarks.telemetry_tcp_client", HOST, port, form, rate, seconds, given=keys)
        return told

    def measure(self, port: int, pid: int, keys: list[str], form: str, rate: float) -> None:
        title = f"{form}, {f'{rate:,.0f} readings a second' if rate else 'as many as they go'}"
        self.through(SECTION, title, pid, lambda: self.load(port, keys, form, rate, SECONDS))


def run(report: Report) -> None:
    port = free_port()
    with telemetry_services("telemetry_tcp") as own:
        keys = own.shell(KEYS)["KEYS"][0].split()
        bench = TcpBench(report, own)
        report.row(SECTION, "connections", len(keys), "", "each up to 256 messages ahead of its answers")
        gateway = own.program("tcp", "tcp_gateway", IOT_TCP_PORT=str(port), IOT_TCP_HOST=HOST)
        with gateway as gateway_process, own.program("writer", "telemetry_writer"):
            _wait_for(port)
            bench.load(port, keys, "lines", 500.0, 2.0)  # what happens once
            bench.drained()
            for form, rate in LOADS:
                bench.measure(port, gateway_process.pid, keys, form, rate)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.2)
    raise TimeoutError("the gateway does not listen")
