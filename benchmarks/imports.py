"""How fast a file of incidents comes in, beside a bare COPY of the same rows into a plain table."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report import Report

ROOT = Path(__file__).resolve().parents[1]
FILE = "data/crime/stlouis_incidents_2008_2017.csv.gz"
BOX = "data/crime/stlouis_box.geojson"
ROUNDS = 2
_PLAIN = (
    "CREATE TABLE bench_plain (incident_id text, occurred_at timestamp, coded_month text, ucr text, category text, crime text,"
    " description text, district text, neighborhood text, lon double precision, lat double precision)"
)


def shared() -> Path:
    """The folder of the data that is not committed."""
    return Path(os.environ.get("KHAREETATY_SHARED") or ROOT.parent / "shared")


def run(report: Report) -> None:
    from django.core.management import call_command
    from django.db import connection

    from incidents.services.vocabulary import ensure_vocabulary

    path, box = shared() / FILE, shared() / BOX
    if not path.exists():
        print(f"left out: there is no {path}")
        return
    call_command("migrate", verbosity=0)
    ensure_vocabulary()
    _zones(box)
    best: dict[str, float] | None = None
    copies: list[float] = []
    for number in range(ROUNDS):
        _empty()
        copies.append(_bare_copy(path))
        found = _import(path, f"bench-{number}")
        if best is None or found["seconds"] < best["seconds"]:
            best = found
    assert best is not None
    again = _import(path, f"bench-{ROUNDS - 1}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM incidents_incident")
        stored = cursor.fetchone()[0]
    assert again["accepted"] == 0 and stored == best["accepted"], (again, stored)
    rows, copy = best["read"], min(copies)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        fsync, synchronous = cursor.fetchone()
    section = "File import (St. Louis, real incidents 2008-2017)"
    report.row(section, "rows imported", int(rows), "rows", f"{int(best['accepted']):,} accepted, {int(best['rejected']):,} rejected")
    report.row(
        section,
        "rate",
        round(rows / best["seconds"]),
        "rows/s",
        f"goal 20,000; from the command's start to its end, best of {ROUNDS}; validation, zones, duplicates, report and log included; "
        f"fsync {fsync}, synchronous_commit {synchronous}",
    )
    report.row(section, "time", round(best["seconds"], 1), "s", "")
    report.row(section, "bare COPY of the same rows", round(copy, 2), "s", f"{rows / copy:,.0f} rows/s, unpacking included")
    report.row(section, "import to bare COPY", round(best["seconds"] / copy, 1), "times", "in the same run on the same machine")
    report.row(section, "peak memory", round(best["peak_mb"]), "MB", "goal 600; the import's process")
    report.row(section, "the same file again", round(again["seconds"], 1), "s", f"{int(again['duplicates']):,} duplicates, nothing added")


def _zones(box: Path) -> None:
    from django.contrib.gis.geos import GEOSGeometry, MultiPolygon

    from geography.models import Region, Zone
    from geography.services import rebuild_pieces

    feature = json.loads(box.read_text())["features"][0]
    facts = feature["properties"]
    region, _ = Region.objects.get_or_create(
        code=facts["code"],
        defaults={"name_en": facts["name_en"], "name_ar": facts["name_ar"], "time_zone": facts["tz"], "metric_srid": 32615},
    )
    boundary = MultiPolygon(GEOSGeometry(json.dumps(feature["geometry"])), srid=4326)
    zone, _ = Zone.objects.get_or_create(
        region=region,
        level=Zone.Level.COUNTRY,
        code=facts["code"],
        defaults={
            "name_en": facts["name_en"],
            "name_ar": facts["name_ar"],
            "boundary": boundary,
            "label_point": boundary.point_on_surface,
        },
    )
    rebuild_pieces(zone_ids=[zone.pk])


def _empty() -> None:
    """Each round begins with empty tables; the log's guard against that is lifted for the moment (a database of our own)."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE incidents_incidentlog DISABLE TRIGGER append_only_whole")
        cursor.execute("TRUNCATE incidents_incident, incidents_incidentlog, incidents_report, incidents_rejectedrow, core_event CASCADE")
        cursor.execute("ALTER TABLE incidents_incidentlog ENABLE TRIGGER append_only_whole")
        cursor.execute("CHECKPOINT")


def _bare_copy(path: Path) -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_plain")
        cursor.execute(_PLAIN)
        began = time.perf_counter()
        with gzip.open(path, "rb") as file, cursor.copy("COPY bench_plain FROM STDIN (FORMAT csv, HEADER)") as copy:
            while block := file.read(2**18):
                copy.write(block)
        seconds = time.perf_counter() - began
        cursor.execute("DROP TABLE bench_plain")
    return seconds


def _import(path: Path, source: str) -> dict[str, float]:
    """Run the command as a person would, in a process of its own, and read its last line."""
    command = [sys.executable, "manage.py", "import_incidents", str(path), "--source", source, "--map", "type=category", "--json"]
    began = time.perf_counter()
    measured = subprocess.run(
        [sys.executable, "-m", "benchmarks.imports", *command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    answer, peak = measured.stdout.strip().splitlines()[-2:]
    return {
        **{key: value or 0 for key, value in json.loads(answer).items()},
        "peak_mb": float(peak),
        "seconds": time.perf_counter() - began,
    }


if __name__ == "__main__":
    # Runs the command given and prints, last, the most memory it held: a process's children are only ours to measure once.
    subprocess.run(sys.argv[1:], check=True)
    print(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f}")
