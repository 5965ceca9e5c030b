"""A matrix's making in a sentence, from the plain values that are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from patrol.analytics.travel import Matrix

_NAMES = {
    "straight": gettext_lazy("Straight line with a detour factor"),
    "roads": gettext_lazy("Road network"),
    "server": gettext_lazy("Routing server"),
}
_WHY = {
    "timed_out": gettext_lazy("it did not answer in time"),
    "unreachable": gettext_lazy("it could not be reached"),
    "refused": gettext_lazy("it refused the question"),
    "too_large": gettext_lazy("its answer was too large"),
    "bad_answer": gettext_lazy("its answer could not be read"),
    "off_road": gettext_lazy("most of the places lie far from its roads"),
}


def provider_name(name: str) -> str:
    return str(_NAMES.get(name, name))


def travel_note(made: Matrix | Mapping[str, Any]) -> str:
    """What a reader of the plan must know about its travel times, in the language of the moment.

    ``made`` is a matrix, or what `facts` stored of one.
    """
    held = facts(made) if isinstance(made, Matrix) else made
    details = held.get("details", {})
    parts = []
    if held.get("fell_back_from"):
        names = {
            "failed": provider_name(held["fell_back_from"]),
            "why": str(_WHY.get(held.get("why", ""), held.get("why", ""))),
            "used": provider_name(held.get("name", "")),
        }
        parts.append(_("%(failed)s: %(why)s. Used instead: %(used)s.") % names)
    if "detour" in details:
        figures = {"detour": f"{details['detour']:g}", "speed": f"{details['speed_kmh']:g}"}
        parts.append(_("Straight line × %(detour)s at %(speed)s km/h.") % figures)
    if details.get("closures"):
        count = int(details["closures"])
        parts.append(ngettext("%(count)d closure driven round.", "%(count)d closures driven round.", count) % {"count": count})
    if details.get("off_road"):
        count = int(details["off_road"])
        parts.append(ngettext("%(count)d place lies on no road.", "%(count)d places lie on no road.", count) % {"count": count})
    return " ".join(parts)


def facts(matrix: Matrix) -> dict[str, Any]:
    """Plain values to be stored beside a plan."""
    return {"name": matrix.name, "fell_back_from": matrix.fell_back_from, "why": matrix.why, "details": dict(matrix.details)}
