"""Why an alert fired, in sentences, from what was kept with it: for its page, its messages and the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from alerts.models import Alert, Level
from alerts.services.rules.wording import days, minutes
from incidents.categories import category_name

MOST_HOLES = 5


def why_of(alert: Alert, *, place: str | None = None) -> list[str]:
    """``place``: the name of its zone, where the caller has it already."""
    if alert.kind == Alert.Kind.MANUAL:
        return [_("A person raised it.")]
    facts = alert.facts if isinstance(alert.facts, Mapping) else {}
    if alert.kind == Alert.Kind.OUTSIDE:
        return list(_warned(facts))
    if alert.kind == Alert.Kind.STORM:
        return list(_stormed(facts))
    return [*_found(alert, facts, place), *_measured(alert, facts), *_from(facts), *_held(facts), *_holes(facts)]


def reason_of(alert: Alert, *, place: str | None = None) -> str:
    """The first of them, for a message: what a rule found."""
    return next(iter(why_of(alert, place=place)), "") if alert.rule_id is not None else ""


def _warned(facts: Mapping[str, Any]) -> Iterator[str]:
    """Of a warning: who says it, how sure they are, for where and until when."""
    yield _("%(sender)s warns.") % {"sender": facts.get("sender_name") or facts.get("sender") or "–"}
    if facts.get("area"):
        yield _("For: %(area)s.") % {"area": facts["area"]}
    ends_at = parse_datetime(str(facts.get("expires", "")))
    if ends_at is not None:
        yield _("It stands until %(at)s.") % {"at": date_format(timezone.localtime(ends_at), "j M, H:i")}


# --- what a run of the analytics found ---------------------------------------------------------------


def _found(alert: Alert, facts: Mapping[str, Any], place: str | None) -> Iterator[str]:
    if facts.get("event") == "hot_spot":
        yield from _hot_spot(facts)
    elif facts.get("event") == "forecast":
        name = place if place is not None else alert.zone.name if alert.zone is not None else ""
        yield from _forecast(facts, alert.category, name)


def _hot_spot(facts: Mapping[str, Any]) -> Iterator[str]:
    count, usual, length = (_number(facts.get(name)) for name in ("count", "usual", "days"))
    if count is None or not length:
        return
    given = {"n": int(count), "days": days(int(length))}
    told = {
        "head": _change(str(facts.get("change", "")), str(facts.get("name", ""))),
        "counted": ngettext("%(n)d incident in %(days)s", "%(n)d incidents in %(days)s", int(count)) % given,
        "usual": figure(usual or 0.0),
        "times": f"{count / usual:.1f}" if usual else "",
    }
    if usual:
        yield _("%(head)s: %(counted)s, usually %(usual)s (%(times)s times).") % told
    elif usual is not None:
        yield _("%(head)s: %(counted)s, usually none.") % told
    else:
        yield _("%(head)s: %(counted)s.") % told
    q_value = _number(facts.get("q_value"))
    if q_value is not None and q_value <= 0.05:
        yield _("It stands out of its surroundings by more than chance brings.")


def _change(change: str, name: str) -> str:
    heads = {
        "born": _("New hot spot %(name)s"),
        "grown": _("Hot spot %(name)s grew"),
        "shrunk": _("Hot spot %(name)s shrank"),
        "moved": _("Hot spot %(name)s moved"),
        "steady": _("Hot spot %(name)s is unchanged"),
        "merged": _("Hot spot %(name)s grew together with another"),
        "split": _("Hot spot %(name)s split off from another"),
        "returned": _("Hot spot %(name)s is back"),
    }
    return heads.get(change, _("Hot spot %(name)s")) % {"name": name}


def _forecast(facts: Mapping[str, Any], category: str, place: str) -> Iterator[str]:
    day, expected, usual = parse_date(str(facts.get("day", ""))), _number(facts.get("expected")), _number(facts.get("usual"))
    low, high = _number(facts.get("low")), _number(facts.get("high"))
    if day is None or expected is None or low is None or high is None:
        return
    told = {
        "day": _day(day),
        "place": place or "–",
        "expected": figure(expected),
        "low": figure(low),
        "high": figure(high),
        "usual": figure(usual or 0.0),
        "category": category_name(category) if category else "",
    }
    if category and usual is not None:
        text = _("%(day)s %(expected)s incidents expected in %(place)s (%(low)s to %(high)s), usually %(usual)s; category: %(category)s.")
    elif category:
        text = _("%(day)s %(expected)s incidents expected in %(place)s (%(low)s to %(high)s); category: %(category)s.")
    elif usual is not None:
        text = _("%(day)s %(expected)s incidents expected in %(place)s (%(low)s to %(high)s), usually %(usual)s.")
    else:
        text = _("%(day)s %(expected)s incidents expected in %(place)s (%(low)s to %(high)s).")
    yield text % told
    share, history = _number(facts.get("interval")), _number(facts.get("history_days"))
    if share and history:
        text = _("A forecast, not a fact: made from %(history)s; on %(share)d of 100 such days the number is meant to lie in that range.")
        yield text % {"history": days(int(history)), "share": round(100 * share)}


def _day(day: date) -> str:
    """As whoever reads it now would call that day."""
    today = timezone.localdate()
    if day == today:
        return _("Today")
    return _("Tomorrow") if day == today + timedelta(days=1) else _("On %(day)s") % {"day": date_format(day, "l j F")}


def figure(value: float) -> str:
    """A number of incidents as people say it: 4, 4.5, 23."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# --- what was measured -------------------------------------------------------------------------------


def _measured(alert: Alert, facts: Mapping[str, Any]) -> Iterator[str]:
    if alert.measure is None:
        return
    measure, hours = f"{round(alert.measure, 2):g}", facts.get("window_h")
    measured = facts.get("measure_name")
    if isinstance(hours, int | float) and hours > 0:
        n = int(alert.measure)
        told = {"n": n, "hours": f"{hours:g}"}
        yield ngettext("%(n)d counted in the last %(hours)s h.", "%(n)d counted in the last %(hours)s h.", n) % told
    elif measured == "minutes":
        yield _("%(measure)s minutes of silence.") % {"measure": measure}
    elif measured == "over_usual_percent":
        yield _("%(measure)s percent above what is usual there.") % {"measure": measure}
    elif measured == "rate_ratio":
        yield _("Without what drawing its outline adds, it is %(times)s times the windows before.") % {"times": measure}
    elif measured == "severity_score":
        yield _("Its incidents weigh %(measure)s by severity.") % {"measure": measure}
    elif measured == "density_per_km2":
        yield _("%(measure)s incidents a square kilometre.") % {"measure": measure}
    elif measured not in ("incident_count", "expected"):
        yield _("Measured: %(measure)s.") % {"measure": measure}
    if alert.threshold is not None:
        told_level = str(facts.get("level", ""))
        level = Level(told_level if told_level in Level.values else alert.level)
        yield _("The level “%(level)s” begins at %(threshold)s.") % {"level": level.label, "threshold": f"{round(alert.threshold, 2):g}"}


def _from(facts: Mapping[str, Any]) -> Iterator[str]:
    before, trend, least = facts.get("before"), facts.get("trend"), facts.get("trend_at_least")
    if isinstance(before, int | float) and facts.get("event") != "forecast":
        yield _("In the window before it was %(n)s.") % {"n": f"{before:g}"}
    if isinstance(trend, int | float) and isinstance(least, int | float):
        yield _("That is %(trend)s times as much; the rule asks for %(least)s.") % {"trend": f"{trend:g}", "least": f"{least:g}"}
    modifiers = facts.get("modifiers")
    if isinstance(modifiers, Mapping):
        said = list(_modified(modifiers))
        if said:
            yield _("In force at that time: %(what)s.") % {"what": _(", ").join(said)}


def _modified(modifiers: Mapping[str, Any]) -> Iterator[str]:
    percent, hurry, up = (modifiers.get(name) for name in ("threshold_percent", "hurry_percent", "level_up"))
    if isinstance(percent, int | float) and percent:
        yield _("thresholds changed by %(n)s percent") % {"n": f"{percent:+g}"}
    if isinstance(hurry, int | float) and hurry:
        yield _("waits shortened by %(n)s percent") % {"n": f"{hurry:g}"}
    if isinstance(up, int) and up:
        yield ngettext("%(n)d level higher", "%(n)d levels higher", up) % {"n": up}


# --- what kept it, or the rest, from being told at once ------------------------------------------------


def _held(facts: Mapping[str, Any]) -> Iterator[str]:
    since, until = (_moment(facts.get(name)) for name in ("held_since", "held_until"))
    if since is None or until is None:
        return
    lasted = minutes(max(1, round((until - since).total_seconds() / 60)))
    if facts.get("held_by") == "type":
        yield _("It was held back for %(time)s: after another alert the rule is quiet for this incident type, in other zones too.") % {
            "time": lasted
        }
    else:
        yield _("It was held back for %(time)s: after another alert the rule is quiet for this zone.") % {"time": lasted}


def _moment(value: object) -> datetime | None:
    return parse_datetime(value) if isinstance(value, str) else None


def _stormed(facts: Mapping[str, Any]) -> Iterator[str]:
    count, most = facts.get("stormed"), facts.get("most_per_hour")
    if isinstance(most, int):
        yield ngettext(
            "The rule had opened %(n)d alert within an hour, which is the most it may.",
            "The rule had opened %(n)d alerts within an hour, which is the most it may.",
            most,
        ) % {"n": most}
    if isinstance(count, int):
        yield ngettext("This alert stands for %(n)d more.", "This alert stands for %(n)d more.", count) % {"n": count}
    last = facts.get("last_ar" if (get_language() or "").startswith("ar") else "last")
    if isinstance(last, str) and last:
        yield _("The last of them: %(title)s.") % {"title": last}


# --- what the daily look found in an on-call schedule -------------------------------------------------


def _holes(facts: Mapping[str, Any]) -> Iterator[str]:
    holes = facts.get("holes")
    if not isinstance(holes, list):
        return
    for hole in holes[:MOST_HOLES]:
        start, end = parse_datetime(str(hole.get("from"))), parse_datetime(str(hole.get("to")))
        if start is not None and end is not None:
            span = {"from": f"{timezone.localtime(start):%d/%m %H:%M}", "to": f"{timezone.localtime(end):%d/%m %H:%M}"}
            yield _("Nobody is on call from %(from)s to %(to)s.") % span
    if len(holes) > MOST_HOLES:
        more = int(facts.get("count") or len(holes)) - MOST_HOLES
        yield ngettext("And %(n)d more hole.", "And %(n)d more holes.", more) % {"n": more}
