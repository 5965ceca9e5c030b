"""What a summary is made of: statements, each a code with its facts and the stored row it rests on. The words are in ``wording``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from geography.models import Zone
from incidents.models import IncidentType
from incidents.services.compare import Comparison, Scope

SECTIONS = ("what", "why", "recommended", "freshness", "limits")


@dataclass(frozen=True)
class Evidence:
    """The rows behind a statement: a kind (comparison, hot_spot, near_repeat, forecast, run, source, zone, choice, score) and ids."""

    kind: str
    ids: tuple[int, ...] = ()
    run: int | None = None


@dataclass(frozen=True)
class Statement:
    """One sentence to be. ``because``: for a suggestion, the ``key`` of the statement it follows from."""

    key: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)
    evidence: Evidence | None = None
    because: str = ""


@dataclass(frozen=True)
class Summary:
    scope: Scope
    until: date
    computed_at: datetime
    is_synthetic: bool
    comparison: Comparison
    sections: dict[str, tuple[Statement, ...]]

    def statement(self, key: str) -> Statement | None:
        return next((one for found in self.sections.values() for one in found if one.key == key), None)


@dataclass(frozen=True)
class Named:
    """A name in both languages, kept in facts so that the words can be made later in either."""

    en: str
    ar: str


def named(thing: Zone | IncidentType) -> Named:
    return Named(thing.name_en, thing.name_ar or thing.name_en)


class Statements:
    """Collects one section's statements and numbers them."""

    def __init__(self, section: str) -> None:
        self.section = section
        self.found: list[Statement] = []

    def add(self, code: str, *, evidence: Evidence | None = None, because: str = "", **facts: Any) -> Statement:
        statement = Statement(f"{self.section}-{len(self.found) + 1}", code, facts, evidence, because)
        self.found.append(statement)
        return statement
