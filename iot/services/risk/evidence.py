"""What counts for the risk of places at a moment, device by device, from rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from iot.analytics.risk import (
    ANOMALIES,
    CAMERAS,
    CROWD,
    FIRE,
    GAPS,
    NIGHT_MOTION,
    Evidence,
    Making,
    of_anomaly,
    of_camera,
    of_crowd,
    of_motion,
)
from iot.models import Anomaly, Device, DeviceOutage
from iot.models.anomalies import Detector
from iot.models.profiles import DeviceKind
from iot.services.risk import levels
from iot.services.risk.ranks import Frequency, frequencies

AWAY_COUNTS_FOR = timedelta(days=2)  # after its end: six half-lives and more
FIRE_COUNTS = {metric: amount for metric, (_limit, amount) in levels.FIRE_METRICS.items()}

# Why a part may be silent though something goes on.
TOO_LITTLE_CROWD, TOO_LITTLE_MOTION, SILENT = "too_little_crowd", "too_little_motion", "silent"


@dataclass(frozen=True)
class Placed:
    """A device in use, where it stands and what it is."""

    pk: int
    kind: str
    agency_id: int
    area_id: int | None
    governorate_id: int
    is_synthetic: bool
    is_heard: bool


@dataclass
class Gathered:
    """Evidence by device; for the parts that compare with what is usual, the streams that have too little history, by device."""

    devices: dict[int, Placed]
    frequencies: dict[int, Frequency] = field(default_factory=dict)
    evidence: dict[int, list[Evidence]] = field(default_factory=lambda: defaultdict(list))
    unready: dict[str, dict[int, int]] = field(default_factory=lambda: {TOO_LITTLE_CROWD: {}, TOO_LITTLE_MOTION: {}})

    def add(self, device_id: int, one: Evidence) -> None:
        if one.amount > 0:
            self.evidence[device_id].append(one)

    def camera_counts(self, device_id: int) -> float:
        """More where incidents are frequent."""
        area = self.devices[device_id].area_id
        return of_camera(self.frequencies[area].rank if area in self.frequencies else 0.0)


def gather(*, at: datetime, making: Making, zones: Iterable[int] | None = None) -> Gathered:
    """Everything known at ``at`` of the devices in use that have a place; with ``zones``, of those in these areas or governorates."""
    found = Gathered(_devices(at, zones), frequencies(at))
    kinds = {pk: device.kind for pk, device in found.devices.items()}
    _outages(found, at)
    _anomalies(found, at)
    for spell in levels.blind(kinds, at):
        found.add(spell.device_id, _of_spell(CAMERAS, f"device:{spell.device_id}", spell, found.camera_counts(spell.device_id)))
    for spell in levels.fires(kinds, at):
        found.add(spell.device_id, _of_spell(FIRE, f"stream:{spell.stream_id}", spell, FIRE_COUNTS[spell.metric]))
    for level in levels.crowds(kinds, at):
        if level.usual is None:
            found.unready[TOO_LITTLE_CROWD][level.device_id] = max(level.known, found.unready[TOO_LITTLE_CROWD].get(level.device_id, 0))
        else:
            found.add(level.device_id, _of_level(CROWD, level, of_crowd(level.ratio or 0.0)))
    nights = range(int(making.night_from_h), int(making.night_to_h))
    for level in levels.night_motion(kinds, at, nights, timedelta(seconds=making.offset_s)):
        if level.usual is None:
            found.unready[TOO_LITTLE_MOTION][level.device_id] = max(level.known, found.unready[TOO_LITTLE_MOTION].get(level.device_id, 0))
        else:
            floor = levels.MOTION_METRICS[level.metric][1]
            found.add(level.device_id, _of_level(NIGHT_MOTION, level, of_motion(level.value, level.usual, floor=floor)))
    return found


def _devices(at: datetime, zones: Iterable[int] | None) -> dict[int, Placed]:
    rows: Any = Device.objects.in_use().filter(governorate__isnull=False, registered_at__lte=at)
    rows = rows.exclude(maintenance_until__gt=at).order_by()
    if zones is not None:
        wanted = list(zones)
        rows = rows.filter(Q(area__in=wanted) | Q(governorate__in=wanted))
    columns = ("pk", "profile__kind", "agency_id", "area_id", "governorate_id", "is_synthetic", "last_seen_at")
    return {
        pk: Placed(pk, kind, agency, area, governorate, synthetic, seen is not None and seen > at - levels.DAY)
        for pk, kind, agency, area, governorate, synthetic, seen in rows.values_list(*columns)
    }


def _outages(found: Gathered, at: datetime) -> None:
    """Who was away: a camera by how frequent incidents are where it stands, any other device as a gap."""
    rows = DeviceOutage.objects.filter(Q(ended_at=None) | Q(ended_at__gt=at - AWAY_COUNTS_FOR), noticed_at__lte=at)
    rows = rows.filter(device__in=list(found.devices)).order_by()
    for device_id, noticed, ended in rows.values_list("device_id", "noticed_at", "ended_at"):
        device = found.devices[device_id]
        until = ended.timestamp() if ended is not None and ended <= at else None
        if device.kind == DeviceKind.CAMERA:
            found.add(device_id, Evidence(CAMERAS, f"device:{device_id}", noticed.timestamp(), found.camera_counts(device_id), until))
        else:
            found.add(device_id, Evidence(GAPS, f"device:{device_id}", noticed.timestamp(), 1.0, until))


def _anomalies(found: Gathered, at: datetime) -> None:
    """What the detectors found, but for what a person has called noise, and for holes: who is away counts already."""
    rows = Anomaly.objects.filter(
        Q(ended_at=None) | Q(ended_at__gt=at - AWAY_COUNTS_FOR), raised_at__lte=at, device__in=list(found.devices)
    )
    rows = rows.exclude(feedback=Anomaly.Feedback.NOISE).exclude(detector=Detector.GAP).order_by()
    for pk, device_id, severity, raised, ended in rows.values_list("pk", "device_id", "severity", "raised_at", "ended_at"):
        until = ended.timestamp() if ended is not None and ended <= at else None
        found.add(device_id, Evidence(ANOMALIES, f"anomaly:{pk}", raised.timestamp(), of_anomaly(severity), until))


def _of_spell(kind: str, key: str, spell: levels.Spell, amount: float) -> Evidence:
    return Evidence(kind, key, spell.start.timestamp(), amount, spell.end.timestamp() if spell.end is not None else None)


def _of_level(kind: str, level: levels.Level, amount: float) -> Evidence:
    return Evidence(kind, f"stream:{level.stream_id}", level.start.timestamp(), amount, level.end.timestamp())
