"""The list handed to patrol for one shift of one governorate: drawn up from the published risk, metered, and kept as it was drawn up."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.events import publish
from geography.models import Region, Zone
from incidents import events
from incidents.analytics.handover import Choice, Rule, choose_cells
from incidents.models import Handover, Suppression, Surface
from incidents.permissions import Actor, require
from incidents.services.pipeline.loading import load_points
from incidents.services.trust.scoring import cell_keys
from incidents.services.trust.suppressions import mask

SHIFT_STARTS = (time(6), time(14), time(22))
RULE = Rule()
MOST_CELLS = 100
NEAREST_WITHIN = timedelta(hours=24)
LEADS_OVER_DAYS = 90  # a cell's leading category is that of its incidents of so many days before
_PREFERRED = [Surface.Horizon.SHIFT, Surface.Horizon.DAY, Surface.Horizon.WEEK, Surface.Horizon.MONTH]


def next_shift(region: Region, now: datetime) -> tuple[datetime, datetime]:
    """The next shift that begins after ``now`` on the region's own clock."""
    today = now.astimezone(region.zone_info).date()
    starts = [datetime.combine(today + timedelta(days=day), at, region.zone_info) for day in (0, 1, 2) for at in SHIFT_STARTS]
    first = next(index for index, start in enumerate(starts) if start > now)
    return starts[first], starts[first + 1]


def surface_for(region: Region, *, start: datetime, category: str = "") -> Surface | None:
    """What is published for that moment: for the shift if there is such, else for the day, the week, the month."""
    rows = Surface.objects.current().published().filter(region=region, kind=Surface.Kind.RISK, category=category)
    found = {row.horizon: row for row in rows.filter(valid_from__lte=start, valid_to__gt=start).without_cells().order_by("valid_from")}
    return next((found[horizon] for horizon in _PREFERRED if horizon in found), None)


def _nearest_after(region: Region, *, now: datetime, category: str) -> Surface | None:
    """The published surface of the longest time that begins within a day: the least tied to its hours."""
    rows = Surface.objects.current().published().filter(region=region, kind=Surface.Kind.RISK, category=category)
    soon = {row.horizon: row for row in rows.filter(valid_from__gt=now, valid_from__lte=now + NEAREST_WITHIN).without_cells()}
    return next((soon[horizon] for horizon in reversed(_PREFERRED) if horizon in soon), None)


@transaction.atomic
def hand_over(
    *,
    governorate: Zone,
    by: Actor | None,
    category: str = "",
    cells: int = RULE.cells,
    shift: tuple[datetime, datetime] | None = None,
    held_out: Collection[tuple[int, int]] = (),
    now: datetime | None = None,
) -> Handover:
    """Draw up the list of the next shift, or return the one drawn up already from the same surface: asking twice changes nothing.

    ``shift`` names another shift than the next by its two ends; ``held_out`` cells (column and row in the surface's grid) are left out,
    as a trial's control cells are. It is a list and no order: who goes where is decided by people, and nobody is told anything by this.
    """
    require(by, "hand_over")
    places = by.jurisdiction.governorate_ids if by is not None else None
    if governorate.level != Zone.Level.GOVERNORATE or (places is not None and governorate.pk not in places):
        raise NotFound(_("There is no such governorate."))
    if isinstance(cells, bool) or not isinstance(cells, int) or not 1 <= cells <= MOST_CELLS:
        raise Invalid(_("No such list can be drawn up."), fields={"cells": _("From 1 to %(most)d cells.") % {"most": MOST_CELLS}})
    now = now or timezone.now()
    region = governorate.region
    # One list at a time of one governorate, so that the cap counts what the other drew up.
    Zone.objects.select_for_update(no_key=True).only("pk").get(pk=governorate.pk)
    start, end = shift or next_shift(region, now)
    runs = shift is not None and start <= now < end
    surface = surface_for(region, start=now if runs else start, category=category)
    begins_later = None
    if surface is None and runs:
        # On its first day a site has predictions from the next shift on, and this one is under way: the nearest stands in, and says so.
        surface = _nearest_after(region, now=now, category=category)
        begins_later = surface.valid_from.isoformat() if surface is not None and surface.valid_from is not None else None
    if surface is None and shift is not None:
        raise Conflict(_("No risk surface is published for this shift: run the analytics, or see why none is published under Models."))
    if surface is None:
        raise Conflict(_("No risk surface is published for the next shift: run the analytics, or see why none is published under Models."))
    known = Handover.objects.filter(surface=surface, governorate=governorate, shift_from=start).first()
    if known is not None:
        return known
    surface = Surface.objects.get(pk=surface.pk)
    rule = Rule(cells, RULE.cap, RULE.of_last, RULE.explore_share)
    seed = seed_of(surface.pk, governorate.pk, start)
    grid = _grid_of(surface, governorate)
    suppressions = list(Suppression.objects.in_force(at=max(now, start)).touching(category).filter(region=region))
    suppressed = mask(
        suppressions,
        region=region,
        west_m=surface.origin_x_m + grid["columns"] * surface.cell_m,
        south_m=surface.origin_y_m + grid["rows"] * surface.cell_m,
        cell_m=surface.cell_m,
        governorate_ids=np.full(len(grid["columns"]), governorate.pk),
    )
    apart = np.isin(cell_keys(grid["columns"], grid["rows"]), _keys_of(held_out))
    recent = recent_shifts(governorate, before=start, shifts=rule.of_last - 1, columns=grid["columns"], rows=grid["rows"])
    # Whether people hold a place back or a trial does, it is on no list; only the former are counted as held back by people.
    chosen = choose_cells(grid["values"], recent, suppressed | apart, rule=rule, seed=seed)
    by_trial = int(apart.sum())
    if not len(chosen.cells):
        raise Conflict(_("There is no cell to hand over here."))
    made = Handover.objects.create(
        surface=surface,
        governorate=governorate,
        shift_from=start,
        shift_to=end,
        seed=seed,
        parameters={
            **_parameters(surface, rule, chosen, grid, governorate, now),
            **({"held_out": by_trial} if by_trial else {}),
            **({"surface_begins_at": begins_later} if begins_later else {}),
        },
        columns=grid["columns"][chosen.cells].tolist(),
        rows=grid["rows"][chosen.cells].tolist(),
        reasons=chosen.reasons,
        capped=chosen.capped,
        suppressed=max(chosen.suppressed - _among_the_riskiest(grid["values"], apart & ~suppressed, rule.cells), 0),
        requested_by_id=by.pk if getattr(by, "audit_kind", "") == "user" else None,  # type: ignore[union-attr]
    )
    audit.record("patrol.hand_over", obj=made, by=by, after={"cells": len(made.columns), "surface": surface.pk})
    publish(events.PATROL_HANDED_OVER, subject=made, data={"handover": made.pk, "cells": len(made.columns)}, governorate_id=governorate.pk)
    return made


def _keys_of(cells: Collection[tuple[int, int]]) -> NDArray[np.int64]:
    pairs = np.array(sorted(cells), np.int64).reshape(-1, 2)
    return cell_keys(pairs[:, 0], pairs[:, 1])


def _among_the_riskiest(values: NDArray[np.float64], marked: NDArray[np.bool_], count: int) -> int:
    return int(marked[np.argsort(-np.nan_to_num(values), kind="stable")[:count]].sum())


def seed_of(surface_id: int, governorate_id: int, start: datetime) -> int:
    """Follows from what the list is of, so that anybody can draw it up again."""
    text = f"{surface_id}:{governorate_id}:{start.timestamp():.0f}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest())


def _grid_of(surface: Surface, governorate: Zone) -> dict[str, NDArray[Any]]:
    here = np.asarray(surface.governorate_ids, np.int64) == governorate.pk
    if not len(here):
        here = np.zeros(len(surface.columns), dtype=bool)
    return {
        "columns": np.asarray(surface.columns, np.int64)[here],
        "rows": np.asarray(surface.rows, np.int64)[here],
        "values": np.asarray(surface.values, np.float64)[here],
        "areas": (np.asarray(surface.area_ids, np.int64) if surface.area_ids else np.zeros(len(here), np.int64))[here],
    }


def recent_shifts(
    governorate: Zone, *, before: datetime, shifts: int, columns: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """On how many of the ``shifts`` before ``before`` each cell was on a list, of whatever category. Shifts are counted by the clock:
    one without a list rests every cell."""
    since = before - timedelta(hours=24 / len(SHIFT_STARTS) * shifts + 1)
    earlier = Handover.objects.filter(governorate=governorate, shift_from__gte=since, shift_from__lt=before)
    by_shift: dict[datetime, set[int]] = {}
    for start, there, along in earlier.values_list("shift_from", "columns", "rows"):
        by_shift.setdefault(start, set()).update(cell_keys(np.asarray(there, np.int64), np.asarray(along, np.int64)).tolist())
    wanted = cell_keys(columns, rows)
    count = np.zeros(len(wanted), np.int64)
    for keys in by_shift.values():
        count += np.isin(wanted, np.fromiter(keys, np.int64, len(keys)))
    return count


def _parameters(
    surface: Surface, rule: Rule, chosen: Choice, grid: dict[str, NDArray[Any]], governorate: Zone, now: datetime
) -> dict[str, Any]:
    columns, rows = grid["columns"][chosen.cells], grid["rows"][chosen.cells]
    return {
        "cells": rule.cells,
        "cap": rule.cap,
        "of_last": rule.of_last,
        "explore_share": rule.explore_share,
        "probabilities": chosen.probabilities.round(6).tolist(),
        "values": grid["values"][chosen.cells].round(6).tolist(),
        "areas": grid["areas"][chosen.cells].tolist(),
        "leading": [surface.category] * len(columns) if surface.category else _leading(surface, columns, rows, now),
        "model": surface.model,
        "horizon": surface.horizon,
    }


def _leading(surface: Surface, columns: NDArray[np.int64], rows: NDArray[np.int64], now: datetime) -> list[str]:
    """Of each cell the category most of its incidents were of, lately; empty where there were none."""
    points = load_points(surface.region, since=now - timedelta(days=LEADS_OVER_DAYS), until=now)
    x = np.floor((points.xy_m[:, 0] - surface.origin_x_m) / surface.cell_m).astype(np.int64)
    y = np.floor((points.xy_m[:, 1] - surface.origin_y_m) / surface.cell_m).astype(np.int64)
    there = cell_keys(x, y)
    leading = []
    for key in cell_keys(columns, rows).tolist():
        names, counts = np.unique(points.category[there == key], return_counts=True)
        leading.append(str(names[int(np.argmax(counts))]) if len(names) else "")
    return leading
