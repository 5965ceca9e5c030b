"""The risk surfaces of one region and category: the model walked forward beside counting, published where it wins, frozen either way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Count, Model, Q
from numpy.typing import NDArray

from incidents.analytics.evaluation import Estimate, Hits, bootstrap_ratio, hits_at, total
from incidents.analytics.grid import Cells
from incidents.analytics.risk import (
    NAME,
    TRAIN_WEEKS,
    RiskModel,
    TooLittleHistory,
    check_history,
    counted,
    fit_risk,
    origins_to_learn_from,
    origins_until,
)
from incidents.analytics.risk_backtest import AREA_SHARES, walk
from incidents.analytics.risk_baselines import BASELINES, Baselines
from incidents.analytics.risk_classes import risk_classes
from incidents.analytics.risk_components import Components, Happened, components
from incidents.analytics.risk_horizons import Clock, Horizon, horizons, read_clock
from incidents.models import Incident, ModelCard, ModelChoice, Predicts, Surface
from incidents.services.pipeline.cells import CellZones, zones_of_cells, zones_of_centres
from incidents.services.pipeline.loading import Points, load_points, utc_offsets
from incidents.services.pipeline.steps import Outcome, Task
from incidents.services.trust.cards import model_card
from incidents.services.trust.switches import is_on

Role = Surface.Role
EVERYTHING = "all"
LEAST_A_YEAR = 300  # below, a category has no surface of its own
MOST_CATEGORIES = 12
GATE_WEEKS, GATE_REFIT_WEEKS, LEAST_GATE_WEEKS = 26, 13, 8
LIMITS = ("reported_only", "not_people", "changes", "late_reports", "rare")
_Array = NDArray[np.float64]


def risk_parts(task: Task) -> list[str]:
    """Everything together, and each category with enough incidents in the last year, the largest first."""
    end = task.moment.instant_in(task.region)
    rows = Incident.objects.modelled().filter(region=task.region).occurred_between(end - timedelta(days=364), end)
    counted_rows = rows.order_by().values_list("type__category").annotate(n=Count("pk")).order_by("-n", "type__category")
    large = [category for category, n in counted_rows if category and n >= LEAST_A_YEAR]
    return [EVERYTHING, *large[:MOST_CATEGORIES]]


def risk_scope(model: type[Model], part: str) -> Q:
    category = "" if part == EVERYTHING else part
    own = Q(kind=Surface.Kind.RISK) if model is Surface else Q(predicts=Predicts.RISK)
    return own & Q(category=category)


@dataclass(frozen=True)
class _Ground:
    """What every surface of one step shares."""

    task: Task
    category: str
    as_of: datetime
    points: Points
    happened: Happened
    cells: Cells
    zones: CellZones
    origins: _Array


@dataclass(frozen=True)
class _Walked:
    """Hits at each origin of the gate's backtest, by horizon, model and share of the area."""

    hits: dict[str, dict[str, dict[float, list[Hits]]]]
    origins: int


def risk(task: Task) -> Outcome:
    """Issue the surfaces of ``task.part`` for the next shift, day, week and month, with every baseline beside them.

    The model is published for a horizon where its hits in the last half year's backtest, at 1, 3 and 5 % of the area together, exceed
    the best baseline's; else that baseline stands in and the model's surface is held back, to be scored all the same.
    """
    category = "" if task.part == EVERYTHING else task.part
    as_of = task.moment.instant_in(task.region)
    points = load_points(task.region, since=as_of - timedelta(days=task.parameters.risk_history_days), until=as_of)
    task.beat()
    counts: dict[str, Any] = {"risk_surfaces": 0, "incidents": int((points.category == category).sum()) if category else len(points)}
    now_day = (as_of.timestamp() + float(utc_offsets(np.array([as_of.timestamp()]), task.region.zone_info)[0])) / 86_400
    happened = _happened(points, category, task)
    try:
        check_history(happened, as_of=now_day)
        cells = Cells.under(happened.xy_m[happened.own], cell_m=task.parameters.cell_m)
        ground = _Ground(
            task,
            category,
            as_of,
            points,
            happened,
            cells,
            zones_of_cells(cells, zones_of_centres(task.region, cells), points),
            origins_until(now_day, float(np.floor(happened.day[happened.own].min()))),
        )
        task.beat()
        rows = _issue(ground)
    except TooLittleHistory as error:
        return Outcome([], {**counts, "empty_because": str(error)})
    surfaces = [row for row in rows if isinstance(row, Surface)]
    published = {row.horizon: row.model for row in surfaces if row.role == Role.PUBLISHED}
    return Outcome(rows, counts | {"risk_surfaces": len(published), "cells": len(cells), "published": published})


def _happened(points: Points, category: str, task: Task) -> Happened:
    local = (points.at + utc_offsets(points.at, task.region.zone_info)) / 86_400
    own = points.category == category if category else np.ones(len(points), dtype=bool)
    return Happened(points.xy_m, local, np.asarray(own, dtype=bool))


def _issue(ground: _Ground) -> list[Any]:
    origins, ahead = ground.origins, horizons(float(ground.origins[-1]))
    week = next(horizon for horizon in ahead if horizon.name == "week")
    asked = int(np.clip(len(origins) - 9, 0, GATE_WEEKS))
    keep = min(len(origins), asked + TRAIN_WEEKS + 5)
    seen = components(ground.happened, ground.cells, origins, keep=keep)
    ground.task.beat()
    clock = read_clock(ground.happened, ground.cells, origins, keep=keep, begins=float(origins[-1]) + week.gap_days)
    ground.task.beat()
    came = {
        horizon.name: counted(ground.happened, ground.cells, seen.origins, horizon_days=horizon.days, gap_days=horizon.gap_days)
        for horizon in ahead
    }
    walked = _walk(ground, seen, came, ahead, clock, asked)
    known = origins_to_learn_from(
        seen.origins,
        begins=float(ground.happened.day[ground.happened.own].min()),
        now=float(origins[-1]),
        horizon_days=week.gap_days + week.days,
    )
    if not len(known):
        raise TooLittleHistory(f"Too little history: {len(origins) - 1} weeks, needs 2.")
    model = fit_risk(Components(seen.values[known], seen.origins[known], seen.names), came["week"][known])
    ground.task.beat()
    rows: list[Any] = []
    for horizon in ahead:
        rows += _of_horizon(ground, seen, clock, model, horizon, walked)
    if not ground.category:
        rows.append(_card(ground, model, rows))
    return rows


def _walk(
    ground: _Ground,
    seen: Components,
    came: dict[str, NDArray[np.float32]],
    ahead: Sequence[Horizon],
    clock: Clock,
    asked: int,
) -> _Walked:
    """The last ``asked`` origins whose week lies behind, each scored for every horizon that does too."""
    names = (NAME, *BASELINES)
    hits: dict[str, dict[str, dict[float, list[Hits]]]] = {
        horizon.name: {name: {share: [] for share in AREA_SHARES} for name in names} for horizon in ahead
    }
    week = next(horizon for horizon in ahead if horizon.name == "week")
    past = Components(seen.values[:-1], seen.origins[:-1], seen.names)  # the last origin is now: nothing has happened behind it
    days = week.gap_days + week.days
    asked = max(0, min(asked, len(past.origins) - 2))
    steps = walk(
        ground.happened,
        ground.cells,
        past,
        came["week"][:-1],
        asked=asked,
        horizon_days=days,
        refit_weeks=GATE_REFIT_WEEKS,
        train_weeks=TRAIN_WEEKS,
        beat=ground.task.beat,
    )
    for at, scores in steps:
        for horizon in ahead:
            if past.origins[at] + horizon.gap_days + horizon.days > seen.origins[-1] + 1e-9:
                continue
            for name, score in scores.items():
                ranked = score * clock.share(horizon, at) if name == NAME else score
                for share in AREA_SHARES:
                    hits[horizon.name][name][share].append(hits_at(ranked, came[horizon.name][at].astype(np.float64), share))
    return _Walked(hits, asked)


def _of_horizon(
    ground: _Ground, seen: Components, clock: Clock, model: RiskModel, horizon: Horizon, walked: _Walked
) -> list[Surface | ModelChoice]:
    """The choice, what is published, what is held back, and the baselines."""
    values = seen.values[-1]
    share = clock.share(horizon, -1)
    expected = model.expected(values) * share
    parts = {name: part * share for name, part in model.parts(values).items()}
    by_counting = _by_counting(ground, horizon)
    choice = _choose(ground, horizon, walked.hits[horizon.name], expected_everywhere=float(expected.sum()))
    rows: list[Surface | ModelChoice] = [choice]
    ours = _surface(ground, horizon, NAME, expected, parts)
    ours.role = Role.PUBLISHED if choice.published == NAME else Role.HELD_BACK
    ours.parameters |= {"weights": {name: round(value, 6) for name, value in model.shares().items()}}
    rows.append(ours)
    for name, score in by_counting.items():
        beside = _surface(ground, horizon, name, score, {})
        beside.role = Role.BASELINE
        rows.append(beside)
        if name == choice.published:
            rows.append(_surface(ground, horizon, name, score, {"counted": score}))
    return rows


def _by_counting(ground: _Ground, horizon: Horizon) -> dict[str, _Array]:
    """What each baseline would expect over the horizon: its counts, by the weeks it looked at (or there were)."""
    as_of = float(ground.origins[-1])
    there = max((as_of - float(ground.happened.day[ground.happened.own].min())) / 7, 1.0)
    return {
        name: score * (horizon.days / 7 / min(BASELINES[name], there))
        for name, score in Baselines(ground.happened, ground.cells).at(as_of).items()
    }


def _choose(ground: _Ground, horizon: Horizon, hits: dict[str, dict[float, list[Hits]]], *, expected_everywhere: float) -> ModelChoice:
    def caught(name: str) -> _Array:
        return np.array([sum(hits[name][share][k].hits for share in AREA_SHARES) for k in range(origins)])

    origins = len(hits[NAME][AREA_SHARES[0]])
    best = max(BASELINES, key=lambda name: (float(caught(name).sum()), name)) if origins else "last_52_weeks"
    reasons: list[list[Any]] = []
    scores: dict[str, Any] = {}
    wins = False
    if origins < LEAST_GATE_WEEKS:
        reasons.append(["too_little_history", {"origins": origins, "needs": LEAST_GATE_WEEKS}])
    else:
        lead = bootstrap_ratio(caught(NAME), caught(best))
        wins = bool(lead.value > 1)
        ratio, low, high = _figures(lead)  # none where neither caught anything: a rare category in the hours of one shift
        facts = {"ratio": ratio, "low": low, "high": high, "baseline": best}
        code = "loses_to_baseline" if not wins else "beats_baseline" if lead.low > 1 else "ahead_within_chance"
        reasons.append([code, facts])
        scores = {name: _scores(hits[name]) for name in hits}
    published = NAME if wins else best
    if wins and not is_on(NAME):
        reasons.append(["switched_off", {"model": NAME}])
        published = best
    return ModelChoice(
        predicts=Predicts.RISK,
        level=horizon.name,
        category=ground.category,
        champion=NAME,
        best_baseline=best,
        published=published,
        beats_baseline=wins,
        reasons=reasons,
        scores=scores,
        origins=origins,
        is_synthetic=bool(ground.points.is_synthetic.any()),
    )


def _scores(found: dict[float, list[Hits]]) -> dict[str, list[float | None]]:
    """PAI, PEI* and hit rate at each share of the area, each with its interval."""
    scores: dict[str, list[float | None]] = {}
    for share, each in found.items():
        caught, there = np.array([one.hits for one in each]), np.array([one.incidents for one in each])
        area = total(each)
        for figure, below in (("pai", there * (area.chosen / area.cells)), ("pei", np.array([one.best for one in each])), ("hit", there)):
            scores[f"{figure}_{share * 100:g}"] = _figures(bootstrap_ratio(caught, below, draws=500))
    return scores


def _figures(estimate: Estimate) -> list[float | None]:
    return [round(value, 4) if np.isfinite(value) else None for value in (estimate.value, estimate.low, estimate.high)]


def _surface(ground: _Ground, horizon: Horizon, name: str, values: _Array, parts: dict[str, _Array]) -> Surface:
    begins = ground.as_of + timedelta(days=horizon.gap_days)
    weeks = BASELINES.get(name)
    start = datetime.fromtimestamp(float(ground.points.at[0]), ground.as_of.tzinfo)
    return Surface(
        kind=Surface.Kind.RISK,
        category=ground.category,
        horizon=horizon.name,
        role=Role.PUBLISHED,
        model=name,
        learnt_from=max(start, ground.as_of - timedelta(weeks=weeks)) if weeks else start,
        learnt_to=ground.as_of,
        valid_from=begins,
        valid_to=begins + timedelta(days=horizon.days),
        srid=ground.task.region.metric_srid,
        origin_x_m=0.0,
        origin_y_m=0.0,
        cell_m=ground.cells.cell_m,
        columns=ground.cells.columns.tolist(),
        rows=ground.cells.rows.tolist(),
        values=values.tolist(),
        classes=risk_classes(values).tolist() if parts else [],
        governorate_ids=ground.zones.governorate_id.tolist(),
        area_ids=ground.zones.area_id.tolist() if parts else [],
        part_names=list(parts),
        parts=np.stack(list(parts.values()), axis=1).ravel().tolist() if parts else [],
        parameters={
            "incidents": int(ground.happened.own.sum()),
            "cells": len(ground.cells),
            "expected": round(float(values.sum()), 3),
            "horizon_days": round(horizon.days, 4),
            "train_weeks": TRAIN_WEEKS,
        },
        is_synthetic=bool(ground.points.is_synthetic.any()),
    )


def _card(ground: _Ground, model: RiskModel, rows: Sequence[Any]) -> ModelCard:
    choices = [row for row in rows if isinstance(row, ModelChoice)]
    return model_card(
        model=NAME,
        purpose="risk",
        learnt_from=datetime.fromtimestamp(float(ground.points.at[0]), ground.as_of.tzinfo),
        learnt_to=ground.as_of,
        incidents=len(ground.points),
        parameters={
            "cell_m": ground.cells.cell_m,
            "train_weeks": TRAIN_WEEKS,
            "gate_weeks": GATE_WEEKS,
            "history_days": ground.task.parameters.risk_history_days,
        },
        seed=1,
        scores={choice.level: choice.scores for choice in choices},
        limits=(*LIMITS, *(("synthetic",) if ground.points.is_synthetic.any() else ())),
        is_synthetic=bool(ground.points.is_synthetic.any()),
        training={"origins": model.origins, "incidents": model.incidents, "components": list(model.names)},
    )
