"""Ten minutes of steady load by MQTT: does the memory of what it runs through stay where it is?

The gateway, the writer and the watcher that runs the detectors over all of it, beside the servers, sampled once a second.
``KHAREETATY_BENCH_MEMORY_S`` is how long (600), ``KHAREETATY_BENCH_MEMORY_RATE`` how many messages a second of all 5,000 devices together
(1,000: the promise is 833).
"""

from __future__ import annotations

import os

from benchmarks.memory import Watch
from benchmarks.report import Report
from benchmarks.telemetry_mqtt import mqtt_bench

SECTION = "Telemetry, memory"
SECONDS = float(os.environ.get("KHAREETATY_BENCH_MEMORY_S", "600"))
RATE = float(os.environ.get("KHAREETATY_BENCH_MEMORY_RATE", "1000"))


def run(report: Report) -> None:
    with mqtt_bench(report, SECTION) as bench, bench.own.program("watcher", "anomaly_watcher") as watcher:
        bench.pids["watcher"] = watcher.pid
        bench.load(RATE, min(SECONDS / 10, 60))  # each device is met, each cache filled
        before = bench.count()
        watch = Watch(bench.pids)
        watch.start()
        went = bench.load(RATE, SECONDS)
        watch.stop()
        kept, _came = bench.all_kept(before, went["acknowledged"])
        note = f"for {went['seconds']:.0f} s; {went['acknowledged'] - kept} of them not kept"
        report.row(SECTION, "messages acknowledged", went["acknowledged"] / went["seconds"], "1/s", note)
        for name, rows in watch.seen.items():
            shown = f"at first {rows[0]:.0f}, most {max(rows):.0f} MiB; {watch.slope(name):+.2f} MiB a minute in the second half"
            report.row(SECTION, f"{name}: memory at the end", rows[-1], "MiB", shown)
        report.row(SECTION, "all together: more at the end", watch.growth(), "MiB", "most of the last quarter less most of the first")
