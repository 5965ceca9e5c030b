"""Whether a fact is an alert by a rule, and why. The engine asks this of what happens, a replay of what happened: the same function.

Nothing here reads the database or the clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alerts.analytics.modifiers import InForce, in_force, level_for, raised
from alerts.choices import Level
from alerts.services.alerts import Seen
from alerts.services.engine.compiled import CompiledRule, Rules
from alerts.services.engine.counting import Ask
from alerts.services.rules.conditions import (
    CameraCondition,
    CountCondition,
    EventCondition,
    FeedSilenceCondition,
    ForecastCondition,
    HotSpotCondition,
    ReadingCondition,
    measure_of,
)

ANOMALIES = ("anomaly.raised", "anomaly.worsened")  # what a rule about readings hears
# The number that ``Fact.before`` is the like of, whatever the rule's own measure is: a trend compares incidents with incidents.
COMPARED = {"count": "count", "hot_spot": "incident_count", "forecast": "expected"}


@dataclass(frozen=True)
class Fact:
    """One thing a rule may fire for, with all that its filters, thresholds and words ask. ``at`` is when it was committed: everything about
    time is judged by that and not by when it is read, so that a late reader comes to the same answer."""

    type: str
    at: datetime
    event_id: int | None = None
    subject: tuple[str, int | None] = ("", None)
    agency_id: int | None = None
    agency: str = ""
    governorate_id: int | None = None
    governorate: str = ""
    zone_id: int | None = None
    zone: str = ""
    places: frozenset[str] = frozenset()  # codes of every zone it lies in
    type_id: int | None = None
    type_code: str = ""
    category: str = ""
    severity: int | None = None
    priority: int | None = None
    location: tuple[float, float] | None = None
    incident_id: int | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    before: float | None = None  # what is ``COMPARED`` in the equally long time before, or as is usual
    data: Mapping[str, Any] = field(default_factory=dict)
    is_synthetic: bool = False
    name_en: str = ""  # of what it is about: a unit, a feed, a type
    name_ar: str = ""
    place_en: str = ""
    place_ar: str = ""
    seen: tuple[Seen, ...] = ()
    why: Mapping[str, Any] = field(default_factory=dict)  # what was counted and over which time, for people


@dataclass(frozen=True)
class Firing:
    """A rule fires for a fact."""

    rule: CompiledRule
    fact: Fact
    fingerprint: str
    level: str
    measure: float | None
    threshold: float | None
    in_force: InForce
    facts: Mapping[str, Any]
    ask: Ask | None = None  # a count whose incidents are not named yet


def evaluate(rule: CompiledRule, fact: Fact, rules: Rules) -> Firing | None:
    """The firing, or nothing: another source's fact, filtered out, beneath every threshold, no trend, or muted at this time."""
    if not is_meant(rule, fact) or not passes_filters(rule, fact):
        return None
    modified = in_force(rule.modifiers, fact.at, rules.zone, rules.periods)
    if modified.is_muted:
        return None
    reached = weigh(rule, fact, modified)
    if reached is None:
        return None
    level, threshold = reached
    measure = measure_in(rule, fact)
    return Firing(
        rule=rule,
        fact=fact,
        fingerprint=fingerprint_of(rule, fact),
        level=raised(level, modified.level_up),
        measure=measure,
        threshold=threshold,
        in_force=modified,
        facts=reasons(rule, fact, modified, measure, threshold, level),
    )


def weigh(rule: CompiledRule, fact: Fact, modified: InForce) -> tuple[str, float | None] | None:
    """The level the fact reaches and the threshold it passed, with trend; ``None`` beneath them all."""
    measure, factor = measure_in(rule, fact), modified.threshold_factor
    threshold: float | None
    least: float | None = getattr(rule.condition, "at_least", None)
    if least is not None and (measure is None or measure < least * factor - 1e-9):
        return None
    if rule.levels:
        if measure is None:
            return None
        reached = level_for(measure, dict(rule.levels), factor=factor)
        if reached is None:
            return None
        level, threshold = reached
    else:
        level, threshold = str(rule.rule.level), (least * factor if least is not None else None)
    if rule.rule.trend_at_least is not None and not has_trend(fact, rule.rule.trend_at_least):
        return None
    return level, threshold


def counts_enough(rule: CompiledRule, count: int, at: datetime, rules: Rules) -> bool:
    """Whether a count can reach any level of its rule at that moment: most do not, and are spared the rest of ``evaluate``."""
    if not rule.levels:
        return True
    return level_for(count, dict(rule.levels), factor=in_force(rule.modifiers, at, rules.zone, rules.periods).threshold_factor) is not None


def still_reaches(rule: CompiledRule, fact: Fact, rules: Rules) -> bool:
    """Whether what fired once is still enough. A time of day at which the rule is muted, or asks for more, ends nothing by itself."""
    if not is_meant(rule, fact) or not passes_filters(rule, fact):
        return False
    modified = in_force(rule.modifiers, fact.at, rules.zone, rules.periods)
    return weigh(rule, fact, replace(modified, threshold_factor=min(modified.threshold_factor, 1.0))) is not None


def has_trend(fact: Fact, at_least: float) -> bool:
    """Now over before. Where there was nothing before, anything is a rise; where before is not known, there is no trend."""
    ratio, now = fact.numbers.get("rate_ratio"), fact.numbers.get(COMPARED.get(fact.type, "count"))
    if fact.before is None:
        return ratio is not None and ratio >= at_least
    if now is None:
        return False
    return now > 0 if fact.before <= 0 else now / fact.before >= at_least - 1e-9


def is_meant(rule: CompiledRule, fact: Fact) -> bool:
    """Whether the fact is of the rule's source, and what its condition asks of the fact itself holds."""
    match rule.condition:
        case EventCondition() as condition:
            return fact.type in condition.types and condition.admits(fact.data)
        case CountCondition():
            return fact.type == "count" and fact.data.get("rule") == rule.pk
        case HotSpotCondition() as condition:
            if fact.type != "hot_spot" or fact.data.get("change") not in condition.changes:
                return False
            if (rule.categories and fact.category not in rule.categories) or (not rule.categories and fact.category):
                return False
            ratio = fact.numbers.get("rate_ratio")
            if condition.min_rate_ratio is not None and (ratio is None or ratio < condition.min_rate_ratio):
                return False
            if condition.significant_only and not fact.data.get("is_significant"):
                return False
            return fact.numbers.get("incident_count", 0) >= condition.min_incidents
        case ForecastCondition() as condition:
            if (
                fact.type != "forecast"
                or fact.data.get("per") != condition.per
                or not 1 <= int(fact.data.get("ahead", 0)) <= condition.horizon_days
            ):
                return False
            if (rule.categories and fact.category not in rule.categories) or (not rule.categories and fact.category):
                return False
            return fact.numbers.get("expected", 0.0) >= condition.min_expected
        case ReadingCondition() as condition:
            return fact.type in ANOMALIES and (not condition.properties or str(fact.data.get("property")) in condition.properties)
        case FeedSilenceCondition() as condition:
            if fact.type != "feed.silent" or (condition.feeds and str(fact.data.get("feed")) not in condition.feeds):
                return False
            return fact.numbers.get("minutes", 0.0) >= condition.after_min
        case CameraCondition() as condition:
            return fact.type in {f"camera.{state}" for state in condition.states}
    return False


def passes_filters(rule: CompiledRule, fact: Fact) -> bool:
    if rule.agencies and fact.agency not in rule.agencies:
        return False
    if rule.rule.agency_id is not None and fact.agency_id is not None and not rule.agencies and fact.agency_id != rule.rule.agency_id:
        return False
    if rule.governorates and fact.governorate not in rule.governorates:
        return False
    if rule.places and not rule.places & fact.places:
        return False
    if rule.source not in ("hot_spot", "forecast"):  # whose category is judged with their condition
        if rule.type_codes and fact.type_code not in rule.type_codes:
            return False
        if rule.categories and fact.category not in rule.categories:
            return False
    return rule.rule.least_severity is None or (fact.severity is not None and fact.severity >= rule.rule.least_severity)


def measure_in(rule: CompiledRule, fact: Fact) -> float | None:
    name = measure_of(rule.condition)
    return fact.numbers.get(name) if name else None


def groups_of(rule: CompiledRule, fact: Fact) -> dict[str, str]:
    """One alert for each of these."""
    known = {
        "zone": fact.zone,
        "governorate": fact.governorate,
        "agency": fact.agency,
        "type": fact.type_code,
        "category": fact.category,
        "subject": f"{fact.subject[0]}:{fact.subject[1]}",
    }
    return {name: known[name] for name in sorted(rule.group_by) if name in known}


def fingerprint_of(rule: CompiledRule, fact: Fact) -> str:
    words = "|".join(f"{name}={value}" for name, value in groups_of(rule, fact).items())
    return hashlib.sha256(f"rule:{rule.pk}|{words}".encode()).hexdigest()


def reasons(
    rule: CompiledRule, fact: Fact, modified: InForce, measure: float | None, threshold: float | None, level: str
) -> dict[str, Any]:
    """What a supervisor reads as the answer to "why": plain values, kept with the alert."""
    said: dict[str, Any] = {
        "event": fact.type,
        "at": fact.at.isoformat(),
        "measure_name": measure_of(rule.condition),
        "measure": measure,
        "threshold": threshold,
        "level": level,
        "group": groups_of(rule, fact),
        **fact.why,
    }
    if rule.levels:
        said["levels"] = dict(rule.levels)
    if fact.before is not None:
        said["before"] = fact.before
    if rule.rule.trend_at_least is not None:
        said["trend_at_least"] = rule.rule.trend_at_least
        now = fact.numbers.get(COMPARED.get(fact.type, "count"))
        said["trend"] = round(now / fact.before, 3) if now is not None and fact.before else None
    if modified.which:
        said["modifiers"] = {
            "which": [rule.rule.modifiers[number] for number in modified.which if number < len(rule.rule.modifiers)],
            "threshold_percent": round(100 * (modified.threshold_factor - 1)),
            "hurry_percent": modified.hurry_percent,
            "level_up": modified.level_up,
        }
    return {name: value for name, value in said.items() if value not in (None, "", {}, [])}


def is_worse(level: str, than: str) -> bool:
    return Level(level).rank > Level(than).rank
