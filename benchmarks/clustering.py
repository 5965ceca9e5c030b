"""Hot spots: clustering from ten thousand to ten million points, beside PostGIS and scikit-learn; and how honest their figures are where
the truth is known because it was planted."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report

T = TypeVar("T")
_FloatArray = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
EPS_M, MIN_POINTS = 300.0, 10
CLUSTERING = "Clustering (DBSCAN, 300 m, 10 points)"
PLANTED = "Hot spots where the truth is known (planted)"
OURS = (10_000, 100_000, 1_000_000, 10_000_000)
SIDE_M = 20_000.0


def run(report: Report) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _clustering(report)
    _planted(report)


# --- clustering ------------------------------------------------------------------------------------------------------
def national(n: int, seed: int = 1) -> _FloatArray:
    """``n`` points over 60 × 80 km: seven in ten in 60 blobs with a spread of 150 to 900 m, the rest anywhere."""
    rng = np.random.default_rng(seed)
    crowded = int(n * 0.7)
    middles, spreads = rng.uniform([0, 0], [60_000, 80_000], (60, 2)), rng.uniform(150, 900, 60)
    which = rng.integers(0, 60, crowded)
    blobs = middles[which] + rng.normal(size=(crowded, 2)) * spreads[which][:, None]
    return np.concatenate([blobs, rng.uniform([0, 0], [60_000, 80_000], (n - crowded, 2))])


def _clustering(report: Report) -> None:
    ours: dict[int, float] = {}
    for n in OURS:
        answer = _child(str(n))
        ours[n] = answer["seconds"]
        note = f"best of {_rounds(n)}, {answer['cpu_seconds']:.3g} s of CPU in the mean; the process held {answer['peak_mb']:.0f} MB"
        note += f"; {answer['clusters']} clusters"
        if n > OURS[0]:
            note += f"; {ours[n] / ours[n // 10]:.1f} × the time of a tenth of the points"
        report.row(CLUSTERING, f"ours, {n:,} points", round(answer["seconds"], 3), "s", note)
    for n in (10_000, 100_000):
        seconds, agrees = _scikit_learn(n)
        note = "same core points, clusters and noise as ours" if agrees else "DIFFERS FROM OURS"
        report.row(CLUSTERING, f"scikit-learn, {n:,} points", round(seconds, 3), "s", f"{note}; {seconds / ours[n]:.1f} × our time")
    for n in (10_000, 100_000, 1_000_000):
        seconds, clusters = _postgis(n)
        note = f"{clusters} clusters; {seconds / ours[n]:.1f} × our time"
        report.row(CLUSTERING, f"PostGIS ST_ClusterDBSCAN, {n:,} points", round(seconds, 3), "s", note)


def _child(*arguments: str) -> dict[str, Any]:
    """In a process of its own, so that its memory is its own."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.clustering", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE)
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

        found = _best(1 if n >= 1_000_000 else _rounds(n), cluster)
        cursor.execute("DROP TABLE bench_points")
    return found


def _rounds(n: int) -> int:
    """A small case is over between two turns of a busy machine: try it more often."""
    return 9 if n <= 10_000 else 5 if n <= 100_000 else 3 if n <= 1_000_000 else 1


def _best(rounds: int, what: Callable[[], T]) -> tuple[float, T]:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = what()
        times.append(time.perf_counter() - began)
    return min(times), result


# --- honesty ---------------------------------------------------------------------------------------------------------
def even(rng: np.random.Generator, n: int) -> _FloatArray:
    return rng.uniform(0, SIDE_M, (n, 2))


def towns(rng: np.random.Generator, n: int, spread_m: float = 3_000) -> _FloatArray:
    """Most incidents in six towns, the rest anywhere: smooth, and far from even."""
    middles, town = rng.uniform(2_000, SIDE_M - 2_000, (6, 2)), rng.integers(0, 8, n)
    xy = even(rng, n)
    xy[town < 6] = middles[town[town < 6]] + rng.normal(0, spread_m, ((town < 6).sum(), 2))
    return xy


def coast(rng: np.random.Generator, n: int) -> _FloatArray:
    """Dense up to a bent shore, and nothing beyond it."""
    xy = even(rng, 3 * n)
    return xy[xy[:, 0] < 8_000 + 2_000 * np.sin(xy[:, 1] / 3_000)][:n]


def _planted(report: Report) -> None:
    worlds: list[tuple[str, Callable[[np.random.Generator], _FloatArray]]] = [
        ("an even ground, 4,000 incidents", lambda rng: even(rng, 4_000)),
        ("towns of 3 km, 5,000 incidents", lambda rng: towns(rng, 5_000)),
        ("towns of 2 km, 3,000 incidents", lambda rng: towns(rng, 3_000, 2_000)),
        ("a coast, 2,500 incidents", lambda rng: coast(rng, 2_500)),
    ]
    for name, world in worlds:
        clusters, flagged, with_any, rounds = _flagged(world, rounds=60)
        note = f"{flagged} of {clusters} clusters at q ≤ 0.05; worlds with any: {with_any} of {rounds} (nominal 5 %)"
        report.row(PLANTED, f"nothing planted, {name}: called significant", round(100 * flagged / max(clusters, 1), 2), "%", note)
    for each, spread_m in ((15, 80), (25, 80), (40, 150)):
        found, planted, chance = _recall(each, spread_m, rounds=12)
        note = f"{found} of {planted} among 2,000 in towns of 3 km; {chance} others called significant"
        name = f"planted, {each} incidents over {spread_m} m: found and significant"
        report.row(PLANTED, name, round(100 * found / planted, 1), "%", note)
    for name, means in (("40 small", [9.0] * 40), ("15 large", [60.0] * 15), ("32 mixed", [5.0, 12.0, 20.0, 45.0] * 8)):
        _trend(report, name, means)


def _flagged(world: Callable[[np.random.Generator], _FloatArray], *, rounds: int) -> tuple[int, int, int, int]:
    from incidents.analytics.background import judge
    from incidents.analytics.dbscan import dbscan

    clusters = flagged = with_any = 0
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        xy = world(rng)
        labels = dbscan(xy, eps_m=EPS_M, min_points=MIN_POINTS)
        q = judge(xy, labels, eps_m=EPS_M, min_points=MIN_POINTS, rng=rng).q
        clusters, flagged, with_any = clusters + len(q), flagged + int((q <= 0.05).sum()), with_any + bool((q <= 0.05).any())
    return clusters, flagged, with_any, rounds


def _recall(each: int, spread_m: float, *, rounds: int) -> tuple[int, int, int]:
    from incidents.analytics.background import judge
    from incidents.analytics.dbscan import dbscan

    found = planted = chance = 0
    for seed in range(rounds):
        rng = np.random.default_rng(1_000 + seed)
        middles = rng.uniform(2_000, SIDE_M - 2_000, (8, 2))
        xy = np.concatenate([towns(rng, 2_000), *(middle + rng.normal(0, spread_m, (each, 2)) for middle in middles)])
        labels = dbscan(xy, eps_m=EPS_M, min_points=MIN_POINTS)
        called = set(np.flatnonzero(judge(xy, labels, eps_m=EPS_M, min_points=MIN_POINTS, rng=rng).q <= 0.05).tolist())
        theirs = [part[part >= 0] for part in np.split(labels[2_000:], 8)]
        mine = [int(np.bincount(part).argmax()) if len(part) else -1 for part in theirs]
        planted, found, chance = planted + 8, found + sum(one in called for one in mine), chance + len(called - set(mine))
    return found, planted, chance


def _trend(report: Report, name: str, means: list[float]) -> None:
    """Cities where nothing changes from window to window: how often "risen" is said, with the correction and without."""
    from incidents.analytics.dbscan import dbscan
    from incidents.analytics.trend import exact_interval, rate_ratios

    low: list[float] = []
    high: list[float] = []
    plain: list[float] = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        places = rng.uniform(0, 30_000, (len(means), 2))

        def window(rng: np.random.Generator = rng, places: _FloatArray = places) -> _FloatArray:
            crowds = [place + rng.normal(0, 80, (n, 2)) for place, n in zip(places, rng.poisson(means), strict=True)]
            return np.concatenate([*crowds, rng.uniform(0, 30_000, (rng.poisson(600), 2))])

        windows, xy = [window() for _ in range(6)], window()
        past, age = np.concatenate(windows), np.concatenate([k + rng.random(len(one)) for k, one in enumerate(windows)])
        labels = dbscan(xy, eps_m=EPS_M, min_points=MIN_POINTS)
        said = rate_ratios(xy, labels, past_xy_m=past, past_age=age, windows=6, eps_m=EPS_M, min_points=MIN_POINTS, rng=rng)
        low, high = [*low, *said.low], [*high, *said.high]
        for cluster in range(int(labels.max()) + 1):
            mine = xy[labels == cluster]
            middle = mine.mean(axis=0)
            reach = np.hypot(*(mine - middle).T).max()
            before = float((np.hypot(*(past - middle).T) <= reach).sum())
            plain.append(float(exact_interval(np.array([len(mine)], dtype=float), np.array([before]), 6)[0][0]))
    shares = [float(np.mean(np.array(values) > 1)) for values in (low, plain)]
    fallen = float(np.mean(np.array(high) < 1))
    note = f"{len(low)} hot spots; “fallen” of {100 * fallen:.1f} %"
    note += f"; a plain count inside a circle round today's crowd says “risen” of {100 * shares[1]:.1f} %"
    report.row(PLANTED, f"nothing changes, {name} places: called risen (nominal 2.5 %)", round(100 * shares[0], 2), "%", note)


if __name__ == "__main__":
    print(json.dumps(_measure_dbscan(int(sys.argv[1]))))
