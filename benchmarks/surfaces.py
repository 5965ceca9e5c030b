"""Surfaces and near repeats: how long a nation takes, Gi* beside esda, how often chance is called significant, and St. Louis."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks import stlouis
from benchmarks.report import Report
from incidents.analytics.change import change
from incidents.analytics.density import density
from incidents.analytics.false_discovery import q_values
from incidents.analytics.gi_star import gi_star
from incidents.analytics.grid import Cells
from incidents.analytics.near_repeat import near_repeats

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
NATION = "Surfaces of a nation (30,000 cells of 250 m)"
CHANCE = "Maps of pure chance: how many have any cell called significant (900 cells, false-discovery rate 5 %)"
REPEATS = "Near-repeat test (Knox, 999 permutations)"
CITY = "Surfaces and near repeats of St. Louis (real incidents, as of 2017-12-31)"
MAPS = 200


def run(report: Report) -> None:
    _nation(report)
    _chance(report)
    _repeats(report)
    _city(report)


def _timed(what: Callable[[], T], rounds: int = 3) -> tuple[float, T]:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = what()
        times.append(time.perf_counter() - began)
    return min(times), result


def _block(columns: int, rows: int) -> Cells:
    across, up = (grid.ravel() for grid in np.meshgrid(np.arange(columns), np.arange(rows)))
    return Cells.of(across, up, 250.0)


def _nation(report: Report) -> None:
    cells, rng = _block(200, 150), np.random.default_rng(1)
    counts = rng.negative_binomial(0.2, 0.1, len(cells))
    seconds, ours = _timed(lambda: gi_star(cells, counts))
    report.row(NATION, "Gi*, ours: exact tails and false-discovery control", round(seconds, 3), "s", f"{counts.sum():,} incidents")
    theirs = _esda(counts)
    if theirs is not None:
        took, z, shuffled = theirs
        same = "the same z" if np.allclose(z, ours.z, atol=1e-8) else "ANOTHER z"
        report.row(NATION, "Gi*, esda: z and the normal approximation", round(took, 3), "s", f"{same}; {took / seconds:.0f} × our time")
        report.row(
            NATION, "Gi*, esda: with 999 permutations", round(shuffled, 2), "s", f"smallest p 0.001; {shuffled / seconds:.0f} × our time"
        )
    points = rng.uniform(0, [50_000, 37_500], (100_000, 2))
    seconds, _found = _timed(lambda: density(cells, points, bandwidth_m=500, ground=cells))
    report.row(NATION, "density, from the points themselves", round(seconds, 3), "s", f"{len(points):,} incidents, bandwidth 500 m")
    seconds, _change = _timed(lambda: change(cells, counts, rng.permutation(counts)))
    report.row(NATION, "change", round(seconds, 3), "s")


def _esda(counts: NDArray[np.int64]) -> tuple[float, NDArray[np.float64], float] | None:
    """Seconds of the plain statistic and of 999 permutations, once compiled; ``None`` where it is not installed."""
    try:
        esda, libpysal = importlib.import_module("esda"), importlib.import_module("libpysal")
    except ImportError:
        print("left out: esda and libpysal are not installed")
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = libpysal.weights.lat2W(200, 150, rook=False)
        values = counts.astype(np.float64)
        esda.G_Local(values, weights, transform="B", star=True, permutations=9, n_jobs=1, seed=1)
        plain, found = _timed(lambda: esda.G_Local(values, weights, transform="B", star=True, permutations=0), rounds=1)
        shuffled, _found = _timed(
            lambda: esda.G_Local(values, weights, transform="B", star=True, permutations=999, n_jobs=1, seed=1), rounds=1
        )
    return plain, np.asarray(found.Zs), shuffled


def _chance(report: Report) -> None:
    cells = _block(30, 30)
    kinds: dict[str, Callable[[np.random.Generator], NDArray[np.int64]]] = {
        "sparse (Poisson, 0.3 a cell)": lambda rng: rng.poisson(0.3, 900),
        "many zeros (negative binomial, 0.35 a cell)": lambda rng: rng.negative_binomial(0.15, 0.3, 900),
        "busy (Poisson, 5 a cell)": lambda rng: rng.poisson(5, 900),
    }
    for name, draw in kinds.items():
        ours = normal = 0
        for seed in range(MAPS):
            found = gi_star(cells, draw(np.random.default_rng(seed)))
            ours += bool((found.q <= 0.05).any())
            normal += bool((q_values(2 * norm.sf(np.abs(found.z))) <= 0.05).any())
        note = f"by the normal approximation {100 * normal / MAPS:.1f} %; {MAPS} maps"
        report.row(CHANCE, f"Gi*, {name}", round(100 * ours / MAPS, 1), "%", note)
    flagged = 0
    for seed in range(MAPS):
        rng = np.random.default_rng(seed)
        flagged += bool((change(cells, rng.poisson(1, 900), rng.poisson(1, 900)).q <= 0.05).any())
    report.row(CHANCE, "change, 1 a cell in either window", round(100 * flagged / MAPS, 1), "%", f"{MAPS} pairs of windows")
    p = np.array([near_repeats(*_drawn(150, seed), permutations=199, seed=seed).p for seed in range(MAPS)])
    report.row(CHANCE, "near repeat, p at most 0.05", round(100 * float((p <= 0.05).mean()), 1), "%", f"{MAPS} draws of 150 incidents")


def _drawn(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    middles = rng.uniform(0, 4_000, (8, 2))
    return middles[rng.integers(0, 8, n)] + rng.normal(0, 300, (n, 2)), rng.random(n) * 365 * 86_400


def _repeats(report: Report) -> None:
    for n in (1_000, 5_000, 20_000):
        xy, at = _drawn(n, 1)
        seconds, found = _timed(lambda xy=xy, at=at: near_repeats(xy, at), rounds=2)  # type: ignore[misc]
        report.row(REPEATS, f"{n:,} incidents in eight places", round(seconds, 2), "s", f"{found.tested:,} taken into the test")


def _city(report: Report) -> None:
    from django.core.management import call_command

    from incidents.models import Incident
    from incidents.services.pipeline import run_pipeline
    from incidents.services.vocabulary import ensure_vocabulary

    if not stlouis.is_there():
        return
    call_command("migrate", verbosity=0)
    ensure_vocabulary()
    region = stlouis.ensure_region()
    if not Incident.objects.filter(region=region).exists():
        command = ["import_incidents", str(stlouis.INCIDENTS), "--source", "bench-surfaces", "--map", "type=category", "--json"]
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    end = datetime(2017, 12, 31, tzinfo=region.zone_info)
    done = run_pipeline(trigger="bench", as_of=end.date(), regions=[region.code], only=["surfaces", "near_repeat"])
    for step in done.steps.all():
        counts = step.counts
        figures = ("surfaces", "cells", "near_repeats", "significant")
        said = "; ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in figures if name in counts)
        report.row(CITY, step.name, round(step.seconds or 0, 2), "s", f"{counts['incidents']:,} incidents; {said}")
    _stable(report, region, end)


def _stable(report: Report, region: object, end: datetime) -> None:
    """How many cells of the real city change calls risen or fallen, one four-week window against the one before, over two years."""
    from incidents.analytics.change import LEAST
    from incidents.services.pipeline.loading import load_points

    points = load_points(region, since=end - timedelta(days=1096), until=end)  # type: ignore[arg-type]
    cells = Cells.under(points.xy_m, cell_m=250.0)
    marked = tested = 0
    for back in range(26):
        edges = [end - timedelta(days=28 * (back + ahead)) for ahead in (2, 1, 0)]
        at = np.searchsorted(points.at, [edge.timestamp() for edge in edges])
        found = change(cells, cells.counts(points.xy_m[at[0] : at[1]]), cells.counts(points.xy_m[at[1] : at[2]]))
        marked += int((np.abs(found.classes) == 2).sum())
        tested += int((found.before + found.now >= LEAST).sum())
    note = f"{marked:,} of {tested:,} cells tested, 26 pairs of four weeks; seasons and series of incidents are in it"
    report.row(CITY, "cells called risen or fallen (q at most 0.05)", round(100 * marked / max(tested, 1), 2), "%", note)
