"""What a rule says, in the words of its file: the one form that files, versions, the API and the pages write and read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Agency
from alerts.analytics.modifiers import LEVELS
from alerts.choices import Level
from alerts.models import AlertRule, EscalationPolicy
from alerts.services.rules.conditions import GROUP_BY, parse, to_data
from alerts.services.rules.fields import Fields
from alerts.services.rules.times import modifiers_to_data, parse_modifiers

# The order is the file's.
KEYS = (
    "code",
    "name_en",
    "name_ar",
    "description",
    "source",
    "condition",
    "agency",
    "agencies",
    "governorates",
    "zones",
    "types",
    "categories",
    "least_severity",
    "levels",
    "level",
    "trend_at_least",
    "modifiers",
    "cooldown_zone_min",
    "cooldown_type_min",
    "group_by",
    "group_window_min",
    "most_per_hour",
    "policy",
    "priority",
    "resolves_by_recovery",
    "resolve_after_min",
)
LISTS = ("agencies", "governorates", "zones", "types", "categories")
COLUMNS = tuple(key for key in KEYS if key != "code")
WEEK_MIN = 7 * 24 * 60
MOST_TEXT = 4_000
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def content_of(rule: AlertRule) -> dict[str, Any]:
    """What ``rule`` says. What is empty is left out; numbers are written even where they are as usual."""
    found: dict[str, Any] = {}
    for key in KEYS:
        value: Any
        if key == "agency":
            value = rule.agency.slug if rule.agency is not None else None
        elif key == "policy":
            value = rule.policy.code if rule.policy is not None else None
        elif key == "condition":
            value = to_data(parse(rule.source, rule.condition))
        elif key == "modifiers":
            value = modifiers_to_data(parse_modifiers(rule.modifiers))
        elif key == "levels":
            value = {level: rule.levels[level] for level in LEVELS if level in rule.levels}
        else:
            value = getattr(rule, key)
        if value not in (None, "", [], {}):
            found[key] = _tidy(value)
    return found


def read_content(data: object, *, where: str = "") -> dict[str, Any]:
    """The columns of a rule that says ``data``, with its agency and policy looked up. Raise ``Invalid`` naming the first key that is
    unknown or malformed; whether what it says makes sense is ``checking``'s business."""
    given = Fields(data, field="code", where=where)
    code = _text(given, "code", 64)
    if not _CODE.fullmatch(code):
        raise _at(given, "code").wrong(_("small letters, digits and dashes are needed, not “%(given)s”") % {"given": code[:60]}, "code")
    columns: dict[str, Any] = {
        "code": code,
        "name_en": _text(given, "name_en", 120),
        "name_ar": _text(given, "name_ar", 120),
        "description": _text(given, "description", MOST_TEXT),
        "source": _at(given, "source").word("source", among=AlertRule.Source.values),
    }
    if not columns["source"]:
        raise _at(given, "source").wrong(_("say what the rule listens to"), "source")
    columns["condition"] = to_data(parse(columns["source"], given.raw("condition")))
    columns["agency"] = _agency(given)
    for key in LISTS:
        columns[key] = sorted(_at(given, key).words(key))
    columns["least_severity"] = _whole_or_none(given, "least_severity", least=1, most=4)
    columns["levels"] = _levels(given)
    columns["level"] = _at(given, "level").word("level", Level.MEDIUM.value, among=LEVELS)
    columns["trend_at_least"] = _at(given, "trend_at_least").number("trend_at_least", least=0.01, most=10_000)
    columns["modifiers"] = modifiers_to_data(parse_modifiers(given.raw("modifiers")))
    words = _at(given, "group_by").words("group_by", among=GROUP_BY)
    columns["group_by"] = [word for word in GROUP_BY if word in words]
    for key, usual, least, most in (
        ("cooldown_zone_min", 30, 0, WEEK_MIN),
        ("cooldown_type_min", 15, 0, WEEK_MIN),
        ("group_window_min", 60, 0, WEEK_MIN),
        ("most_per_hour", 60, 1, 1_000),
        ("priority", 3, 1, 5),
        ("resolve_after_min", 1440, 5, 60 * 24 * 60),
    ):
        columns[key] = _at(given, key).whole(key, usual, least=least, most=most)
    columns["resolves_by_recovery"] = _at(given, "resolves_by_recovery").flag("resolves_by_recovery", True)
    columns["policy"] = _policy(given)
    for key in KEYS:
        given.raw(key)
    given.done()
    return columns


def rule_saying(columns: Mapping[str, Any], *, onto: AlertRule | None = None) -> AlertRule:
    """An unsaved rule with these columns: a copy of ``onto`` (its state, version and makers kept) or a new draft."""
    rule = AlertRule()
    if onto is not None:
        for field in AlertRule._meta.concrete_fields:
            setattr(rule, field.attname, getattr(onto, field.attname))
        rule._state.adding = False
        rule._state.db = onto._state.db
    for key, value in columns.items():
        setattr(rule, key, value)
    return rule


class _Elsewhere(Fields):
    """The same mapping, its errors put beside another field."""

    def __init__(self, given: Fields, field: str) -> None:
        self.field, self.where = field, given.where
        self._data, self._asked = given._data, given._asked


def _at(given: Fields, field: str) -> Fields:
    return _Elsewhere(given, field)


def _text(given: Fields, key: str, most: int) -> str:
    value = given.raw(key)
    if value is None:
        return ""
    if not isinstance(value, str) or "\x00" in value:
        raise _at(given, key).wrong(_("text is needed"), key)
    if len(value) > most:
        raise _at(given, key).wrong(_("at most %(most)s letters") % {"most": most}, key)
    return value.strip()


def _whole_or_none(given: Fields, key: str, *, least: int, most: int) -> int | None:
    return None if given.raw(key) is None else _at(given, key).whole(key, least, least=least, most=most)


def _levels(given: Fields) -> dict[str, float]:
    at = _at(given, "levels")
    levels = Fields(given.raw("levels") or {}, field="levels", where=" → ".join(part for part in (given.where, "levels") if part))
    found: dict[str, float] = {}
    for level in LEVELS:
        number = levels.number(level, least=0, most=1e12)
        if number is not None:
            found[level] = _tidy(number)
    levels.done()
    numbers = list(found.values())
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        said = ", ".join(f"{level} {number}" for level, number in found.items())
        raise at.wrong(_("thresholds must rise from one level to the next: %(levels)s") % {"levels": said}, "levels")
    return found


def _agency(given: Fields) -> Agency | None:
    slug = _at(given, "agency").word("agency")
    if not slug:
        return None
    found = Agency.objects.filter(slug=slug).first()
    if found is None:
        raise _at(given, "agency").wrong(_("there is no agency “%(code)s”") % {"code": slug}, "agency")
    return found


def _policy(given: Fields) -> EscalationPolicy | None:
    code = _at(given, "policy").word("policy")
    if not code:
        return None
    found = EscalationPolicy.objects.filter(code=code).first()
    if found is None:
        raise _at(given, "policy").wrong(_("there is no escalation policy “%(code)s”") % {"code": code}, "policy")
    return found


def _tidy(value: Any) -> Any:
    if isinstance(value, float) and value == int(value):
        return int(value)
    return list(value) if isinstance(value, tuple) else value
