"""A run in words: its kinds of steps, their parts, its figures and parameters, as people read them. What has no word shows its own name."""

from __future__ import annotations

import re
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
    "risk_history_days": (gettext_lazy("Risk: history"), gettext_lazy("days")),
    "bandwidth_m": (gettext_lazy("Density: bandwidth"), "m"),
    "surface_days": (gettext_lazy("Surfaces: window"), gettext_lazy("days")),
    "change_days": (gettext_lazy("Change: each window"), gettext_lazy("days")),
    "near_repeat_days": (gettext_lazy("Near repeats: history"), gettext_lazy("days")),
    "near_repeat_within_m": (gettext_lazy("Near repeats: within"), "m"),
    "near_repeat_within_days": (gettext_lazy("Near repeats: within"), gettext_lazy("days")),
    "permutations": (gettext_lazy("Near repeats: permutations"), ""),
    "seed": (gettext_lazy("Seed"), ""),
}
_EMPTY = {
    "no incidents yet": gettext_lazy("no incidents yet"),
    "no incidents in the window": gettext_lazy("no incidents in the window"),
    "no incidents for two weeks": gettext_lazy("no incidents for two weeks"),
    "no longer a part": gettext_lazy("no more of these: what stood of them was taken down"),
}
# In the order they are said; the other figures of a step are for those who read its row.
_FIGURES = ("hot_spots", "surfaces", "near_repeats", "risk_surfaces", "forecasts", "series", "cells", "significant", "incidents")


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
    """The figures of a step or a run that everybody reads, a phrase each."""
    said = [_empty_in_words(str(counts["empty_because"]))] if counts.get("empty_because") else []
    figures = {name: counts[name] for name in _FIGURES if isinstance(counts.get(name), int)}
    return said + [_counted(name, n) % {"n": f"{n:,}"} for name, n in figures.items()]


def _empty_in_words(why: str) -> str:
    if short := re.fullmatch(r"too little history: (\d+) days, needs (\d+)", why):
        return _("too little history: %(days)s days, needs %(needed)s") % {"days": short[1], "needed": short[2]}
    return str(_EMPTY.get(why, why))


def _counted(name: str, n: int) -> str:
    match name:
        case "hot_spots":
            return ngettext("%(n)s hot spot", "%(n)s hot spots", n)
        case "surfaces":
            return ngettext("%(n)s surface", "%(n)s surfaces", n)
        case "near_repeats":
            return ngettext("%(n)s near-repeat test", "%(n)s near-repeat tests", n)
        case "risk_surfaces":
            return ngettext("%(n)s risk surface", "%(n)s risk surfaces", n)
        case "forecasts":
            return ngettext("%(n)s forecast", "%(n)s forecasts", n)
        case "series":
            return ngettext("%(n)s series", "%(n)s series", n)
        case "cells":
            return ngettext("%(n)s cell", "%(n)s cells", n)
        case "significant":
            return ngettext("%(n)s significant", "%(n)s significant", n)
        case _:
            return ngettext("%(n)s incident", "%(n)s incidents", n)


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
