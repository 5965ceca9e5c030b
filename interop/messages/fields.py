"""What the agencies' messages are made of: instants with their offset, places, severities, and text of a stated length."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.gis.geos import Point
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@extend_schema_field({"type": "string", "format": "date-time"})
class Instant(serializers.Field[datetime, str, str, Any]):
    """An ISO 8601 time that says its offset from UTC. A time without one is refused: nobody can know which clock was meant."""

    default_error_messages = {
        "invalid": _("Not a time. Write it like 2026-03-14T21:05:00+03:00."),
        "no_offset": _("This time has no offset from UTC. Write it like 2026-03-14T21:05:00+03:00."),
        "too_early": _("This time lies before 1970."),
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or len(data) > 40:
            self.fail("invalid")
        try:
            value = parse_datetime(data.strip())
        except ValueError:
            value = None
        if value is None:
            self.fail("invalid")
        if value.tzinfo is None:
            self.fail("no_offset")
        try:
            value = value.astimezone(UTC)
        except OverflowError:
            self.fail("invalid")
        if value < EARLIEST:
            self.fail("too_early")
        return value

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class Number(serializers.FloatField):
    """A JSON number: true, false and text are not."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool | str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Count(serializers.IntegerField):
    """A JSON integer: true, false and text are not."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool | str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """JSON text: a number or a truth value is not."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Place(serializers.Serializer[Point]):
    """A point in WGS 84 (EPSG:4326), in degrees."""

    longitude = Number(min_value=-180, max_value=180, help_text="Degrees east.")
    latitude = Number(min_value=-90, max_value=90, help_text="Degrees north.")

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        return Point(value["longitude"], value["latitude"], srid=4326)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "integer", "minimum": 1, "maximum": 4},
            {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"\S"},
        ]
    }
)
class SeverityWord(serializers.Field[Any, Any, Any, Any]):
    """1 (low) to 4 (critical), or the source's own word, which the severity table translates."""

    default_error_messages = {"invalid": _("Severity is 1 to 4, or a word of at most 64 characters.")}

    def to_internal_value(self, data: Any) -> Any:
        is_grade = isinstance(data, int) and not isinstance(data, bool) and 1 <= data <= 4
        if not is_grade and not (isinstance(data, str) and data.strip() and len(data) <= 64):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def text(limit: int, help_text: str, **more: Any) -> Text:
    """Optional text of at most ``limit`` characters."""
    return Text(required=False, allow_null=True, allow_blank=True, max_length=limit, help_text=help_text, **more)


def must(limit: int, help_text: str) -> Text:
    """Text that must be there."""
    return Text(max_length=limit, help_text=help_text)


def count(limit: int, help_text: str, **more: Any) -> Count:
    """An optional number of things or people."""
    return Count(required=False, allow_null=True, min_value=0, max_value=limit, help_text=help_text, **more)


def place(help_text: str = "Where it happened. Without it the incident is kept as unlocated.", **more: Any) -> Place:
    return Place(**({"required": False, "allow_null": True} | more), help_text=help_text)
