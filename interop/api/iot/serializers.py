"""Devices and what they said, as programs read it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from iot.models import Datastream, Device
from iot.models.profiles import DeviceKind
from iot.quality import names_of


class DeviceSerializer(serializers.Serializer[Any]):
    """A device: what it is, where, and how it stands."""

    code = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    profile = serializers.CharField(source="profile.code")
    kind = serializers.ChoiceField(source="profile.kind", choices=DeviceKind.choices)
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    area = serializers.CharField(source="area.code", allow_null=True, default=None)
    lon = serializers.FloatField(source="location.x", allow_null=True, default=None)
    lat = serializers.FloatField(source="location.y", allow_null=True, default=None)
    state = serializers.ChoiceField(choices=Device.State.choices)
    status = serializers.ChoiceField(choices=Device.Status.choices)
    status_since = serializers.DateTimeField(allow_null=True)
    is_flapping = serializers.SerializerMethodField(help_text="It keeps coming and going: nothing more is announced of it.")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    in_maintenance = serializers.BooleanField(source="is_in_maintenance")
    firmware = serializers.CharField(allow_blank=True)
    battery_pct = serializers.FloatField(allow_null=True)
    signal_dbm = serializers.FloatField(allow_null=True)
    clock_skew_s = serializers.FloatField(allow_null=True)
    is_synthetic = serializers.BooleanField()

    def get_is_flapping(self, device: Device) -> bool:
        return device.flapping_since is not None


class LastValueSerializer(serializers.Serializer[Any]):
    """The newest reading of one metric."""

    metric = serializers.CharField(source="metric.code")
    name = serializers.CharField(source="metric.name", help_text="In the language of Accept-Language.")
    unit = serializers.CharField(source="metric.unit", allow_blank=True)
    at = serializers.DateTimeField(source="last_at", allow_null=True)
    value = serializers.FloatField(source="last_value", allow_null=True)
    quality = serializers.SerializerMethodField(help_text="What is known against it: late, out_of_range, roc, clock_skew …")
    received_at = serializers.DateTimeField(source="last_received_at", allow_null=True)

    def get_quality(self, stream: Datastream) -> list[str]:
        return names_of(stream.last_quality)


class HistorySerializer(serializers.Serializer[Any]):
    """A metric's history as columns of equal length, oldest first: readings as they came (`step_s` 0: `at`, `value`, `quality`), or
    stretches of `step_s` seconds (`at`, `n`, `min`, `mean`, `max`, `last`, `bad_n`)."""

    device = serializers.CharField()
    metric = serializers.CharField()
    unit = serializers.CharField(allow_blank=True)
    step_s = serializers.IntegerField()
    at = serializers.ListField(child=serializers.DateTimeField())
    value = serializers.ListField(child=serializers.FloatField(), required=False)
    quality = serializers.ListField(child=serializers.ListField(child=serializers.CharField()), required=False)
    n = serializers.ListField(child=serializers.IntegerField(), required=False)
    min = serializers.ListField(child=serializers.FloatField(allow_null=True), required=False)
    mean = serializers.ListField(child=serializers.FloatField(allow_null=True), required=False)
    max = serializers.ListField(child=serializers.FloatField(allow_null=True), required=False)
    last = serializers.ListField(child=serializers.FloatField(allow_null=True), required=False)
    bad_n = serializers.ListField(child=serializers.IntegerField(), required=False, help_text="Readings that are in no other column.")
