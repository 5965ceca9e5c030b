"""What a person should know of, found in the rows as they stand: codes with figures, no sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from django.db.models import Count, Min, Q

from iot.analytics.risk import UNUSUAL_CROWD, Making, of_motion
from iot.models import Device, DeviceCredential, DeviceGroup, DeviceOutage, Insight
from iot.services.batteries import forecasts
from iot.services.risk import levels
from iot.services.risk.ranks import FREQUENT, Frequency, frequencies

Code: TypeAlias = Insight.Code
Weight: TypeAlias = Insight.Weight
GROUP_LEAST, GROUP_SHARE = 3, 0.5
BATTERY_DAYS = 30
BATTERY_MOST = 50.0  # a fuller one is not looked at: a forecast of months ahead helps nobody
CERTIFICATE_DAYS = 30
GROWS_BY = 1.25  # within an hour
# How long an insight is shown after it was last found.
HOLDS = {
    Code.LATE_NIGHT_MOTION: timedelta(hours=12),
    Code.CAMERA_DOWN: timedelta(minutes=30),
    Code.CROWD_RISING: timedelta(hours=1),
    Code.GROUP_AWAY: timedelta(minutes=30),
    Code.BATTERY_ENDING: timedelta(days=2),
    Code.CERTIFICATE_ENDING: timedelta(days=2),
}


@dataclass(frozen=True)
class Finding:
    code: Code
    key: str
    weight: Weight
    agency_id: int
    governorate_id: int | None
    zone_id: int | None
    device_id: int | None
    params: dict[str, Any]
    evidence: list[dict[str, Any]] = field(default_factory=list)
    is_synthetic: bool = False


def of_device(
    code: Code, device: Device, weight: Weight, params: dict[str, Any], evidence: list[dict[str, Any]], *, key: str = ""
) -> Finding:
    return Finding(
        code, f"{code}:{key or device.pk}", weight, device.agency_id, device.governorate_id, device.area_id or device.governorate_id,
        device.pk, params, evidence, device.is_synthetic,
    )  # fmt: skip


def of_now(*, now: datetime, making: Making | None = None) -> Iterator[Finding]:
    """What changes by the minute: motion, cameras, crowds, groups."""
    devices = {device.pk: device for device in _in_use(now)}
    kinds = {pk: device.profile.kind for pk, device in devices.items()}
    yield from _night_motion(devices, kinds, now, making or Making())
    yield from _cameras(devices, kinds, now)
    yield from _crowds(devices, kinds, now)
    yield from _groups(now)


def of_the_day(*, now: datetime) -> Iterator[Finding]:
    """What changes by the day: batteries and certificates."""
    yield from _batteries(now)
    yield from _certificates(now)


def _in_use(now: datetime) -> Any:
    return Device.objects.in_use().exclude(maintenance_until__gt=now).select_related("profile").order_by("pk")


def _night_motion(devices: dict[int, Device], kinds: dict[int, str], now: datetime, making: Making) -> Iterator[Finding]:
    nights = range(int(making.night_from_h), int(making.night_to_h))
    worst: dict[int, levels.Level] = {}
    for level in levels.night_motion(kinds, now, nights, timedelta(seconds=making.offset_s)):
        is_much = level.usual is not None and of_motion(level.value, level.usual, floor=levels.MOTION_METRICS[level.metric][1]) > 0
        if is_much and (level.device_id not in worst or level.value > worst[level.device_id].value):
            worst[level.device_id] = level
    for pk, level in worst.items():
        params = {"value": round(level.value, 1), "usual": round(level.usual or 0.0, 1), "metric": level.metric}
        night = f"{pk}:{level.start:%Y-%m-%d}"
        yield of_device(Code.LATE_NIGHT_MOTION, devices[pk], Weight.MEDIUM, params, [_readings(level.device_id, level)], key=night)


def _cameras(devices: dict[int, Device], kinds: dict[int, str], now: datetime) -> Iterator[Finding]:
    """Away, or saying itself that they see nothing, where incidents are frequent."""
    often = frequencies(now)
    since: dict[int, datetime] = {spell.device_id: spell.start for spell in levels.blind(kinds, now) if spell.end is None}
    cameras = [pk for pk, kind in kinds.items() if kind == "camera"]
    since |= dict(DeviceOutage.objects.filter(device__in=cameras, ended_at=None).values_list("device_id", "began_at"))
    for pk, began in since.items():
        place: Frequency | None = often.get(devices[pk].area_id or 0)
        if place is not None and place.rank >= FREQUENT:
            params = {"since": began.isoformat(), "incidents": place.count}
            evidence: list[dict[str, Any]] = [
                {"kind": "device", "id": pk, "at": began.isoformat()},
                {"kind": "incidents", "zone": devices[pk].area_id},
            ]
            yield of_device(Code.CAMERA_DOWN, devices[pk], Weight.HIGH, params, evidence)


def _crowds(devices: dict[int, Device], kinds: dict[int, str], now: datetime) -> Iterator[Finding]:
    """More than is usual, and more than an hour ago."""
    by_stream: dict[int, list[levels.Level]] = {}
    for level in levels.crowds(kinds, now):
        by_stream.setdefault(level.stream_id, []).append(level)
    for said in by_stream.values():
        said.sort(key=lambda level: level.end)
        last = said[-1]
        before = [one for one in said[:-1] if timedelta(minutes=30) <= last.start - one.start <= timedelta(hours=2)]
        is_now = last.end > now - timedelta(minutes=30) and last.ratio is not None
        if is_now and before and (last.ratio or 0) >= UNUSUAL_CROWD and last.value >= GROWS_BY * before[-1].value:
            params = {
                "value": round(last.value, 2), "before": round(before[-1].value, 2), "usual": round(last.usual or 0.0, 2),
                "metric": last.metric,
            }  # fmt: skip
            yield of_device(Code.CROWD_RISING, devices[last.device_id], Weight.HIGH, params, [_readings(last.device_id, last)])


def _groups(now: datetime) -> Iterator[Finding]:
    """Half of a group, and three at least, away at once."""
    mine = Q(devices__state=Device.State.ACTIVE) & ~Q(devices__maintenance_until__gt=now)
    away = mine & Q(devices__status=Device.Status.OFFLINE)
    groups = DeviceGroup.objects.annotate(
        size=Count("devices", filter=mine), gone=Count("devices", filter=away), since=Min("devices__status_since", filter=away)
    )
    for group in groups.filter(gone__gte=GROUP_LEAST).order_by("pk"):
        if group.gone >= GROUP_SHARE * group.size and group.since is not None:
            members = group.devices.filter(state=Device.State.ACTIVE, status=Device.Status.OFFLINE).order_by("code")
            params = {"away": group.gone, "of": group.size, "since": group.since.isoformat(), "name": group.code}
            evidence = [{"kind": "device", "id": pk} for pk in members.values_list("pk", flat=True)[:20]]
            yield Finding(
                Code.GROUP_AWAY, f"{Code.GROUP_AWAY}:{group.pk}", Weight.HIGH, group.agency_id, group.governorate_id, group.governorate_id,
                None, params, evidence, members.filter(is_synthetic=True).exists(),
            )  # fmt: skip


def _batteries(now: datetime) -> Iterator[Finding]:
    low = {device.pk: device for device in _in_use(now).filter(battery_pct__lte=BATTERY_MOST)}
    for pk, found in sorted(forecasts(low, now=now).items()):
        if found.days_left is not None and found.days_left <= BATTERY_DAYS:
            params = {
                "days": round(found.days_left, 1),
                "least": None if found.low is None else round(found.low, 1),
                "level": low[pk].battery_pct,
            }
            weight = Weight.HIGH if found.days_left <= 7 else Weight.MEDIUM
            yield of_device(Code.BATTERY_ENDING, low[pk], weight, params, [{"kind": "battery", "id": pk, "days": found.days}])


def _certificates(now: datetime) -> Iterator[Finding]:
    """The one that lasts longest ends soon: whoever has a newer one already needs no telling."""
    last: dict[int, DeviceCredential] = {}
    rows = DeviceCredential.objects.usable(now).filter(kind=DeviceCredential.Kind.CERTIFICATE, device__state=Device.State.ACTIVE)
    for row in rows.filter(not_after__isnull=False).select_related("device").order_by("not_after", "pk"):
        last[row.device_id] = row
    for row in last.values():
        if row.not_after is not None and row.not_after <= now + timedelta(days=CERTIFICATE_DAYS):
            days = (row.not_after - now).days
            weight = Weight.HIGH if days <= 7 else Weight.MEDIUM
            params = {"days": days, "not_after": row.not_after.isoformat()}
            yield of_device(Code.CERTIFICATE_ENDING, row.device, weight, params, [{"kind": "credential", "id": row.pk}])


def _readings(device_id: int, level: levels.Level) -> dict[str, Any]:
    return {
        "kind": "readings", "id": device_id, "metric": level.metric, "from": level.start.isoformat(), "to": level.end.isoformat(),
    }  # fmt: skip
