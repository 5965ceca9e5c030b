"""Codes that results are stored with, in words: models, horizons, reasons, limits, tactics. An unknown code is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = Mapping[str, str | Promise]

MODELS: Words = {
    "dbscan": _("Hot spots (DBSCAN)"),
    "fading_counts": _("Fading counts"),
    "gi_star": _("Getis-Ord Gi*"),
    "quartic_density": _("Density (quartic kernel)"),
    "rate_change": _("Test of two rates"),
    "near_repeat": _("Near repeats (Knox test)"),
    "prophet": _("Prophet"),
    "weekday_counts": _("Weekday counts"),
    "calendar_counts": _("Calendar counts"),
    "ets": _("Exponential smoothing"),
    "theta": _("Theta"),
    "mean_28": _("Mean of 28 days"),
    "same_weekday": _("Same weekday"),
    "last_week": _("Last week"),
    "last_4_weeks": _("Counts of the last 4 weeks"),
    "last_52_weeks": _("Counts of the last 52 weeks"),
    "last_208_weeks": _("Counts of the last 208 weeks"),
    "kernel_52_weeks": _("Kernel density, 52 weeks"),
}
LEVELS: Words = {
    "shift": _("Next shift"),
    "day": _("Next day"),
    "week": _("Next week"),
    "month": _("Next month"),
    "country": _("Whole country"),
    "governorate": _("Governorates"),
    "area": _("Areas"),
}
PURPOSES: Words = {
    "risk": _("Says where incidents are likelier, per cell, for the next shift, day, week and month."),
    "forecast": _("Says how many incidents a zone should expect on each of the next days."),
    "hot_spots": _("Says where incidents crowd together, and since when."),
    "describe_gi_star": _("Says where neighbouring cells hold more, or fewer, incidents than chance would put there."),
    "describe_density": _("Says how many incidents lie around each place, smoothed."),
    "describe_change": _("Says where incidents rose or fell between two equal windows by more than chance brings."),
    "near_repeat": _("Says whether an incident makes others close by likelier for some days."),
}
REASONS: Words = {
    "beats_baseline": _("It was ahead of the best baseline in the backtest."),
    "loses_to_baseline": _("It was not ahead of the best baseline in the backtest, so the baseline stands in."),
    "not_clear": _("Its lead over the best baseline may be chance, so the baseline stands in."),
    "switched_off": _("Somebody has switched it off, so the baseline stands in."),
    "too_little_history": _("There is too little history for a backtest."),
    "ahead_within_chance": _("It was ahead of the best baseline in the backtest, by no more than chance may bring."),
    "left_the_race": _("A slow candidate was behind the leader in the weekly race and left it."),
    "challenger": _("A slow candidate was tried beside the leader."),
    "raced": _("The day of the last race of all candidates."),
}
LIMITS: Words = {
    "reported_only": _("It knows only what was reported. Where people do not report, it sees nothing."),
    "not_people": _("It speaks of places and times. It says nothing about any person, and must not be read so."),
    "boundaries": _("Boundaries and positions are as exact as the reports."),
    "rare": _("For rare incidents the figures are small, and chance weighs heavily."),
    "changes": _("It does not know of events that have never happened before: a new market, a road closed."),
    "synthetic": _("Learnt from synthetic data: it proves the machinery, not the world."),
    "describes_the_past": _("It describes what was reported. It predicts nothing."),
    "one_crowded_cell_is_no_cluster": _("One crowded cell among quiet ones is no cluster to it: density and hot spots show that one."),
    "edges_of_the_study_area": _("Cells at the edge of the built-up area have fewer neighbours, and are less easily significant."),
    "smoothed": _("It is smoothed: a place takes from what lies within its bandwidth."),
    "not_per_head": _("It counts incidents, not incidents per person living or passing there."),
    "counts_may_cluster": _("Incidents that come in series make a change look surer than it is."),
    "no_season": _("It compares two windows as they are, without the season."),
    "clustering_within_a_season": _("Where a place is busy for a season only, that alone looks like near repeats."),
    "times_as_reported": _("It takes times as they were reported; a burglary found on Sunday may have happened on Friday."),
    "smooth_background": _(
        "“Stands out” is judged against a background that is smooth over about 1.2 km, in which incidents do not bring one another about."
    ),
    "outline_round_the_crowd": _(
        "An outline is drawn round today's crowd: counts before are lower inside it by the drawing alone, which the rate ratio takes off."
    ),
    "late_reports": _("Reports that came late were not there when it learnt."),
}
FACTS: Words = {
    "origins": _("origins"),
    "baseline": _("baseline"),
    "ratio": _("ratio"),
    "crps_ratio": _("CRPS ratio"),
    "wape_ratio": _("WAPE ratio"),
    "error_ratio": _("error ratio"),
    "model": _("model"),
    "against": _("against"),
    "on": _("on the day"),
    "needs": _("needed"),
}
TACTICS: Words = {
    "visibility_walk": _("Visibility walk, 10 to 15 minutes"),
    "lighting_report": _("Report dark or broken lighting"),
    "target_hardening": _("Advice on locks and shutters"),
    "closing_time_presence": _("Presence at closing time"),
    "traffic_calming": _("Ask for traffic calming"),
    "school_time_presence": _("Presence at school times"),
    "junction_report": _("Report signs and sight lines"),
    "talk_to_residents": _("Talk with residents and shops"),
    "fire_safety_advice": _("Fire-safety advice"),
    "access_report": _("Report blocked access for emergency vehicles"),
}


def said(words: Words, code: str) -> str:
    return str(words[code]) if code in words else code.replace("_", " ")


def model_name(model: str) -> str:
    return said(MODELS, model)


def percent(share: float | None, digits: int = 0) -> str:
    """ "7 %": one way to write it in both languages."""
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def facts_said(facts: Any) -> str:
    """The figures that came with a reason, in one short line: ratios with their intervals, and how many origins."""
    if not isinstance(facts, Mapping):
        return ""
    given = dict(facts)
    if {"ratio", "low", "high"} <= set(given):
        given = {"ratio": [given.pop("ratio"), given.pop("low"), given.pop("high")], **given}
    return " · ".join(f"{said(FACTS, str(name))} {figure(value)}" for name, value in given.items() if name not in {"champion", "won"})


def figure(value: Any) -> str:
    """A number, or a value with its interval (three numbers); names of models in words."""
    if isinstance(value, list | tuple) and len(value) == 3 and isinstance(value[0], int | float | None):
        between = f" ({figure(value[1])} – {figure(value[2])})" if value[1] is not None and value[2] is not None else ""
        return figure(value[0]) + between
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, str) and value in MODELS:
        return f"“{MODELS[value]}”"
    return "–" if value is None else str(value)
