"""Who is away and who is back: by what was seen last, never by a clock of its own. See docs/decisions/0273.

The sweep alone changes a device's status, by updates that look again at when it was last seen: a reading that comes meanwhile wins.
Many that go at once are one announcement; one that keeps coming and going is said to, once, until it holds still.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q

from core.events import publish_many, unpublished
from core.models import Event
from iot import events
from iot.analytics import fleet
from iot.models import Device, DeviceOutage
from iot.models.devices import LEAST_MISSED_S
from iot.standing import ring
from iot.stream import stream_of

MANY = 10  # so many of one gateway or governorate at once, and a third of those in use there, are one announcement
SHARE = 1 / 3
KINDS = ("gateway", "governorate")
SHOWN = 20
FLAPS = 4  # so many outages within the window: it comes and goes
FLAP_WINDOW = timedelta(hours=1)
_LOCK = 0x4B48_494F_4F46

GONE = "gone"  # of whom a broker said that they left without a word, and when: in Redis, until they are heard again
GONE_KEPT = timedelta(days=30)

_MISSED_S = f"greatest(3 * p.expected_every_s, {LEAST_MISSED_S}) * interval '1 second'"
# What speaks for a device (a recorder for its cameras) may report it offline: its last ``is_online`` is 0, and the report no sign of life.
_REPORTED = """
SELECT s.device_id FROM iot_datastream s JOIN iot_metric m ON m.id = s.metric_id WHERE m.code = 'is_online' AND s.last_value = 0
"""
_MISSED_SINCE = f"(%(now)s - {_MISSED_S})"
_IS_THERE = "(away.device_id IS NULL AND (g.at IS NULL OR g.at < d.last_seen_at))"
_IS_HEARD = f"(d.last_seen_at > {_MISSED_SINCE} AND {_IS_THERE})"
# While nothing could be heard nobody was silent.
_IS_MISSED = f"NOT (greatest(d.last_seen_at, %(listening_since)s) > {_MISSED_SINCE} AND {_IS_THERE})"
# The devices whose status is not what their last words say. Those in maintenance are not missed; they may come back.
_CHANGED = f"""
SELECT d.id, CASE WHEN d.status <> 'online' THEN 'online' ELSE 'offline' END AS becomes
FROM iot_device d JOIN iot_deviceprofile p ON p.id = d.profile_id LEFT JOIN ({_REPORTED}) AS away ON away.device_id = d.id
LEFT JOIN unnest(%(gone)s::bigint[], %(gone_at)s::timestamptz[]) AS g (id, at) ON g.id = d.id
WHERE d.state = 'active' AND d.last_seen_at IS NOT NULL AND (
    d.status <> 'online' AND {_IS_HEARD}
    OR d.status = 'online' AND {_IS_MISSED} AND (d.maintenance_until IS NULL OR d.maintenance_until <= %(now)s)
) ORDER BY d.id FOR NO KEY UPDATE OF d
"""  # noqa: S608


@dataclass(frozen=True)
class Swept:
    went: int
    came_back: int
    flapping: int


@transaction.atomic
def sweep(*, now: datetime, listening_since: datetime | None = None) -> Swept:
    """Bring every device's status up to what was heard of it, and announce what that means. One at a time; a second does nothing.

    ``listening_since``: since when nothing that devices said had to wait (``iot.services.listening``); silence before it is not theirs.
    """
    gone = who_is_gone(now=now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        row = cursor.fetchone()
        if not row or not row[0]:
            return Swept(0, 0, 0)
        since = listening_since or datetime.min.replace(tzinfo=UTC)
        cursor.execute(_CHANGED, {"now": now, "listening_since": since, "gone": list(gone), "gone_at": list(gone.values())})
        becomes = dict(cursor.fetchall())
    devices = list(Device.objects.filter(pk__in=becomes).select_related("profile").defer("location").order_by("pk"))
    went = [device for device in devices if becomes[device.pk] == Device.Status.OFFLINE]
    back = [device for device in devices if becomes[device.pk] == Device.Status.ONLINE]
    said = _gone(went, now) + _returned(back, now)
    _hold_still(now)
    publish_many(said)
    ring(becomes)
    return Swept(len(went), len(back), sum(event.type == events.DEVICE_FLAPPING for event in said))


def note_gone(*, left: Mapping[int, datetime], heard: Collection[int] = ()) -> None:
    """A broker tells who left without a word (their last will), and who spoke again. Only the sweep makes a status of it."""
    pipeline = stream_of().client.pipeline(transaction=False)
    if left:
        pipeline.hset(_gone_name(), mapping={str(id): at.isoformat() for id, at in left.items()})
    if heard:
        pipeline.hdel(_gone_name(), *map(str, heard))
    pipeline.execute()


def who_is_gone(*, now: datetime) -> dict[int, datetime]:
    """While Redis is away nobody is: silence tells as well, later."""
    try:
        rows: Any = stream_of().client.hgetall(_gone_name())
        gone = {int(id): datetime.fromisoformat(at.decode()) for id, at in rows.items()}
        if old := [id for id, at in gone.items() if at < now - GONE_KEPT]:
            note_gone(left={}, heard=old)
    except redis.RedisError:
        return {}
    return gone


def _gone_name() -> str:
    return f"{settings.IOT_STREAM_PREFIX}:{GONE}"


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
    """Many of one gateway, or of one agency in one governorate, are said together; the rest one by one."""
    by_code = {device.code: device for device in devices}
    silent = [
        fleet.Device(device.code, device.last_seen_at.timestamp() if device.last_seen_at else 0.0, _hangs_on(device)) for device in devices
    ]
    said: list[Event] = []
    for outage in fleet.outages(silent, _sizes(devices), kinds=KINDS, share=SHARE, least=MANY):
        members = [by_code[code] for code in outage.devices]
        if outage.kind:
            said.append(_together(members, outage.of, members[0].gateway_id if outage.kind == "gateway" else None))
        else:
            said += [_about(events.DEVICE_OFFLINE, one, last_seen_at=one.last_seen_at and one.last_seen_at.isoformat()) for one in members]
    return said


def _hangs_on(device: Device) -> dict[str, str]:
    names = {"governorate": _governorate(device.agency_id, device.governorate_id)}
    return names | ({"gateway": str(device.gateway_id)} if device.gateway_id is not None else {})


def _governorate(agency_id: int, governorate_id: int | None) -> str:
    return f"{agency_id}:{governorate_id}"


def _sizes(devices: Sequence[Device]) -> dict[tuple[str, str], int]:
    """How many in use hang on what these hang on."""
    in_use = Device.objects.in_use().order_by()
    of_gateways = in_use.filter(gateway__in={device.gateway_id for device in devices} - {None}).values_list("gateway_id")
    of_agencies = in_use.filter(agency__in={device.agency_id for device in devices}).values_list("agency_id", "governorate_id")
    sizes = {("gateway", str(pk)): n for pk, n in of_gateways.annotate(n=Count("pk"))}
    return sizes | {("governorate", _governorate(*key)): n for *key, n in of_agencies.annotate(n=Count("pk"))}


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
