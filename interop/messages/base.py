"""What every message has in common, and what it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.gis.geos import Point
from rest_framework import serializers

from incidents.models import Incident
from interop.messages.fields import Count, SeverityWord, place, text

ORIGIN = Incident.Origin
MAX_NARRATIVE = 20_000


@dataclass(frozen=True)
class Particulars:
    """A message in the words of ``open_incident``; type and severity still in the source's words."""

    type_word: str
    occurred_at: datetime
    reported_at: datetime | None = None
    location: Point | None = None
    priority: int | None = None
    severity: int | str | None = None
    description: str = ""
    address: str = ""
    address_parts: Mapping[str, str] = field(default_factory=dict)
    origin: str = ORIGIN.UNKNOWN


class Message(serializers.Serializer[Any]):
    """One kind of message. A subclass names its fields as its agency does and says what they mean to us."""

    id_field: ClassVar[str]
    """The field that holds the source's own id."""
    type_field: ClassVar[str]
    """The field the type is read from."""
    ours: ClassVar[dict[str, str]] = {}
    """Our word for a particular to the message's field, where they differ: so that an error names the sender's field."""
    example: ClassVar[dict[str, Any]]

    def particulars(self, given: Mapping[str, Any]) -> Particulars:
        raise NotImplementedError

    def name_of(self, particular: str) -> str:
        return self.ours.get(particular, particular)

    def id_of(self, given: Mapping[str, Any]) -> str:
        """The source's own id of a message that is right; empty where it gives none."""
        return given.get(self.id_field) or ""

    def raw_id_of(self, body: Mapping[str, Any]) -> str:
        """The same of one that is not."""
        raw = body.get(self.id_field)
        return raw.strip() if isinstance(raw, str) and len(raw) <= 128 else ""


class Addressed(serializers.Serializer[Any]):
    """A Kuwait address, as far as it is known."""

    block = text(12, "Block (qit'a).")
    street = text(80, "Street.")
    jadda = text(24, "Jadda.")
    building = text(24, "Building or plot.")
    paci_number = text(12, "PACI number of the unit.")

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        return {name if name == "paci_number" else f"address_{name}": found for name, found in value.items() if found}


class Located(Message):
    """A message about one place."""

    location = place()
    address = text(300, "The place in words, as the source wrote it.")
    address_parts = Addressed(required=False, allow_null=True, help_text="The address in its parts.")

    def where(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "location": given.get("location"),
            "address": given.get("address") or "",
            "address_parts": given.get("address_parts") or {},
        }


class Graded(Located):
    """A message whose sender may grade it. What is not given follows from the type."""

    priority = Count(required=False, allow_null=True, min_value=1, max_value=5, help_text="How fast: 1 (at once) to 5 (when possible).")
    severity = SeverityWord(required=False, allow_null=True, help_text="How bad: 1 (low) to 4 (critical), or the source's word for it.")

    def grades(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"priority": given.get("priority"), "severity": given.get("severity")}
