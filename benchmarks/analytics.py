"""Hot spots and a night's run: clustering beside PostGIS and scikit-learn, a city's real decade."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks import stlouis
from benchmarks.report import Report

if TYPE_CHECKING:
    pass

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
EPS_M, MIN_POINTS = 300.0, 10
CLUSTERING = "Clustering (DBSCAN, 300 m, 10 points)"
CITY = "Analytics of St. Louis (real incidents, as of 2017-12-31)"
NIGHT = "A night's run on the demo (two synthetic years)"


def run(report: Report) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _clustering(report)
    _night(report)
    _city(report)


# --- clustering ------------------------------------------------------------------------------------------------------
def national(n: int, seed: int = 1) -> NDArray[np.float64]:
    """``n`` points over 60 × 80 km: seven in ten in 60 blobs with a spread of 150 to 900 m, the rest anywhere."""
    rng = np.random.default_rng(seed)
    crowded = int(n * 0.7)
    middles, spreads = rng.uniform([0, 0], [60_000, 80_000], (60, 2)), rng.uniform(150, 900, 60)
    which = rng.integers(0, 60, crowded)
    blobs = middles[which] + rng.normal(size=(crowded, 2)) * spreads[which][:, None]
    return np.concatenate([blobs, rng.uniform([0, 0], [60_000, 80_000], (n - crowded, 2))])


def _clustering(report: Report) -> None:
    ours: dict[int, float] = {}
    for n in (10_000, 100_000, 1_000_000):
        answer = _child("dbscan", str(n))
        ours[n] = answer["seconds"]
        note = f"best of {_rounds(n)}, {answer['cpu_seconds']:.3g} s of CPU in the mean; the process held {answer['peak_mb']:.0f} MB"
        note += f"; {answer['clusters']} clusters"
        report.row(CLUSTERING, f"ours, {n:,} points", round(answer["seconds"], 3), "s", note)
    for n in (10_000, 100_000):
        seconds, agrees = _scikit_learn(n)
        note = "same core points, clusters and noise as ours" if agrees else "DIFFERS FROM OURS"
        report.row(CLUSTERING, f"scikit-learn, {n:,} points", round(seconds, 3), "s", f"{note}; {seconds / ours[n]:.1f} × our time")
    for n in (10_000, 100_000):
        seconds, clusters = _postgis(n)
        note = f"{clusters} clusters; {seconds / ours[n]:.1f} × our time"
        report.row(CLUSTERING, f"PostGIS ST_ClusterDBSCAN, {n:,} points", round(seconds, 3), "s", note)


def _child(*arguments: str) -> dict[str, Any]:
    """In a process of its own, so that its memory is its own."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.analytics", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _measure_dbscan(n: int) -> dict[str, float]:
    from incidents.analytics.hotspots import dbscan

    xy = national(n)
    began = time.process_time()
    seconds, labels = _best(_rounds(n), lambda: dbscan(xy, eps_m=EPS_M, min_points=MIN_POINTS))
    return {
        "seconds": seconds,
        "cpu_seconds": (time.process_time() - began) / _rounds(n),
        "clusters": int(labels.max()) + 1,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _scikit_learn(n: int) -> tuple[float, bool]:
    from sklearn.cluster import DBSCAN

    from incidents.analytics.hotspots import dbscan

    xy = national(n)
    seconds, model = _best(_rounds(n), lambda: DBSCAN(eps=EPS_M, min_samples=MIN_POINTS).fit(xy))
    labels, core = dbscan(xy, eps_m=EPS_M, min_points=MIN_POINTS), model.core_sample_indices_
    pairs = set(zip(labels[core].tolist(), model.labels_[core].tolist(), strict=True))
    one_to_one = len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == int(model.labels_.max()) + 1
    return seconds, one_to_one and bool(((labels < 0) == (model.labels_ < 0)).all())


def _postgis(n: int) -> tuple[float, int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_points")
        cursor.execute("CREATE TABLE bench_points (p geometry(Point, 32638))")
        cursor.execute("CREATE TEMP TABLE bench_xy (x double precision, y double precision)")
        with cursor.copy("COPY bench_xy FROM STDIN") as copy:
            for x, y in national(n).tolist():
                copy.write_row((x, y))
        cursor.execute("INSERT INTO bench_points SELECT ST_SetSRID(ST_MakePoint(x, y), 32638) FROM bench_xy")
        cursor.execute("DROP TABLE bench_xy")
        cursor.execute("ANALYZE bench_points")
        statement = "SELECT count(DISTINCT c) FROM (SELECT ST_ClusterDBSCAN(p, %s, %s) OVER () AS c FROM bench_points) AS labelled"

        def cluster() -> int:
            cursor.execute(statement, [EPS_M, MIN_POINTS])
            return int(cursor.fetchone()[0])

        found = _best(_rounds(n), cluster)
        cursor.execute("DROP TABLE bench_points")
    return found


def _rounds(n: int) -> int:
    """A small case is over between two turns of a busy machine: try it more often."""
    return 9 if n <= 10_000 else 5 if n <= 100_000 else 3


def _best(rounds: int, what: Callable[[], T]) -> tuple[float, T]:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = what()
        times.append(time.perf_counter() - began)
    return min(times), result


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


if __name__ == "__main__":
    if sys.argv[1] == "dbscan":
        print(json.dumps(_measure_dbscan(int(sys.argv[2]))))
