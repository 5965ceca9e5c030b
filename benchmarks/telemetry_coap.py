"""NB-IoT modules in sessions of CoAP over DTLS: bodies of 200 bytes, each acknowledged when on the disk, to committed rows.

All servers are durable ones on the machine of the load, which speaks from a process of its own: ``KHAREETATY_BENCH_SESSIONS`` modules
(200), each with a certificate, a session and up to 8 messages ahead of their answers. A session may send 50 datagrams a second, so "as
many as they go" is bounded by that too. ``KHAREETATY_BENCH_SECONDS`` is how long each load lasts.
"""

from __future__ import annotations

import json
import os
from typing import Any

from benchmarks.own import drive
from benchmarks.report import Report
from benchmarks.telemetry import SETUP, Bench, telemetry_services
from deploy.local.layout import HOST, free_port

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
    def load(self, port: int, words: list[str], rate: float, seconds: float) -> dict[str, Any]:
        told: dict[str, Any] = drive("benchmarks.telemetry_coap_client", HOST, port, rate, seconds, given=words)
        return told

    def measure(self, port: int, pid: int, words: list[str], rate: float) -> None:
        title = f"{rate:,.0f} readings a second" if rate else "as many as they go"
        went = self.through(SECTION, title, pid, lambda: self.load(port, words, rate, SECONDS))
        self.report.row(SECTION, f"{title}: said again", went["again"], "", "for want of an answer within two seconds")
        if not rate:
            self.report.row(SECTION, "handshakes", len(words) / went["handshakes_s"], "1/s", "all at once, both ends on this machine")


def run(report: Report) -> None:
    port = free_port()
    with telemetry_services("telemetry_coap") as own:
        words = json.loads(own.shell(CERTIFICATES)["WORDS"][0])
        bench = CoapBench(report, own)
        report.row(SECTION, "sessions", len(words), "", "a certificate each, up to 8 messages ahead of its answers")
        # Who knocks before the gateway listens knocks again: there is nothing to wait for.
        gateway = own.program("coap", "coap_gateway", IOT_COAP_PORT=str(port), IOT_COAP_HOST=HOST)
        with gateway as process, own.program("writer", "telemetry_writer"):
            bench.load(port, words, 100.0, 2.0)  # what happens once
            bench.drained()
            for rate in LOADS:
                bench.measure(port, process.pid, words, rate)
