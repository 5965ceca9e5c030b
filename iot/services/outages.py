"""Who is away and who is back: by what was seen last, never by a clock of its own. See docs/decisions/0273.

The sweep alone changes a device's status, by updates that look again at when it was last seen: a reading that comes meanwhile wins.
Many that go at once are one announcement; one that keeps coming and going is said to, once, until it holds still.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q

from core.events import publish_many, unpublished
from core.models import Event
from iot import events
from iot.models import Device, DeviceOutage
from iot.models.devices import LEAST_MISSED_S

MANY = 10  # so many of one gateway or governorate at once, and a third of those in use there, are one announcement
SHARE = 1 / 3
SHOWN = 20
FLAPS = 4  # so many outages within the window: it comes and goes
FLAP_WINDOW = timedelta(hours=1)
_LOCK = 0x4B48_494F_4F46

_MISSED_S = f"greatest(3 * p.expected_every_s, {LEAST_MISSED_S}) * interval '1 second'"
# The devices whose status is not what their last words say. Those in maintenance are not missed; they may come back.
_CHANGED = f"""
SELECT d.id, CASE WHEN d.last_seen_at > %(now)s - {_MISSED_S} THEN 'online' ELSE 'offline' END AS becomes
FROM iot_device d JOIN iot_deviceprofile p ON p.id = d.profile_id
WHERE d.state = 'active' AND d.last_seen_at IS NOT NULL AND (
    d.status <> 'online' AND d.last_seen_at > %(now)s - {_MISSED_S}
    OR d.status = 'online' AND d.last_seen_at <= %(now)s - {_MISSED_S} AND (d.maintenance_until IS NULL OR d.maintenance_until <= %(now)s)
) ORDER BY d.id FOR NO KEY UPDATE OF d
"""  # noqa: S608


@dataclass(frozen=True)
class Swept:
    went: int
    came_back: int
    flapping: int


@transaction.atomic
def sweep(*, now: datetime) -> Swept:
    """Bring every device's status up to what was heard of it, and announce what that means. One at a time; a second does nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        row = cursor.fetchone()
        if not row or not row[0]:
            return Swept(0, 0, 0)
        cursor.execute(_CHANGED, {"now": now})
        becomes = dict(cursor.fetchall())
    devices = list(Device.objects.filter(pk__in=becomes).select_related("profile").defer("location").order_by("pk"))
    went = [device for device in devices if becomes[device.pk] == Device.Status.OFFLINE]
    back = [device for device in devices if becomes[device.pk] == Device.Status.ONLINE]
    said = _gone(went, now) + _returned(back, now)
    _hold_still(now)
    publish_many(said)
    return Swept(len(went), len(back), sum(event.type == events.DEVICE_FLAPPING for event in said))


def _gone(devices: Sequence[Device], now: datetime) -> list[Event]:
    if not devices:
        return []
    ids = [device.pk for device in devices]
    Device.objects.filter(pk__in=ids).update(status=Device.Status.OFFLINE, status_since=now)
    DeviceOutage.objects.bulk_create(
        [DeviceOutage(device=device, began_at=device.last_seen_at or now, noticed_at=now) for device in devices], ignore_conflicts=True
    )
    flapping = _that_flap(devices, now)
    said = [_about(events.DEVICE_FLAPPING, device, outages=count, within_min=60) for device, count in flapping]
    Device.objects.filter(pk__in=[device.pk for device, _count in flapping]).update(flapping_since=now)
    silent = {device.pk for device, _count in flapping} | {device.pk for device in devices if device.flapping_since is not None}
    return said + _grouped([device for device in devices if device.pk not in silent])


def _grouped(devices: Sequence[Device]) -> list[Event]:
    """Those of one gateway, then those of one agency in one governorate, are said together where they are many; the rest one by one."""
    said: list[Event] = []
    left = list(devices)
    for names in (("gateway_id",), ("agency_id", "governorate_id")):
        groups: dict[tuple[Any, ...], list[Device]] = defaultdict(list)
        for device in left:
            groups[tuple(getattr(device, name) for name in names)].append(device)
        for key, members in groups.items():
            where = dict(zip(names, key, strict=True))
            if len(members) < MANY or where.get("gateway_id", 0) is None:
                continue
            of = Device.objects.in_use().filter(**where).count()
            if len(members) >= of * SHARE:
                said.append(_together(members, of, where.get("gateway_id")))
                left = [device for device in left if device not in members]
    return said + [
        _about(events.DEVICE_OFFLINE, device, last_seen_at=device.last_seen_at.isoformat() if device.last_seen_at else None)
        for device in left
    ]


def _together(members: Sequence[Device], of: int, gateway_id: int | None) -> Event:
    first = members[0]
    gateway = Device.objects.filter(pk=gateway_id).first() if gateway_id is not None else None
    data = {"count": len(members), "of": of, "codes": [device.code for device in members[:SHOWN]]}
    return unpublished(
        events.DEVICES_OFFLINE,
        subject=gateway,
        data=data | ({"gateway": gateway.code} if gateway is not None else {}),
        agency_id=first.agency_id,
        governorate_id=gateway.governorate_id if gateway is not None else first.governorate_id,
    )


def _returned(devices: Sequence[Device], now: datetime) -> list[Event]:
    if not devices:
        return []
    ids = [device.pk for device in devices]
    Device.objects.filter(pk__in=ids).update(status=Device.Status.ONLINE, status_since=now)
    began = dict(DeviceOutage.objects.filter(device_id__in=ids, ended_at=None).values_list("device_id", "began_at"))
    for device in devices:
        if device.pk in began:
            # It was heard again at the latest when it was last seen.
            DeviceOutage.objects.filter(device=device, ended_at=None).update(ended_at=max(device.last_seen_at or now, began[device.pk]))
    return [
        _about(events.DEVICE_ONLINE, device, **_away_for(began.get(device.pk), device.last_seen_at))
        for device in devices
        if device.flapping_since is None
    ]


def _away_for(began: datetime | None, heard: datetime | None) -> dict[str, Any]:
    return {"was_offline_s": round((heard - began).total_seconds())} if began is not None and heard is not None else {}


def _that_flap(devices: Iterable[Device], now: datetime) -> list[tuple[Device, int]]:
    """Of those that went: the ones that now come and go, and were not said to before."""
    steady = {device.pk: device for device in devices if device.flapping_since is None}
    counts = (
        DeviceOutage.objects.filter(device_id__in=steady, noticed_at__gt=now - FLAP_WINDOW)
        .values_list("device_id")
        .annotate(n=Count("pk"))
        .filter(n__gte=FLAPS)
        .order_by("device_id")
    )
    return [(steady[pk], n) for pk, n in counts]


def _hold_still(now: datetime) -> None:
    """Those that came and went, and have not gone for as long as the window, are as others again."""
    lately = DeviceOutage.objects.filter(noticed_at__gt=now - FLAP_WINDOW).values("device_id")
    Device.objects.filter(~Q(pk__in=lately), flapping_since__lte=now - FLAP_WINDOW).update(flapping_since=None)


def _about(type: str, device: Device, **data: Any) -> Event:
    return unpublished(
        type, subject=device, data={"code": device.code, **data}, agency_id=device.agency_id, governorate_id=device.governorate_id
    )
