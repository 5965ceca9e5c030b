"""What an alert is called, in both languages: the rule's name, what it is about, where, and the number that counts."""

from __future__ import annotations

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.services.engine.evaluation import Firing
from alerts.services.rules.conditions import CountCondition, ForecastCondition, HotSpotCondition

MOST = 200


def titles(firing: Firing) -> tuple[str, str]:
    return title(firing, "en"), title(firing, "ar")


def title(firing: Firing, language: str) -> str:
    fact, is_arabic = firing.fact, language == "ar"
    with translation.override(language):
        name = firing.rule.rule.name_ar if is_arabic else firing.rule.rule.name_en
        about = fact.name_ar if is_arabic else fact.name_en
        place = fact.place_ar if is_arabic else fact.place_en
        parts = [part for part in (about if about.casefold() not in name.casefold() else "", place) if part]
        number = _number(firing)
        if number:
            parts.append(number)
        words = f"{name}: {_(', ').join(parts)}" if parts else name
    return words if len(words) <= MOST else words[: MOST - 1] + "…"


def _number(firing: Firing) -> str:
    measure = firing.measure
    if measure is None:
        return ""
    match firing.rule.condition:
        case CountCondition() as condition:
            hours = f"{condition.window_h:g}"
            return ngettext("%(count)d in %(hours)s h", "%(count)d in %(hours)s h", int(measure)) % {"count": int(measure), "hours": hours}
        case HotSpotCondition() if firing.facts.get("measure_name") == "incident_count":
            return ngettext("%(count)d incident", "%(count)d incidents", int(measure)) % {"count": int(measure)}
        case ForecastCondition() if firing.facts.get("measure_name") == "expected":
            return _("%(count)s expected") % {"count": f"{measure:.0f}" if measure >= 10 else f"{measure:.1f}".removesuffix(".0")}
        case _ if firing.facts.get("measure_name") == "minutes":
            return _("%(minutes)d min") % {"minutes": int(measure)}
        case _ if firing.facts.get("measure_name") == "over_usual_percent":
            return f"{measure:+.0f}%"
    return f"{round(measure, 2):g}"
