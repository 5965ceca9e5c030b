"""Recommended: suggestions for a person to decide, each following from one statement by a rule that stands here in full.

The rules prefer what is not enforcement: light, locks, talks, traffic engineering, readiness. None names a person.
"""

from __future__ import annotations

from incidents.services.compare import Comparison
from incidents.services.summary.statements import Statements

# What may help where incidents of a category crowd.
AT_A_HOT_SPOT = {
    "property": "suggest_property",
    "violence": "suggest_violence",
    "traffic": "suggest_traffic",
    "fire": "suggest_fire",
    "medical": "suggest_medical",
    "disorder": "suggest_disorder",
    "service": "suggest_service",
}
MOST = 8


def recommended(found: Comparison, what: Statements, why: Statements, freshness: Statements) -> Statements:
    section = Statements("recommended")
    for statement in freshness.found:
        if statement.code == "source_silent":
            section.add("suggest_ask_source", source=statement.facts["source"], because=statement.key)
        elif statement.code in ("run_late", "run_failed", "run_never"):
            section.add("suggest_run", because=statement.key)
    for statement in why.found:
        facts = statement.facts
        if statement.code == "hot_spot" and not facts["falls"] and facts["held_until"] is None:
            code = AT_A_HOT_SPOT.get(facts["category"], "suggest_visit")
            section.add(code, place=facts["place"], rank=facts["rank"], peak_hour=facts["peak_hour"], because=statement.key)
        elif statement.code == "near_repeat":
            section.add(
                "suggest_tell_neighbours",
                category=facts["category"],
                within_m=facts["within_m"],
                within_days=facts["within_days"],
                because=statement.key,
            )
        elif statement.code == "forecast_above":
            section.add(
                "suggest_staff",
                expected=facts["expected"],
                usual=facts["usual"],
                busiest=facts["busiest"],
                days=facts["days"],
                because=statement.key,
            )
    for statement in what.found:
        if statement.code == "line_more" and not statement.facts["follows_officers"]:
            section.add(
                "suggest_ask_why",
                name=statement.facts["name"],
                line=statement.facts["line"],
                by=statement.facts["by"],
                because=statement.key,
            )
        elif statement.code == "line_more":
            section.add("suggest_check_activity", name=statement.facts["name"], because=statement.key)
    section.found = section.found[:MOST]
    if not section.found:
        section.add("nothing_suggested")
    return section
