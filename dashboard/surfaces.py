"""What pages and the map say of surfaces: their names, what their classes mean, and how each cell's reasons are put into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.filters import category_names
from dashboard.words import model_name
from geography.models import Zone
from incidents.models import Surface
from incidents.services.surface_files import short
from incidents.services.surfaces import Reasons, Sight, choice_of, lattice, surfaces_for

Kind = Surface.Kind
KINDS = (Kind.RISK, Kind.GI_STAR, Kind.DENSITY, Kind.CHANGE)
LISTED = 50

# The colour of each class: a name of the ramps in tokens.css; "none" is what is not significant.
PAINT: dict[str, dict[int, str]] = {
    Kind.RISK: {5: "hot-5", 4: "hot-4", 3: "hot-3", 2: "hot-2", 1: "hot-1"},
    Kind.GI_STAR: {3: "hot-5", 2: "hot-4", 1: "hot-3", 0: "none", -1: "cold-1", -2: "cold-2", -3: "cold-3"},
    Kind.DENSITY: {5: "hot-5", 4: "hot-4", 3: "hot-3", 2: "hot-2", 1: "hot-1"},
    Kind.CHANGE: {2: "hot-5", 1: "hot-3", 0: "none", -1: "cold-1", -2: "cold-3"},
}
CLASSES: dict[str, dict[int, str | Promise]] = {
    Kind.RISK: {
        5: gettext_lazy("Top 1 %"),
        4: gettext_lazy("Top 3 %"),
        3: gettext_lazy("Top 5 %"),
        2: gettext_lazy("Top 20 %"),
        1: gettext_lazy("The other 80 %"),
    },
    Kind.GI_STAR: {
        3: gettext_lazy("Hot, surest (q ≤ 0.01)"),
        2: gettext_lazy("Hot, sure (q ≤ 0.05)"),
        1: gettext_lazy("Hot, likely (q ≤ 0.10)"),
        0: gettext_lazy("Not significant"),
        -1: gettext_lazy("Cold, likely (q ≤ 0.10)"),
        -2: gettext_lazy("Cold, sure (q ≤ 0.05)"),
        -3: gettext_lazy("Cold, surest (q ≤ 0.01)"),
    },
    Kind.CHANGE: {
        2: gettext_lazy("Rose, sure (q ≤ 0.05)"),
        1: gettext_lazy("Rose, likely (q ≤ 0.10)"),
        0: gettext_lazy("Not significant"),
        -1: gettext_lazy("Fell, likely (q ≤ 0.10)"),
        -2: gettext_lazy("Fell, sure (q ≤ 0.05)"),
    },
}
UNITS: dict[str, str | Promise] = {
    Kind.RISK: gettext_lazy("expected incidents"),
    Kind.GI_STAR: gettext_lazy("standard deviations"),
    Kind.DENSITY: gettext_lazy("incidents per km²"),
    Kind.CHANGE: gettext_lazy("incidents per km², more or fewer"),
}
MEANINGS: dict[str, str | Promise] = {
    Kind.RISK: gettext_lazy("How many incidents to expect in each cell, the highest shares of the area in colour."),
    Kind.GI_STAR: gettext_lazy("Where neighbouring cells hold more, or fewer, incidents than a shuffled map would put there."),
    Kind.DENSITY: gettext_lazy("How many incidents lie around each place, smoothed. It says where, not whether it is more than chance."),
    Kind.CHANGE: gettext_lazy("Where incidents rose or fell between two equal windows by more than chance brings."),
}
SUMS: dict[str, str | Promise] = {
    Kind.RISK: gettext_lazy("Expected incidents"),
    Kind.GI_STAR: gettext_lazy("Incidents"),
    Kind.DENSITY: gettext_lazy("Incidents, smoothed"),
    Kind.CHANGE: gettext_lazy("More or fewer incidents"),
}
PARTS: dict[str, str | Promise] = {
    "incidents": gettext_lazy("Incidents in the cell"),
    "around": gettext_lazy("Incidents here and in the cells around"),
    "cells": gettext_lazy("Cells counted together"),
    "p": gettext_lazy("p value"),
    "q": gettext_lazy("q value, corrected for looking at every cell"),
    "before": gettext_lazy("In the window before, here and in the cells around"),
    "now": gettext_lazy("In this window, here and in the cells around"),
    "on_ground": gettext_lazy("Share of the smoothing that lies on land"),
    "long_run": gettext_lazy("Long run"),
    "recent": gettext_lazy("Recent weeks"),
    "neighbours": gettext_lazy("Neighbouring cells"),
    "near_repeat": gettext_lazy("Near repeats"),
    "season": gettext_lazy("Season"),
    "others": gettext_lazy("Other categories"),
    "background": gettext_lazy("Everywhere alike"),
    "counted": gettext_lazy("Counted"),
}


@dataclass(frozen=True)
class Step:
    """One line of a legend."""

    class_: int
    paint: str
    label: str


def category_name(category: str) -> str:
    return category_names().get(category, category) if category else _("All together")


def paint_of(kind: str, class_: int) -> str:
    return PAINT[kind].get(class_, "none")


def class_name(surface: Surface, class_: int) -> str:
    if surface.kind == Kind.DENSITY:
        return _density_step(surface, class_)
    return str(CLASSES[surface.kind].get(class_, class_))


def legend(surface: Surface) -> list[Step]:
    """What the colours mean, the strongest first; "not significant" is one of them."""
    return [Step(class_, paint, class_name(surface, class_)) for class_, paint in PAINT[surface.kind].items()]


def _density_step(surface: Surface, class_: int) -> str:
    highest = surface.parameters.get("highest")
    if not isinstance(highest, int | float):
        return str(class_)
    low, high = (highest * (step / 5) ** 2 for step in (class_ - 1, class_))
    return _("%(low)s to %(high)s per km²") % {"low": f"{low:,.0f}", "high": f"{high:,.0f}"}


def stands_in_for(surface: Surface) -> str:
    """The model that lost or was switched off, where a baseline is shown in its place; else nothing."""
    choice = choice_of(surface)
    return choice.champion if choice is not None and choice.champion != surface.model else ""


def choices(viewer: object) -> list[dict[str, Any]]:
    """Every surface the viewer may lay on the map, the default region first."""
    names = category_names()
    return [
        {
            "id": surface.pk,
            "region": surface.region.code,
            "kind": surface.kind,
            "category": surface.category,
            "category_name": names.get(surface.category, surface.category) if surface.category else _("All together"),
            "horizon": surface.horizon,
            "horizon_name": surface.get_horizon_display() if surface.horizon else "",
            "notes": notes(surface),
            "legend": [{"class": step.class_, "paint": step.paint, "label": step.label} for step in legend(surface)],
        }
        for surface in ordered(viewer)
    ]


def ordered(viewer: object) -> list[Surface]:
    horizons = list(Surface.Horizon.values)
    return sorted(
        surfaces_for(viewer),
        key=lambda one: (
            not one.region.is_default,
            one.region.code,
            KINDS.index(Kind(one.kind)),
            one.category != "",
            one.category,
            horizons.index(one.horizon) if one.horizon else -1,
        ),
    )


def notes(surface: Surface) -> list[str]:
    """When, from what, by which model, and whether it is real."""
    clock = surface.region.zone_info
    day = "j M Y"
    said = [_("As of %(day)s") % {"day": date_format(surface.run.as_of.astimezone(clock), day)}]
    if surface.kind == Kind.RISK and surface.valid_from and surface.valid_to:
        said.append(
            _("Valid %(first)s to %(last)s")
            % {
                "first": date_format(surface.valid_from.astimezone(clock), f"{day} H:i"),
                "last": date_format(surface.valid_to.astimezone(clock), f"{day} H:i"),
            }
        )
    else:
        said.append(
            _("Data %(first)s to %(last)s")
            % {
                "first": date_format(surface.learnt_from.astimezone(clock), day),
                "last": date_format(surface.learnt_to.astimezone(clock), day),
            }
        )
    if loser := stands_in_for(surface):
        said.append(
            _("The baseline “%(baseline)s” stands in: “%(model)s” did not beat it, or is switched off.")
            % {"baseline": model_name(surface.model), "model": model_name(loser)}
        )
    else:
        said.append(_("Model: %(model)s") % {"model": model_name(surface.model)})
    if surface.is_synthetic:
        said.append(_("Synthetic data"))
    return said


def compact(seen: Sight) -> dict[str, Any]:
    """A surface for the map: whole numbers and a net of known points, from which the browser draws the squares."""
    return {
        "id": seen.surface.pk,
        "kind": seen.surface.kind,
        "lattice": lattice(seen),
        "columns": seen.cells.columns.tolist(),
        "rows": seen.cells.rows.tolist(),
        "classes": seen.classes.tolist(),
    }


@dataclass(frozen=True)
class CellLine:
    """One line of the table of cells."""

    rank: int
    column: int
    row: int
    place: Zone | None
    within: Zone | None
    value: str
    label: str
    paint: str
    longitude: float
    latitude: float


def top_cells(seen: Sight) -> list[CellLine]:
    """The cells to look at first. For change those that moved most, either way."""
    by = np.abs(seen.values) if seen.surface.kind == Kind.CHANGE else seen.values
    # What is significant comes before what only has a high figure.
    weight = np.abs(seen.classes) if seen.surface.kind in (Kind.CHANGE, Kind.GI_STAR) else np.zeros(len(seen))
    order = np.lexsort((-by, -weight))[:LISTED]
    zones = Zone.objects.defer("boundary").in_bulk({*seen.governorate_ids[order].tolist(), *seen.area_ids[order].tolist()})
    centres = seen.centres(order)
    return [
        CellLine(
            rank=rank,
            column=int(seen.cells.columns[number]),
            row=int(seen.cells.rows[number]),
            place=zones.get(int(seen.area_ids[number])) or zones.get(int(seen.governorate_ids[number])),
            within=zones.get(int(seen.governorate_ids[number])) if int(seen.area_ids[number]) in zones else None,
            value=figure(float(seen.values[number]), is_signed=seen.surface.kind == Kind.CHANGE),
            label=class_name(seen.surface, int(seen.classes[number])),
            paint=paint_of(seen.surface.kind, int(seen.classes[number])),
            longitude=float(centres[rank - 1, 0]),
            latitude=float(centres[rank - 1, 1]),
        )
        for rank, number in enumerate(order.tolist(), start=1)
    ]


def figure(value: float | None, *, is_signed: bool = False) -> str:
    """Two or three digits that count, Western, with the sign where the sign is the point.

    >>> [figure(value) for value in (1234.5, 12.34, 3.0, 0.08314, 0.0067, 1.8e-16, None)]
    ['1,234', '12.3', '3', '0.083', '0.0067', '0', '–']
    >>> figure(-28.0, is_signed=True), figure(4.5, is_signed=True)
    ('−28', '+4.50')
    """
    if value is None:
        return "–"
    size = abs(value)
    if size < 1e-4:
        return "0"
    text = f"{size:,.0f}" if size >= 100 else f"{size:.1f}" if size >= 10 else f"{size:.2f}" if size >= 0.1 else f"{size:.2g}"
    return ("−" if value < 0 else "+" if is_signed else "") + text.removesuffix(".00").removesuffix(".0")


def reason_lines(reasons: Reasons) -> list[tuple[str, str]]:
    """Each part of a cell's value, named and written out."""
    lines = [(str(PARTS.get(part.name, part.name.replace("_", " "))), _written(part.name, part.value)) for part in reasons.parts]
    surface = reasons.surface
    incidents, cells, here = surface.parameters.get("incidents"), surface.parameters.get("cells"), reasons.part("cells")
    if surface.kind == Kind.GI_STAR and incidents and cells and here:
        lines.insert(2, (_("As many would be usual there"), figure(short(incidents / cells * here))))
    return lines


def _written(name: str, value: float | None) -> str:
    if value is None:
        return _("not tested: too few")
    if name in ("p", "q"):
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    if name == "on_ground":
        return f"{100 * value:.0f} %"
    return figure(value)
