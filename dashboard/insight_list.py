"""Insights as their page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import User
from iot.models import Insight
from iot.words import sentence_of

MOST = 200
STATES = ("standing", "dismissed", "over")


@dataclass(frozen=True)
class Shown:
    row: Insight

    @property
    def sentence(self) -> str:
        return sentence_of(self.row.code, self.row.params)

    @property
    def level(self) -> str:
        return {1: "low", 2: "medium", 3: "high"}[self.row.weight]

    @property
    def metric(self) -> str:
        return str(self.row.params.get("metric", ""))


@dataclass(frozen=True)
class InsightPage:
    state: str
    rows: list[Shown]
    total: int

    @property
    def is_synthetic(self) -> bool:
        return any(shown.row.is_synthetic for shown in self.rows)

    @property
    def is_cut(self) -> bool:
        return self.total > len(self.rows)


def insights_for(person: User, state: str) -> InsightPage:
    state = state if state in STATES else "standing"
    rows = Insight.objects.visible_to(person).for_list()
    if state == "standing":
        rows = rows.standing().order_by("-weight", "-first_at", "-pk")
    elif state == "over":
        rows = rows.filter(ended_at__isnull=False).order_by("-ended_at", "-pk")
    else:
        rows = rows.filter(dismissed_at__isnull=False).order_by("-dismissed_at", "-pk")
    found = list(rows[: MOST + 1])
    total = len(found) if len(found) <= MOST else rows.count()
    return InsightPage(state, [Shown(row) for row in found[:MOST]], total)
