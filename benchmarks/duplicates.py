"""How well duplicate reports are found, on made-up reports with known duplicates: the threshold from one set, the figures from others."""

from __future__ import annotations

import time

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.made_reports import MadeUp, made_up_reports
from benchmarks.report import Report
from incidents.analytics.duplicates import THRESHOLD, WITHIN_M, WITHIN_MINUTES, likeness

GROUP = "Duplicate reports (synthetic: made-up reports with known duplicates)"
CHOSEN_ON, JUDGED_ON = 1, (2, 3, 4)


def run(report: Report) -> None:
    scores, is_same, known = _scored(made_up_reports(seed=CHOSEN_ON))
    grid = np.round(np.arange(0.3, 0.95, 0.01), 2)
    best = max(grid, key=lambda at: _figures(scores, is_same, known, at)[2])
    report.row(
        GROUP, "Threshold with the best F1", float(best), "", f"on seed {CHOSEN_ON}, used for nothing else; in the product: {THRESHOLD}"
    )
    precisions, recalls = [], []
    for seed in JUDGED_ON:
        made = made_up_reports(seed=seed)
        started = time.perf_counter()
        scores, is_same, known = _scored(made)
        took = time.perf_counter() - started
        precision, recall, f1 = _figures(scores, is_same, known, THRESHOLD)
        reach = float(is_same.sum()) / known
        note = f"seed {seed}: {len(made.reports):,} reports, {known:,} pairs that are duplicates, {len(scores):,} neighbours compared"
        report.row(GROUP, f"Precision, seed {seed}", precision * 100, "%", note)
        report.row(
            GROUP,
            f"Recall, seed {seed}",
            recall * 100,
            "%",
            f"F1 {f1:.3f}; {reach:.1%} lie within {WITHIN_M:.0f} m and {WITHIN_MINUTES:.0f} min",
        )
        report.row(GROUP, f"Comparisons, seed {seed}", len(scores) / took, "pairs/s", "one process, with finding the neighbours")
        precisions.append(precision)
        recalls.append(recall)
    report.row(GROUP, "Precision, mean of the three", float(np.mean(precisions)) * 100, "%")
    report.row(GROUP, "Recall, mean of the three", float(np.mean(recalls)) * 100, "%")
    # The plain baseline: near and soon alone.
    near = _scored(made_up_reports(seed=CHOSEN_ON), by_place=True)
    cut = max(grid, key=lambda at: _figures(*near, at)[2])
    precision, recall, f1 = np.mean([_figures(*_scored(made_up_reports(seed=seed), by_place=True), cut) for seed in JUDGED_ON], axis=0)
    note = f"threshold {cut} from seed {CHOSEN_ON}"
    report.row(GROUP, "Baseline, distance and time alone: precision", float(precision) * 100, "%", note)
    report.row(GROUP, "Baseline, distance and time alone: recall", float(recall) * 100, "%", f"F1 {f1:.3f}")


def _scored(made: MadeUp, *, by_place: bool = False) -> tuple[np.ndarray, np.ndarray, int]:
    """Every pair of neighbours: its score, whether it is a duplicate; and how many duplicates there are, near or not."""
    points = np.array([(one.x_m, one.y_m) for one in made.reports])
    scores, same = [], []
    for a, b in sorted(cKDTree(points).query_pairs(WITHIN_M)):
        one, other = made.reports[a], made.reports[b]
        if abs(one.minutes - other.minutes) > WITHIN_MINUTES:
            continue
        found = likeness(one, other)
        scores.append((found.near * found.soon) ** 0.5 if by_place else found.score)
        same.append(made.events[a] == made.events[b])
    return np.array(scores), np.array(same, bool), len(made.duplicates())


def _figures(scores: np.ndarray, is_same: np.ndarray, known: int, at: float) -> tuple[float, float, float]:
    shown = scores >= at
    right = float((shown & is_same).sum())
    precision, recall = right / max(float(shown.sum()), 1.0), right / known
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)
