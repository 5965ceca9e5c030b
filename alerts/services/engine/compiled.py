"""Active rules in the form the evaluation reads, kept until one of them changes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from accounts.models import Agency
from alerts.analytics.modifiers import Modifier, Period
from alerts.models import AlertRule
from alerts.services.rules.conditions import Condition, parse
from alerts.services.rules.times import known_periods, parse_modifiers
from core.errors import Invalid
from incidents.models import IncidentType

logger = logging.getLogger("alerts.engine")

# Any write to an active rule, a type or a period gives its row another xmin: nobody has to remember to tell us.
_STAMP = """
SELECT (SELECT coalesce(string_agg(id || ':' || xmin, ',' ORDER BY id), '') FROM alerts_alertrule WHERE state = 'active')
    || '|' || (SELECT coalesce(string_agg(id || ':' || xmin, ',' ORDER BY id), '') FROM alerts_specialperiod)
    || '|' || (SELECT count(*) || ':' || coalesce(max(xmin::text::bigint), 0) FROM incidents_incidenttype)
"""


@dataclass(frozen=True)
class TypeInfo:
    id: int
    code: str
    category: str
    name_en: str
    name_ar: str


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its condition and modifiers read, and the ids its filters mean. ``rule`` is the row as it was when it was read."""

    rule: AlertRule
    condition: Condition
    modifiers: tuple[Modifier, ...]
    levels: Mapping[str, float]
    agencies: frozenset[str]
    agency_ids: frozenset[int] | None
    places: frozenset[str]
    governorates: frozenset[str]
    type_ids: frozenset[int] | None
    type_codes: frozenset[str]
    categories: frozenset[str]
    group_by: tuple[str, ...]

    @property
    def pk(self) -> int:
        return self.rule.pk

    @property
    def source(self) -> str:
        return self.rule.source


@dataclass(frozen=True)
class Rules:
    """All active rules at one moment, and what evaluating them needs."""

    rules: tuple[CompiledRule, ...]
    types: Mapping[int, TypeInfo]
    periods: tuple[Period, ...]
    zone: tzinfo = field(default_factory=lambda: ZoneInfo(settings.TIME_ZONE))

    def of(self, *sources: str) -> list[CompiledRule]:
        return [rule for rule in self.rules if rule.source in sources]

    @cached_property
    def by_id(self) -> dict[int, CompiledRule]:
        return {rule.pk: rule for rule in self.rules}


def compile_rule(rule: AlertRule, types: Mapping[int, TypeInfo], agencies: Mapping[str, int]) -> CompiledRule:
    """Raise ``Invalid`` for a rule that says what nothing understands."""
    meant = None
    if rule.types or rule.categories:
        meant = frozenset(
            one.id
            for one in types.values()
            if (not rule.types or one.code in rule.types) and (not rule.categories or one.category in rule.categories)
        )
    return CompiledRule(
        rule=rule,
        condition=parse(rule.source, rule.condition),
        modifiers=parse_modifiers(rule.modifiers),
        levels={level: float(least) for level, least in rule.levels.items()},
        agencies=frozenset(rule.agencies),
        agency_ids=frozenset(agencies[slug] for slug in rule.agencies if slug in agencies) if rule.agencies else None,
        places=frozenset(rule.zones),
        governorates=frozenset(rule.governorates),
        type_ids=meant,
        type_codes=frozenset(rule.types),
        categories=frozenset(rule.categories),
        group_by=tuple(rule.group_by),
    )


def known_types() -> dict[int, TypeInfo]:
    rows = IncidentType.objects.values_list("pk", "code", "category", "name_en", "name_ar")
    return {row[0]: TypeInfo(*row) for row in rows}


def compile_rules(rows: list[AlertRule]) -> Rules:
    """A rule that cannot be read is left out and said so in the log: it must not hold up the others."""
    types, agencies = known_types(), dict(Agency.objects.values_list("slug", "pk"))
    compiled = []
    for rule in rows:
        try:
            compiled.append(compile_rule(rule, types, agencies))
        except (Invalid, ValueError, TypeError, LookupError, AttributeError) as error:
            logger.error("rule %s cannot be read and is left out: %s", rule.code, getattr(error, "message", error))
    return Rules(tuple(compiled), types, known_periods())


_kept: dict[str, Rules] = {}  # of the last stamp alone


def active_rules() -> Rules:
    """What is active now: one small question a batch, and everything read anew only where something changed."""
    with connection.cursor() as cursor:
        cursor.execute(_STAMP)
        stamp = f"{connection.settings_dict['NAME']}|{cursor.fetchone()[0]}"
    rules = _kept.get(stamp)
    if rules is None:
        rules = compile_rules(list(AlertRule.objects.active().select_related("policy", "agency").order_by("priority", "pk")))
        _kept.clear()
        _kept[stamp] = rules
    return rules
