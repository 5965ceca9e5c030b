"""Comparing counts over half a million real incidents, and the executive summary as page and PDF."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import stlouis
from benchmarks.report import Report

ROOT = Path(__file__).resolve().parents[1]
SECTION = "Compare and summary (St. Louis, real incidents 2008-2017, as of 2017-12-31)"
UNTIL = date(2017, 12, 31)
ROUNDS = 7


def run(report: Report) -> None:
    if not stlouis.is_there():
        return
    from django.core.management import call_command
    from django.test import Client

    from accounts.models import User
    from incidents.models import Incident
    from incidents.services.vocabulary import ensure_vocabulary

    call_command("migrate", verbosity=0)
    ensure_vocabulary()
    region = stlouis.ensure_region()
    if not Incident.objects.filter(region=region).exists():
        command = ["import_incidents", str(stlouis.INCIDENTS), "--source", "bench-compare", "--map", "type=category", "--json"]
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=os.environ, check=True, stdout=subprocess.DEVNULL)
    person, _ = User.objects.get_or_create(
        username="bench-compare", defaults={"role": "superadmin", "sees_all_agencies": True, "sees_all_governorates": True}
    )
    incidents = Incident.objects.filter(region=region).count()
    _selectors(report, person, region.code, incidents)
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(person)
    _doors(report, client, region.code)
    _documents(report, client, region.code)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.row(SECTION, "peak memory", round(peak), "MB", "the process that answered all of this, the PDFs' children apart")


def _selectors(report: Report, person: Any, code: str, incidents: int) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from incidents.services.compare import compare, scope_of
    from incidents.services.summary import summarise, summary_scope

    scope = scope_of(viewer=person, region=code)
    with CaptureQueriesContext(connection) as asked:
        found = compare(viewer=person, scope=scope, until=UNTIL)
    note = f"goal under 1 s; {incidents:,} incidents stored, {found.total.figures['ytd'].now:,} in the year; {len(asked)} queries"
    _timed(report, "compare: all periods, tables, weeks and hours", lambda: compare(viewer=person, scope=scope, until=UNTIL), note)
    _timed(
        report,
        "summary",
        lambda: summarise(viewer=person, scope=summary_scope(viewer=person, region=code)),
        "compared twice: the data end in 2017",
    )


def _doors(report: Report, client: Any, code: str) -> None:
    for name, path in (
        ("compare page", f"/compare/?region={code}&until={UNTIL}&by=type"),
        ("compare CSV", f"/compare.csv?region={code}&until={UNTIL}"),
        ("compare API", f"/api/v1/compare?region={code}&until={UNTIL}"),
        ("summary page", f"/summary/?region={code}"),
    ):
        _timed(report, name, lambda path=path: _answered(client, path), f"{len(_answered(client, path)) / 1024:.0f} KB")  # type: ignore[misc]


def _documents(report: Report, client: Any, code: str) -> None:
    from django.core.cache import cache

    for language in ("en", "ar"):
        client.cookies["django_language"] = language

        def made() -> bytes:
            cache.clear()
            return _answered(client, f"/summary.pdf?region={code}")

        _timed(
            report,
            f"summary PDF ({language})",
            made,
            f"{len(made()) / 1024:.0f} KB; start of its process and the summary included",
            rounds=3,
        )
    began = time.perf_counter()
    _answered(client, f"/summary.pdf?region={code}")
    report.row(
        SECTION, "summary PDF, again within two minutes", round(time.perf_counter() - began, 3), "s", "kept for all who see the same"
    )


def _answered(client: Any, path: str) -> bytes:
    response = client.get(path)
    if response.status_code != 200:
        raise SystemExit(f"{path}: {response.status_code}")
    content: bytes = response.content
    return content


def _timed(report: Report, name: str, work: Callable[[], object], note: str, *, rounds: int = ROUNDS) -> None:
    work()
    seconds = []
    for _round in range(rounds):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    report.row(SECTION, name, round(statistics.median(seconds), 3), "s", f"median of {rounds}, best {min(seconds):.3f} s; {note}")
