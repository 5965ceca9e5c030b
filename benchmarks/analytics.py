"""Hot spots and a night's run: clustering beside PostGIS and scikit-learn, a city's real decade."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks import stlouis
from benchmarks.report import Report

if TYPE_CHECKING:
    pass

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
CITY = "Analytics of St. Louis (real incidents, as of 2017-12-31)"
NIGHT = "A night's run on the demo (two synthetic years)"


def run(report: Report) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _night(report)
    _city(report)


# --- a night ---------------------------------------------------------------------------------------------------------
def _night(report: Report) -> None:
    from django.core.management import call_command

    from demo.services.history import seed_history
    from geography.models import Region
    from incidents.models import Incident
    from incidents.services.vocabulary import ensure_vocabulary

    call_command("load_gazetteer", verbosity=0)
    ensure_vocabulary()
    region = Region.objects.get(is_default=True)
    seed_history(region=region, count=40_000)
    began = time.perf_counter()
    answer = _command("run_pipeline", "--region", region.code, "--json")
    seconds = time.perf_counter() - began
    incidents = Incident.objects.filter(region=region).count()
    report.row(NIGHT, "the command, from its start to its end", round(seconds, 1), "s", f"{incidents:,} incidents; imports included")
    for step in answer["steps"]:
        report.row(NIGHT, step["step"], round(step["seconds"], 2), "s", _figures(step["counts"]))


def _figures(counts: dict[str, Any]) -> str:
    shown = [f"{counts[name]:,} {name.replace('_', ' ')}" for name in ("incidents", "hot_spots", "series", "forecasts") if counts.get(name)]
    methods = ", ".join(f"{name} {count}" for name, count in counts.get("methods", {}).items())
    return "; ".join([*shown, *([methods] if methods else [])])


def _command(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


# --- a real city -----------------------------------------------------------------------------------------------------
def _city(report: Report) -> None:
    from incidents.models import Incident

    if not stlouis.is_there():
        return
    region = stlouis.ensure_region()
    if not Incident.objects.filter(region=region).exists():
        _command("import_incidents", str(stlouis.INCIDENTS), "--source", "bench-analytics", "--map", "type=category", "--json")
    stored = Incident.objects.filter(region=region).count()
    answer = _command("run_pipeline", "--region", region.code, "--as-of", "2017-12-31", "--json")
    for step in answer["steps"]:
        report.row(CITY, step["step"], round(step["seconds"], 2), "s", f"{stored:,} incidents stored; {_figures(step['counts'])}")
    answer = _command(
        "run_pipeline", "--region", region.code, "--as-of", "2017-12-31", "--only", "hotspots", "--window-days", "3650", "--json"
    )
    step = answer["steps"][0]
    report.row(CITY, "hot spots over all ten years", round(step["seconds"], 1), "s", _figures(step["counts"]))
