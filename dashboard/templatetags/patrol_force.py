"""The roster's cells: two thousand of them in a page, so they are put together here and not by two thousand loops of a template."""

from __future__ import annotations

from datetime import timedelta

from django import template
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from dashboard.roster import Placed, Row, Slot, Week, Work

register = template.Library()


@register.filter
def duration(minutes: int) -> str:
    """7:30 of minutes."""
    return f"{int(minutes) // 60:,}:{int(minutes) % 60:02d}"


@register.filter
def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


@register.filter
def span(length: timedelta | None) -> str:
    """7:30 of a length of time; a dash where there is none."""
    return "–" if length is None else duration(int(length.total_seconds() // 60))


@register.filter
def ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


@register.filter
def flag(names: dict[str, str], code: str) -> str:
    return str(names[code])


@register.simple_tag
def roster_rows(week: Week) -> SafeString:
    """The rows of the week's table. Everything that comes from people is escaped."""
    address = reverse("roster-shift", args=[0])
    head, tail = address.rsplit("0", 1)
    classes = [" ".join(name for name, on in (("is-today", day.is_today), ("is-weekend", day.is_weekend)) if on) for day in week.days]
    by_person = week.by == "person"
    words: dict[str, str] = {"away": escape(_("On leave")), "over_rest": escape(_("With too little rest")), "leader": escape(_("Leader"))}
    out: list[str] = []
    for row in week.rows:
        out.append(f'<tr><th scope="row"><bdi>{escape(row.name)}</bdi>{_note(row)}</th>')
        for number, cell in enumerate(row.cells):
            out.append(f'<td class="{classes[number]}">' if classes[number] else "<td>")
            for item in cell:
                if item is None:
                    out.append(f'<span class="away">{words["away"]}</span>')
                elif by_person:
                    out.append(_work(item, head, tail, words))
                else:
                    out.append(_slot(item, row, head, tail, words))
            out.append("</td>")
        out.append(f'<td class="n">{duration(row.minutes) if row.minutes else "–"}</td></tr>' if by_person else "</tr>")
    return mark_safe("".join(out))  # noqa: S308  (escaped above, piece by piece)


def _note(row: Row) -> str:
    return f'<span class="muted">{escape(row.note)}</span>' if row.note else ""


def _work(work: Work, head: str, tail: str, words: dict[str, str]) -> str:
    mark = f'<b class="over" title="{words["over_rest"]}">!</b>' if work.is_over_rest else ""
    return f'<a class="work" href="{head}{work.shift_id}{tail}"><b>{escape(work.code)}</b> <bdi>{escape(work.unit)}</bdi>{mark}</a>'


def _slot(slot: Slot, row: Row, head: str, tail: str, words: dict[str, str]) -> str:
    kind = " is-gap" if slot.is_gap and row.unit_id else " is-short" if slot.problem else ""
    title = f' title="{escape(slot.problem)}"' if slot.problem else ""
    people = "".join(_placed(placed, words) for placed in slot.crew) or "<i>—</i>"
    unit = f"?unit={row.unit_id}" if row.unit_id else ""
    return f'<a class="slot{kind}" href="{head}{slot.shift_id}{tail}{unit}"{title}><b>{escape(slot.code)}</b><span>{people}</span></a>'


def _placed(placed: Placed, words: dict[str, str]) -> str:
    star = f'<b class="leads" title="{words["leader"]}">★</b>' if placed.is_leader else ""
    mark = f'<b class="over" title="{words["over_rest"]}">!</b>' if placed.is_over_rest else ""
    return f"<span>{star}<bdi>{escape(placed.person.name)}</bdi>{mark}</span>"
