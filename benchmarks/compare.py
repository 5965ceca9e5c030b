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
    _chance(report, region)
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


def _chance(report: Report, region: Any) -> None:
    """How many lines of a type's table would be called changed, over nine years: by Poisson counts, by their own swing, and as shown."""
    import numpy as np
    from django.db import connection

    from incidents.analytics.false_discovery import q_values
    from incidents.analytics.rates import dispersion, rate_ratio

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (%s - (occurred_at AT TIME ZONE %s)::date) / 7, type_id, count(*) FROM incidents_incident"
            " WHERE region_id = %s AND (occurred_at AT TIME ZONE %s)::date <= %s GROUP BY 1, 2",
            [UNTIL, region.time_zone, region.pk, region.time_zone, UNTIL],
        )
        rows = cursor.fetchall()
    types = sorted({kind for _back, kind, _n in rows})
    counts = np.zeros((len(types), 1 + max(back for back, _kind, _n in rows)))
    for back, kind, n in rows:
        counts[types.index(kind), -1 - back] = n
    counts = counts[:, 1:]  # the oldest week is not whole
    for name, length, step in (("7 days", 1, 1), ("28 days", 4, 4)):
        called: dict[str, list[float]] = {"poisson": [], "swing": [], "shown": []}
        for end in range(60, counts.shape[1], step):
            now, before = counts[:, end - length : end].sum(axis=1), counts[:, end - 2 * length : end - length].sum(axis=1)
            enough = now + before >= 10
            swing = rate_ratio(now, before, dispersion=dispersion(counts[:, end - 53 : end - 4])).p
            called["poisson"].extend(rate_ratio(now, before).p[enough] <= 0.05)
            called["swing"].extend(swing[enough] <= 0.05)
            called["shown"].extend(q_values(np.where(enough, swing, np.nan))[enough] <= 0.05)
        shares = {key: 100 * float(np.mean(values)) for key, values in called.items()}
        note = f"of {len(called['shown']):,} lines; at 5 % by plain Poisson counts {shares['poisson']:.1f}"
        note += f", by each line's swing {shares['swing']:.1f}"
        report.row(SECTION, f"lines called changed, {name} against those before", round(shares["shown"], 1), "%", note)


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
