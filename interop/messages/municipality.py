"""The municipality: complaints of residents, roads that are closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interop.messages.base import MAX_NARRATIVE, ORIGIN, Graded, Particulars
from interop.messages.fields import Instant, count, must, text


class MunicipalComplaint(Graded):
    """Something a resident complained about."""

    id_field = "complaint_number"
    type_field = "category"
    ours = {"occurred_at": "submitted_at", "reported_at": "submitted_at", "description": "details"}
    example = {
        "complaint_number": "BAL-2026-77012",
        "category": "street lighting",
        "submitted_at": "2026-03-14T19:15:00+03:00",
        "channel": "app",
        "location": {"longitude": 47.6586, "latitude": 29.3375},
        "details": "Four lamps out along the school wall.",
    }

    complaint_number = text(128, "The municipality's number of the complaint. It makes the message unique.")
    category = must(120, "What it is about, in the municipality's word.")
    submitted_at = Instant(help_text="When the complaint was made.")
    channel = text(32, "How it was made: app, telephone, desk.")
    details = text(MAX_NARRATIVE, "The complaint in the resident's words.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        return Particulars(
            type_word=given["category"],
            occurred_at=given["submitted_at"],
            reported_at=given["submitted_at"],
            description=given.get("details") or "",
            origin=ORIGIN.REPORTED,
            **self.where(given),
            **self.grades(given),
        )


class RoadClosure(Graded):
    """A road that is closed. Send it when the closure begins; one that is only planned is refused as lying in the future."""

    id_field = "closure_id"
    type_field = "reason"
    ours = {"occurred_at": "closed_at", "reported_at": "closed_at", "description": "details", "address": "road"}
    example = {
        "closure_id": "RC-2026-0093",
        "road": "Fourth Ring Road, eastbound",
        "closed_at": "2026-03-14T23:00:00+03:00",
        "expected_until": "2026-03-15T05:00:00+03:00",
        "reason": "road works",
        "lanes_closed": 2,
        "location": {"longitude": 47.9789, "latitude": 29.3266},
    }

    closure_id = text(128, "The municipality's id of the closure. It makes the message unique.")
    road = must(300, "Which road, and which way.")
    closed_at = Instant(help_text="When it was closed.")
    expected_until = Instant(required=False, allow_null=True, help_text="When it should open again; may lie in the future.")
    reason = text(120, "Why, in the municipality's word. Without it: a road closure.")
    lanes_closed = count(20, "How many lanes.")
    details = text(MAX_NARRATIVE, "Remarks, diversions.")

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        return Particulars(
            type_word=given.get("reason") or "road closure",
            occurred_at=given["closed_at"],
            reported_at=given["closed_at"],
            description=given.get("details") or "",
            origin=ORIGIN.UNKNOWN,
            **self.where(given) | {"address": given["road"]},
            **self.grades(given),
        )
