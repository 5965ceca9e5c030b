"""A rule in plain words: what a supervisor reads and agrees to. In the active language; ``preview`` gives both.

It never raises: a draft that cannot be read says so, and the rest is told nevertheless.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from django.utils.translation import get_language, ngettext, override
from django.utils.translation import gettext as _

from alerts.analytics.modifiers import Modifier, raised
from alerts.choices import Level
from alerts.models import AlertRule
from alerts.services.rules import vocabulary
from alerts.services.rules.conditions import Condition, CountCondition, FeedSilenceCondition, measure_of, parse
from alerts.services.rules.fields import plain
from alerts.services.rules.policy_words import policy_in_words
from alerts.services.rules.source_words import what
from alerts.services.rules.times import parse_modifiers
from alerts.services.rules.wording import either, listed, minutes
from core.errors import Invalid
from incidents.lifecycle import Severity

LANGUAGES = ("en", "ar")


def preview(rule: AlertRule) -> dict[str, list[str]]:
    """The rule's sentences in every language we speak."""
    found = {}
    for language in LANGUAGES:
        with override(language):
            found[language] = describe(rule)
    return found


def describe(rule: AlertRule) -> list[str]:
    """The rule's sentences in the active language: what, where, how bad, when otherwise, how often, who is told, when it is over."""
    try:
        condition = parse(rule.source, rule.condition)
    except Invalid as error:
        return [_("This rule cannot be read yet: %(why)s") % {"why": error.message}]
    sentences = [what(rule, condition), *_filters(rule, condition), _levels(rule, condition)]
    try:
        modifiers = parse_modifiers(rule.modifiers)
    except Invalid as error:
        sentences.append(error.message)
    else:
        sentences += [_modifier(each, rule, condition) for each in modifiers]
    sentences += [_grouping(rule), _quiet(rule), *policy_in_words(rule.policy), _end(rule, condition)]
    return [each for each in sentences if each]


def name_of_level(level: str) -> str:
    name = str(Level(level).label) if level in Level.values else level
    return name if (get_language() or "").startswith("ar") else name.lower()


def _filters(rule: AlertRule, condition: Condition) -> list[str]:
    found = []
    if rule.agencies:
        found.append(_("Only of: %(agencies)s.") % {"agencies": listed(vocabulary.agency_names(rule.agencies))})
    if rule.categories and (rule.types or not isinstance(condition, CountCondition)):
        found.append(_("Only of the categories: %(categories)s.") % {"categories": listed(vocabulary.category_names(rule.categories))})
    if rule.types and not isinstance(condition, CountCondition):
        found.append(_("Only these types: %(types)s.") % {"types": listed(vocabulary.type_names(rule.types))})
    if rule.zones:
        found.append(_("Only in: %(zones)s.") % {"zones": listed(vocabulary.zone_names(rule.zones))})
    if rule.least_severity:
        known = rule.least_severity in Severity.values
        label = str(Severity(rule.least_severity).label) if known else str(rule.least_severity)
        found.append(_("Only of severity “%(severity)s” or worse.") % {"severity": label})
    if rule.trend_at_least:
        found.append(_("And only if it is at least %(times)s times what it was before.") % {"times": plain(rule.trend_at_least)})
    return found


def _levels(rule: AlertRule, condition: Condition) -> str:
    if not rule.levels or not measure_of(condition):
        return _("The alert's level is %(level)s.") % {"level": name_of_level(rule.level)}
    return _("The alert's level is %(levels)s.") % {"levels": _thresholds(rule, condition)}


def _thresholds(rule: AlertRule, condition: Condition, *, factor: float = 1.0, level_up: int = 0) -> str:
    """ "medium from 3, high from 5" """
    parts: dict[str, str] = {}
    for level in Level.values:
        least = rule.levels.get(level)
        if isinstance(least, int | float):
            number = least * factor
            counted = isinstance(condition, CountCondition | FeedSilenceCondition)
            shown = plain(float(ceil(number - 1e-9))) if counted else plain(round(number, 2))
            parts.setdefault(raised(level, level_up), shown)
    return listed([_("%(level)s from %(number)s") % {"level": name_of_level(level), "number": number} for level, number in parts.items()])


def _modifier(modifier: Modifier, rule: AlertRule, condition: Condition) -> str:
    when, changes = _when(modifier), []
    if modifier.mute:
        return _("%(when)s: nobody is told.") % {"when": when}
    if modifier.threshold_percent and rule.levels:
        factor = 1 + modifier.threshold_percent / 100
        changes.append(
            _("thresholds %(percent)s %%: %(levels)s")
            % {
                "percent": f"{modifier.threshold_percent:+g}".replace("-", "−"),
                "levels": _thresholds(rule, condition, factor=factor, level_up=modifier.level_up),
            }
        )
    if modifier.level_up:
        text = ngettext("the level is one higher", "the level is %(n)s higher", modifier.level_up)
        changes.append(text % {"n": modifier.level_up})
    if modifier.escalate_percent:
        changes.append(_("the steps come faster: waits are %(percent)s %% shorter") % {"percent": plain(modifier.escalate_percent)})
    if not changes:
        changes.append(_("nothing is otherwise"))
    return _("%(when)s: %(changes)s.") % {"when": when, "changes": "; ".join(changes)}


def _when(modifier: Modifier) -> str:
    parts = []
    if modifier.when.period:
        parts.append(_("During %(period)s") % {"period": vocabulary.period_name(modifier.when.period)})
    if modifier.when.weekdays:
        parts.append(_("On %(weekdays)s") % {"weekdays": listed([_weekday(day) for day in modifier.when.weekdays])})
    if modifier.when.start is not None and modifier.when.end is not None:
        span = {"from": f"{modifier.when.start:%H:%M}", "to": f"{modifier.when.end:%H:%M}"}
        parts.append(_("Between %(from)s and %(to)s") % span)
    return _join_times(parts)


def _join_times(parts: Sequence[str]) -> str:
    arabic = (get_language() or "").startswith("ar")
    rest = [part if arabic else part[:1].lower() + part[1:] for part in parts[1:]]
    return ("، " if arabic else ", ").join([*parts[:1], *rest])


def _weekday(day: int) -> str:
    return (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))[day]


def _grouping(rule: AlertRule) -> str:
    words = {
        "zone": _("zone"),
        "governorate": _("governorate"),
        "agency": _("agency"),
        "type": _("incident type"),
        "category": _("category"),
        "subject": _("thing it is about"),
    }
    grouped = [words[name] for name in rule.group_by if name in words]
    window = minutes(rule.group_window_min)
    if not grouped:
        return _("There is one alert for the whole rule; what comes within %(window)s joins it.") % {"window": window}
    return _("There is one alert for each %(groups)s; what comes within %(window)s joins it.") % {
        "groups": listed(grouped),
        "window": window,
    }


def _quiet(rule: AlertRule) -> str:
    parts = []
    if rule.cooldown_zone_min:
        parts.append(_("%(minutes)s in the same zone") % {"minutes": minutes(rule.cooldown_zone_min)})
    if rule.cooldown_type_min:
        parts.append(_("%(minutes)s for the same type") % {"minutes": minutes(rule.cooldown_type_min)})
    found = _("After an alert it is quiet for %(spans)s.") % {"spans": listed(parts)} if parts else ""
    most = ngettext(
        "At most %(n)s alert an hour; beyond that one alert says that the rule storms.",
        "At most %(n)s alerts an hour; beyond that one alert says that the rule storms.",
        rule.most_per_hour,
    ) % {"n": rule.most_per_hour}
    return f"{found} {most}".strip()


def _end(rule: AlertRule, condition: Condition) -> str:
    after = minutes(rule.resolve_after_min)
    if not rule.resolves_by_recovery:
        return _("It is resolved by hand, else after %(time)s.") % {"time": after}
    if isinstance(condition, CountCondition) and rule.levels:
        least = condition.recovers_below if condition.recovers_below is not None else min(rule.levels.values())
        return _("It is resolved when the count is beneath %(number)s again, by hand, else after %(time)s.") % {
            "number": plain(least),
            "time": after,
        }
    return _("It is resolved when what caused it is over, by hand, else after %(time)s.") % {"time": after}


__all__ = ["describe", "either", "name_of_level", "preview"]
