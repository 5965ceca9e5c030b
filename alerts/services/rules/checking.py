"""What would be wrong with a rule at night, found when it is saved: codes nobody knows, thresholds that mean nothing, nobody told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import ceil

from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.models import AlertRule, EscalationPolicy, PolicyStep, SpecialPeriod
from alerts.services.escalation.policies import check_policy
from alerts.services.rules import vocabulary
from alerts.services.rules.conditions import (
    CameraCondition,
    Condition,
    CountCondition,
    EventCondition,
    ForecastCondition,
    HotSpotCondition,
    ReadingCondition,
    measure_of,
    parse,
)
from alerts.services.rules.fields import plain
from alerts.services.rules.times import parse_modifiers
from core.errors import Invalid
from geography.models import Zone
from incidents.models import IncidentType, Source

ERROR, BLOCKER, WARNING = "error", "blocker", "warning"
MOST_CODES = 200
# Which filters mean something for a source: a feed has no incident type, a forecast no agency.
FILTERS: dict[str, frozenset[str]] = {
    AlertRule.Source.EVENT: frozenset({"agencies", "governorates", "zones", "types", "categories", "least_severity"}),
    AlertRule.Source.COUNT: frozenset({"agencies", "governorates", "zones", "types", "categories", "least_severity"}),
    AlertRule.Source.HOT_SPOT: frozenset({"governorates", "zones", "categories"}),
    AlertRule.Source.FORECAST: frozenset({"governorates", "zones", "categories"}),
    AlertRule.Source.READING: frozenset({"agencies", "governorates", "zones"}),
    AlertRule.Source.FEED_SILENCE: frozenset({"agencies"}),
    AlertRule.Source.CAMERA: frozenset({"agencies", "governorates", "zones"}),
}
HAS_TREND = frozenset({AlertRule.Source.COUNT, AlertRule.Source.HOT_SPOT, AlertRule.Source.FORECAST})


@dataclass(frozen=True)
class Finding:
    """``error``: it cannot be saved so. ``blocker``: a draft may say so, but nobody can switch it on. ``warning``: look again."""

    kind: str
    field: str
    text: str


def look_over(rule: AlertRule) -> list[Finding]:
    """Everything there is to say about ``rule`` as it stands, saved or not; the worst first."""
    found: list[Finding] = []
    try:
        condition = parse(rule.source, rule.condition)
        modifiers = parse_modifiers(rule.modifiers)
    except Invalid as error:
        return [Finding(ERROR, next(iter(error.fields), ""), error.message)]
    found += _names(rule)
    found += _condition(condition)
    found += _levels(rule, condition)
    found += _filters(rule)
    found += _grouping(rule, condition)
    if modifiers:
        found += _modifiers(rule, condition)
    found += _policy(rule)
    return sorted(found, key=lambda each: (ERROR, BLOCKER, WARNING).index(each.kind))


def refuse_errors(findings: Sequence[Finding]) -> None:
    """Raise ``Invalid`` with every error by its field, if there is one."""
    errors = [each for each in findings if each.kind == ERROR]
    if errors:
        raise Invalid(errors[0].text, fields=_by_field(errors))


def refuse_blockers(findings: Sequence[Finding]) -> None:
    """Raise ``Invalid`` if nobody may switch this rule on."""
    standing = [each for each in findings if each.kind in (ERROR, BLOCKER)]
    if standing:
        raise Invalid(" ".join(each.text for each in standing), fields=_by_field(standing))


def _by_field(findings: Iterable[Finding]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for each in findings:
        fields[each.field] = f"{fields[each.field]} {each.text}" if each.field in fields else each.text
    return fields


def _names(rule: AlertRule) -> list[Finding]:
    missing = [name for name in ("name_en", "name_ar") if not getattr(rule, name).strip()]
    return [Finding(ERROR, name, _("A rule has a name in both languages.")) for name in missing]


def _condition(condition: Condition) -> list[Finding]:
    if isinstance(condition, EventCondition):
        return [
            Finding(ERROR, "condition", _unknown(_("There is no event “%(code)s”."), name, vocabulary.EVENTS))
            for name in (*condition.types, *condition.recovers_on)
            if name not in vocabulary.EVENTS
        ]
    feeds = getattr(condition, "feeds", ())
    if feeds:
        known = set(Source.objects.values_list("slug", flat=True))
        return [
            Finding(ERROR, "condition", _unknown(_("There is no feed “%(code)s”."), feed, known)) for feed in feeds if feed not in known
        ]
    return []


def _levels(rule: AlertRule, condition: Condition) -> list[Finding]:
    levels, measure = rule.levels, measure_of(condition)
    found: list[Finding] = []
    if isinstance(condition, CountCondition | ForecastCondition) and not levels:
        found.append(Finding(ERROR, "levels", _("Say from which number on it is an alert: give at least one level its threshold.")))
    if levels and not measure:
        found.append(Finding(ERROR, "levels", _("Nothing is measured here: leave the thresholds out and choose one level.")))
    if isinstance(condition, CountCondition) and levels:
        lowest = min(levels.values())
        if lowest <= 0:
            found.append(Finding(ERROR, "levels", _("A count of nothing is no alert: the lowest threshold must be more than 0.")))
        if condition.recovers_below is not None and condition.recovers_below > lowest:
            found.append(
                Finding(ERROR, "condition", _("It would recover while it still fires: recovery must not lie above the lowest threshold."))
            )
    if isinstance(condition, HotSpotCondition) and levels and min(levels.values()) <= 0:
        found.append(Finding(WARNING, "levels", _("The lowest threshold is 0: every hot spot is an alert.")))
    if isinstance(condition, EventCondition) and condition.measure and not levels and condition.at_least is None:
        found.append(Finding(WARNING, "levels", _("A number is named, but nothing is held against it.")))
    if isinstance(condition, CameraCondition) and len(levels) > 1:
        found.append(
            Finding(WARNING, "levels", _("A camera is looked at once, after the shortest time: the other thresholds are not reached."))
        )
    if rule.trend_at_least is not None and rule.source not in HAS_TREND:
        found.append(Finding(ERROR, "trend_at_least", _("A trend is known of counts, hot spots and forecasts only.")))
    return found


def _filters(rule: AlertRule) -> list[Finding]:
    found: list[Finding] = []
    means = FILTERS[rule.source]
    for name in ("agencies", "governorates", "zones", "types", "categories", "least_severity"):
        if getattr(rule, name) and name not in means:
            label = str(AlertRule._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
            found.append(Finding(ERROR, name, _("“%(filter)s” means nothing for this source: leave it empty.") % {"filter": label}))
        elif isinstance(getattr(rule, name), list) and len(getattr(rule, name)) > MOST_CODES:
            found.append(Finding(ERROR, name, _("At most %(most)s codes.") % {"most": MOST_CODES}))
    if any(each.kind == ERROR for each in found):
        return found
    found += _codes(rule.agencies, vocabulary.known_agencies, "agencies", _("There is no agency “%(code)s”."))
    found += _codes(rule.governorates, vocabulary.known_governorates, "governorates", _("There is no governorate “%(code)s”."))
    found += _codes(rule.types, vocabulary.known_types, "types", _("There is no incident type “%(code)s”."))
    found += _codes(rule.categories, vocabulary.known_categories, "categories", _("There is no category “%(code)s”."))
    found += [Finding(ERROR, "zones", _("There is no zone “%(code)s”.") % {"code": code}) for code in vocabulary.missing_zones(rule.zones)]
    if not any(each.kind == ERROR for each in found):
        found += _contradictions(rule)
    return found


def _contradictions(rule: AlertRule) -> list[Finding]:
    """Filters that leave nothing: the rule would wait for ever."""
    found = []
    if rule.types and rule.categories and not IncidentType.objects.filter(code__in=rule.types, category__in=rule.categories).exists():
        found.append(Finding(WARNING, "types", _("None of these types is of these categories: the rule would never fire.")))
    if rule.zones and rule.governorates:
        inside = Zone.objects.filter(code__in=rule.zones, is_active=True)
        own, parents = inside.filter(code__in=rule.governorates), inside.filter(parent__code__in=rule.governorates)
        if not own.exists() and not parents.exists() and not inside.filter(parent__parent__code__in=rule.governorates).exists():
            found.append(Finding(WARNING, "zones", _("None of these zones lies in these governorates: the rule would never fire.")))
    return found


def _grouping(rule: AlertRule, condition: Condition) -> list[Finding]:
    if isinstance(condition, CountCondition) and condition.per != "country" and not {"zone", "governorate"} & set(rule.group_by):
        return [Finding(WARNING, "group_by", _("All zones share one alert: add “zone” to tell them apart."))]
    if isinstance(condition, ReadingCondition) and not rule.group_by:
        return [Finding(WARNING, "group_by", _("All sensors share one alert: add “subject” to tell them apart."))]
    return []


def _modifiers(rule: AlertRule, condition: Condition) -> list[Finding]:
    found: list[Finding] = []
    today = timezone.localdate()
    for each in parse_modifiers(rule.modifiers):
        if each.when.period:
            kind = each.when.period
            if not SpecialPeriod.objects.filter(kind=kind, ends_on__gte=today).exists():
                text = _("No special period of the kind “%(kind)s” lies ahead: this modifier will not be in force.") % {"kind": kind}
                found.append(Finding(WARNING, "modifiers", text))
        if each.mute:
            found.append(Finding(WARNING, "modifiers", _("While it is muted nobody is told, not even of the worst level.")))
        if each.threshold_percent and not rule.levels:
            found.append(Finding(WARNING, "modifiers", _("There are no thresholds, so nothing is lower or higher at that time.")))
        elif each.threshold_percent and isinstance(condition, CountCondition):
            factor = 1 + each.threshold_percent / 100
            if all(ceil(least * factor - 1e-9) == ceil(least) for least in rule.levels.values()):
                lowest = min(rule.levels.values())
                text = _("%(percent)s %% of %(from)s is %(to)s: a count still has to reach %(reach)s, so nothing changes.") % {
                    "percent": f"{each.threshold_percent:+g}",
                    "from": plain(lowest),
                    "to": f"{lowest * factor:g}",
                    "reach": ceil(lowest * factor - 1e-9),
                }
                found.append(Finding(WARNING, "modifiers", text))
    return found


def _policy(rule: AlertRule) -> list[Finding]:
    policy = rule.policy
    if policy is None:
        return [Finding(BLOCKER, "policy", _("No escalation policy: nobody would be told."))]
    found = []
    if not policy.is_active:
        found.append(Finding(BLOCKER, "policy", _("The escalation policy “%(policy)s” is not in use.") % {"policy": policy.name}))
    if not notifies(policy):
        found.append(Finding(BLOCKER, "policy", _("The escalation policy “%(policy)s” notifies nobody.") % {"policy": policy.name}))
    else:
        found += _as_its_own_check_says(policy)
    if policy.agency_id is not None and rule.agency_id is not None and policy.agency_id != rule.agency_id:
        text = _("The escalation policy “%(policy)s” is another agency's.") % {"policy": policy.name}
        found.append(Finding(WARNING, "policy", text))
    return found


def _as_its_own_check_says(policy: EscalationPolicy) -> list[Finding]:
    """A policy was sound when it was saved; since then a schedule may have got a hole, a person may have left."""
    told = check_policy(policy)
    found = []
    for field, text in told.problems.items():
        number = field.split(".")[1] if field.startswith("steps.") else ""
        where = _("step %(number)s: ") % {"number": number} if number else ""
        why = _("The escalation policy “%(policy)s” cannot do what it says: %(why)s") % {"policy": policy.name, "why": f"{where}{text}"}
        found.append(Finding(BLOCKER, "policy", why))
    beside = _("The escalation policy “%(policy)s”: %(why)s")
    return found + [Finding(WARNING, "policy", beside % {"policy": policy.name, "why": text}) for text in told.warnings]


def notifies(policy: EscalationPolicy) -> bool:
    """Whether any of its steps, or its fallback, tells a person."""
    if policy.fallback_user_id is not None or policy.fallback_contact_id is not None:
        return True
    silent = [PolicyStep.Kind.WAIT, PolicyStep.Kind.TASK, PolicyStep.Kind.WEBHOOK]
    return policy.steps.exclude(kind__in=silent).exists()


def _codes(given: Iterable[str], known: object, field: str, text: str) -> list[Finding]:
    wanted = list(given)
    if not wanted:
        return []
    names = known()  # type: ignore[operator]
    return [Finding(ERROR, field, _unknown(text, code, names)) for code in wanted if code not in names]


def _unknown(text: str, code: str, known: Iterable[str]) -> str:
    near = get_close_matches(code, list(known), n=1)
    return text % {"code": code[:60]} + (" " + _("Did you mean “%(near)s”?") % {"near": near[0]} if near else "")
