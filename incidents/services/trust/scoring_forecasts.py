"""Forecasts against what was counted: one score a series and run, one a level, and the baselines frozen with them beside each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from numpy.typing import NDArray

from geography.models import Region, Zone
from incidents.analytics.evaluation import count_cdf, crps_count
from incidents.models import Forecast, PipelineRun, Predicts, Score, Surface
from incidents.services.pipeline.loading import Points, load_points
from incidents.services.trust.scoring_rules import finite, is_hindcast, take_turns

_EPOCH = date(1970, 1, 1)
SUMS = ("days", "actual", "expected", "abs_error", "crps", "inside_80", "inside_95", "with_95")


def score_due_forecasts(*, before: datetime, most: int) -> tuple[int, int]:
    """Score each run's forecasts of a region once the last of their days ended before ``before``. Returns forecasts and scores."""
    count = written = 0
    runs = PipelineRun.objects.filter(Exists(Forecast.objects.filter(run=OuterRef("pk"))), as_of__lte=before).order_by("as_of")
    for region in Region.objects.all():
        scored = Score.objects.filter(run=OuterRef("pk"), region=region, predicts=Predicts.FORECAST)
        for run in runs.filter(~Exists(scored))[:most]:
            with transaction.atomic():
                take_turns()
                if not runs.filter(~Exists(scored), pk=run.pk).exists():
                    continue
                rows = list(Forecast.objects.filter(run=run, region=region).select_related("zone").defer("zone__boundary"))
                if not rows or midnight(region, max(row.day for row in rows) + timedelta(days=1)) > before:
                    continue
                scores = scores_of_forecasts(run, region, rows)
                Score.objects.bulk_create(scores, ignore_conflicts=True, batch_size=500)
                count, written = count + len(rows), written + len(scores)
    return count, written


def first_forecasts_due(region: Region) -> datetime | None:
    """When the last day of the forecasts that stand now ends, for the page that still waits for its first score."""
    last = Forecast.objects.filter(region=region, is_current=True).aggregate(last=Max("day"))["last"]
    return midnight(region, last + timedelta(days=1)) if last else None


def midnight(region: Region, day: date) -> datetime:
    return datetime.combine(day, time(), region.zone_info)


@dataclass
class _Sums:
    """What days of forecasts add up to, and what each baseline made of the same days."""

    of: dict[str, float] = field(default_factory=dict)
    series: int = 0
    against: dict[str, dict[str, float]] = field(default_factory=dict)
    is_synthetic: bool = False

    def add(self, of: Mapping[str, float], against: Mapping[str, Mapping[str, float]], is_synthetic: bool) -> None:
        _add(self.of, of)
        self.series += 1
        self.is_synthetic = self.is_synthetic or is_synthetic
        for name, sums in against.items():
            _add(self.against.setdefault(name, {}), sums)

    def facts(self) -> dict[str, Any]:
        said = {name: read(sums) for name, sums in self.against.items()}
        return {**read(self.of), "series": self.series, **({"against": said} if said else {})}


def _add(to: dict[str, float], sums: Mapping[str, float]) -> None:
    for name, value in sums.items():
        to[name] = to.get(name, 0.0) + value


def read(sums: Mapping[str, float]) -> dict[str, float | None]:
    """The sums, and the figures a person reads: share of the error, mean CRPS, share of days inside."""
    days, actual = sums.get("days", 0.0), sums.get("actual", 0.0)
    return {
        **{name: finite(sums.get(name, 0.0)) for name in SUMS},
        "wape": finite(sums["abs_error"] / actual) if actual else None,
        "mean_crps": finite(sums["crps"] / days) if days else None,
        "coverage_80": finite(sums["inside_80"] / days) if days else None,
        "coverage_95": finite(sums["inside_95"] / sums["with_95"]) if sums.get("with_95") else None,
    }


def scores_of_forecasts(run: PipelineRun, region: Region, rows: list[Forecast]) -> list[Score]:
    first, last = min(row.day for row in rows), max(row.day for row in rows)
    start, end = midnight(region, first), midnight(region, last + timedelta(days=1))
    counted = _Counted(load_points(region, since=start, until=end), first, (last - first).days + 1)
    series: dict[tuple[int, str, str, bool], list[Forecast]] = {}
    for row in rows:
        series.setdefault((row.zone_id, row.category, row.method, row.is_published), []).append(row)
    pools: dict[tuple[int | None, str, str, str, str], _Sums] = {}
    seen: set[tuple[int, str]] = set()
    for (zone_id, category, method, is_published), days in series.items():
        zone = days[0].zone
        actual = counted.of(zone, category)[[(row.day - first).days for row in days]]
        own, against = _judge(days, actual)
        role = Surface.Role.PUBLISHED if is_published else Surface.Role.HELD_BACK
        synthetic = any(row.is_synthetic for row in days)
        for key in ((zone_id, category, zone.level, method, role), (None, category, zone.level, method, role)):
            pools.setdefault(key, _Sums()).add(own, against, synthetic)
        if (zone_id, category) not in seen:  # a series with a model held back has its baselines twice
            seen.add((zone_id, category))
            for name, sums in against.items():
                pools.setdefault((None, category, zone.level, name, Surface.Role.BASELINE), _Sums()).add(sums, {}, synthetic)
    hindcast = is_hindcast(begun_at=run.began_at or run.started_at, start=start, end=end)
    return [
        Score(
            predicts=Predicts.FORECAST,
            run=run,
            region=region,
            zone_id=zone_id,
            category=category,
            level=level,
            model=model,
            role=role,
            valid_from=start,
            valid_to=end,
            incident_count=round(pool.of["actual"]),
            facts=pool.facts(),
            is_synthetic=pool.is_synthetic,
            is_hindcast=hindcast,
        )
        for (zone_id, category, level, model, role), pool in pools.items()
    ]


class _Counted:
    """What was counted, by zone, category and day."""

    def __init__(self, points: Points, first: date, days: int) -> None:
        self.points = points
        self.day = points.day - (first - _EPOCH).days
        self.days = days

    def of(self, zone: Zone, category: str) -> NDArray[np.float64]:
        chosen = np.ones(len(self.day), dtype=bool)
        if zone.level == Zone.Level.GOVERNORATE:
            chosen = self.points.governorate_id == zone.pk
        elif zone.level == Zone.Level.AREA:
            chosen = self.points.area_id == zone.pk
        if category:
            chosen = chosen & (self.points.category == category)
        return np.bincount(self.day[chosen], minlength=self.days).astype(np.float64)


def _judge(days: list[Forecast], actual: NDArray[np.float64]) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    expected = np.array([row.expected for row in days])
    dispersion = np.array([row.dispersion for row in days])
    low, high = np.array([row.low for row in days]), np.array([row.high for row in days])
    own = _sums(expected, dispersion, actual) | {
        "inside_80": float(((actual >= low) & (actual <= high)).sum()) if _at_80(days) else 0.0,
    }
    wide = [(row.low_95, row.high_95, count) for row, count in zip(days, actual, strict=True)]
    known = [(at_least, at_most, count) for at_least, at_most, count in wide if at_least is not None and at_most is not None]
    own["with_95"] = float(len(known))
    own["inside_95"] = float(sum(at_least <= count <= at_most for at_least, at_most, count in known))
    against: dict[str, dict[str, float]] = {}
    for name in _baselines_of(days):
        mean = np.array([float(row.baselines[name]["mean"]) for row in days])
        spread = np.array([float(row.baselines[name].get("dispersion") or 1.0) for row in days])
        against[name] = _sums(mean, spread, actual)
    return own, against


def _at_80(days: Iterable[Forecast]) -> bool:
    return all(abs(row.interval - 0.8) < 1e-6 for row in days)


def _baselines_of(days: list[Forecast]) -> list[str]:
    """Those that were frozen with every day."""
    return [name for name in days[0].baselines if all(isinstance(row.baselines.get(name), Mapping) for row in days)]


def _sums(mean: NDArray[np.float64], dispersion: NDArray[np.float64], actual: NDArray[np.float64]) -> dict[str, float]:
    """Error, CRPS and coverage of counts with this mean and variance over mean."""
    below, up_to = count_cdf(actual - 1, mean, np.maximum(dispersion, 1.0)), count_cdf(actual, mean, np.maximum(dispersion, 1.0))
    return {
        "days": float(len(actual)),
        "actual": float(actual.sum()),
        "expected": float(mean.sum()),
        "abs_error": float(np.abs(mean - actual).sum()),
        "crps": float(crps_count(mean, dispersion, actual).sum()),
        "inside_80": float(((below < 0.9) & (up_to >= 0.1)).sum()),
        "inside_95": float(((below < 0.975) & (up_to >= 0.025)).sum()),
        "with_95": float(len(actual)),
    }
