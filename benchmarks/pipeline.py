"""The night's run: half a million real incidents and the demo's two years, with one and with two worker processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import stlouis
from benchmarks.report import Report

if TYPE_CHECKING:
    from geography.models import Region

ROOT = Path(__file__).resolve().parents[1]
CITY = "The night's run over St. Louis (real incidents, every kind of step, as of 2017-12-31)"
DEMO = "The night's run over the demo (two synthetic years)"
WORKERS = (1, 2)
SHOWN = ("incidents", "hot_spots", "surfaces", "near_repeats", "risk_surfaces", "series", "forecasts")


def run(report: Report) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _demo(report)
    _city(report)


def _demo(report: Report) -> None:
    from django.core.management import call_command

    from demo.services.history import seed_history
    from geography.models import Region
    from incidents.services.vocabulary import ensure_vocabulary

    call_command("load_gazetteer", verbosity=0)
    ensure_vocabulary()
    region = Region.objects.get(is_default=True)
    seed_history(region=region, count=40_000)
    _measured(report, DEMO, region)


def _city(report: Report) -> None:
    from incidents.models import Incident

    if not stlouis.is_there():
        return
    region = stlouis.ensure_region()
    stlouis.ensure_districts(region)
    if not Incident.objects.filter(region=region).exists():
        _command("import_incidents", str(stlouis.INCIDENTS), "--source", "bench-pipeline", "--map", "type=category", "--json")
    _measured(report, CITY, region, "--as-of", "2017-12-31")
    answer = _command(
        "run_pipeline", "--region", region.code, "--as-of", "2017-12-31", "--only", "hotspots", "--window-days", "3650", "--json"
    )
    report.row(CITY, "hot spots alone, over all ten years", answer["seconds"], "s", _figures(answer["steps"]))


def _measured(report: Report, section: str, region: Region, *arguments: str) -> None:
    """One run a number of workers, each on a copy of the same database: no run finds what another left behind."""
    from django.db import connection

    from incidents.models import Incident

    stored = Incident.objects.filter(region=region).count()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    first: dict[str, Any] = {}
    for workers in WORKERS:
        with _Copy() as url:
            began = time.perf_counter()
            answer = _command("run_pipeline", "--region", region.code, *arguments, "--workers", str(workers), "--json", DATABASE_URL=url)
            whole = time.perf_counter() - began
        first = first or answer
        name = "1 worker process" if workers == 1 else f"{workers} worker processes"
        peaks = ", ".join(f"{worker['peak_mb']:,} MB" for worker in answer["workers"])
        made = (
            f"{stored:,} incidents stored; {len(answer['steps'])} steps, {answer['counts']['failed']} failed; {_figures(answer['steps'])}"
        )
        computed = sum(worker["cpu_seconds"] for worker in answer["workers"])
        note = f"{made}; {computed:.1f} s of CPU in the workers; {whole:.1f} s with the start of Python"
        report.row(section, name, answer["seconds"], "s", note)
        report.row(section, f"{name}: most memory held", max(worker["peak_mb"] for worker in answer["workers"]), "MB", f"each: {peaks}")
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for step in first["steps"]:
        kinds[step["step"].split(":")[0]].append(step)
    for kind, steps in kinds.items():
        took = sum(step["seconds"] or 0 for step in steps)
        longest = max(steps, key=lambda step: step["seconds"] or 0)
        note = f"{len(steps)} steps, the longest {longest['seconds']:.1f} s ({longest['step']}); {_figures(steps)}"
        report.row(section, f"of it: {kind}", round(took, 2), "s", note)


def _figures(steps: list[dict[str, Any]]) -> str:
    """Sums over the steps; of how many incidents each step read, the most."""
    counts = [step["counts"] for step in steps]
    read = max((count.get("incidents") or 0 for count in counts), default=0)
    sums = {name: sum(count.get(name) or 0 for count in counts) for name in SHOWN if name != "incidents"}
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in {"incidents read": read, **sums}.items() if n)


def _command(*arguments: str, **surroundings: str) -> dict[str, Any]:
    env = os.environ | surroundings
    done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True, env=env)
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode} and said nothing")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


class _Copy:
    """A copy of the bench's database, gone at the end."""

    NAME = "bench_copy"

    def __enter__(self) -> str:
        from django.db import connection

        given = connection.settings_dict
        connection.close()  # a database somebody is connected to cannot be copied
        self.__exit__()  # one a run left behind that was cut off
        self._elsewhere(f'CREATE DATABASE "{self.NAME}" TEMPLATE "{given["NAME"]}"')
        return f"postgis://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{self.NAME}"

    def __exit__(self, *_error: object) -> None:
        self._elsewhere(f'DROP DATABASE IF EXISTS "{self.NAME}" WITH (FORCE)')

    def _elsewhere(self, statement: str) -> None:
        import psycopg
        from django.db import connection

        given = connection.settings_dict
        with psycopg.connect(
            host=given["HOST"], port=given["PORT"], user=given["USER"], password=given["PASSWORD"], dbname="postgres", autocommit=True
        ) as elsewhere:
            elsewhere.execute(statement)
