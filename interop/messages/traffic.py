"""The traffic department: accidents and congestion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from incidents.lifecycle import Severity
from interop.messages.base import MAX_NARRATIVE, ORIGIN, Graded, Located, Particulars
from interop.messages.fields import Instant, Number, count, place, text

LEVELS = {"light": Severity.LOW, "moderate": Severity.LOW, "heavy": Severity.MEDIUM, "standstill": Severity.HIGH}


class TrafficAccident(Graded):
    """An accident on the road."""

    id_field = "accident_number"
    type_field = "accident_type"
    example = {
        "accident_number": "TRF-2026-30412",
        "occurred_at": "2026-03-14T07:52:00+03:00",
        "accident_type": "collision",
        "vehicles": 2,
        "injured": 1,
        "killed": 0,
        "road": "King Fahd Road, southbound",
        "location": {"longitude": 48.0215, "latitude": 29.2433},
    }

    accident_number = text(128, "The department's number of the accident. It makes the message unique.")
    occurred_at = Instant(help_text="When it happened.")
    reported_at = Instant(required=False, allow_null=True, help_text="When it was reported. Without it: when we received it.")
    accident_type = text(120, "The kind of accident, in the department's word. Without it: by whether people were hurt.")
    vehicles = count(1_000, "How many vehicles.")
    injured = count(10_000, "People hurt: without a severity, the accident is then high.")
    killed = count(10_000, "People killed: without a severity, the accident is then critical.")
    road = text(300, "Which road, and which way.")
    description = text(MAX_NARRATIVE, "What happened.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        hurt, killed = given.get("injured"), given.get("killed")
        by_harm = Severity.CRITICAL if killed else Severity.HIGH if hurt else None
        where = self.where(given)
        return Particulars(
            type_word=given.get("accident_type") or ("accident with injuries" if hurt or killed else "traffic accident"),
            occurred_at=given["occurred_at"],
            reported_at=given.get("reported_at"),
            description=given.get("description") or "",
            origin=ORIGIN.REPORTED,
            **where | {"address": where["address"] or given.get("road") or ""},
            **self.grades(given) | {"severity": given.get("severity") or by_harm},
        )


class Congestion(Located):
    """A stretch of road that is slower than it should be, as observed."""

    id_field = "observation_id"
    type_field = "level"
    ours = {"occurred_at": "observed_at", "reported_at": "observed_at", "address": "road"}
    example = {
        "observation_id": "CNG-20260314-0745-R40",
        "observed_at": "2026-03-14T07:45:00+03:00",
        "level": "heavy",
        "road": "Fifth Ring Road at Jabriya",
        "speed_kmh": 14,
        "delay_min": 11,
        "location": {"longitude": 48.0262, "latitude": 29.3147},
    }

    observation_id = text(128, "The source's id of the observation. It makes the message unique.")
    observed_at = Instant(help_text="When it was observed.")
    level = serializers.ChoiceField(
        choices=list(LEVELS), help_text="How bad: light and moderate are low, heavy is medium, standstill is high."
    )
    road = text(300, "Which road, and which way.")
    speed_kmh = Number(required=False, allow_null=True, min_value=0, max_value=300, help_text="Mean speed.")
    delay_min = Number(required=False, allow_null=True, min_value=0, max_value=1_440, help_text="Minutes lost.")
    location = place("Where. Congestion without a place says nothing, so it must be there.", required=True, allow_null=False)

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        where = self.where(given)
        return Particulars(
            type_word="congestion",
            occurred_at=given["observed_at"],
            reported_at=given["observed_at"],
            severity=LEVELS[given["level"]],
            origin=ORIGIN.UNKNOWN,
            **where | {"address": where["address"] or given.get("road") or ""},
        )
