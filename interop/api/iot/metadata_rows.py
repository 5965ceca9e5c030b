"""A row of each kind of metadata: what it may hold, and which of its device's metrics it ends as. No complaint repeats what was sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

FACTS = ("battery_pct", "signal_dbm", "firmware")


class Number(serializers.FloatField):
    """A JSON number; text and true are none."""

    default_error_messages = {"invalid": gettext_lazy("This is no number.")}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            self.fail("invalid")
        return float(data)


class Whole(serializers.IntegerField):
    """A JSON number without a fraction."""

    default_error_messages = {"invalid": gettext_lazy("This is no whole number.")}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(data)


class Switch(serializers.BooleanField):
    """true or false."""

    default_error_messages = {"invalid": gettext_lazy("true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return bool(data)


class Row(serializers.Serializer[Any]):
    """``METRICS``: a field's name to its metric's, where they differ. A row holds one of its measured fields at least."""

    device = serializers.CharField(required=False, max_length=64, help_text="The device's code; a device's own key may leave it out.")
    at = serializers.JSONField(
        required=False, help_text="ISO 8601 with its offset, or seconds since 1970. Left out: the moment we received it."
    )
    battery_pct = Number(required=False, min_value=0, max_value=100)
    signal_dbm = Number(required=False, min_value=-200, max_value=50)
    firmware = serializers.CharField(required=False, max_length=48)

    METRICS: ClassVar[Mapping[str, str]] = {}
    NOT_MEASURED: ClassVar[frozenset[str]] = frozenset({"device", "at", *FACTS})

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() - {"device", "at"}:
            raise serializers.ValidationError({"": [_("It says nothing.")]})
        return attrs

    def told(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The row in our own form, and what the device says of itself."""
        given = self.validated_data
        facts = {name: given[name] for name in FACTS if name in given}
        values = {self.METRICS.get(name, name): float(value) for name, value in given.items() if name not in self.NOT_MEASURED}
        return {"at": given.get("at"), "values": values}, facts

    def complaint(self) -> str:
        """Which fields are wrong, in one line."""
        said = [f"{name}: {' '.join(map(str, texts))}" if name else " ".join(map(str, texts)) for name, texts in self.errors.items()]
        return "; ".join(said)[:300]


@cache
def batch_of(row: type[Row]) -> type[serializers.Serializer[Any]]:
    """``{"rows": [...]}``, for the document."""
    name = f"{row.__name__.removesuffix('In')}Batch"
    return type(name, (serializers.Serializer,), {"rows": row(many=True, help_text="1 to 1,000."), "__doc__": "Several rows."})


class MotionIn(Row):
    """Motion at a sensor or a camera."""

    detected = Switch(required=False, help_text="Whether something moves now; the metric `motion`, 1 or 0.")
    events = Whole(required=False, min_value=0, max_value=10_000, help_text="Movements since the last message; `motion_events`.")
    level = Number(required=False, min_value=0, max_value=100, help_text="How strong, in per cent; `motion_level`.")
    METRICS = {"detected": "motion", "events": "motion_events", "level": "motion_level"}


class CrowdDensityIn(Row):
    """A crowd, counted or estimated. No faces, no tracks."""

    people = Whole(required=False, min_value=0, max_value=100_000)
    density = Number(required=False, min_value=0, max_value=100, help_text="People on a square metre.")
    occupancy = Number(required=False, min_value=0, max_value=1_000, help_text="In per cent of what the place holds.")


class CameraStatusIn(Row):
    """How a camera is."""

    status = serializers.ChoiceField(
        choices=["online", "offline"], required=False, help_text="The metric `is_online`, 1 or 0.",
        error_messages={"invalid_choice": gettext_lazy("online or offline.")},
    )  # fmt: skip
    recording = Switch(required=False)
    obscured = Switch(required=False, help_text="Covered, turned away or blinded.")
    frame_rate = Number(required=False, min_value=0, max_value=1_000, help_text="Frames a second.")
    storage_used = Number(required=False, min_value=0, max_value=100, help_text="In per cent.")
    METRICS = {"status": "is_online", "recording": "is_recording", "obscured": "is_obscured"}

    def told(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if "status" in self.validated_data:
            self.validated_data["status"] = self.validated_data["status"] == "online"
        return super().told()


def _measured(unit: str) -> Number:
    return Number(required=False, help_text=f"In {unit}." if unit else "")


class EnvironmentalIn(Row):
    """Air, weather, smoke, heat and water, in the units named here. What lies outside a metric's range is kept and not believed."""

    temperature = _measured("°C")
    humidity = _measured("%")
    pm2_5 = _measured("µg/m³")
    pm10 = _measured("µg/m³")
    co2 = _measured("ppm")
    carbon_monoxide = _measured("ppm")
    no2 = _measured("µg/m³")
    ozone = _measured("µg/m³")
    hydrogen_sulphide = _measured("ppm")
    air_pressure = _measured("hPa")
    wind_speed = _measured("m/s")
    wind_direction = _measured("degrees from north")
    noise = _measured("dB")
    smoke = _measured("% obscuration a metre")
    smoke_alarm = Switch(required=False)
    heat_alarm = Switch(required=False)
    pressure = _measured("bar")
    flow = _measured("m³/h")
    level = _measured("m")
    water_temperature = _measured("°C")
    turbidity = _measured("NTU")
    acidity = _measured("pH")
    chlorine = _measured("mg/l")
