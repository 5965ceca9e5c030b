"""How long `make run` takes from nothing to a live map, and again when everything is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Report
from deploy.local.layout import free_port

ROOT = Path(__file__).resolve().parents[1]
SECTION = "Starting"


def run(report: Report) -> None:
    folder = Path(tempfile.mkdtemp(prefix="khareetaty-bench-"))
    folder.chmod(0o755)
    surroundings = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
    surroundings |= {"KHAREETATY_VAR": str(folder / "var"), "KHAREETATY_PORT": str(free_port())}
    try:
        first = timed("up", surroundings)
        text = (folder / "var/log/stack.log").read_text()
        seeded = max((float(seconds) for seconds in re.findall(r"prepare\s+([\d.]+) s", text)), default=0.0)
        report.row(SECTION, "first start, empty folder to /readyz 200", first, "s", "software already installed; 40,000 incidents seeded")
        report.row(SECTION, "of it: tables, geography, seeding and the first analytics", seeded, "s", "goal: under 120 s")
        timed("down", surroundings)
        report.row(SECTION, "second start to /readyz 200", timed("up", surroundings), "s", "goal: under 10 s")
        report.row(SECTION, "stopping everything", timed("down", surroundings), "s")
    finally:
        subprocess.run([sys.executable, "-m", "deploy.local", "down"], cwd=ROOT, env=surroundings, check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def timed(verb: str, surroundings: dict[str, str]) -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "deploy.local", verb], cwd=ROOT, env=surroundings, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started
