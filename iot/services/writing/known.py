"""What the writer knows of devices, so that ten thousand readings cost no query each."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings

from iot.models import Datastream, Device, Metric

DAY_US = 86_400 * 1_000_000
NOTED_EVERY_US = 5 * 1_000_000


@dataclass(slots=True)
class Limit:
    """A stream, as the judging needs it."""

    stream_id: int
    least: float
    most: float
    per_min: float
    every_s: int
    keep_us: int


class Noted(NamedTuple):
    """What was written of a device when it was last seen."""

    seen_us: int
    skew_s: float | None = None
    battery_pct: float | None = None
    signal_dbm: float | None = None
    firmware: str | None = None


@dataclass(slots=True)
class KnownDevice:
    in_use: bool
    profile_id: int
    every_s: int
    keep_us: int
    streams: dict[str, Limit] = field(default_factory=dict)


@dataclass(slots=True)
class _Asked:
    at: float
    device: KnownDevice | None


class Known:
    """Devices by id and their streams by metric. Looked at again every ``IOT_DEVICES_KNOWN_S``; a stream is made when it is first heard."""

    def __init__(self) -> None:
        self._devices: dict[int, _Asked] = {}
        self._noted: dict[int, int] = {}

    def learn(self, devices: Set[int], pairs: Set[tuple[int, str]]) -> None:
        """Read what is not known, or not known lately, of these devices; make the streams of these pairs of device and metric."""
        now, most = time.monotonic(), settings.IOT_DEVICES_KNOWN_S
        stale = {device for device in devices if (known := self._devices.get(device)) is None or now - known.at >= most}
        if stale:
            self._read(stale, now)
        missing: dict[int, set[str]] = {}
        for device_id, metric in pairs:
            device = self.get(device_id)
            if device is not None and device.in_use and metric not in device.streams:
                missing.setdefault(device_id, set()).add(metric)
        if missing:
            self._make(missing, now)

    def get(self, device_id: int) -> KnownDevice | None:
        known = self._devices.get(device_id)
        return known.device if known is not None else None

    def is_noted(self, device_id: int, seen_us: int) -> bool:
        """Whether it was written that this device was seen about then."""
        return seen_us - self._noted.get(device_id, seen_us - NOTED_EVERY_US) < NOTED_EVERY_US

    def note(self, noted: Mapping[int, Noted]) -> None:
        """These are committed."""
        self._noted.update((device_id, row.seen_us) for device_id, row in noted.items())

    def _read(self, ids: set[int], now: float) -> None:
        for device_id in ids:
            self._devices[device_id] = _Asked(now, None)
        rows = Device.objects.filter(pk__in=ids).values_list(
            "pk", "state", "profile_id", "profile__expected_every_s", "profile__keep_raw_days"
        )
        for pk, state, profile_id, every_s, keep_days in rows:
            self._devices[pk] = _Asked(now, KnownDevice(state == Device.State.ACTIVE, profile_id, every_s, keep_days * DAY_US))
        streams = Datastream.objects.filter(device_id__in=ids).values_list(
            "pk", "device_id", "metric__code", "metric__least", "metric__most", "metric__most_change_per_min"
        )
        for pk, device_id, code, least, most, per_min in streams:
            device = self.get(device_id)
            if device is not None:
                device.streams[code] = Limit(pk, _or_nan(least), _or_nan(most), _or_nan(per_min), device.every_s, device.keep_us)

    def _make(self, missing: dict[int, set[str]], now: float) -> None:
        profiles = {known.profile_id for device_id in missing if (known := self.get(device_id)) is not None}
        metrics = {(m.profile_id, m.code): m.pk for m in Metric.objects.filter(profile_id__in=profiles)}
        new = [
            Datastream(device_id=device_id, metric_id=metrics[known.profile_id, code])
            for device_id, codes in sorted(missing.items())
            if (known := self.get(device_id)) is not None
            for code in sorted(codes)
            if (known.profile_id, code) in metrics
        ]
        if new:
            Datastream.objects.bulk_create(new, ignore_conflicts=True)
            self._read({stream.device_id for stream in new}, now)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
