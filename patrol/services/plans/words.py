"""Codes of the planner and of the checker in sentences: what stands in the way, of whom, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patrol.models import Plan
from patrol.services.travel.words import provider_name, travel_note

Words = Mapping[str, str | Promise]

VIOLATIONS: Words = {
    "unknown_unit": gettext_lazy("not a unit of this shift"),
    "unknown_stop": gettext_lazy("a place that is not on the list"),
    "unit_twice": gettext_lazy("has two routes"),
    "wrong_start": gettext_lazy("does not start at its station"),
    "wrong_end": gettext_lazy("does not end at its station"),
    "before_shift": gettext_lazy("arrives before its shift begins"),
    "after_shift": gettext_lazy("stays beyond the end of its shift"),
    "home_after_shift": gettext_lazy("is back after the end of its shift"),
    "double_booked": gettext_lazy("is in two places at once"),
    "travel_too_short": gettext_lazy("has too little time for the way"),
    "no_way": gettext_lazy("has no way there"),
    "rest_missing": gettext_lazy("has no break"),
    "rest_too_short": gettext_lazy("has too short a break"),
    "rest_outside_window": gettext_lazy("has its break too early or too late"),
    "rest_overlaps": gettext_lazy("stops during its break"),
    "commitment_overlaps": gettext_lazy("is bound to something else then"),
    "dosage_too_short": gettext_lazy("stops for less than 10 minutes"),
    "dosage_too_long": gettext_lazy("stops for more than 16 minutes"),
    "outside_window": gettext_lazy("comes outside the time wanted"),
    "outside_area": gettext_lazy("leaves the areas of its team"),
    "too_soon_again": gettext_lazy("comes too soon after the last visit"),
    "stop_twice_at_once": gettext_lazy("is there together with another unit"),
    "back_to_back": gettext_lazy("stays for two visits in a row"),
    "over_share": gettext_lazy("patrols for more than its unassigned share"),
    "backwards": gettext_lazy("leaves before it arrives"),
    "before_now": gettext_lazy("would begin in the past"),
}
SHORTFALLS: Words = {
    "no_unit_allowed": gettext_lazy("No unit may patrol this area."),
    "outside_shifts": gettext_lazy("No unit is on shift then."),
    "no_way": gettext_lazy("There is no way there."),
    "share_too_short": gettext_lazy("The share of unassigned time is used up."),
    "shift_too_short": gettext_lazy("The shift is too short for a stop and the way back."),
    "too_late": gettext_lazy("It could not be there in time."),
    "not_worth_the_way": gettext_lazy("The way costs more than the stop is worth."),
    "too_soon_again": gettext_lazy("It would come too soon after the last visit."),
    "rest_does_not_fit": gettext_lazy("The break does not fit in."),
    "kept_beyond_share": gettext_lazy("What is kept takes more than the share of unassigned time."),
    "kept_not_in_time": gettext_lazy("What is kept cannot be reached in time."),
    "kept_back_to_back": gettext_lazy("Two visits that are kept follow each other at one place."),
    "no_units": gettext_lazy("There is no unit."),
    "no_stops": gettext_lazy("There is no place to stop at."),
}


def minutes(seconds: float) -> int:
    """Rounded up: a minute short is a minute short."""
    return -int(-abs(seconds) // 60)


def short_by(seconds: float | None) -> str:
    if not seconds:
        return ""
    return _("%(n)d min short") % {"n": minutes(seconds)}


def say_shortfall(code: str, unit: Any, short_by_s: float | None, names: Mapping[int, str]) -> str:
    """``P1: The share of unassigned time is used up (7 min short).``"""
    sentence = str(SHORTFALLS.get(code, code))
    by = short_by(short_by_s)
    if by:
        sentence = f"{sentence.rstrip('.')} ({by})."
    name = names.get(unit) if unit is not None else None
    return f"{name}: {sentence}" if name else sentence


def say_violation(one: Mapping[str, Any], names: Mapping[int, str], clock: ZoneInfo) -> str:
    """``P1 10:20: has too little time for the way (3 min)``"""
    words = str(VIOLATIONS.get(one["code"], one["code"]))
    head = names.get(one["unit"], str(one["unit"] or ""))
    if one.get("at"):
        head = f"{head} {datetime.fromisoformat(one['at']).astimezone(clock):%H:%M}"
    by = _("%(n)d min") % {"n": minutes(one["by_s"])} if one.get("by_s") else ""
    return f"{head}: {words} ({by})" if by else f"{head}: {words}"


def say_travel(plan: Plan) -> str:
    """Where the plan's travel times come from, and what to know of them."""
    note = travel_note(plan.parameters.get("travel", {}))
    return f"{provider_name(plan.provider)}. {note}".strip() if plan.provider else ""
