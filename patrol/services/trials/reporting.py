"""The effect of a trial that is over, counted once and kept as it was counted."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Sum
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from core import audit
from core.errors import Conflict
from core.events import publish
from core.version import code_version
from incidents.analytics.grid import Cells, columns_and_rows
from incidents.services.pipeline.loading import load_points
from patrol import events
from patrol.analytics.effect import DRAWS, LEAST_INCIDENTS, Effect, effect
from patrol.analytics.randomise import redraws, ring
from patrol.models import Trial, TrialCell, TrialPresence
from patrol.permissions import Actor, require
from patrol.services.dosage.measuring import counted_stops
from patrol.services.dosage.reading import metres_of
from patrol.services.trials.sealing import seal_holds

GRACE = timedelta(hours=48)  # late reports: as long as predictions wait for them
Arm = TrialCell.Arm
_HARDLY = 0.25  # less than a quarter of what was planned: the treatment was hardly given
_AS_MUCH = 0.5  # half the treated cells' presence: the cells held out were not without


def due_at(trial: Trial) -> datetime:
    return trial.ends_at + GRACE


def report_due_trials(*, now: datetime) -> int:
    """Report every sealed trial whose time has come; how many."""
    due = Trial.objects.filter(state=Trial.State.SEALED, ends_at__lte=now - GRACE).order_by("pk")
    return sum(report_trial(trial=trial, by=None, now=now).report is not None for trial in due)


@transaction.atomic
def report_trial(*, trial: Trial, by: Actor | None, now: datetime) -> Trial:
    """Count, compare and store. Nothing is computed before the period is over: whoever looks earlier stops when it looks well."""
    require(by, "run_trial", trial)
    trial = Trial.objects.select_for_update(of=("self",), no_key=True).select_related("region", "agency", "governorate").get(pk=trial.pk)
    if trial.state == Trial.State.REPORTED:
        return trial
    if trial.state != Trial.State.SEALED:
        raise Conflict(_("Only a sealed trial has an effect to report."))
    if now < due_at(trial):
        raise Conflict(_("Too early: its period ends first, and late reports have two days."))
    trial.report = made = _report(trial, now)
    trial.state, trial.reported_at = Trial.State.REPORTED, now
    trial.save(update_fields=["report", "state", "reported_at"])
    audit.record("trial.report", obj=trial, by=by, after={"verdict": made["verdict"]})
    publish(
        events.TRIAL_REPORTED,
        subject=trial,
        data={"trial": trial.pk, "found": made["verdict"]},
        agency_id=trial.agency_id,
        governorate_id=trial.governorate_id,
    )
    return trial


def _report(trial: Trial, now: datetime) -> dict[str, Any]:
    rows = list(trial.cells.order_by("column", "row"))
    study = [row for row in rows if row.arm != Arm.BUFFER]
    around = [row for row in rows if row.arm == Arm.BUFFER]
    points = load_points(trial.region, since=trial.starts_at, until=trial.ends_at, category=trial.category)
    cells, ring_cells = _as_cells(study, trial), _as_cells(around, trial)
    during, ring_during = cells.counts(points.xy_m), ring_cells.counts(points.xy_m)
    before = np.array([row.baseline_count for row in study], np.int64)
    treated = np.array([row.arm == Arm.TREATMENT for row in study])
    stratum = np.array([row.stratum or 0 for row in study], np.int64)
    owner = _owners(cells, ring_cells, trial.buffer_cells)
    ring_before = _by_owner(np.array([row.baseline_count for row in around], np.int64), owner, len(study))
    ring_sums = _by_owner(ring_during, owner, len(study))
    drawn = redraws(stratum, ~treated, draws=DRAWS, rng=np.random.default_rng(trial.seed % 2**63))
    main = effect(before, during, treated, drawn)
    enough = int(during.sum()) >= LEAST_INCIDENTS
    dosage, presence = _dosage(trial, study, around), _presence(trial)
    made: dict[str, Any] = {
        "verdict": main.found if enough else "too_few",
        "made_at": now.isoformat(),
        "days_before": trial.baseline_days,
        "days_during": round((trial.ends_at - trial.starts_at).total_seconds() / 86_400, 2),
        "incidents": int(during.sum()),
        "least_incidents": LEAST_INCIDENTS,
        "effect": _plain(main),
        "ring": _plain(effect(ring_before, ring_sums, treated, drawn)) if len(around) else None,
        "together": _plain(effect(before + ring_before, during + ring_sums, treated, drawn)) if len(around) else None,
        "cells": {"treatment": int(treated.sum()), "control": int((~treated).sum()), "buffer": len(around)},
        "strata": [
            {
                "stratum": number,
                **{
                    f"{arm}_{name}": int(values[(stratum == number) & chosen].sum())
                    for arm, chosen in (("treatment", treated), ("control", ~treated))
                    for name, values in (("cells", np.ones(len(study), np.int64)), ("before", before), ("during", during))
                },
            }
            for number in sorted(set(stratum.tolist()))
        ],
        "dosage": dosage,
        "presence": presence,
        "seal_holds": seal_holds(trial),
        "draws": DRAWS,
        "is_synthetic": trial.is_synthetic or bool(points.is_synthetic.any()),
        "code_version": code_version(),
    }
    made["caveats"] = _caveats(made)
    return made


def _as_cells(rows: list[TrialCell], trial: Trial) -> Cells:
    """Rows come by column, then row: the order ``Cells`` keeps."""
    return Cells(np.array([row.column for row in rows], np.int64), np.array([row.row for row in rows], np.int64), trial.cell_m)


def _owners(study: Cells, around: Cells, buffer_cells: int) -> NDArray[np.int64]:
    """Of each cell of a ring the study cell it lies around; rings never meet (``randomise.choose_apart``)."""
    columns, rows, owner = ring(study.columns, study.rows, buffer_cells=buffer_cells)
    found = np.full(len(around), -1, np.int64)
    at = around.find(columns, rows)
    found[at[at >= 0]] = owner[at >= 0]
    return found


def _by_owner(values: NDArray[np.int64], owner: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.bincount(owner[owner >= 0], weights=values[owner >= 0], minlength=size).astype(np.int64)


def _plain(found: Effect) -> dict[str, Any]:
    """As JSON holds it: an open bound or an unknown ratio is null."""
    numbers = {name: round(value, 6) if math.isfinite(value) else None for name, value in asdict(found).items()}
    return {**numbers, "found": found.found}


def _dosage(trial: Trial, study: list[TrialCell], around: list[TrialCell]) -> dict[str, Any]:
    """Planned stops of the agency in the period, by the arm of the cell they lie in."""
    arms = {(row.column, row.row): row.arm for row in (*study, *around)}
    names = ("planned_s", "delivered_s", "absent_s", "unknown_s", "beyond_s")
    sums: dict[str, dict[str, float]] = {arm: dict.fromkeys(("stops", *names), 0.0) for arm in Arm.values}
    stops = counted_stops().filter(plan__agency=trial.agency, plan__governorate=trial.governorate, dosage__isnull=False)
    stops = stops.filter(arrive_at__gte=trial.starts_at, arrive_at__lt=trial.ends_at)
    found = list(stops.order_by("pk").values_list("location", *(f"dosage__{name}" for name in names)))
    if found:
        xy = metres_of(np.array([row[0].x for row in found]), np.array([row[0].y for row in found]), trial.region)
        columns, along = columns_and_rows(xy - np.array([trial.origin_x_m, trial.origin_y_m]), trial.cell_m)
        for place, values in zip(zip(columns.tolist(), along.tolist(), strict=True), found, strict=True):
            if arm := arms.get(place):
                sums[arm]["stops"] += 1
                for name, value in zip(names, values[1:], strict=True):
                    sums[arm][name] += value
    return {arm: {name: round(value, 1) for name, value in of.items()} for arm, of in sums.items()}


def _presence(trial: Trial) -> dict[str, Any]:
    """Units of the agency in the cells by their positions, planned or not: minutes a cell and day."""
    sizes = dict(trial.cells.values("arm").annotate(n=Count("pk")).values_list("arm", "n"))
    first, last = (at.astimezone(trial.region.zone_info).date() for at in (trial.starts_at, trial.ends_at - timedelta(microseconds=1)))
    rows = TrialPresence.objects.filter(cell__trial=trial, day__gte=first, day__lte=last)
    measured = rows.aggregate(n=Count("day", distinct=True))["n"]
    seconds: dict[str, float] = defaultdict(float, rows.values_list("cell__arm").annotate(total=Sum("seconds")))
    by_arm = {arm: round(seconds[arm] / 60 / (sizes[arm] * measured), 3) if measured and sizes.get(arm) else None for arm in Arm.values}
    return {"days_measured": measured, "days": (last - first).days + 1, "minutes_per_cell_day": by_arm}


def _caveats(made: dict[str, Any]) -> list[str]:
    """What must be read beside the result; each word has its sentence on the page."""
    found = []
    treated, control = made["dosage"][Arm.TREATMENT.value], made["dosage"][Arm.CONTROL.value]
    if not made["seal_holds"]:
        found.append("seal_broken")
    if not treated["planned_s"]:
        found.append("nothing_planned")
    else:
        if treated["unknown_s"] > treated["planned_s"] / 2:
            found.append("mostly_unknown")
        elif treated["delivered_s"] + treated["beyond_s"] < _HARDLY * treated["planned_s"]:
            found.append("hardly_delivered")
    if control["stops"]:
        found.append("stops_in_control")
    minutes = made["presence"]["minutes_per_cell_day"]
    if made["presence"]["days_measured"] < made["presence"]["days"]:
        found.append("presence_not_measured")
    if minutes["control"] is not None and minutes["treatment"] is not None and minutes["control"] > _AS_MUCH * minutes["treatment"]:
        found.append("contaminated")
    return found
