"""Every prediction is scored once, when its time has passed and late reports have had theirs: the models and the baselines alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from numpy.typing import NDArray

from core.events import publish
from incidents import events
from incidents.analytics.evaluation import Hits, hits_at
from incidents.models import Predicts, Score, Surface
from incidents.services.pipeline.loading import Points, load_points
from incidents.services.trust.scoring_forecasts import score_due_forecasts
from incidents.services.trust.scoring_rules import GRACE, finite, is_hindcast, take_turns

AREA_SHARES = (0.01, 0.03, 0.05)
MOST_AT_ONCE = 2_000


@dataclass(frozen=True)
class Round:
    """What one round of scoring did."""

    surfaces: int
    forecasts: int
    scores: int

    def as_dict(self) -> dict[str, int]:
        return {"surfaces": self.surfaces, "forecasts": self.forecasts, "scores": self.scores}


def score_due(*, now: datetime | None = None, most: int = MOST_AT_ONCE) -> Round:
    """Score what is due. Safe to call from several replicas at once: one works, the others wait, and a unique constraint stands behind."""
    now = now or timezone.now()
    surfaces, written = _score_surfaces(now - GRACE, most)
    runs, written_of_forecasts = score_due_forecasts(before=now - GRACE, most=most)
    done = Round(surfaces, runs, written + written_of_forecasts)
    if done.scores:
        publish(events.PREDICTIONS_SCORED, data={"scores": done.scores, "predictions": done.surfaces + done.forecasts})
    return done


def due_surfaces(before: datetime) -> QuerySet[Surface]:
    """Risk surfaces of any role whose time ended before ``before`` and that have no score, the oldest first."""
    scored = Score.objects.filter(
        predicts=Predicts.RISK,
        zone=None,
        level=OuterRef("horizon"),
        **{name: OuterRef(name) for name in ("run", "region", "category", "model", "role", "valid_from")},
    )
    return Surface.objects.filter(~Exists(scored), kind=Surface.Kind.RISK, valid_from__isnull=False, valid_to__lte=before).order_by(
        "valid_to", "id"
    )


def _score_surfaces(before: datetime, most: int) -> tuple[int, int]:
    waiting = list(due_surfaces(before).values_list("region_id", "valid_from", "valid_to", "pk")[:most])
    groups: dict[tuple[int, datetime | None, datetime | None], list[int]] = {}
    for region_id, start, end, pk in waiting:
        groups.setdefault((region_id, start, end), []).append(pk)
    count = written = 0
    for (_region_id, start, end), ids in groups.items():
        assert end is not None  # as the query asks
        points: Points | None = None
        for pk in ids:
            with transaction.atomic():
                take_turns()
                surface = due_surfaces(before).filter(pk=pk).select_related("region", "run").first()
                if surface is None:
                    continue
                if points is None:
                    points = load_points(surface.region, since=start, until=end)
                rows = scores_of(surface, points)
                Score.objects.bulk_create(rows, ignore_conflicts=True)
                count, written = count + 1, written + len(rows)
    return count, written


def scores_of(surface: Surface, points: Points) -> list[Score]:
    """One score of the whole region and one of each governorate the surface has cells in. ``points`` are the incidents of its time."""
    here = points.where(points.category == surface.category) if surface.category else points
    cells = _Cells.of(surface)
    at, outside = cells.find(here)
    zones: list[int | None] = [None, *sorted({int(pk) for pk in np.unique(cells.governorates)} - {0})]
    earlier = _earlier(surface)
    rows = []
    for zone_id in zones:
        chosen = slice(None) if zone_id is None else cells.governorates == zone_id
        mine = at >= 0 if zone_id is None else (at >= 0) & (cells.governorates[np.maximum(at, 0)] == zone_id)
        counts = np.bincount(at[mine], minlength=len(cells.values)).astype(np.float64)[chosen]
        missed = outside[:, 0] == outside[:, 0] if zone_id is None else outside[:, 2] == zone_id
        extra = np.unique(outside[missed][:, :2], axis=0, return_counts=True)[1].astype(np.float64)
        scores = np.concatenate([cells.values[chosen], np.full(len(extra), -np.inf)])
        happened = np.concatenate([counts, extra])
        facts: dict[str, Any] = {"outside": int(extra.sum())}
        for share in AREA_SHARES:
            hits = hits_at(scores, happened, share)
            facts[percent(share)] = figures(hits, earlier.get(zone_id, {}).get(percent(share)))
        rows.append(_row(surface, zone_id, int(happened.sum()), facts))
    return rows


def percent(share: float) -> str:
    return f"{share * 100:g}"


def figures(hits: Hits, earlier: dict[str, Any] | None) -> dict[str, float | None]:
    """The sums, so that scores can be pooled, and the indices of this one. RRI is against the score before, where there is one."""
    before = (earlier or {}).get("pai")
    return {
        "hits": round(hits.hits, 4),
        "incidents": hits.incidents,
        "chosen": hits.chosen,
        "cells": hits.cells,
        "best": hits.best,
        "pai": finite(hits.pai),
        "pei_star": finite(hits.pei_star),
        "hit_rate": finite(hits.hit_rate),
        "rri": finite(hits.pai / before) if before else None,
    }


def _earlier(surface: Surface) -> dict[int | None, dict[str, Any]]:
    """The facts of the last score before this one, by zone: same model, place, kind; a time that does not overlap."""
    rows = (
        Score.objects.filter(
            predicts=Predicts.RISK,
            region=surface.region_id,
            category=surface.category,
            level=surface.horizon,
            model=surface.model,
            role=surface.role,
            valid_to__lte=surface.valid_from,
        )
        .order_by("zone_id", "-valid_to", "-id")
        .distinct("zone_id")
    )
    return dict(rows.values_list("zone_id", "facts"))


def _row(surface: Surface, zone_id: int | None, incidents: int, facts: dict[str, Any]) -> Score:
    assert surface.valid_from is not None and surface.valid_to is not None
    return Score(
        predicts=Predicts.RISK,
        run_id=surface.run_id,
        region_id=surface.region_id,
        zone_id=zone_id,
        category=surface.category,
        level=surface.horizon,
        model=surface.model,
        role=surface.role,
        valid_from=surface.valid_from,
        valid_to=surface.valid_to,
        incident_count=incidents,
        facts=facts,
        is_synthetic=surface.is_synthetic,
        is_hindcast=is_hindcast(begun_at=surface.run.began_at or surface.run.started_at, start=surface.valid_from, end=surface.valid_to),
    )


@dataclass(frozen=True)
class _Cells:
    """A surface's cells as columns, with a way from a point to its cell."""

    surface: Surface
    keys: NDArray[np.int64]
    order: NDArray[np.int64]
    values: NDArray[np.float64]
    governorates: NDArray[np.int64]

    @classmethod
    def of(cls, surface: Surface) -> _Cells:
        keys = cell_keys(np.asarray(surface.columns, np.int64), np.asarray(surface.rows, np.int64))
        governorates = np.asarray(surface.governorate_ids or [0] * len(keys), np.int64)
        return cls(surface, keys, np.argsort(keys, kind="stable"), np.asarray(surface.values, np.float64), governorates)

    def find(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each point its cell's place (−1: none), and of those in none their column, row and governorate."""
        surface = self.surface
        columns = np.floor((points.xy_m[:, 0] - surface.origin_x_m) / surface.cell_m).astype(np.int64)
        rows = np.floor((points.xy_m[:, 1] - surface.origin_y_m) / surface.cell_m).astype(np.int64)
        if not len(self.keys):
            return np.full(len(points), -1), np.stack([columns, rows, points.governorate_id], axis=1)
        wanted = cell_keys(columns, rows)
        place = np.minimum(np.searchsorted(self.keys, wanted, sorter=self.order), len(self.keys) - 1)
        at = np.where(self.keys[self.order[place]] == wanted, self.order[place], -1)
        lost = at < 0
        return at, np.stack([columns[lost], rows[lost], points.governorate_id[lost]], axis=1)


def cell_keys(columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number a cell."""
    return (columns << 32) + rows
