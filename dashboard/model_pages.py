"""What is published now and why, and what each model is: read from the stored choices, cards and switches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from accounts.jurisdiction import jurisdiction_of
from dashboard.words import LEVELS, LIMITS, PURPOSES, REASONS, facts_said, figure, model_name, said
from geography.models import Region
from incidents.models import HotSpot, ModelCard, ModelChoice, ModelSwitch
from incidents.services.trust.bias import Balance, bias_report
from incidents.services.trust.switches import known_models, switched_off

DECISIVE = {"beats_baseline", "ahead_within_chance", "loses_to_baseline", "not_clear", "switched_off", "too_little_history"}
EACH = "*"  # a choice made for each category of its level


@dataclass(frozen=True)
class Published:
    """One place where something is published: a level and a category."""

    choice: ModelChoice
    category_name: str
    off: Mapping[str, ModelSwitch]

    @property
    def level_name(self) -> str:
        return said(LEVELS, self.choice.level)

    @property
    def is_of_one_category(self) -> bool:
        return self.choice.category not in {"", EACH}

    @property
    def shown(self) -> str:
        """The model people see now: the switch acts at once, the choice at the next run. Empty: nothing."""
        if self.choice.published not in self.off:
            return self.choice.published
        baseline = self.choice.best_baseline
        stands_in = self.choice.predicts == "risk" and baseline not in self.off and baseline != self.choice.published
        return baseline if stands_in else ""

    @property
    def shown_name(self) -> str:
        return model_name(self.shown) if self.shown else _("Nothing: switched off")

    @property
    def champion_name(self) -> str:
        return model_name(self.choice.champion)

    @property
    def baseline_stands_in(self) -> bool:
        return bool(self.shown) and self.shown == self.choice.best_baseline and self.shown != self.choice.champion

    @property
    def why(self) -> list[tuple[str, str]]:
        """The reasons that decided."""
        return [(text, facts) for code, text, facts in self._reasons if code in DECISIVE]

    @property
    def beside(self) -> list[tuple[str, str]]:
        """What else was noted."""
        return [(text, facts) for code, text, facts in self._reasons if code not in DECISIVE]

    @cached_property
    def _reasons(self) -> list[tuple[str, str, str]]:
        found = []
        if self.choice.published in self.off:
            found.append(("switched_off", said(REASONS, "switched_off"), self.off[self.choice.published].reason))
        for item in self.choice.reasons:
            code, facts = (item[0], item[1] if len(item) > 1 else {}) if isinstance(item, list) and item else (str(item), {})
            found.append((str(code), said(REASONS, str(code)), facts_said(facts)))
        return found


def published_now(region: Region, names: Mapping[str, str]) -> list[Published]:
    off = switched_off()
    choices = ModelChoice.objects.filter(region=region, is_current=True).select_related("run").order_by("predicts", "category", "level")
    rows = [Published(choice, _category(choice.category, names), off) for choice in choices]
    order = {level: place for place, level in enumerate(LEVELS)}
    return sorted(rows, key=lambda row: (row.choice.predicts != "risk", row.choice.category, order.get(row.choice.level, len(order))))


def _category(category: str, names: Mapping[str, str]) -> str:
    if category == EACH:
        return _("Each category")
    return names.get(category, category) if category else _("All together")


@dataclass(frozen=True)
class Model:
    """One model as the list shows it."""

    name: str
    switch: ModelSwitch | None
    card: ModelCard | None
    published_for: int

    @property
    def title(self) -> str:
        return model_name(self.name)

    @property
    def is_off(self) -> bool:
        return self.switch is not None and not self.switch.is_on

    @property
    def purpose(self) -> str:
        return said(PURPOSES, str(self.card.facts.get("purpose", ""))) if self.card else ""


def models_of(region: Region, published: Iterable[Published]) -> list[Model]:
    switches = {row.model: row for row in ModelSwitch.objects.select_related("changed_by")}
    cards = latest_cards(region)
    shown: dict[str, int] = {}
    for row in published:
        shown[row.shown] = shown.get(row.shown, 0) + 1
    found = [Model(name, switches.get(name), cards.get(name), shown.get(name, 0)) for name in known_models()]
    return sorted(found, key=lambda model: (model.name != HotSpot.MODEL, -model.published_for, model.card is None, model.name))


def latest_cards(region: Region) -> dict[str, ModelCard]:
    rows = ModelCard.objects.filter(region=region).select_related("run", "region").order_by("model", "-run__as_of", "-id").distinct("model")
    return {card.model: card for card in rows}


def as_moment(text: Any) -> datetime | None:
    """A stored day or instant; ``None`` for what is neither."""
    if not isinstance(text, str):
        return None
    try:
        return parse_datetime(text) or (datetime.combine(day, datetime.min.time()) if (day := parse_date(text)) else None)
    except ValueError:
        return None


def card_said(card: ModelCard) -> dict[str, Any]:
    """A card's facts, each in words where there are any."""
    facts = card.facts
    window = facts.get("learns_from") or {}
    return {
        "purpose": said(PURPOSES, str(facts.get("purpose", ""))),
        "from": as_moment(window.get("from")),
        "to": as_moment(window.get("to")),
        "incidents": window.get("incidents"),
        "excluded": [(str(name).replace("_", " "), count) for name, count in (window.get("excluded") or {}).items()],
        "parameters": _flat(facts.get("parameters") or {}),
        "training": _flat(facts.get("training") or {}),
        "scores": _scores(facts.get("scores") or {}),
        "limits": [said(LIMITS, str(code)) for code in facts.get("limits") or []],
        "code_version": facts.get("code_version", ""),
        "seed": facts.get("seed"),
        "is_synthetic": bool(facts.get("is_synthetic")),
    }


def _flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in facts.items():
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            rows += _flat(value, f"{title} · ")
        else:
            rows.append((title, ", ".join(str(item) for item in value) if isinstance(value, list) else value))
    return rows


@dataclass(frozen=True)
class Table:
    """Backtest figures: a row a model (or a level), a column a metric."""

    title: str
    metrics: list[str]
    rows: list[tuple[str, list[str]]]


def _scores(scores: Mapping[str, Any]) -> list[Table]:
    """By level, model and metric (a table each level), or by level and metric (one table); each value may have an interval."""
    deep = {name: found for name, found in scores.items() if isinstance(found, Mapping) and _is_deep(found)}
    flat = {name: found for name, found in scores.items() if name not in deep and isinstance(found, Mapping)}
    order = {level: place for place, level in enumerate(LEVELS)}
    found_in_order = sorted(deep.items(), key=lambda item: order.get(item[0], len(order)))
    tables = [_table(_row_name(name), found) for name, found in found_in_order if found]
    return [*tables, _table("", flat)] if flat else tables


def _is_deep(found: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Mapping) and "value" not in value for value in found.values())


def _table(title: str, rows: Mapping[str, Any]) -> Table:
    metrics = list(dict.fromkeys(metric for row in rows.values() if isinstance(row, Mapping) for metric in row))
    shown = [(_row_name(name), [_cell(row.get(metric)) for metric in metrics]) for name, row in rows.items() if isinstance(row, Mapping)]
    return Table(title, [metric.replace("_", " ") for metric in metrics], shown)


def _row_name(name: str) -> str:
    return said(LEVELS, name) if name in LEVELS else model_name(name)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        value = [value.get("value"), value.get("low"), value.get("high")]
    if isinstance(value, list) and len(value) == 3 and value[1] is None and value[2] is None:
        return figure(value[0])
    return figure(value)


def balance_in_sight(region: Region, viewer: object) -> list[Balance]:
    places = jurisdiction_of(viewer).governorate_ids
    return [row for row in bias_report(region=region) if places is None or row.governorate.pk in places]
