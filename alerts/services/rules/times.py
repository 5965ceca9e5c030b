"""A rule's modifiers between its column, its file and ``alerts.analytics.modifiers``; the special periods they may name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import time
from typing import Any

from django.utils.translation import gettext as _

from alerts.analytics.modifiers import Modifier, Period, When
from alerts.models import SpecialPeriod
from alerts.services.rules.fields import Fields, plain
from core.errors import Invalid

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_MODIFIERS = 20
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_PERIOD = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def parse_modifiers(data: object) -> tuple[Modifier, ...]:
    """What a rule's ``modifiers`` column says. Raise ``Invalid`` naming the key for anything that is not a list of modifiers."""
    if data is None:
        return ()
    if not isinstance(data, list | tuple) or len(data) > MOST_MODIFIERS:
        message = _("modifiers: a list of at most %(most)s is needed.") % {"most": MOST_MODIFIERS}
        raise Invalid(message, fields={"modifiers": message})
    return tuple(_modifier(each, number) for number, each in enumerate(data, 1))


def modifiers_to_data(modifiers: Sequence[Modifier]) -> list[dict[str, Any]]:
    """As the column keeps and files write them."""
    found: list[dict[str, Any]] = []
    for each in modifiers:
        when: dict[str, Any] = {}
        if each.when.start is not None and each.when.end is not None:
            when |= {"from": f"{each.when.start:%H:%M}", "to": f"{each.when.end:%H:%M}"}
        if each.when.weekdays:
            when["weekdays"] = [WEEKDAYS[day] for day in each.when.weekdays]
        if each.when.period:
            when["period"] = each.when.period
        data: dict[str, Any] = {"when": when}
        for name, value in (("threshold_percent", each.threshold_percent), ("escalate_percent", each.escalate_percent)):
            if value:
                data[name] = int(value) if value == int(value) else value
        if each.level_up:
            data["level_up"] = each.level_up
        if each.mute:
            data["mute"] = True
        found.append(data)
    return found


def known_periods() -> tuple[Period, ...]:
    """Every special period there is, for ``alerts.analytics.modifiers.in_force``."""
    return tuple(Period(*row) for row in SpecialPeriod.objects.values_list("kind", "starts_on", "ends_on"))


def _modifier(data: object, number: int) -> Modifier:
    where = _("modifier %(number)s") % {"number": number}
    given = Fields(data, field="modifiers", where=where)
    at = Fields(given.raw("when") or {}, field="modifiers", where=f"{where} → when")
    start, end = _clock(at, "from"), _clock(at, "to")
    if (start is None) != (end is None):
        raise at.wrong(_("give both “from” and “to”, or neither"))
    if start is not None and start == end:
        raise at.wrong(_("“from” and “to” are the same: leave both out for the whole day"))
    period = at.word("period")
    if period and not _PERIOD.fullmatch(period):
        raise at.wrong(_("“%(given)s” is no kind of a special period") % {"given": period}, "period")
    when = When(start, end, _weekdays(at), period)
    at.done()
    if when == When():
        raise at.wrong(_("say when: from and to, weekdays or a period"))
    modifier = Modifier(
        when,
        threshold_percent=given.number("threshold_percent", 0.0, least=-95, most=900) or 0.0,
        escalate_percent=given.number("escalate_percent", 0.0, least=0, most=95) or 0.0,
        level_up=given.whole("level_up", 0, least=0, most=3),
        mute=given.flag("mute"),
    )
    given.done()
    if modifier == Modifier(when):
        raise given.wrong(_("it changes nothing: give threshold_percent, escalate_percent, level_up or mute"))
    return modifier


def _clock(at: Fields, key: str) -> time | None:
    value = at.raw(key)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML 1.1 reads 22:00 as the number 1320, in sixties.
        value = f"{value // 60:02d}:{value % 60:02d}" if 24 <= value < 24 * 60 else f"{value:02d}:00"
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise at.wrong(_("a time like 22:00 is needed, not “%(given)s”") % {"given": str(value)[:20]}, key)
    return time(int(match[1]), int(match[2]))


def _weekdays(at: Fields) -> tuple[int, ...]:
    value = at.raw("weekdays")
    if value is None or value == "":
        return ()
    if isinstance(value, str | int):
        value = [value]
    if not isinstance(value, list | tuple):
        raise at.wrong(_("a list of weekdays is needed"), "weekdays")
    days = set()
    for each in value:
        if isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= 6:
            days.add(each)
            continue
        word = each.strip().lower() if isinstance(each, str) else ""
        found = [number for number, name in enumerate(WEEKDAYS) if len(word) >= 3 and name.startswith(word)]
        if not found:
            given = plain(each) if isinstance(each, int | float) else str(each)[:20]
            raise at.wrong(_("“%(given)s” is no weekday (monday … sunday, or 0 for Monday)") % {"given": given}, "weekdays")
        days.add(found[0])
    return tuple(sorted(days))
