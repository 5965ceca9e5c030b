"""The first sentence of a rule: when it fires, for each source."""

from __future__ import annotations

from math import ceil

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from alerts.models import AlertRule
from alerts.services.rules import vocabulary
from alerts.services.rules.conditions import (
    CameraCondition,
    Condition,
    CountCondition,
    EventCondition,
    FeedSilenceCondition,
    ForecastCondition,
    HotSpotCondition,
    ReadingCondition,
)
from alerts.services.rules.fields import plain
from alerts.services.rules.wording import days, either, hours, inside, minutes
from incidents.models import HotSpot


def what(rule: AlertRule, condition: Condition) -> str:
    """ "When 3 or more reports of burglary come in within 24 hours in one area of Hawalli." """
    match condition:
        case EventCondition():
            return _event(rule, condition)
        case CountCondition():
            return _count(rule, condition)
        case HotSpotCondition():
            return _hot_spot(rule, condition)
        case ForecastCondition():
            return _forecast(rule, condition)
        case ReadingCondition():
            return _reading(rule, condition)
        case FeedSilenceCondition():
            return _feed(condition)
        case CameraCondition():
            return _camera(rule, condition)


def _event(rule: AlertRule, condition: EventCondition) -> str:
    found = _("When %(events)s%(place)s.") % {
        "events": either([vocabulary.event_words(name) for name in condition.types]),
        "place": _place(rule),
    }
    for key, words in condition.where:
        found += " " + _("Only where its “%(key)s” is %(words)s.") % {"key": key, "words": either(words)}
    if condition.measure and condition.at_least is not None:
        found += " " + _("Only where its “%(measure)s” is at least %(number)s.") % {
            "measure": condition.measure,
            "number": plain(condition.at_least),
        }
    return found


def _count(rule: AlertRule, condition: CountCondition) -> str:
    least = min(rule.levels.values()) if rule.levels else 1
    number = max(ceil(least - 1e-9), 0)
    values = {"n": number, "what": _of_what(rule), "window": hours(condition.window_h), "place": _counted_in(rule, condition)}
    return (
        ngettext(
            "When %(n)s report or more of %(what)s comes in within %(window)s %(place)s.",
            "When %(n)s or more reports of %(what)s come in within %(window)s %(place)s.",
            number,
        )
        % values
    )


def _of_what(rule: AlertRule) -> str:
    if rule.types:
        return either([inside(name) for name in vocabulary.type_names(rule.types)])
    if rule.categories:
        return either([inside(name) for name in vocabulary.category_names(rule.categories)])
    if {"type", "category"} & set(rule.group_by):
        return _("one kind")
    return _("any kind")


def _counted_in(rule: AlertRule, condition: CountCondition) -> str:
    names = vocabulary.zone_names(rule.governorates, level="governorate")
    if condition.per == "country":
        return _("in %(governorates)s together") % {"governorates": either(names)} if names else _("in the whole country")
    if condition.per == "governorate":
        return _("in one governorate (%(governorates)s)") % {"governorates": either(names)} if names else _("in one governorate")
    if condition.per == "block":
        return _("in one block of %(governorates)s") % {"governorates": either(names)} if names else _("in one block")
    return _("in one area of %(governorates)s") % {"governorates": either(names)} if names else _("in one area")


def _place(rule: AlertRule) -> str:
    names = vocabulary.zone_names(rule.governorates, level="governorate")
    return " " + _("in %(governorates)s") % {"governorates": either(names)} if names else ""


def _hot_spot(rule: AlertRule, condition: HotSpotCondition) -> str:
    changes = either([inside(str(HotSpot.Change(change).label)) for change in condition.changes])
    found = _("When the analytics find a hot spot%(place)s that is: %(changes)s.") % {"place": _place(rule), "changes": changes}
    found += " " + _("It is judged by its %(measure)s.") % {"measure": _measure(condition.measure)}
    if condition.min_incidents:
        text = ngettext("It has at least %(n)s incident.", "It has at least %(n)s incidents.", condition.min_incidents)
        found += " " + text % {"n": condition.min_incidents}
    if condition.min_rate_ratio is not None:
        found += " " + _("There are at least %(times)s times as many as before.") % {"times": plain(condition.min_rate_ratio)}
    if condition.significant_only:
        found += " " + _("It stands out from its surroundings beyond chance.")
    return found


def _measure(name: str) -> str:
    return {
        "incident_count": _("number of incidents"),
        "rate_ratio": _("incidents now over those before"),
        "severity_score": _("severity-weighted score"),
        "density_per_km2": _("incidents per km²"),
    }.get(name, name)


def _forecast(rule: AlertRule, condition: ForecastCondition) -> str:
    zone = {"area": _("an area"), "governorate": _("a governorate"), "country": _("the country")}[condition.per]
    least = plain(min(rule.levels.values())) if rule.levels else "…"
    values = {"zone": zone, "place": _place(rule), "days": days(condition.horizon_days), "number": least}
    if condition.measure == "over_usual_percent":
        found = _(
            "When the forecast for %(zone)s%(place)s within the next %(days)s is at least %(number)s %% above the usual for that weekday."
        )
    else:
        found = _("When the forecast for %(zone)s%(place)s within the next %(days)s expects at least %(number)s incidents in a day.")
    found = found % values
    if condition.min_expected:
        found += " " + _("At least %(number)s incidents are expected.") % {"number": plain(condition.min_expected)}
    return found


def _reading(rule: AlertRule, condition: ReadingCondition) -> str:
    of = pgettext("reading", " of %(properties)s") % {"properties": either(condition.properties)} if condition.properties else ""
    found = _("When a sensor's reading%(of)s%(place)s is anomalous.") % {"of": of, "place": _place(rule)}
    if condition.at_least is not None:
        found += " " + _("Only where its “%(measure)s” is at least %(number)s.") % {
            "measure": condition.measure,
            "number": plain(condition.at_least),
        }
    return found


def _feed(condition: FeedSilenceCondition) -> str:
    feeds = either(condition.feeds) if condition.feeds else _("any partner")
    return _("When the feed of %(feeds)s has sent nothing for %(minutes)s.") % {"feeds": feeds, "minutes": minutes(condition.after_min)}


def _camera(rule: AlertRule, condition: CameraCondition) -> str:
    words = {
        "offline": pgettext("camera", "offline"),
        "tampered": pgettext("camera", "tampered with"),
        "degraded": pgettext("camera", "degraded"),
    }
    states = either([words.get(state, state) for state in condition.states])
    if condition.after_min:
        return _("When a camera%(place)s has been %(states)s for %(minutes)s.") % {
            "place": _place(rule),
            "states": states,
            "minutes": minutes(condition.after_min),
        }
    return _("When a camera%(place)s is %(states)s.") % {"place": _place(rule), "states": states}
