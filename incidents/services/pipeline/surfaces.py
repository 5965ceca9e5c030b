"""What lies on the map cell by cell: significance (Gi*), density, and change. Each over everything, and within each category."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Model, Q
from numpy.typing import NDArray

from incidents.analytics import change as changes
from incidents.analytics import gi_star as significance
from incidents.analytics.density import density
from incidents.analytics.grid import Cells
from incidents.models import ModelCard, Surface
from incidents.services.pipeline.cells import CellZones, zones_of_cells, zones_of_centres
from incidents.services.pipeline.loading import Points, load_points
from incidents.services.pipeline.steps import Outcome, Task, newest_incident
from incidents.services.trust.cards import model_card

Kind = Surface.Kind
MODEL_OF = {Kind.GI_STAR: "gi_star", Kind.DENSITY: "quartic_density", Kind.CHANGE: "rate_change"}
LEAST_INCIDENTS = 10
LEAST_DAYS = 28
REACH = 1  # the queen's rule: a cell and the eight that touch it
LIMITS = {
    Kind.GI_STAR: ("describes_the_past", "reported_only", "one_crowded_cell_is_no_cluster", "edges_of_the_study_area"),
    Kind.DENSITY: ("describes_the_past", "reported_only", "smoothed", "not_per_head"),
    Kind.CHANGE: ("describes_the_past", "reported_only", "counts_may_cluster", "no_season"),
}


def described_surfaces(model: type[Model], part: str) -> Q:
    """These three kinds; the risk surfaces of the same table are not ours."""
    return Q(kind__in=sorted(MODEL_OF))


@dataclass(frozen=True)
class _Ground:
    """What every surface of one run shares."""

    end: datetime
    cells: Cells
    zones: CellZones
    land: Cells
    history_days: int


def surfaces(task: Task) -> Outcome:
    """Describe this region's cells as of the run's moment.

    The study area is every cell that has had an incident within the run's history: where none ever happened, quiet is no finding.
    A surface that cannot be made honestly is left out, and the counts say why.
    """
    region, settings = task.region, task.parameters
    end = task.moment.instant_in(region)
    points = load_points(region, since=end - timedelta(days=settings.history_days), until=end)
    task.beat()
    counts: dict[str, Any] = {"surfaces": 0, "incidents": len(points), "cells": 0, "to": end.isoformat()}
    if not len(points):
        newest = newest_incident(region, before=end)
        counts["empty_because"] = "no incidents in the window" if newest else "no incidents yet"
        counts["newest_incident"] = newest.astimezone(region.zone_info).date().isoformat() if newest else None
        return Outcome([], counts)
    cells = Cells.under(points.xy_m, cell_m=settings.cell_m)
    wide = cells.around(int(np.ceil(settings.bandwidth_m / settings.cell_m + 0.5)))
    centres = zones_of_centres(region, wide)
    here = wide.find(cells.columns, cells.rows)
    centres.is_ground[here] = True  # something happened there: it is ground, wherever its middle lies
    zones = zones_of_cells(cells, centres.where(here), points)
    task.beat()
    ground = _Ground(end, cells, zones, wide.where(centres.is_ground), int((end.timestamp() - points.at[0]) // 86_400))
    rows: list[Surface] = []
    left_out: dict[str, dict[str, str]] = defaultdict(dict)
    for category in ("", *(str(name) for name in np.unique(points.category) if name)):
        mine = points.where(points.category == category) if category else points
        for kind, made in _made(task, ground, mine):
            if isinstance(made, str):
                left_out[kind][category or "all"] = made
            else:
                made.category = category
                rows.append(made)
        task.beat()
    counts |= {"surfaces": len(rows), "cells": len(cells), "history_days": ground.history_days}
    if left_out:
        counts["left_out"] = dict(left_out)
    if not rows:
        counts["empty_because"] = left_out[Kind.GI_STAR]["all"]
    return Outcome([*rows, *_cards(task, rows, len(points))], counts)


def _made(task: Task, ground: _Ground, points: Points) -> Iterator[tuple[str, Surface | str]]:
    """Each kind with its surface, or with why there is none."""
    settings, end = task.parameters, ground.end
    start = end - timedelta(days=min(settings.surface_days, max(ground.history_days, 1)))
    window = _between(points, start, end)
    for kind, make in ((Kind.GI_STAR, _gi_star), (Kind.DENSITY, _density)):
        refusal = _too_little(ground.history_days, LEAST_DAYS, len(window))
        if not refusal and kind == Kind.GI_STAR and len(ground.cells) < significance.LEAST_CELLS:
            refusal = f"too few cells: {len(ground.cells)}, needs {significance.LEAST_CELLS}"
        yield kind, refusal or make(task, ground, window, start)
    now_from = end - timedelta(days=settings.change_days)
    before_from = now_from - timedelta(days=settings.change_days)
    both = _between(points, before_from, end)
    refusal = _too_little(ground.history_days, 2 * settings.change_days, len(both))
    yield Kind.CHANGE, refusal or _change(task, ground, both, before_from, now_from)


def _too_little(days: int, days_needed: int, incidents: int) -> str:
    if days < days_needed:
        return f"too little history: {days} days, needs {days_needed}"
    if incidents < LEAST_INCIDENTS:
        return f"too few incidents: {incidents}, needs {LEAST_INCIDENTS}"
    return ""


def _between(points: Points, start: datetime, end: datetime) -> Points:
    """Points lie in the order of their time."""
    first, last = np.searchsorted(points.at, [start.timestamp(), end.timestamp()])
    return points.where(slice(int(first), int(last)))


def _gi_star(task: Task, ground: _Ground, points: Points, start: datetime) -> Surface:
    counts = ground.cells.counts(points.xy_m)
    found = significance.gi_star(ground.cells, counts, reach=REACH)
    return _surface(
        task,
        ground,
        points,
        start,
        kind=Kind.GI_STAR,
        kept=(found.sums > 0) | (found.classes != 0),
        values=found.z,
        classes=found.classes,
        parts={"incidents": counts, "around": found.sums, "cells": found.sizes, "p": found.p, "q": found.q},
        parameters={
            "neighbours": "queen, with itself",
            "reach": REACH,
            "test": "two-sided, permutation distribution by convolution",
            "correction": "Benjamini-Hochberg",
            "cells": len(ground.cells),
            "significant": int((found.classes != 0).sum()),
        },
    )


def _density(task: Task, ground: _Ground, points: Points, start: datetime) -> Surface:
    found = density(ground.cells, points.xy_m, bandwidth_m=task.parameters.bandwidth_m, ground=ground.land)
    kept = found.per_km2 > 0
    return _surface(
        task,
        ground,
        points,
        start,
        kind=Kind.DENSITY,
        kept=kept,
        values=found.per_km2,
        classes=fifths(found.per_km2),
        parts={"incidents": ground.cells.counts(points.xy_m), "on_ground": found.on_ground},
        parameters={
            "kernel": "quartic",
            "bandwidth_m": task.parameters.bandwidth_m,
            "edge": "uniform correction",
            "highest": float(found.per_km2.max()),
            "cells": len(ground.cells),
        },
    )


def _change(task: Task, ground: _Ground, points: Points, before_from: datetime, now_from: datetime) -> Surface:
    before, now = (
        ground.cells.counts(_between(points, start, end).xy_m) for start, end in ((before_from, now_from), (now_from, ground.end))
    )
    found = changes.change(ground.cells, before, now, reach=REACH)
    return _surface(
        task,
        ground,
        points,
        before_from,
        kind=Kind.CHANGE,
        kept=found.before + found.now > 0,
        values=found.per_km2,
        classes=found.classes,
        parts={"before": found.before, "now": found.now, "cells": found.sizes, "p": found.p, "q": found.q},
        parameters={
            "neighbours": "queen, with itself",
            "reach": REACH,
            "days": task.parameters.change_days,
            "split_at": now_from.astimezone(UTC).isoformat(),
            "test": "two-sided exact binomial",
            "correction": "Benjamini-Hochberg",
            "least_to_test": changes.LEAST,
            "before": int(before.sum()),
            "now": int(now.sum()),
            "cells": len(ground.cells),
            "significant": int((found.classes != 0).sum()),
        },
    )


def fifths(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """1 to 5 by fifths of the highest value's root: a map of equal counts a class would paint a third of a desert red; 0 stays 0."""
    top = float(values.max(initial=0))
    if top <= 0:
        return np.zeros(len(values), dtype=np.int64)
    return np.ceil(np.sqrt(np.clip(values, 0, None) / top) * 5).astype(np.int64)


def _surface(
    task: Task,
    ground: _Ground,
    points: Points,
    start: datetime,
    *,
    kind: Kind,
    kept: NDArray[np.bool_],
    values: NDArray[np.float64],
    classes: NDArray[np.int64],
    parts: dict[str, NDArray[Any]],
    parameters: dict[str, Any],
) -> Surface:
    """Cells with nothing in them and nothing to say of them are not stored."""
    chosen = np.flatnonzero(kept)
    cells, zones = ground.cells.where(chosen), ground.zones.where(chosen)
    return Surface(
        kind=kind,
        model=MODEL_OF[kind],
        learnt_from=start,
        learnt_to=ground.end,
        srid=task.region.metric_srid,
        origin_x_m=0.0,
        origin_y_m=0.0,
        cell_m=cells.cell_m,
        columns=cells.columns.tolist(),
        rows=cells.rows.tolist(),
        values=values[chosen].tolist(),
        classes=classes[chosen].tolist(),
        governorate_ids=zones.governorate_id.tolist(),
        area_ids=zones.area_id.tolist(),
        part_names=list(parts),
        parts=np.stack([part[chosen].astype(np.float64) for part in parts.values()], axis=1).ravel().tolist(),
        parameters={**parameters, "incidents": len(points)},
        is_synthetic=bool(points.is_synthetic.any()),
    )


def _cards(task: Task, rows: list[Surface], incidents: int) -> list[ModelCard]:
    cards = []
    for kind, model in MODEL_OF.items():
        mine = [row for row in rows if row.kind == kind]
        if not mine:
            continue
        whole = {name: value for name, value in mine[0].parameters.items() if name not in ("significant", "incidents", "before", "now")}
        cards.append(
            model_card(
                model=model,
                purpose=f"describe_{kind.value}",
                learnt_from=mine[0].learnt_from,
                learnt_to=mine[0].learnt_to,
                incidents=incidents,
                parameters={**whole, "cell_m": task.parameters.cell_m, "categories": [row.category for row in mine]},
                limits=LIMITS[kind],
                is_synthetic=any(row.is_synthetic for row in mine),
            )
        )
    return cards
