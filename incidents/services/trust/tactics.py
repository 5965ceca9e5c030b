"""What is suggested with each cell: what may help there without anybody being stopped, searched or fined. Codes; pages have the words."""

from __future__ import annotations

TACTICS: dict[str, tuple[str, ...]] = {
    "property": ("visibility_walk", "target_hardening", "lighting_report"),
    "violence": ("visibility_walk", "closing_time_presence", "lighting_report"),
    "traffic": ("traffic_calming", "school_time_presence", "junction_report"),
    "disorder": ("visibility_walk", "talk_to_residents", "lighting_report"),
    "fire": ("fire_safety_advice", "access_report"),
    "medical": ("access_report", "talk_to_residents"),
    "welfare": ("talk_to_residents", "school_time_presence"),
    "service": ("lighting_report", "talk_to_residents"),
}
GENERAL = ("visibility_walk", "lighting_report", "talk_to_residents")


def tactics_for(category: str) -> tuple[str, ...]:
    """The first is the main one. Enforcement is never among them."""
    return TACTICS.get(category, GENERAL)
