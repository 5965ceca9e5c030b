"""What a plan is made from, as plain values that are kept with it: who can drive when, which stops are wanted, by which rule.

The solver and the checker both read it from here, so that anybody can plan again, or check, from what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from patrol.analytics.routes import Commitment, Rest, RouteRule, StopDemand, UnitDay, Visit, places
from patrol.analytics.travel import Matrix
from patrol.models import Plan
from patrol.services.travel import provider_for

RULE = RouteRule()
BY_PERSON = "person"


@dataclass(frozen=True)
class Case:
    """``facts`` are ``Plan.parameters``. Times in it are seconds since ``origin``."""

    facts: dict[str, Any]

    @property
    def origin(self) -> datetime:
        return datetime.fromisoformat(self.facts["origin"])

    @property
    def rule(self) -> RouteRule:
        return RouteRule(**self.facts["rule"])

    def seconds(self, at: datetime) -> int:
        return round((at - self.origin).total_seconds())

    def instant(self, seconds: float) -> datetime:
        return self.origin + timedelta(seconds=seconds)

    def unit_ids(self) -> list[int]:
        """Those that are planned for; a unit that dropped out keeps only what it did."""
        return [int(key) for key, unit in self.facts["units"].items() if not unit.get("dropped")]

    def units(self, fixed: dict[int, tuple[Visit, ...]] | None = None) -> list[UnitDay]:
        now = self.facts.get("now_s")
        return [
            _day(int(key), unit, now, (fixed or {}).get(int(key), ()))
            for key, unit in self.facts["units"].items()
            if not unit.get("dropped")
        ]

    def stops(self, visited: Mapping[str, Iterable[int]] | None = None) -> list[StopDemand]:
        """``visited``: arrivals by units that dropped out, by stop."""
        return [
            StopDemand(
                key=key,
                place=(stop["lon"], stop["lat"]),
                weight=stop["weight"],
                dosage_s=stop["dosage_s"],
                area=str(stop["area"] or ""),
                visited_s=tuple(sorted((visited or {}).get(key, ()))),
                reason=stop["reason"],
            )
            for key, stop in self.facts["stops"].items()
        ]

    def matrix(self, plan: Plan, units: list[UnitDay], stops: list[StopDemand]) -> Matrix:
        return provider_for(plan.governorate.region).matrix(
            places(units, stops), at=self.origin, until=datetime.fromisoformat(self.facts["until"])
        )


def _day(key: int, unit: dict[str, Any], now_s: int | None, fixed: tuple[Visit, ...]) -> UnitDay:
    rest = unit.get("rest")
    return UnitDay(
        key=key,
        start=tuple(unit["start"]),
        end=tuple(unit["end"]),
        from_s=unit["from_s"],
        until_s=unit["until_s"],
        rest=Rest(*rest) if rest else None,
        patrol_s=unit["patrol_s"],
        areas=frozenset(str(area) for area in unit["areas"]) if unit.get("areas") is not None else None,
        commitments=tuple(Commitment(begin, end, tuple(place) if place else None) for begin, end, place in unit.get("commitments", ())),
        fixed=fixed,
        free_from_s=now_s,
        whereabouts=tuple(unit["whereabouts"]) if unit.get("whereabouts") else None,
        rest_taken=tuple(unit["rest_taken"]) if unit.get("rest_taken") else None,
    )
