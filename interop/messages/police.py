"""Police: reports of the Ministry's stations, metadata of 112 calls, patrols' logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from interop.messages.base import MAX_NARRATIVE, ORIGIN, Graded, Particulars
from interop.messages.fields import Instant, must, text


class MoiIncident(Graded):
    """A report taken by a police station."""

    id_field = "report_number"
    type_field = "incident_type"
    example = {
        "report_number": "HAW-2026-004417",
        "incident_type": "burglary",
        "occurred_at": "2026-03-14T21:05:00+03:00",
        "reported_at": "2026-03-14T21:40:00+03:00",
        "location": {"longitude": 48.0756, "latitude": 29.3339},
        "severity": "high",
        "station": "Salmiya",
        "address": "Salmiya, block 10, street 4",
        "address_parts": {"block": "10", "street": "4", "building": "17"},
        "description": "Ground floor flat entered through a balcony door.",
    }

    report_number = text(128, "The station's number of the report. It makes the message unique.")
    incident_type = must(120, "The kind of incident, in the source's word, Arabic or English.")
    occurred_at = Instant(help_text="When it happened.")
    reported_at = Instant(required=False, allow_null=True, help_text="When it was reported. Without it: when we received it.")
    station = text(120, "The police station that took the report.")
    discovered_by_officer = serializers.BooleanField(
        required=False, default=False, help_text="True where an officer came upon it; such counts are kept apart from reported ones."
    )
    description = text(MAX_NARRATIVE, "What happened, in the source's words.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        return Particulars(
            type_word=given["incident_type"],
            occurred_at=given["occurred_at"],
            reported_at=given.get("reported_at"),
            description=given.get("description") or "",
            origin=ORIGIN.DISCOVERED if given.get("discovered_by_officer") else ORIGIN.REPORTED,
            **self.where(given),
            **self.grades(given),
        )


class EmergencyCall(Graded):
    """Metadata of a 112 call. The caller's name and number have no field here; please do not send them."""

    id_field = "call_id"
    type_field = "nature"
    ours = {"occurred_at": "happened_at", "reported_at": "call_taken_at", "description": "narrative"}
    example = {
        "call_id": "112-20260314-88213",
        "nature": "assault",
        "call_taken_at": "2026-03-14T22:11:09+03:00",
        "happened_at": "2026-03-14T22:05:00+03:00",
        "location": {"longitude": 47.9779, "latitude": 29.3697},
        "priority": 1,
        "language": "ar",
        "narrative": "Two men fighting outside a shop.",
    }

    call_id = text(128, "The call centre's id of the call. It makes the message unique.")
    nature = must(120, "What the call is about, in the call centre's word.")
    call_taken_at = Instant(help_text="When the call was answered.")
    happened_at = Instant(
        required=False, allow_null=True, help_text="When it happened, if the caller said. Without it: when the call was answered."
    )
    language = text(16, "The caller's language.")
    narrative = text(MAX_NARRATIVE, "The call taker's notes.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        return Particulars(
            type_word=given["nature"],
            occurred_at=given.get("happened_at") or given["call_taken_at"],
            reported_at=given["call_taken_at"],
            description=given.get("narrative") or "",
            origin=ORIGIN.REPORTED,
            **self.where(given),
            **self.grades(given),
        )


class PatrolLog(Graded):
    """Something a patrol noted. It counts as discovered by officers, never as reported by the public."""

    id_field = "entry_id"
    type_field = "activity"
    ours = {"occurred_at": "observed_at", "reported_at": "observed_at", "description": "notes"}
    example = {
        "entry_id": "P21-20260314-031",
        "activity": "suspicious vehicle",
        "observed_at": "2026-03-14T01:20:00+03:00",
        "unit": "P21",
        "location": {"longitude": 47.9287, "latitude": 29.2766},
        "notes": "Parked without plates behind the market.",
    }

    entry_id = text(128, "The log's id of the entry. It makes the message unique.")
    activity = must(120, "What was noted, in the log's word.")
    observed_at = Instant(help_text="When it was noted.")
    unit = text(32, "The patrol's call sign.")
    notes = text(MAX_NARRATIVE, "The patrol's notes.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        return Particulars(
            type_word=given["activity"],
            occurred_at=given["observed_at"],
            reported_at=given["observed_at"],
            description=given.get("notes") or "",
            origin=ORIGIN.DISCOVERED,
            **self.where(given),
            **self.grades(given),
        )
