"""The device that is spoken for, and what its door has to know of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from iot.models import Device, Metric


@dataclass(frozen=True, slots=True)
class Sender:
    """Nothing of it has to be asked for again while a message is taken in."""

    device_id: int
    code: str
    may_speak: bool  # in use: what it says is kept
    metrics: frozenset[str]
    keep_raw_days: int
    most_per_min: int

    @classmethod
    def of(cls, device: Device) -> Sender:
        return cls._of(device, frozenset(device.profile.metrics.values_list("code", flat=True)))

    @classmethod
    def _of(cls, device: Device, metrics: frozenset[str]) -> Sender:
        profile = device.profile
        is_in_use = device.state == Device.State.ACTIVE
        return cls(device.pk, device.code, is_in_use, metrics, profile.keep_raw_days, profile.most_per_min)

    @classmethod
    def of_each(cls, devices: Iterable[Device]) -> list[Sender]:
        """Of many, by one question for the metrics of all."""
        devices = list(devices)
        metrics: dict[int, set[str]] = {}
        rows = Metric.objects.filter(profile_id__in={device.profile_id for device in devices}).values_list("profile_id", "code")
        for profile_id, code in rows:
            metrics.setdefault(profile_id, set()).add(code)
        return [cls._of(device, frozenset(metrics.get(device.profile_id, ()))) for device in devices]
