"""Drawing a trial: the cells it studies, taken from the risk surface and far apart, and by lot those it holds out."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from numpy.typing import NDArray

from accounts.models import Agency
from core import audit
from core.errors import Invalid
from core.version import code_version
from geography.models import Region, Zone
from incidents.analytics.grid import Cells
from incidents.models import Incident, IncidentType, Surface
from incidents.services.pipeline.cells import zones_of_centres
from incidents.services.pipeline.loading import Points, load_points
from patrol.analytics.randomise import LEAST_CELLS, choose_apart, draw, ring
from patrol.models import Trial, TrialCell
from patrol.permissions import Actor, require

CELL_M = 250.0  # where no risk surface is published: cells of its size, and past counts in its place
MOST_CELLS = 400
LEAST_DAYS, MOST_DAYS = 14, 366
MOST_AHEAD = timedelta(days=60)
_LONGEST_FIRST = [Surface.Horizon.MONTH, Surface.Horizon.WEEK, Surface.Horizon.DAY, Surface.Horizon.SHIFT]


@dataclass(frozen=True)
class Design:
    """What somebody asks for. ``cells`` are studied in all, ``holdout_share`` of them without patrols of plan."""

    name: str
    hypothesis: str
    starts_at: datetime
    ends_at: datetime
    category: str = ""
    cells: int = 60
    holdout_share: float = 0.5
    strata: int = 4
    buffer_cells: int = 1
    baseline_days: int = 90


@dataclass(frozen=True)
class _Ground:
    """The cells of the governorate with what makes them worth studying, and where that comes from."""

    cells: Cells
    values: NDArray[np.float64]
    source: dict[str, Any]


@transaction.atomic
def draw_trial(
    *,
    governorate: Zone,
    agency: Agency,
    by: Actor | None,
    design: Design,
    now: datetime,
    seed: int | None = None,
    is_synthetic: bool = False,
) -> Trial:
    """Draw up a trial as a draft. Its seed is drawn too: who draws does not choose it. ``seed`` is for tests and for drawing again."""
    region = governorate.region
    trial = Trial(region=region, agency=agency, governorate=governorate, seed=secrets.randbelow(2**62) if seed is None else seed)
    require(by, "run_trial", trial)
    _check(design, governorate, now)
    counted_to = _midnight(now, region)
    counted_from = _midnight(counted_to - timedelta(days=design.baseline_days) + timedelta(hours=6), region)
    _check_history(region, counted_from, counted_to, design.baseline_days)
    points = load_points(region, since=counted_from, until=counted_to, category=design.category)
    ground = _ground(governorate, design.category, points)
    chosen = choose_apart(ground.cells.columns, ground.cells.rows, ground.values, count=design.cells, buffer_cells=design.buffer_cells)
    if len(chosen) < LEAST_CELLS:
        have = ngettext("%(n)d cell of this governorate can be studied", "%(n)d cells of this governorate can be studied", len(chosen))
        raise Invalid(
            _("Too few cells"), fields={"cells": have % {"n": len(chosen)} + _("; a trial needs %(least)d.") % {"least": LEAST_CELLS}}
        )
    if design.strata > len(chosen) // 2:
        text = _("%(cells)d cells make at most %(strata)d strata.") % {"cells": len(chosen), "strata": len(chosen) // 2}
        raise Invalid(_("Too many strata"), fields={"strata": text})
    study = Cells(ground.cells.columns[chosen], ground.cells.rows[chosen], ground.cells.cell_m)
    trial.name, trial.hypothesis, trial.category = design.name.strip(), design.hypothesis.strip(), design.category
    trial.starts_at, trial.ends_at = design.starts_at, design.ends_at
    trial.baseline_days, trial.holdout_share, trial.strata = design.baseline_days, design.holdout_share, design.strata
    trial.buffer_cells, trial.srid, trial.cell_m = design.buffer_cells, region.metric_srid, study.cell_m
    trial.origin_x_m = trial.origin_y_m = 0.0
    trial.created_by_id = getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None
    trial.is_synthetic = is_synthetic or bool(points.is_synthetic.any())
    trial.parameters = {
        **ground.source,
        "counted_from": counted_from.isoformat(),
        "counted_to": counted_to.isoformat(),
        "incidents": len(points),
        "candidates": len(ground.cells),
        "asked_cells": design.cells,
        "code_version": code_version(),
    }
    trial.save()
    TrialCell.objects.bulk_create(_cells(trial, study, points))
    audit.record("trial.draw", obj=trial, by=by, after={"cells": len(study), "seed": str(trial.seed)})
    return trial


def _check(design: Design, governorate: Zone, now: datetime) -> None:
    wrong: dict[str, str] = {}
    if governorate.level != Zone.Level.GOVERNORATE:
        wrong["governorate"] = _("Choose a governorate.")
    if not design.name.strip() or len(design.name) > 120:
        wrong["name"] = _("Give it a name of at most 120 letters.")
    if not design.hypothesis.strip() or len(design.hypothesis) > 2_000:
        wrong["hypothesis"] = _("Write down what is expected before the draw, in at most 2,000 letters.")
    days = (design.ends_at - design.starts_at).total_seconds() / 86_400
    if not LEAST_DAYS <= days <= MOST_DAYS:
        wrong["ends_at"] = _("A trial lasts from %(least)d to %(most)d days.") % {"least": LEAST_DAYS, "most": MOST_DAYS}
    if design.starts_at <= now:
        wrong["starts_at"] = _("It is drawn and sealed before it begins: choose a day to come.")
    elif design.starts_at > now + MOST_AHEAD:
        wrong["starts_at"] = _("At most %(days)d days ahead: cells are drawn by what happens in them now.") % {"days": MOST_AHEAD.days}
    bounds = {"cells": (LEAST_CELLS, MOST_CELLS), "strata": (1, 50), "buffer_cells": (0, 4), "baseline_days": (28, 730)}
    for name, (least, most) in bounds.items():
        if not least <= getattr(design, name) <= most:
            wrong[name] = _("From %(least)d to %(most)d.") % {"least": least, "most": most}
    if not 0.1 <= design.holdout_share <= 0.9:
        wrong["holdout_share"] = _("From one in ten to nine in ten.")
    if design.category and not IncidentType.objects.filter(category=design.category, enforcement_sensitive=False).exists():
        wrong["category"] = _("This is no category that may be modelled.")
    if wrong:
        raise Invalid(_("This trial cannot be drawn."), fields=wrong)


def _check_history(region: Region, start: datetime, end: datetime, days: int) -> None:
    first = Incident.objects.modelled().filter(region=region).order_by("occurred_at").values_list("occurred_at", flat=True).first()
    have = max((end - first).days, 0) if first is not None else 0
    if first is None or first > start + timedelta(days=1):
        text = ngettext("Too little history: %(have)d day, needs %(need)d.", "Too little history: %(have)d days, needs %(need)d.", have)
        raise Invalid(_("This trial cannot be drawn."), fields={"baseline_days": text % {"have": have, "need": days}})


def _ground(governorate: Zone, category: str, points: Points) -> _Ground:
    region = governorate.region
    rows = Surface.objects.current().published().filter(region=region, kind=Surface.Kind.RISK, category=category, srid=region.metric_srid)
    by_horizon = {row.horizon: row.pk for row in rows.without_cells().order_by("pk")}
    pk = next((by_horizon[horizon] for horizon in _LONGEST_FIRST if horizon in by_horizon), None)
    if pk is not None:
        surface = Surface.objects.get(pk=pk)
        here = np.asarray(surface.governorate_ids, np.int64) == governorate.pk
        if here.any() and surface.origin_x_m == surface.origin_y_m == 0:
            cells = Cells(np.asarray(surface.columns, np.int64)[here], np.asarray(surface.rows, np.int64)[here], surface.cell_m)
            source = {"source": "risk", "surface": pk, "model": surface.model, "horizon": surface.horizon}
            return _Ground(cells, np.asarray(surface.values, np.float64)[here], source)
    cells = Cells.under(points.xy_m, cell_m=CELL_M)
    here = zones_of_centres(region, cells).governorate_id == governorate.pk if len(cells) else np.zeros(0, bool)
    cells = cells.where(here)
    return _Ground(cells, cells.counts(points.xy_m).astype(np.float64), {"source": "counts"})


def _cells(trial: Trial, study: Cells, points: Points) -> list[TrialCell]:
    in_order = Cells.of(study.columns, study.rows, study.cell_m)
    counts = in_order.counts(points.xy_m)
    drawn = draw(in_order.columns, in_order.rows, counts, strata=trial.strata, holdout_share=trial.holdout_share, seed=trial.seed)
    arms = np.where(drawn.is_control, TrialCell.Arm.CONTROL.value, TrialCell.Arm.TREATMENT.value)
    rows = [
        TrialCell(trial=trial, column=column, row=row, arm=arm, stratum=stratum, baseline_count=count)
        for column, row, arm, stratum, count in zip(
            in_order.columns.tolist(), in_order.rows.tolist(), arms.tolist(), drawn.stratum.tolist(), counts.tolist(), strict=True
        )
    ]
    columns, along, _owner = ring(in_order.columns, in_order.rows, buffer_cells=trial.buffer_cells)
    around = Cells.of(columns, along, study.cell_m)
    nearby = around.counts(points.xy_m).tolist()
    rows += [
        TrialCell(trial=trial, column=column, row=row, arm=TrialCell.Arm.BUFFER, baseline_count=count)
        for column, row, count in zip(around.columns.tolist(), around.rows.tolist(), nearby, strict=True)
    ]
    return rows


def _midnight(at: datetime, region: Region) -> datetime:
    """The last midnight on the region's clock."""
    return datetime.combine(at.astimezone(region.zone_info).date(), time(), region.zone_info)
