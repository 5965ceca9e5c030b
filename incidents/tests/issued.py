"""Rows as a run would have issued them, for tests of what is done with them afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pyproj import Transformer

from geography.models import Region, Zone
from incidents.models import Forecast, Handover, ModelCard, ModelChoice, ModelSwitch, PipelineRun, Score, Suppression, Surface

CELL_M = 250.0


def run_at(moment: datetime, **given: Any) -> PipelineRun:
    """A finished run that began at ``moment``."""
    run = PipelineRun.objects.create(
        key=given.pop("key", f"run-{moment.isoformat()}-{PipelineRun.objects.count()}"),
        as_of=given.pop("as_of", moment),
        status="done",
        **given,
    )
    PipelineRun.objects.filter(pk=run.pk).update(started_at=moment)
    run.refresh_from_db()
    return run


def cell_of(region: Region, lon: float, lat: float) -> tuple[int, int]:
    x, y = Transformer.from_crs(4326, region.metric_srid, always_xy=True).transform(lon, lat)
    return int(np.floor(x / CELL_M)), int(np.floor(y / CELL_M))


def risk(
    run: PipelineRun,
    region: Region,
    cells: list[tuple[int, int]],
    values: list[float],
    *,
    horizon: str = "week",
    valid_from: datetime | None = None,
    days: float = 7,
    governorates: list[Zone] | None = None,
    **given: Any,
) -> Surface:
    start = valid_from or run.as_of
    return Surface.objects.create(
        run=run,
        region=region,
        kind="risk",
        horizon=horizon,
        model=given.pop("model", "ensemble"),
        learnt_from=start - timedelta(days=365),
        learnt_to=start,
        valid_from=start,
        valid_to=start + timedelta(days=days),
        srid=region.metric_srid,
        origin_x_m=0,
        origin_y_m=0,
        cell_m=CELL_M,
        columns=[column for column, _ in cells],
        rows=[row for _, row in cells],
        values=values,
        classes=given.pop("classes", [1] * len(cells)),
        governorate_ids=[zone.pk for zone in governorates] if governorates else [0] * len(cells),
        is_current=given.pop("is_current", True),
        **given,
    )


def choice(run: PipelineRun, region: Region, **given: Any) -> ModelChoice:
    return ModelChoice.objects.create(
        **{
            "run": run,
            "region": region,
            "predicts": "risk",
            "level": "week",
            "category": "",
            "champion": "ensemble",
            "best_baseline": "last_52_weeks",
            "published": "ensemble",
            "beats_baseline": True,
            "reasons": [["beats_baseline", {"ratio": 1.07, "low": 1.02, "high": 1.12}]],
            "scores": {"ensemble": {"pai_1": {"value": 10.4, "low": 9.9, "high": 10.9}}},
            "origins": 26,
            "is_current": True,
            **given,
        }
    )


def forecast(run: PipelineRun, zone: Zone, day: Any, **given: Any) -> Forecast:
    return Forecast.objects.create(
        **{
            "run": run,
            "region": zone.region,
            "zone": zone,
            "day": day,
            "expected": 3,
            "low": 1,
            "high": 5,
            "low_95": 0,
            "high_95": 7,
            "method": "prophet",
            "history_days": 700,
            "is_current": True,
            "baselines": {"mean_28": {"mean": 2.5, "dispersion": 1.0}},
            **given,
        }
    )


def days_ago(days: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)


def rows_of_trust(run: PipelineRun, places: Any, cast: Any) -> None:
    """A row in each table of ``incidents.models.trust``, inside Hawalli."""
    surface = risk(run, places.region, [(1, 1)], [1.0], governorates=[places.hawalli])
    choice(run, places.region)
    ModelCard.objects.create(run=run, region=places.region, model="ensemble", facts={"purpose": "risk"})
    ModelSwitch.objects.create(model="dbscan", is_on=True, reason="Looked into.", changed_by=cast.superadmin)
    Score.objects.create(
        predicts="risk",
        run=run,
        region=places.region,
        zone=places.hawalli,
        level="week",
        model="ensemble",
        role="published",
        valid_from=run.as_of,
        valid_to=run.as_of + timedelta(days=7),
        incident_count=3,
        facts={"1": {"pai": 9.5}},
    )
    Suppression.objects.create(
        region=places.region,
        governorate=places.hawalli,
        centre=places.in_salmiya,
        radius_m=300,
        reason="A wedding hall.",
        created_by=cast.supervisor,
        expires_at=datetime.now(UTC) + timedelta(days=30),
    )
    Handover.objects.create(
        surface=surface,
        governorate=places.hawalli,
        shift_from=run.as_of,
        shift_to=run.as_of + timedelta(hours=8),
        seed=1,
        columns=[1],
        rows=[1],
        reasons=["risk"],
        requested_by=cast.supervisor,
    )
