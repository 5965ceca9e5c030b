"""A replay in words: "In the last 30 days: 41 alerts, 38 of them for vehicle theft, 6 at night. These 12 people would have been paged." """

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from alerts.models import RuleReplay
from alerts.services.rules.activation import MANY_A_DAY, TOO_MANY_A_DAY
from alerts.services.rules.wording import days, inside, listed

MOST_NAMES = 12


def in_words(replay: RuleReplay, *, with_people: bool = True) -> list[str]:
    """Its sentences in the active language. ``with_people`` false: how many, and no names."""
    result = replay.result
    said = [_first(replay, result)]
    said += _joined(result)
    if result.get("storms"):
        text = ngettext(
            "%(n)s time it would have stormed: more alerts in an hour than it may make.",
            "%(n)s times it would have stormed: more alerts in an hour than it may make.",
            result["storms"],
        )
        said.append(text % {"n": result["storms"]})
    said += _people(result, with_people)
    said += warnings(replay)
    return said


def warnings(replay: RuleReplay) -> list[str]:
    """What one should think of before switching it on."""
    result, found = replay.result, []
    if replay.alert_count > TOO_MANY_A_DAY * replay.days:
        found.append(_("So many that nobody could read them: it cannot be switched on like this."))
    elif replay.alert_count > MANY_A_DAY * replay.days:
        found.append(_("That is more than %(most)s a day: think of higher thresholds.") % {"most": MANY_A_DAY})
    reaches = float(result.get("reaches_days") or 0)
    if reaches < replay.days - 0.5:
        found.append(
            _("Too little history: it reaches back %(reaches)s days, not %(days)s.") % {"reaches": f"{reaches:g}", "days": replay.days}
        )
    if result.get("is_cut"):
        found.append(_("There was too much to look at: the replay stopped before it had seen everything."))
    if result.get("alerts_nobody"):
        text = ngettext(
            "For %(n)s of the alerts looked at nobody could have been reached.",
            "For %(n)s of the alerts looked at nobody could have been reached.",
            result["alerts_nobody"],
        )
        found.append(text % {"n": result["alerts_nobody"]})
    if not result.get("facts"):
        found.append(_("Nothing of this kind happened in that time: the replay says nothing about the rule."))
    return found


def _first(replay: RuleReplay, result: dict[str, Any]) -> str:
    text = ngettext("In the last %(days)s: %(n)s alert", "In the last %(days)s: %(n)s alerts", replay.alert_count)
    parts = [text % {"days": days(replay.days), "n": replay.alert_count}]
    for key in ("by_type", "by_zone"):
        rows = result.get(key) or []
        if rows and replay.alert_count > 1:
            top = rows[0]
            name = name_of(top)
            pattern = _("%(n)s of them for %(what)s") if key == "by_type" else _("%(n)s of them in %(what)s")
            parts.append(pattern % {"n": top["alerts"], "what": inside(name) if key == "by_type" else name})
    if replay.alert_count:
        parts.append(_("%(n)s at night") % {"n": result.get("night", 0)})
    comma = "، " if (get_language() or "").startswith("ar") else ", "
    return comma.join(parts) + "."


def _joined(result: dict[str, Any]) -> list[str]:
    found = []
    if result.get("joined"):
        text = ngettext("%(n)s more joined an open alert.", "%(n)s more joined an open alert.", result["joined"])
        found.append(text % {"n": result["joined"]})
    if result.get("held"):
        text = ngettext("%(n)s waited for a quiet time to end.", "%(n)s waited for a quiet time to end.", result["held"])
        found.append(text % {"n": result["held"]})
    return found


def _people(result: dict[str, Any], with_people: bool) -> list[str]:
    people = result.get("people") or []
    if not people:
        return []
    number = len(people)
    if not with_people:
        text = ngettext("%(n)s person or desk would have been paged.", "%(n)s people and desks would have been paged.", number)
        return [text % {"n": number}]
    names = [each["name"] for each in people[:MOST_NAMES]]
    if number > MOST_NAMES:
        names.append(_("%(n)s more") % {"n": number - MOST_NAMES})
    text = ngettext(
        "Had nobody acknowledged, this one would have been paged: %(names)s.",
        "Had nobody acknowledged, these %(n)s would have been paged: %(names)s.",
        number,
    )
    return [text % {"n": number, "names": listed(names)}]


def name_of(row: dict[str, Any]) -> str:
    return str(row["name_ar"] if (get_language() or "").startswith("ar") else row["name_en"])
