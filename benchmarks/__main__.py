"""``python -m benchmarks [SUITE …]``: run the suites on private, empty services and write docs/benchmarks.md."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.report import Report, Theft, write

ROOT = Path(__file__).resolve().parents[1]
# A suite that needs neither a database nor the settings: sums alone.
PURE = ("feedback", "coverage", "routes", "effect", "duplicates")
SUITES = (
    "alerts_engine",
    "anomalies",
    "zones",
    "imports",
    "clustering",
    "surfaces",
    "risk",
    "forecasts",
    "pipeline",
    *PURE,
    "compare",
    "dispatch",
    "dosage",
    "intake",
    "external",
    "limits",
    "live",
    "rooms",
    "positions",
    "telemetry",
    "telemetry_mqtt",
    "telemetry_tcp",
    "telemetry_coap",
    "telemetry_growth",
    "telemetry_memory",
    "sos",
    "alerts",
    "webhooks",
    "start",
)
# A suite prepares the database it needs; these run on services that `deploy.local exec` starts and throws away.
ON_SERVICES = frozenset(SUITES) - {"start", *PURE}


def run_here(suite: str) -> int:
    if suite not in PURE:
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "khareetaty.settings")
        django.setup()
    report, theft = Report(), Theft()
    importlib.import_module(f"benchmarks.{suite}").run(report)
    write(report, [suite], ROOT / "docs/benchmarks.md", theft.share())
    return 0


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--here"]:
        return run_here(arguments[1])
    chosen = arguments or list(SUITES)
    unknown = [name for name in chosen if name not in SUITES]
    if unknown:
        print(f"There is no suite {', '.join(unknown)}; there are {', '.join(SUITES)}.")
        return 2
    failed = []
    for suite in chosen:
        print(f"== {suite}", flush=True)
        command = [sys.executable, "-m", "benchmarks", "--here", suite]
        if suite in ON_SERVICES:
            command = [sys.executable, "-m", "deploy.local", "exec", *command]
        # As in earnest: what is committed is on the disk.
        if subprocess.run(command, cwd=ROOT, env=os.environ | {"KHAREETATY_DURABLE": "1"}, check=False).returncode:
            failed.append(suite)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
