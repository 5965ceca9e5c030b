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
from dashboard.words import LEVELS, LIMITS, PURPOSES, REASONS, facts_said, model_name, said
from geography.models import Region
from incidents.models import HotSpot, ModelCard, ModelChoice, ModelSwitch
from incidents.services.trust.bias import Balance, bias_report
from incidents.services.trust.switches import known_models, switched_off


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

    @cached_property
    def reasons(self) -> list[tuple[str, str]]:
        found = []
        if self.choice.published in self.off:
            found.append((said(REASONS, "switched_off"), self.off[self.choice.published].reason))
        for item in self.choice.reasons:
            code, facts = (item[0], item[1] if len(item) > 1 else {}) if isinstance(item, list) and item else (str(item), {})
            found.append((said(REASONS, str(code)), facts_said(facts)))
        return found


def published_now(region: Region, names: Mapping[str, str]) -> list[Published]:
    off = switched_off()
    choices = ModelChoice.objects.filter(region=region, is_current=True).select_related("run").order_by("predicts", "category", "level")
    rows = [Published(choice, _category(choice.category, names), off) for choice in choices]
    order = {level: place for place, level in enumerate(LEVELS)}
    return sorted(rows, key=lambda row: (row.choice.predicts, row.choice.category, order.get(row.choice.level, len(order))))


def _category(category: str, names: Mapping[str, str]) -> str:
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
        rows += _flat(value, f"{title} · ") if isinstance(value, Mapping) else [(title, value)]
    return rows


def _scores(scores: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """By model: each metric with its interval where there is one."""
    return [(model_name(str(model)), _figures(found)) for model, found in scores.items()]


def _figures(found: Any) -> list[tuple[str, str]]:
    if not isinstance(found, Mapping):
        return [("", _number(found))]
    rows: list[tuple[str, str]] = []
    for name, value in found.items():
        title = str(name).replace("_", " ")
        if isinstance(value, Mapping) and "value" in value:
            between = f" ({_number(value['low'])} – {_number(value['high'])})" if "low" in value and "high" in value else ""
            rows.append((title, _number(value["value"]) + between))
        elif isinstance(value, Mapping):
            rows += [(f"{title} {inner}", text) for inner, text in _figures(value)]
        elif isinstance(value, list):
            rows.append((title, " – ".join(_number(item) for item in value)))
        else:
            rows.append((title, _number(value)))
    return rows


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value if value is not None else "–")


def balance_in_sight(region: Region, viewer: object) -> list[Balance]:
    places = jurisdiction_of(viewer).governorate_ids
    return [row for row in bias_report(region=region) if places is None or row.governorate.pk in places]
