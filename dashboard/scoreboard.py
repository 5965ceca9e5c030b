"""The scoreboard in words: plain language first, figures second."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.score_chart import RatioChart, ratio_chart
from dashboard.words import LEVELS, model_name, percent, said
from incidents.analytics.evaluation import Estimate
from incidents.models import Predicts
from incidents.services.trust.scoreboard import LEAST_WEEKS, Against, Line, Scoreboard

PERIODS = (28, 91, 365)


@dataclass(frozen=True)
class Rival:
    """One baseline, as the details list it."""

    name: str
    verdict: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """One model at one level, as the page shows it."""

    line: Line
    category_name: str

    @property
    def is_risk(self) -> bool:
        return self.line.predicts == Predicts.RISK

    @property
    def key(self) -> str:
        return f"{self.line.predicts}-{self.line.level}-{self.line.model}-{self.line.role}"

    @property
    def level_name(self) -> str:
        return said(LEVELS, self.line.level)

    @property
    def model_name(self) -> str:
        return model_name(self.line.model)

    @property
    def verdict(self) -> str:
        return "stands_in" if self.line.is_baseline else self.line.verdict

    @cached_property
    def sentence(self) -> str:
        """What happened, for somebody who must decide with it."""
        best = self.line.strongest
        if best is None:
            return _("No baseline was frozen with it: there is nothing to compare with.")
        if self.line.is_baseline:
            return _("A baseline is published here: no model has beaten it, or the model is switched off.")
        name = {"baseline": model_name(best.baseline)}
        if best.verdict == "early":
            return ngettext(
                "Too early to say: %(weeks)d week is scored, and it takes at least %(least)d.",
                "Too early to say: %(weeks)d weeks are scored, and it takes at least %(least)d.",
                len(best.weeks),
            ) % {"weeks": len(best.weeks), "least": LEAST_WEEKS}
        gain = percent(abs(best.main.value - 1))
        if self.is_risk:
            if best.verdict == "won":
                return _("Ahead: its riskiest hundredth of the area held %(gain)s more incidents than that of “%(baseline)s”.") % {
                    "gain": gain,
                    **name,
                }
            if best.verdict == "lost":
                return _("Behind: its riskiest hundredth of the area held %(gain)s fewer incidents than that of “%(baseline)s”.") % {
                    "gain": gain,
                    **name,
                }
            return _("Too close to call against “%(baseline)s”.") % name
        if best.verdict == "won":
            return _("Ahead: “%(baseline)s” was %(gain)s further off.") % {"gain": gain, **name}
        if best.verdict == "lost":
            return _("Behind: “%(baseline)s” was %(gain)s closer.") % {"gain": percent(1 - best.main.value), **name}
        return _("Too close to call against “%(baseline)s”.") % name

    @property
    def interval(self) -> str:
        return interval(self.line.strongest.main) if self.line.strongest and self.line.strongest.verdict != "early" else ""

    @cached_property
    def figures(self) -> list[tuple[str, str]]:
        """The figures behind the sentence, each with its name."""
        own = self.line.figures
        if self.is_risk:
            return [
                ("PAI 1 / 3 / 5 %", " / ".join(number(own[share]["pai"], 2) for share in ("1", "3", "5"))),
                ("PEI* 1 / 3 / 5 %", " / ".join(number(own[share]["pei_star"], 2) for share in ("1", "3", "5"))),
                (_("Hit rate") + " 1 / 3 / 5 %", " / ".join(percent(own[share]["hit_rate"]) for share in ("1", "3", "5"))),
                ("RRI", number(own["rri_1"], 2)),
            ]
        return [
            (_("Error, of what was counted"), percent(own["wape"], 1)),
            ("CRPS", number(own["mean_crps"], 3)),
            (_("Days inside the interval of 80 %"), percent(own["coverage_80"])),
            (_("Days inside the interval of 95 %"), percent(own["coverage_95"])),
        ]

    @cached_property
    def rivals(self) -> list[Rival]:
        return [Rival(model_name(item.baseline), item.verdict, tuple(self._columns(item))) for item in self.line.against]

    def _columns(self, item: Against) -> list[str]:
        estimates = [f"{number(one.value, 2)} ({interval(one)})" if item.verdict != "early" else number(one.value, 2)
                     for one in item.estimates.values()]  # fmt: skip
        if self.is_risk:
            return [*estimates, number(item.figures["1"]["pai"], 2)]
        return [*estimates, percent(item.figures["wape"], 1)]

    @cached_property
    def chart(self) -> RatioChart | None:
        best = self.line.strongest
        return ratio_chart(best.weeks) if best is not None and len(best.weeks) > 1 else None


def number(value: float | None, digits: int) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def interval(estimate: Estimate) -> str:
    return f"{number(estimate.low, 2)} – {number(estimate.high, 2)}"


def cards_of(board: Scoreboard, category: str, names: dict[str, str]) -> dict[str, list[Card]]:
    """The cards of one category: risk, and forecasts."""
    chosen = [Card(line, names.get(line.category, line.category)) for line in board.lines if line.category == category]
    return {kind: [card for card in chosen if card.line.predicts == kind] for kind in (Predicts.RISK.value, Predicts.FORECAST.value)}


@dataclass(frozen=True)
class Cell:
    """One verdict in the table of all."""

    verdict: str
    ratio: str


def table_of(board: Scoreboard, names: dict[str, str]) -> tuple[list[str], list[tuple[str, str, list[Cell | None]]]]:
    """Every published line's verdict, category by level: the columns' names, and for each category its cells."""
    shown = [line for line in board.lines if line.role != "held_back"]
    levels = [(kind, level) for kind in Predicts.values for level in dict.fromkeys(x.level for x in shown if x.predicts == kind)]
    found: dict[tuple[str, str, str], Line] = {}
    for line in shown:
        found.setdefault((line.category, line.predicts, line.level), line)
    rows = []
    for category in sorted({line.category for line in shown}):
        cells = [_cell(found.get((category, *level))) for level in levels]
        rows.append((category, names.get(category, category) if category else _("All together"), cells))
    return [said(LEVELS, level) for _kind, level in levels], rows


def _cell(line: Line | None) -> Cell | None:
    if line is None or line.strongest is None:
        return None
    return Cell("stands_in" if line.is_baseline else line.verdict, number(line.strongest.main.value, 2))


CSV_HEADER = (
    "predicts", "level", "category", "governorate", "model", "role", "baseline", "verdict", "weeks", "predictions", "since", "until",
    "measure", "ratio", "ratio_low", "ratio_high", "model_value", "baseline_value", "is_synthetic",
)  # fmt: skip


def csv_rows(board: Scoreboard) -> list[list[Any]]:
    """One row for each model, baseline and measure. A ratio above 1: the model was ahead."""
    rows: list[list[Any]] = []
    for line in board.lines:
        for item in line.against:
            for measure, estimate in item.estimates.items():
                own, base = _values(line, item, measure)
                early = item.verdict == "early"
                rows.append(
                    [
                        line.predicts,
                        line.level,
                        line.category,
                        board.zone.code if board.zone else "",
                        line.model,
                        line.role,
                        item.baseline,
                        item.verdict,
                        len(item.weeks),
                        line.predictions,
                        line.since.isoformat(),
                        line.until.isoformat(),
                        f"pai_{measure}" if line.predicts == Predicts.RISK else measure,
                        _finite(estimate.value),
                        "" if early else _finite(estimate.low),
                        "" if early else _finite(estimate.high),
                        own,
                        base,
                        line.is_synthetic,
                    ]
                )
    return rows


def _values(line: Line, item: Against, measure: str) -> tuple[Any, Any]:
    if line.predicts == Predicts.RISK:
        return line.figures[measure]["pai"], item.figures[measure]["pai"]
    name = {"crps": "mean_crps", "error": "wape"}[measure]
    return line.figures[name], item.figures[name]


def _finite(value: float) -> Any:
    return round(value, 6) if np.isfinite(value) else ""
