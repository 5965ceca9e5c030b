"""The ambulance service. Patients have no name, number or age here, only a count and a colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from incidents.lifecycle import Severity
from interop.messages.base import MAX_NARRATIVE, ORIGIN, Graded, Particulars
from interop.messages.fields import Instant, count, must, text

TRIAGE = {"red": Severity.CRITICAL, "yellow": Severity.HIGH, "green": Severity.LOW, "black": Severity.CRITICAL}


class EmsCall(Graded):
    """A call for an ambulance."""

    id_field = "call_number"
    type_field = "chief_complaint"
    ours = {"occurred_at": "onset_at", "reported_at": "call_at", "description": "notes"}
    example = {
        "call_number": "EMS-2026-113090",
        "chief_complaint": "breathing problem",
        "call_at": "2026-03-14T05:47:00+03:00",
        "triage": "red",
        "patients": 1,
        "location": {"longitude": 48.0839, "latitude": 29.0769},
    }

    call_number = text(128, "The service's number of the call. It makes the message unique.")
    chief_complaint = must(120, "Why the ambulance was called, in the service's word.")
    call_at = Instant(help_text="When the call came in.")
    onset_at = Instant(required=False, allow_null=True, help_text="When it began, if known. Without it: when the call came in.")
    triage = serializers.ChoiceField(
        choices=sorted(TRIAGE),
        required=False,
        allow_null=True,
        help_text="Colour: without a severity, red and black are critical, yellow high, green low.",
    )
    patients = count(10_000, "How many patients.")
    notes = text(MAX_NARRATIVE, "What was said. No names, please.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        return Particulars(
            type_word=given["chief_complaint"],
            occurred_at=given.get("onset_at") or given["call_at"],
            reported_at=given["call_at"],
            description=given.get("notes") or "",
            origin=ORIGIN.REPORTED,
            **self.where(given),
            **self.grades(given) | {"severity": given.get("severity") or TRIAGE.get(given.get("triage") or "")},
        )


class AmbulanceDeployment(Graded):
    """An ambulance sent or posted somewhere."""

    id_field = "deployment_id"
    type_field = "reason"
    ours = {"occurred_at": "deployed_at", "reported_at": "deployed_at", "description": "notes"}
    example = {
        "deployment_id": "DEP-2026-55120",
        "deployed_at": "2026-03-14T16:30:00+03:00",
        "vehicle": "A-114",
        "reason": "patient transfer",
        "patients": 1,
        "destination": "Adan Hospital",
        "location": {"longitude": 48.0772, "latitude": 29.1455},
    }

    deployment_id = text(128, "The service's id of the deployment. It makes the message unique.")
    deployed_at = Instant(help_text="When the vehicle was sent.")
    vehicle = must(32, "The vehicle's call sign.")
    reason = text(120, "Why, in the service's word. Without it: an ambulance deployment.")
    patients = count(10_000, "How many patients.")
    destination = text(120, "Where it goes.")
    notes = text(MAX_NARRATIVE, "Remarks. No names, please.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        return Particulars(
            type_word=given.get("reason") or "ambulance deployment",
            occurred_at=given["deployed_at"],
            reported_at=given["deployed_at"],
            description=given.get("notes") or "",
            origin=ORIGIN.UNKNOWN,
            **self.where(given),
            **self.grades(given),
        )
