"""Whether incidents are followed by others close by: Knox's test for each category, in the region and in each governorate."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np

from incidents.analytics.false_discovery import q_values
from incidents.analytics.near_repeat import DAYS, DISTANCES_M, LEAST_INCIDENTS, NearRepeats, near_repeats
from incidents.models import ModelCard, NearRepeat
from incidents.services.pipeline.loading import NONE, Points, load_points
from incidents.services.pipeline.settings import Parameters
from incidents.services.pipeline.steps import Outcome, Task, newest_incident
from incidents.services.trust.cards import model_card

LEVEL = 0.05
LIMITS = ("describes_the_past", "reported_only", "clustering_within_a_season", "times_as_reported")


def near_repeat(task: Task) -> Outcome:
    """Test every category in the region and in each governorate that has enough incidents; significance is judged over all of them
    together, so that forty tests do not raise two alerts by chance."""
    region, settings = task.region, task.parameters
    end = task.moment.instant_in(region)
    start = end - timedelta(days=settings.near_repeat_days)
    points = load_points(region, since=start, until=end)
    task.beat()
    counts: dict[str, Any] = {
        "near_repeats": 0,
        "significant": 0,
        "incidents": len(points),
        "from": start.isoformat(),
        "to": end.isoformat(),
    }
    if not len(points):
        newest = newest_incident(region, before=end)
        counts["empty_because"] = "no incidents in the window" if newest else "no incidents yet"
        counts["newest_incident"] = newest.astimezone(region.zone_info).date().isoformat() if newest else None
        return Outcome([], counts)
    days, needed = int((end.timestamp() - points.at[0]) // 86_400), int(2 * max(*DAYS, settings.near_repeat_within_days))
    if days < needed:
        counts["empty_because"] = f"too little history: {days} days, needs {needed}"
        return Outcome([], counts)
    rows: list[NearRepeat] = []
    left_out: dict[str, dict[str, str]] = defaultdict(dict)
    for category in (str(name) for name in np.unique(points.category) if name):
        mine = points.where(points.category == category)
        for governorate in (NONE, *(int(pk) for pk in np.unique(mine.governorate_id) if pk != NONE)):
            these = mine.where(mine.governorate_id == governorate) if governorate != NONE else mine
            if len(these) < LEAST_INCIDENTS:
                left_out[category][str(governorate) if governorate != NONE else "region"] = (
                    f"too few incidents: {len(these)}, needs {LEAST_INCIDENTS}"
                )
                continue
            row = _row(_tested(these, settings), these)
            row.category, row.governorate_id = category, governorate if governorate != NONE else None
            row.learnt_from, row.learnt_to = start, end
            rows.append(row)
            task.beat()
    _judge(rows)
    counts |= {"near_repeats": len(rows), "significant": sum(row.is_significant for row in rows)}
    if left_out:
        counts["left_out"] = dict(left_out)
    if not rows:
        counts["empty_because"] = f"too few incidents of any category: needs {LEAST_INCIDENTS}"
    return Outcome([*rows, *_cards(task, rows, len(points))], counts)


def _tested(points: Points, settings: Parameters) -> NearRepeats:
    within_m, within_days = settings.near_repeat_within_m, settings.near_repeat_within_days
    return near_repeats(
        points.xy_m,
        points.at,
        within_m=within_m,
        within_days=within_days,
        distances_m=sorted({*DISTANCES_M, within_m}),
        days=sorted({*DAYS, within_days}),
        permutations=settings.permutations,
        seed=settings.seed,
    )


def _row(found: NearRepeats, points: Points) -> NearRepeat:
    return NearRepeat(
        within_m=found.within_m,
        within_days=found.within_days,
        incident_count=found.tested,
        observed_pairs=found.observed,
        expected_pairs=found.expected,
        ratio=found.ratio,
        p_value=found.p,
        permutations=found.permutations,
        seed=found.seed,
        bands=[{**asdict(band), "incidents": found.incidents} if found.tested < found.incidents else asdict(band) for band in found.bands],
        is_synthetic=bool(points.is_synthetic.any()),
    )


def _judge(rows: list[NearRepeat]) -> None:
    q = q_values(np.array([row.p_value for row in rows], dtype=np.float64))
    for row, value in zip(rows, q.tolist(), strict=True):
        row.q_value = value
        row.is_significant = value <= LEVEL and row.ratio is not None and row.ratio > 1


def _cards(task: Task, rows: list[NearRepeat], incidents: int) -> list[ModelCard]:
    if not rows:
        return []
    settings = task.parameters
    return [
        model_card(
            model=NearRepeat.MODEL,
            purpose="near_repeat",
            learnt_from=rows[0].learnt_from,
            learnt_to=rows[0].learnt_to,
            incidents=incidents,
            parameters={
                "within_m": settings.near_repeat_within_m,
                "within_days": settings.near_repeat_within_days,
                "permutations": settings.permutations,
                "level": LEVEL,
                "correction": "Benjamini-Hochberg",
                "tests": len(rows),
            },
            seed=settings.seed,
            limits=LIMITS,
            is_synthetic=any(row.is_synthetic for row in rows),
        )
    ]
