"""Where units should stand: how near the best possible is proven, and how soon. Synthetic demand on Kuwait's inhabited ground."""

from __future__ import annotations

import numpy as np

from benchmarks.patrol_cases import coverage_case
from benchmarks.report import Report
from patrol.analytics.coverage import CoverageResult, cover, p_median
from patrol.analytics.move_up import UnitAt, advise

GROUP = "Patrol: coverage (synthetic demand on Kuwait's inhabited ground, fixed seeds)"
SEEDS = range(8)


def run(report: Report) -> None:
    cases = [coverage_case(seed) for seed in SEEDS]
    for minutes in (3, 5):
        found = [cover(*case, 40, limit_s=60.0 * minutes) for case in cases]
        _tell(report, f"maximal covering within {minutes} min, 300 cells × 100 posts × 40 units", found, more_is_better=True)
    backed = [cover(*case, 40, limit_s=300.0, per_post=2, backup_weight=0.5) for case in cases]
    _tell(report, "the same with backup worth half, 5 min", backed, more_is_better=True)
    _tell(
        report, "p-median, 300 cells × 100 posts × 40 units", [p_median(*case, 40, limit_s=300.0) for case in cases], more_is_better=False
    )
    tight = [p_median(*case, 10, limit_s=300.0) for case in cases]
    _tell(report, "p-median, 300 cells × 100 posts × 10 units", tight, more_is_better=False)
    large = [coverage_case(seed, cells=1000, posts=300) for seed in range(2)]
    _tell(
        report, "maximal covering within 5 min, 1,000 × 300 × 40", [cover(*case, 40, limit_s=300.0) for case in large], more_is_better=True
    )
    _tell(
        report, "p-median, 1,000 × 300 × 40 (beyond the goal)", [p_median(*case, 40, limit_s=300.0) for case in large], more_is_better=False
    )
    _move_up(report, cases)


def _tell(report: Report, name: str, found: list[CoverageResult], *, more_is_better: bool) -> None:
    slowest, gap = max(one.seconds for one in found), max(one.gap for one in found)
    proven = sum(one.is_proven for one in found)
    report.row(
        GROUP, f"{name}: slowest", slowest, "s", f"{len(found)} instances, mean {np.mean([one.seconds for one in found]):.2g} s; goal 10 s"
    )
    report.row(GROUP, f"{name}: largest proven gap", 100 * gap, "%", f"{proven} of {len(found)} proven within 1 %")
    worse = [100 * abs(one.greedy.objective - one.objective) / one.objective for one in found if one.greedy is not None]
    what = "less demand covered" if more_is_better else "more demand-weighted time"
    report.row(GROUP, f"{name}: the greedy choice", float(np.mean(worse)), "%", f"{what} than ours, in the mean; worst {max(worse):.3g} %")


def _move_up(report: Report, cases: list[tuple[np.ndarray, np.ndarray]]) -> None:
    took, before, now, after = [], [], [], []
    for seed, (demand, seconds) in enumerate(cases):
        posts = list(cover(demand, seconds, 20, limit_s=300.0).posts)
        rng = np.random.default_rng(seed)
        between = rng.uniform(300, 1500, (seconds.shape[1], seconds.shape[1]))
        worth = [demand[seconds[:, post] <= 300].sum() for post in posts]
        emptied = posts[int(np.argmax(worth))]
        left = [UnitAt(number, post) for number, post in enumerate(posts) if post != emptied]
        found = advise(demand, seconds, left, between, limit_s=300.0, most_moves=2, before=posts)
        took.append(found.seconds)
        before.append(found.before)
        now.append(found.now)
        after.append(found.after)
    shares = (
        f"covered {np.mean(before):.3f} before, {np.mean(now):.3f} with the busiest post empty, {np.mean(after):.3f} with at most 2 moves"
    )
    report.row(GROUP, "move-up, 20 units, 300 cells × 100 posts: slowest", max(took), "s", shares)
