"""A run in words: its kinds of steps, their parts, its figures and parameters, as people read them. What has no word shows its own name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from geography.models import Zone
from incidents.models import PipelineRun, Surface

_KINDS = {
    "hotspots": gettext_lazy("Hot spots"),
    "surfaces": gettext_lazy("Density, significance, change"),
    "near_repeat": gettext_lazy("Near repeats"),
    "risk": gettext_lazy("Risk surface"),
    "forecasts": gettext_lazy("Forecasts"),
}
_TRIGGERS = {
    "nightly": gettext_lazy("Nightly"),
    "manual": gettext_lazy("Asked for"),
    "first": gettext_lazy("First"),
}
_PARAMETERS = {
    "eps_m": (gettext_lazy("Hot spots: radius"), "m"),
    "min_points": (gettext_lazy("Hot spots: incidents within the radius"), ""),
    "window_days": (gettext_lazy("Hot spots: window"), gettext_lazy("days")),
    "horizon_days": (gettext_lazy("Forecasts: days ahead"), gettext_lazy("days")),
    "history_days": (gettext_lazy("Forecasts: history"), gettext_lazy("days")),
    "interval": (gettext_lazy("Forecasts: interval"), ""),
    "cell_m": (gettext_lazy("Surfaces: cell"), "m"),
    "bandwidth_m": (gettext_lazy("Density: bandwidth"), "m"),
    "surface_days": (gettext_lazy("Surfaces: window"), gettext_lazy("days")),
    "change_days": (gettext_lazy("Change: each window"), gettext_lazy("days")),
    "near_repeat_days": (gettext_lazy("Near repeats: history"), gettext_lazy("days")),
    "near_repeat_within_m": (gettext_lazy("Near repeats: within"), "m"),
    "near_repeat_within_days": (gettext_lazy("Near repeats: within"), gettext_lazy("days")),
    "permutations": (gettext_lazy("Near repeats: permutations"), ""),
    "seed": (gettext_lazy("Seed"), ""),
}
_COUNTS = {
    "incidents": gettext_lazy("incidents"),
    "hot_spots": gettext_lazy("hot spots"),
    "surfaces": gettext_lazy("surfaces"),
    "near_repeats": gettext_lazy("near-repeat tests"),
    "risk_surfaces": gettext_lazy("risk surfaces"),
    "forecasts": gettext_lazy("forecasts"),
    "series": gettext_lazy("series"),
    "cells": gettext_lazy("cells"),
    "significant": gettext_lazy("significant"),
    "unreviewed_types": gettext_lazy("of unreviewed types"),
}
_EMPTY = {
    "no incidents yet": gettext_lazy("no incidents yet"),
    "no incidents in the window": gettext_lazy("no incidents in the window"),
    "no incidents for two weeks": gettext_lazy("no incidents for two weeks"),
    "no longer a part": gettext_lazy("no more of these: what stood of them was taken down"),
}
_NOT_FIGURES = {"steps", "failed"}


def kind_in_words(kind: str) -> str:
    return str(_KINDS.get(kind, _plain(kind)))


def part_in_words(part: str, categories: Mapping[str, str]) -> str:
    """A category, a horizon or a level of zones; ``categories`` are the names of categories."""
    if part in ("", "all"):
        return _("All together") if part else ""
    known: dict[str, Any] = {**dict(Surface.Horizon.choices), **dict(Zone.Level.choices), **categories}
    return " · ".join(str(known.get(word, _plain(word))) for word in part.split(":"))


def trigger_in_words(run: PipelineRun) -> str:
    trigger = run.parameters.get("trigger") or run.key.partition(":")[0]
    return str(_TRIGGERS.get(trigger, _plain(trigger)))


def counts_in_words(counts: Mapping[str, Any]) -> list[str]:
    """The figures of a step or a run, a phrase each; nested ones are left to those who read the row itself."""
    said = [str(_EMPTY.get(str(counts["empty_because"]), counts["empty_because"]))] if counts.get("empty_because") else []
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or name in _NOT_FIGURES or (value == 0 and name not in _COUNTS):
            continue
        said.append(f"{value:,} {_COUNTS.get(name, _plain(name))}")
    return said


def parameters_in_words(run: PipelineRun) -> list[tuple[str, str]]:
    """What the run was told: (what, how much)."""
    given = run.parameters
    regions, only = given.get("regions"), given.get("only")
    said = [
        (_("Regions"), ", ".join(regions) if regions else _("all")),
        (_("Results"), ", ".join(kind_in_words(kind) for kind in only) if only else _("all")),
    ]
    for name, value in given.items():
        if name in ("trigger", "regions", "only", "as_of_day") or isinstance(value, dict | list):
            continue
        label, unit = _PARAMETERS.get(name, (_plain(name), ""))
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        said.append((str(label), f"{shown} {unit}".strip()))
    return said


def failures_in_words(failed: int) -> str:
    return ngettext("%(n)d step failed", "%(n)d steps failed", failed) % {"n": failed}


def _plain(name: str) -> str:
    return name.replace("_", " ")
