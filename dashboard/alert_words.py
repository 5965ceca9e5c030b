"""Why an alert fired and what its policy does next, in sentences, from what was kept with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.models import Alert, Level


def why_of(alert: Alert) -> list[str]:
    if alert.kind == Alert.Kind.MANUAL:
        return [_("A person raised it.")]
    facts = alert.facts if isinstance(alert.facts, Mapping) else {}
    return [*_measured(alert, facts), *_from(facts)]


def _measured(alert: Alert, facts: Mapping[str, Any]) -> Iterator[str]:
    if alert.measure is None:
        return
    measure, hours = f"{alert.measure:g}", facts.get("window_h")
    if isinstance(hours, int | float) and hours > 0:
        n = int(alert.measure)
        told = {"n": n, "hours": f"{hours:g}"}
        yield ngettext("%(n)d counted in the last %(hours)s h.", "%(n)d counted in the last %(hours)s h.", n) % told
    elif facts.get("measure_name") == "minutes":
        yield _("%(measure)s minutes of silence.") % {"measure": measure}
    elif facts.get("measure_name") == "over_usual_percent":
        yield _("%(measure)s percent above what is usual there.") % {"measure": measure}
    else:
        yield _("Measured: %(measure)s.") % {"measure": measure}
    if alert.threshold is not None:
        told_level = str(facts.get("level", ""))
        level = Level(told_level if told_level in Level.values else alert.level)
        yield _("The level “%(level)s” begins at %(threshold)s.") % {"level": level.label, "threshold": f"{alert.threshold:g}"}


def _from(facts: Mapping[str, Any]) -> Iterator[str]:
    before, trend, least = facts.get("before"), facts.get("trend"), facts.get("trend_at_least")
    if isinstance(before, int | float):
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
