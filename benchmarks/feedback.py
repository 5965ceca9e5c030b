"""What becomes of patrol when it learns from what it finds, and by our rule: simulated, with fixed seeds."""

from __future__ import annotations

import numpy as np

from benchmarks.report import Report
from incidents.analytics.feedback import World, patrol_shares, year_of_lists
from incidents.analytics.handover import Rule

GROUP = "Patrol: learning from what it finds, and from what is reported (simulated, fixed seeds)"
RUNS, DAYS, YEARS = 200, 3_000, 5


def run(report: Report) -> None:
    world = World()
    for name, given in (
        ("learning from what patrol finds", {"learns_from_found": True}),
        ("learning from reports, a tenth spread evenly", {"learns_from_found": False, "explore_share": 0.1}),
    ):
        shares = patrol_shares(world, days=DAYS, runs=RUNS, seed=1, **given)[:, -365:].mean(axis=1)
        off, runaway = np.abs(shares - world.shares).max(axis=1).mean(), (shares.max(axis=1) > 0.8).mean()
        note = f"{RUNS} runs of {DAYS:,} days, the last year; true shares 37, 33, 30 %"
        report.row(GROUP, f"Districts' shares, {name}: off the truth by", float(off * 100), "points", note)
        report.row(GROUP, f"Districts' shares, {name}: one has over 80 % of patrol in", float(runaway * 100), "% of runs")
    for name, rule, found in (
        ("no cap, no exploration, what is found fed back", Rule(12, 1095, 1095, 0.0), True),
        ("our rule: 14 of 21 shifts, a tenth by chance, reports only", Rule(12, 14, 21, 0.1), False),
    ):
        years = [year_of_lists(rule=rule, learns_from_found=found, seed=seed) for seed in range(YEARS)]
        never, gap = np.mean([year.never_seen for year in years]), np.mean([year.twin_gap for year in years])
        note = f"{YEARS} years of 1,095 shifts, 12 of 120 cells each"
        report.row(GROUP, f"A year of lists, {name}: cells never named", float(never * 100), "%", note)
        report.row(GROUP, f"A year of lists, {name}: apart within pairs of one true rate", float(gap * 100), "%")
