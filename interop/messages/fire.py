"""The fire service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.lifecycle import Severity
from interop.messages.base import MAX_NARRATIVE, ORIGIN, Graded, Particulars
from interop.messages.fields import Instant, count, must, text

_BY_ALARM = {1: Severity.MEDIUM, 2: Severity.HIGH}


class FireIncident(Graded):
    """A fire, a rescue or another turn-out of the fire service."""

    id_field = "incident_number"
    type_field = "incident_type"
    ours = {"occurred_at": "started_at", "reported_at": "alarm_at", "description": "remarks"}
    example = {
        "incident_number": "KFF-2026-01882",
        "incident_type": "warehouse fire",
        "alarm_at": "2026-03-14T13:02:00+03:00",
        "alarm_level": 2,
        "location": {"longitude": 47.9306, "latitude": 29.3214},
        "premises": "Storage of paper goods",
        "injured": 0,
        "trapped": 0,
        "remarks": "Smoke seen from the ring road.",
    }

    incident_number = text(128, "The service's number of the incident. It makes the message unique.")
    incident_type = must(120, "The kind of incident, in the service's word.")
    alarm_at = Instant(help_text="When the alarm came in.")
    started_at = Instant(required=False, allow_null=True, help_text="When it began, if known. Without it: when the alarm came in.")
    alarm_level = count(5, "1 to 5: without a severity, the first alarm is medium, the second high, any higher critical.")
    premises = text(160, "What kind of place it is.")
    injured = count(10_000, "People hurt.")
    trapped = count(10_000, "People trapped or missing.")
    killed = count(10_000, "People killed.")
    remarks = text(MAX_NARRATIVE, "What was reported.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        return Particulars(
            type_word=given["incident_type"],
            occurred_at=given.get("started_at") or given["alarm_at"],
            reported_at=given["alarm_at"],
            description=given.get("remarks") or "",
            origin=ORIGIN.REPORTED,
            **self.where(given),
            **self.grades(given) | {"severity": given.get("severity") or _severity(given)},
        )


def _severity(given: Mapping[str, Any]) -> int | None:
    if given.get("killed") or given.get("trapped"):
        return Severity.CRITICAL
    level = given.get("alarm_level")
    by_alarm = _BY_ALARM.get(level, Severity.CRITICAL) if level else None
    return max(by_alarm or Severity.LOW, Severity.HIGH) if given.get("injured") else by_alarm
