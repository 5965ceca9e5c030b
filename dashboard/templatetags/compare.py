"""How changes are written."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from incidents.services.compare import Change, Comparison, Note, PeriodFacts

register = template.Library()


@register.filter
def signed_count(value: int) -> str:
    """+1,048, −12, ±0."""
    return _signed(value)


@register.filter
def signed_percent(value: float) -> str:
    """+5 %, −12 %, ±0 %."""
    return f"{_signed(round(value))} %"


@register.filter
def percent_interval(change: Change) -> str:
    """−4 … +12 %."""
    low, high = (None if end is None else round(100 * (end - 1)) for end in (change.low, _finite(change.high)))
    return f"{_signed(low)} … {_signed(high)} %"


def _finite(value: float | None) -> float | None:
    return None if value is None or value > 1000 else value


def _signed(value: int | None) -> str:
    return "∞" if value is None else f"{'+' if value > 0 else '−' if value < 0 else '±'}{abs(value):,}"


@register.filter
def at(values: dict[Any, Any], key: Any) -> Any:
    return values.get(key, "")


@register.simple_tag(takes_context=True)
def compare_query(context: Any, **changes: Any) -> str:
    """The address of this comparison with something changed."""
    query: str = context["page"].query(**changes)
    return query


@register.simple_tag
def notes_of(facts: PeriodFacts, found: Comparison) -> list[str]:
    """What a reader must know before comparing in this period, each a sentence."""
    names = {"now": _("this period"), "before": _("the stretch before"), "last_year": _("the same days last year")}
    notes = []
    for which, spans in facts.missing.items():
        for span in spans:
            given = {"which": names[which], "from": _day(span.first), "to": _day(span.last)}
            text = _("%(which)s: no data from %(from)s to %(to)s.") % given
            if which != "now" and facts.is_comparable[which]:
                text = _("%(which)s: no data from %(from)s to %(to)s; the change is per day with data.") % given
            notes.append(text)
    notes += [_note(note, names.get(note.against, "")) for note in facts.notes]
    if not found.swing_is_known:
        notes.append(_("Fewer than 12 weeks before say how much counts swing: chance is judged as if incidents were independent."))
    return [text[:1].upper() + text[1:] for text in notes if text]


def _note(note: Note, which: str) -> str:
    if note.code == "leap_day":
        return _("29 February makes this period and %(which)s differ by a day; the change is per day.") % {"which": which}
    feasts = {"ramadan": _("Ramadan"), "eid_al_fitr": _("Eid al-Fitr"), "eid_al_adha": _("Eid al-Adha")}
    given = {"feast": feasts[note.code], "now": note.days_now, "then": note.days_then, "which": which}
    return _("%(feast)s: days in this period: %(now)s, in %(which)s: %(then)s. What it changes is in the difference.") % given


def _day(day: Any) -> str:
    return date_format(day, "j M Y")
