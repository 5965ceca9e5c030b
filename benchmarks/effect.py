"""Trials in a simulated world: how often an effect is found where there is none, and where there is one; fixed seeds."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.report import Report
from patrol.analytics.trial_world import World, one_trial

GROUP = "Trials: what the effect report finds (simulated, counts swinging twice as much as Poisson, fixed seeds)"
TRIALS = 1_000


def run(report: Report) -> None:
    for cells, mean, theta in ((60, 6.0, 1.0), (100, 12.0, 1.0), (60, 6.0, 0.7), (60, 12.0, 0.7), (100, 12.0, 0.7), (100, 24.0, 0.7)):
        rng = np.random.default_rng(20261121)
        found = [one_trial(World(cells, mean, theta), rng) for _n in range(TRIALS)]
        world = f"{cells} cells, {mean:g} incidents each, " + (
            "patrol does nothing" if theta == 1 else f"{1 - theta:.0%} fewer where patrolled"
        )
        share = float(np.mean([one.found != "none" for one in found]) * 100)
        covered = float(np.mean([one.low <= theta <= one.high for one in found]) * 100)
        report.row(GROUP, f"{world}: an effect is found in", share, "%", f"{TRIALS} trials; 5 % is chance" if theta == 1 else "")
        report.row(GROUP, f"{world}: the interval holds the truth in", covered, "%", "95 % is meant")
    began = time.perf_counter()
    one_trial(World(400, 12.0, 0.7), np.random.default_rng(1), draws=1_999)
    report.row(GROUP, "one trial of 400 cells reported, 1,999 draws", time.perf_counter() - began, "s")
