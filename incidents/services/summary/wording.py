"""The words of each statement, in the language that is active. Nothing here counts or decides: every figure comes with the statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _

from incidents.categories import category_name
from incidents.services.summary.statements import Named, Statement

# Names take the direction of their first letter; figures, which have none, run left to right.
ISOLATE, ISOLATE_LTR, END_ISOLATE = "\u2068", "\u2066", "\u2069"
Facts = Mapping[str, Any]
Words = Callable[[Facts], str]
_HEADINGS = {
    "what": _("What happened"),
    "why": _("Why: what the analytics found"),
    "recommended": _("Suggested, for a person to decide"),
    "freshness": _("How fresh the data are"),
    "limits": _("What this cannot say"),
}


def heading(section: str) -> str:
    return str(_HEADINGS[section])


def sentence(statement: Statement) -> str:
    """The statement in the active language. Figures and names are wrapped in Unicode isolates, so that they keep their own direction."""
    return _WORDS[statement.code](statement.facts)


# --- parts ------------------------------------------------------------------------------------------------------------
def _apart(text: object) -> str:
    return f"{ISOLATE}{text}{END_ISOLATE}"


def _figure(text: str) -> str:
    return f"{ISOLATE_LTR}{text}{END_ISOLATE}"


def _number(value: float) -> str:
    return _figure(f"{value:,.0f}")


def _decimal(value: float) -> str:
    return _figure(f"{value:.1f}")


def _signed(value: float, unit: str = "") -> str:
    rounded = round(value)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else "±"
    return _figure(f"{sign}{abs(rounded):,}{unit}")


def _name(value: Named | None) -> str:
    if value is None:
        return str(_("a place without a name"))
    return _apart(value.ar if (get_language() or "").startswith("ar") else value.en)


def _day(value: date) -> str:
    return _apart(date_format(value, "j F Y"))


def _moment(value: datetime) -> str:
    return _apart(date_format(value, "j F Y, H:i"))


def _against(name: str) -> str:
    return str({"before": _("the 28 days before"), "last_year": _("the same days last year"), "now": _("the last 28 days")}[name])


def _percent(facts: Facts) -> str:
    return f" ({_signed(facts['percent'], ' %')})" if facts.get("percent") is not None else ""


def _line(facts: Facts) -> str:
    if facts["by"] == "category":
        return _apart(category_name(facts["line"]))
    return _name(facts["name"])


def _hours(middle: int) -> str:
    return _figure(f"{(middle - 1) % 24:02d}:00–{(middle + 2) % 24:02d}:00")


def _list(names: list[str]) -> str:
    return _(" and ").join(names)


# --- what -------------------------------------------------------------------------------------------------------------
def _nothing_counted(f: Facts) -> str:
    if f["newest"] is None:
        return str(_("No incident has been reported that you may see."))
    return _("No incident was counted in these periods. The newest is from %(day)s.") % {"day": _day(f["newest"])}


def _counted(f: Facts) -> str:
    text = ngettext(
        "%(n)s incident was counted from %(first)s to %(last)s (28 days).",
        "%(n)s incidents were counted from %(first)s to %(last)s (28 days).",
        f["n"],
    )
    return text % {"n": _number(f["n"]), "first": _day(f["first"]), "last": _day(f["last"])}


def _total(ending: str | Promise) -> Words:
    def words(f: Facts) -> str:
        given = {"against": _against(f["against"]), "before": _number(f["before"]), "change": _signed(f["difference"]) + _percent(f)}
        return _("Against %(against)s (%(before)s): %(change)s, %(verdict)s.") % (given | {"verdict": ending})

    return words


def _year(f: Facts) -> str:
    given = {"n": _number(f["n"]), "before": _number(f["before"]), "change": _signed(f["difference"]) + _percent(f)}
    return _("Since 1 January: %(n)s, against %(before)s last year: %(change)s, beyond what chance brings.") % given


def _line_changed(rises: bool) -> Words:
    def words(f: Facts) -> str:
        given = {
            "name": _line(f),
            "now": _number(f["now"]),
            "before": _number(f["before"]),
            "against": _against(f["against"]),
            "percent": _percent(f),
        }
        if rises:
            text = _("%(name)s rose: %(now)s against %(before)s in %(against)s%(percent)s, more than chance brings.") % given
        else:
            text = _("%(name)s fell: %(now)s against %(before)s in %(against)s%(percent)s, further than chance brings.") % given
        if f["follows_officers"]:
            text += " " + _("Counts of this type follow where officers are sent.")
        return text

    return words


def _more_lines(f: Facts) -> str:
    text = ngettext("%(n)s more line changed beyond chance; see Compare.", "%(n)s more lines changed beyond chance; see Compare.", f["n"])
    return text % {"n": _number(f["n"])}


# --- why --------------------------------------------------------------------------------------------------------------
def _hot_spot(f: Facts) -> str:
    text = ngettext(
        "Hot spot %(rank)s, %(place)s: %(n)s incident in %(days)s days on %(area)s km².",
        "Hot spot %(rank)s, %(place)s: %(n)s incidents in %(days)s days on %(area)s km².",
        f["n"],
    )
    text %= {
        "rank": _figure(f"#{f['rank']}"),
        "place": _name(f["place"]),
        "n": _number(f["n"]),
        "days": f["days"],
        "area": _decimal(f["area_km2"]),
    }
    more = []
    if f["types"]:
        more.append(_("Mostly: %(types)s.") % {"types": _list([_name(one) for one in f["types"]])})
    if f["peak_hour"] is not None and f["peak_weekday"] is not None:
        more.append(_("Most on %(weekday)s and at %(hours)s.") % {"weekday": WEEKDAYS[f["peak_weekday"]], "hours": _hours(f["peak_hour"])})
    elif f["peak_hour"] is not None:
        more.append(_("Most at %(hours)s.") % {"hours": _hours(f["peak_hour"])})
    elif f["peak_weekday"] is not None:
        more.append(_("Most on %(weekday)s.") % {"weekday": WEEKDAYS[f["peak_weekday"]]})
    if f["rises"]:
        more.append(_("It rises by more than chance brings: %(ratio)s times the windows before.") % {"ratio": _decimal(f["rate_ratio"])})
    elif f["falls"]:
        more.append(_("It falls by more than chance brings: %(ratio)s times the windows before.") % {"ratio": _decimal(f["rate_ratio"])})
    if f["held_until"] is not None:
        more.append(_("People hold it back from patrol until %(at)s.") % {"at": _moment(f["held_until"])})
    if f["change"] == "born":
        more.append(str(_("New since the last run.")))
    elif f["since"] is not None:
        more.append(_("Found since %(day)s.") % {"day": _day(f["since"])})
    return " ".join([text, *more])


def _near_repeat(f: Facts) -> str:
    given = {
        "category": _apart(category_name(f["category"])),
        "place": _name(f["place"]) if f["place"] else _("the whole region"),
        "metres": _number(f["within_m"]),
        "days": _number(f["within_days"]),
        "ratio": _decimal(f["ratio"]),
    }
    return (
        _(
            "%(category)s repeats nearby in %(place)s: within %(metres)s m and %(days)s days of one, others come %(ratio)s times "
            "as often as chance has it."
        )
        % given
    )


def _forecast(text: str | Promise) -> Words:
    def words(f: Facts) -> str:
        given = {"days": f["days"], "expected": _number(f["expected"]), "usual": _number(f["usual"]), "first": _day(f["first"])}
        return str(text) % given

    return words


# --- recommended ------------------------------------------------------------------------------------------------------
def _at(f: Facts) -> dict[str, str]:
    when = _(", most at %(hours)s") % {"hours": _hours(f["peak_hour"])} if f["peak_hour"] is not None else ""
    return {"place": _name(f["place"]), "rank": _figure(f"#{f['rank']}"), "when": when}


def _place(text: str | Promise) -> Words:
    return lambda f: str(text) % _at(f)


def _neighbours(f: Facts) -> str:
    given = {"category": _apart(category_name(f["category"])), "metres": _number(f["within_m"]), "days": _number(f["within_days"])}
    text = _("After each incident of “%(category)s”, tell the neighbours within %(metres)s m and offer advice for the next %(days)s days.")
    return text % given


def _staff(f: Facts) -> str:
    given = {"expected": _number(f["expected"]), "usual": _number(f["usual"]), "days": f["days"], "busiest": _day(f["busiest"])}
    return _("Plan readiness for about %(expected)s incidents in %(days)s days instead of %(usual)s; the busiest is %(busiest)s.") % given


# --- data -------------------------------------------------------------------------------------------------------------
def _source_heard(f: Facts) -> str:
    text = ngettext(
        "%(source)s: last heard %(at)s; %(n)s incident in 28 days.", "%(source)s: last heard %(at)s; %(n)s incidents in 28 days.", f["n"]
    )
    return text % {"source": _apart(f["source"]), "at": _moment(f["at"]), "n": _number(f["n"])}


def _late(f: Facts) -> str:
    text = _("The last 3 days are still filling: usually %(percent)s in 100 of their incidents are reported later.")
    return text % {"percent": _decimal(f["percent"])}


def _small(f: Facts) -> str:
    text = ngettext(
        "%(n)s line of the comparison has too few incidents to say anything.",
        "%(n)s lines of the comparison have too few incidents to say anything.",
        f["n"],
    )
    return text % {"n": _number(f["n"])}


def _approximate(f: Facts) -> str:
    text = ngettext(
        "The boundary of %(n)s zone is approximate: an incident near it may be counted next door.",
        "The boundaries of %(n)s zones are approximate: an incident near one may be counted next door.",
        f["n"],
    )
    return text % {"n": _number(f["n"])}


def _stands_in(f: Facts) -> str:
    what = {"risk": _("risk"), "forecast": _("forecast")}.get(f["predicts"], f["predicts"])
    given = {"what": what, "level": _(", ").join(_level(level) for level in f["levels"])}
    return _("No model beats counting for %(what)s (%(level)s): a baseline that only counts stands in.") % given


def _scores(f: Facts) -> str:
    text = _(
        "Predictions scored against counting alone: better %(won)s, worse %(lost)s, no clear difference %(even)s, too early %(early)s."
    )
    return text % {name: _number(f[name]) for name in ("won", "lost", "even", "early")}


def _level(level: str) -> str:
    names = {
        "country": _("country"),
        "governorate": _("governorates"),
        "area": _("areas"),
        "shift": _("next shift"),
        "day": _("next day"),
        "week": _("next week"),
        "month": _("next month"),
    }
    return str(names.get(level, level))


def _run(text: str | Promise) -> Words:
    return lambda f: str(text) % {"at": _moment(f["at"]), "run": _figure(f"#{f['run']}")}


def _said(text: str | Promise) -> Words:
    return lambda _facts: str(text)


def _spanned(text: str | Promise) -> Words:
    def words(f: Facts) -> str:
        return str(text) % {"which": _against(f.get("which") or f["against"]), "first": _day(f["first"]), "last": _day(f["last"])}

    return words


_WORDS: dict[str, Words] = {
    "nothing_counted": _nothing_counted,
    "data_end": lambda f: _("The data end on %(day)s; the figures are of the days up to then.") % {"day": _day(f["newest"])},
    "counted": _counted,
    "total_more": _total(_("more than chance brings")),
    "total_fewer": _total(_("fewer than chance brings")),
    "total_chance": _total(_("which chance alone could bring")),
    "total_few": _total(_("too few to say anything")),
    "not_comparable": _spanned(_("There is nothing to compare with in %(which)s (%(first)s to %(last)s): too many days without data.")),
    "year_more": _year,
    "year_fewer": _year,
    "line_more": _line_changed(rises=True),
    "line_fewer": _line_changed(rises=False),
    "no_line_changed": _said(_("No category, type or place changed by more than chance brings.")),
    "more_lines": _more_lines,
    "no_data": _spanned(_("There are no data from %(first)s to %(last)s, in %(which)s.")),
    "hot_spot": _hot_spot,
    "no_hot_spot": _said(_("No hot spot stands here: nothing crowds, the analytics have not run, or they are switched off.")),
    "near_repeat": _near_repeat,
    "forecast_above": _forecast(
        _("The forecast for %(days)s days from %(first)s is above the usual: %(expected)s incidents, where %(usual)s are usual.")
    ),
    "forecast_below": _forecast(
        _("The forecast for %(days)s days from %(first)s is below the usual: %(expected)s incidents, where %(usual)s are usual.")
    ),
    "forecast_usual": _forecast(
        _("The forecast for %(days)s days from %(first)s is about as usual: %(expected)s incidents, where %(usual)s are usual.")
    ),
    "no_forecast": _said(_("No forecast stands here: too little history, the analytics have not run, or they are switched off.")),
    "suggest_property": _place(
        _("At %(place)s (hot spot %(rank)s%(when)s): look at lighting and sight lines, and offer residents advice on locks and vehicles.")
    ),
    "suggest_violence": _place(
        _("At %(place)s (hot spot %(rank)s%(when)s): talk with venues, schools and health services about what leads up to it.")
    ),
    "suggest_traffic": _place(
        _("At %(place)s (hot spot %(rank)s%(when)s): ask the traffic engineers to look at the junctions, signs and speeds.")
    ),
    "suggest_fire": _place(_("At %(place)s (hot spot %(rank)s%(when)s): offer fire-safety visits, and look at waste and wiring.")),
    "suggest_medical": _place(
        _("At %(place)s (hot spot %(rank)s%(when)s): look at where ambulances stand by and where defibrillators are.")
    ),
    "suggest_disorder": _place(
        _("At %(place)s (hot spot %(rank)s%(when)s): talk with residents and the municipality about noise, gathering places and light.")
    ),
    "suggest_service": _place(_("At %(place)s (hot spot %(rank)s%(when)s): pass the reports to the municipality together.")),
    "suggest_visit": _place(
        _("At %(place)s (hot spot %(rank)s%(when)s): go and look what draws incidents there, and ask those who live there.")
    ),
    "suggest_tell_neighbours": _neighbours,
    "suggest_staff": _staff,
    "suggest_ask_why": lambda f: (
        _("%(name)s: ask those who know the place or the trade what changed; the counts do not say.") % {"name": _line(f)}
    ),
    "suggest_check_activity": lambda f: (
        _("%(name)s: check first whether officers were sent out more; the counts follow that.") % {"name": _name(f["name"])}
    ),
    "suggest_ask_source": lambda f: (
        _("Ask why %(source)s has fallen silent before reading a fall into the counts.") % {"source": _apart(f["source"])}
    ),
    "suggest_run": _said(_("Have the analytics run; what stands here is missing or old.")),
    "nothing_suggested": _said(_("Nothing stands out that would call for something new.")),
    "no_source": _said(_("No source is in use here that you may see.")),
    "source_heard": _source_heard,
    "source_silent": lambda f: _("%(source)s is silent: last heard %(at)s.") % {"source": _apart(f["source"]), "at": _moment(f["at"])},
    "source_never": lambda f: _("%(source)s has sent nothing yet.") % {"source": _apart(f["source"])},
    "late": _late,
    "late_unknown": _said(_("How much is reported late is not known.")),
    "run_done": _run(_("The analytics last ran as of %(at)s (run %(run)s).")),
    "run_late": _run(_("The analytics last ran as of %(at)s (run %(run)s): older than a day and a half.")),
    "run_failed": lambda f: _("A step of run %(run)s failed: %(step)s.") % {"run": _figure(f"#{f['run']}"), "step": _apart(f["step"])},
    "run_never": _said(_("The analytics have never run here.")),
    "synthetic": _said(_("The data are synthetic: made up for demonstration, not real incidents.")),
    "small_counts": _small,
    "swing_unknown": _said(_("Fewer than 12 weeks before say how much counts swing: chance is judged as if incidents were independent.")),
    "approximate_zones": _approximate,
    "baseline_stands_in": _stands_in,
    "scores": _scores,
    "no_scores": _said(_("No prediction has been scored here yet.")),
    "own_agencies": _said(
        _("Hot spots and forecasts are sums over all agencies; the counts above are of the agencies you may see, and may be smaller.")
    ),
    "left_out": _said(
        _("Hot spots and forecasts leave out what officers discovered and what follows where they are sent; the counts above do not.")
    ),
    "reports_only": _said(
        _("These are reports. What nobody reports is in none of it, and a change has causes this summary does not know.")
    ),
}
