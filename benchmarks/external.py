"""What partners pull, from a million incidents, on one web process.

Aims: the first page under 50 ms (p95), page 10,000 no slower than page 1, a box with a time under 100 ms, a file of 100,000 rows under 5 s
with flat memory, 300 mixed reads a second with p95 under 100 ms.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import psycopg

from benchmarks.external_client import drive_in_its_own_process
from benchmarks.own import Own, cpu_seconds, own_services
from benchmarks.report import Report

ROOT = Path(__file__).resolve().parents[1]
SECTION = "What partners pull (1,000,000 incidents)"
INCIDENTS = int(os.environ.get("KHAREETATY_BENCH_INCIDENTS", "1000000"))
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "20"))
RATE = 300
DEEP = 10_000  # pages
SETUP = """
from accounts.models import Agency
from geography.models import Region
from incidents.services.vocabulary import ensure_vocabulary
from incidents.models import Source
from interop.models import Partner, RatePlan
from interop.services import issue_key
ensure_vocabulary()
region, police = Region.objects.get(is_default=True), Agency.objects.get(slug="police")
plan = RatePlan.objects.get_or_create(name="Bench", defaults={"per_minute": 600_000, "burst": 600_000})[0]
partner = Partner.objects.filter(slug="bench").first() or Partner.objects.create(slug="bench", name="Bench", agency=police, region=region)
Partner.objects.filter(pk=partner.pk).update(rate_plan=plan)
Source.objects.get_or_create(slug="bench", defaults={"name": "Bench", "agency": police, "region": region})
scopes = ["incidents:read", "hotspots:read", "alerts:read", "forecasts:read"]
for precision in ("exact", "100m", "area"):
    print("KEY", issue_key(partner=partner, name=precision, scopes=scopes, by=None, all_governorates=True, precision=precision)[1])
"""
# Three in four are the police's, the others of everybody else's; spread evenly over the areas and over five years.
FILL = """
WITH places AS (
    SELECT z.id AS area_id, z.parent_id AS governorate_id, z.region_id,
           (ST_Dump(ST_GeneratePoints(z.boundary, (%(count)s / count(*) OVER ())::int + 1, 7))).geom
    FROM geography_zone z WHERE z.level = 'area' AND z.is_active
), chosen AS (
    SELECT *, row_number() OVER (ORDER BY md5(ST_AsText(geom))) AS n FROM places LIMIT %(count)s
), kinds AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS k, count(*) OVER () AS of FROM incidents_incidenttype),
   agencies AS (SELECT id, row_number() OVER (ORDER BY (slug <> 'police'), id) - 1 AS k, count(*) OVER () AS of FROM accounts_agency)
INSERT INTO incidents_incident (region_id, source_id, agency_id, type_id, priority, severity, state, disposition, origin, is_synthetic,
    description, location, governorate_id, area_id, address, address_block, address_street, address_jadda, address_building, paci_number,
    occurred_at, reported_at, received_at, changed_at)
SELECT c.region_id, (SELECT id FROM incidents_source WHERE slug = 'bench'),
       (SELECT id FROM agencies a WHERE a.k = CASE WHEN c.n %% 4 > 0 THEN 0 ELSE c.n / 4 %% a.of END),
       (SELECT id FROM kinds t WHERE t.k = c.n * 7919 %% t.of), 1 + c.n %% 5, 1 + c.n * 31 %% 4, 'closed', 'resolved', 'reported', true,
       'The caller came home and found the balcony door open; a bag and two telephones are missing.', c.geom, c.governorate_id, c.area_id,
       'Block ' || c.n %% 12, (c.n %% 12)::text, (c.n %% 90)::text, '', (c.n %% 300)::text, '',
       at, at + interval '5 minutes', at + interval '6 minutes', at + interval '2 hours'
FROM chosen c, LATERAL (SELECT timestamptz '2026-10-01' - (c.n * 157.7 || ' seconds')::interval AS at) t
"""


def run(report: Report) -> None:
    with own_services("external") as own:
        keys = own.shell(SETUP)["KEY"]
        _fill(own, report)
        with own.web() as (url, web):
            report.row(
                SECTION,
                "load of the machine while measuring",
                os.getloadavg()[0],
                "",
                f"{os.cpu_count()} cores; the client has one of them",
            )
            _measure(report, url, keys, web)


def _fill(own: Own, report: Report) -> None:
    with psycopg.connect(own.database, autocommit=True) as connection:
        (known,) = connection.execute("SELECT count(*) FROM incidents_incident").fetchone() or (0,)
        if known < INCIDENTS:
            began = time.monotonic()
            connection.execute(FILL, {"count": INCIDENTS})
            connection.execute("VACUUM ANALYZE incidents_incident")
            connection.execute("ANALYZE")
            report.row(
                SECTION, "filling the table, all its indexes in place", INCIDENTS / (time.monotonic() - began), "rows/s", "by one statement"
            )


def _measure(report: Report, url: str, keys: list[str], web: subprocess.Popen[bytes]) -> None:
    exact, grid, area = keys
    drive = drive_in_its_own_process
    drive(url, exact, "one", "first", 200)
    first = drive(url, exact, "one", "first", 400)
    report.row(
        SECTION,
        "first page of 100, p95",
        first["p95_ms"],
        "ms",
        f"all fields, one after the other, p50 {first['p50_ms']:.1f}; aim: under 50",
    )
    light = drive(url, exact, "one", "first_light", 400)
    report.row(SECTION, "first page of 100, six fields, p95", light["p95_ms"], "ms", f"p50 {light['p50_ms']:.1f}")
    for name, key in (("to 100 metres", grid), ("to the area", area)):
        told = drive(url, key, "one", "first", 200)
        report.row(SECTION, f"first page of 100, {name}, p95", told["p95_ms"], "ms", f"p50 {told['p50_ms']:.1f}")
    walked = drive(url, exact, "walk", "deep", DEEP)
    report.row(
        SECTION,
        f"page {DEEP:,} to page 1, median of 100 each",
        walked["ratio"],
        "times",
        f"{walked['first_ms']:.2f} and {walked['last_ms']:.2f} ms; every page was walked",
    )
    boxes = drive(url, exact, "one", "boxes", 400)
    report.row(
        SECTION,
        "box and time, p95",
        boxes["p95_ms"],
        "ms",
        f"any box of 1 to 30 km, any span of a week to a year, p50 {boxes['p50_ms']:.1f}; aim: under 100",
    )
    boxes = drive(url, grid, "one", "boxes", 200)
    report.row(SECTION, "box and time to 100 metres, p95", boxes["p95_ms"], "ms", f"p50 {boxes['p50_ms']:.1f}")
    _file(report, url, exact, web)
    drive(url, exact, "open", "mixed", 40)
    before = cpu_seconds(web.pid)
    mixed = drive(url, exact, "open", "mixed", RATE, SECONDS)
    spent = cpu_seconds(web.pid) - before
    answered = sum(mixed["statuses"].values())
    report.row(
        SECTION, "mixed reads asked", RATE, "1/s", f"open loop for {SECONDS:g} s; latency from the planned time; {mixed['statuses']}"
    )
    report.row(
        SECTION,
        "mixed reads answered",
        answered / mixed["seconds"],
        "1/s",
        f"p50 {mixed['p50_ms']:.0f}, p95 {mixed['p95_ms']:.0f}, p99 {mixed['p99_ms']:.0f} ms; aim: p95 under 100",
    )
    report.row(SECTION, "processor time of the web process", 1_000 * spent / max(1, answered), "ms/read")
    most = drive(url, exact, "closed", "mixed", 8, 10)
    report.row(
        SECTION,
        "most mixed reads, 8 connections",
        sum(most["statuses"].values()) / most["seconds"],
        "1/s",
        f"closed loop, p95 {most['p95_ms']:.0f} ms",
    )


def _file(report: Report, url: str, key: str, web: subprocess.Popen[bytes]) -> None:
    for rows in (10_000, 100_000):
        resident: list[float] = [_resident_mb(web.pid)]
        done = threading.Event()

        def watch(samples: list[float] = resident, done: threading.Event = done) -> None:
            while not done.wait(0.05):
                samples.append(_resident_mb(web.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            told = drive_in_its_own_process(url, key, "file", "csv", rows)
        finally:
            done.set()
            watcher.join()
        report.row(
            SECTION,
            f"file of {rows:,} rows",
            told["seconds"],
            "s",
            f"{told['lines']:,} lines, {told['bytes'] / 2**20:.1f} MB; aim for 100,000: under 5",
        )
        report.row(
            SECTION,
            f"memory of the web process, {rows:,} rows",
            max(resident) - resident[0],
            "MB more",
            f"from {resident[0]:.0f} MB, highest while streaming",
        )


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
