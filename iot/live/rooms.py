"""Which rooms there are, who may be in them, and which devices they hold. Asked of the database, off the event loop."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from geography.models import Zone
from iot.models import Datastream, Device, DeviceGroup
from iot.permissions import may_see_devices

MOST_DEVICES = 20_000  # in one room
LONGEST_NAME = 96
KINDS = ("device", "group", "zone")


class DeviceFact(NamedTuple):
    """What is told of a device when it changes; and who may be told."""

    code: str
    agency_id: int
    governorate_id: int | None
    state: str
    status: str
    maintenance_until: datetime | None

    @property
    def standing(self) -> tuple[object, ...]:
        return self.state, self.status, self.maintenance_until


class StreamFact(NamedTuple):
    metric: str
    unit: str


@dataclass(frozen=True)
class Room:
    """``device:<code>``, ``group:<id>`` or ``zone:<id>``; its devices change and are looked at again."""

    name: str
    kind: str
    key: str

    def devices(self) -> QuerySet[Any]:
        rows = Device.objects.exclude(state=Device.State.RETIRED)
        if self.kind == "device":
            return rows.filter(code=self.key)
        if self.kind == "group":
            return rows.filter(groups=int(self.key))
        return rows.filter(Q(area_id=int(self.key)) | Q(governorate_id=int(self.key)))


def room_for(viewer: Any, name: object) -> Room | None:
    """The room of that name, where there is one and ``viewer`` may be in it. A foreign one does not exist."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not may_see_devices(viewer):
        return None
    kind, _colon, key = name.partition(":")
    if kind == "device":
        there = bool(key) and "\0" not in key and Device.objects.visible_to(viewer).filter(code=key).exists()
    elif kind in KINDS and key.isascii() and key.isdigit() and len(key) < 19:
        pk = int(key)
        there = DeviceGroup.objects.visible_to(viewer).filter(pk=pk).exists() if kind == "group" else _zone_is_theirs(viewer, pk)
    else:
        there = False
    return Room(name, kind, key) if there else None


def _zone_is_theirs(viewer: Any, pk: int) -> bool:
    """An area or a governorate; of what goes on in it each is told what they may see."""
    zone = Zone.objects.filter(pk=pk, level__in=[Zone.Level.AREA, Zone.Level.GOVERNORATE]).values("level", "parent_id").first()
    if zone is None:
        return False
    mine = viewer.jurisdiction.governorate_ids
    return mine is None or (pk if zone["level"] == Zone.Level.GOVERNORATE else zone["parent_id"]) in mine


@dataclass(frozen=True)
class Known:
    """What the rooms hold as it stands now."""

    members: Mapping[str, frozenset[int]]
    devices: Mapping[int, DeviceFact]


def look_up(rooms: Collection[Room]) -> Known:
    """The devices of these rooms. A room of too many is cut: it is for watching, not for collecting."""
    members: dict[str, frozenset[int]] = {}
    devices: dict[int, DeviceFact] = {}
    # A thousand pages of a device each are one question, not a thousand.
    single = {room.key: room.name for room in rooms if room.kind == "device"}
    members |= {name: frozenset() for name in single.values()}
    for row in _rows(Device.objects.exclude(state=Device.State.RETIRED).filter(code__in=single)) if single else []:
        devices[row[0]] = DeviceFact(*row[1:])
        members[single[row[1]]] = frozenset([row[0]])
    for room in rooms:
        if room.kind != "device":
            found = {row[0]: DeviceFact(*row[1:]) for row in _rows(room.devices())[:MOST_DEVICES]}
            devices |= found
            members[room.name] = frozenset(found)
    return Known(members, devices)


def _rows(devices: QuerySet[Any]) -> QuerySet[Any]:
    return devices.order_by("pk").values_list("pk", "code", "agency_id", "governorate_id", "state", "status", "maintenance_until")


def facts_of(devices: Collection[int]) -> dict[int, DeviceFact]:
    """Of these, also of those that were retired meanwhile."""
    return {row[0]: DeviceFact(*row[1:]) for row in _rows(Device.objects.filter(pk__in=devices))}


def streams_of(stream_ids: Collection[int]) -> dict[int, StreamFact]:
    rows = Datastream.objects.filter(pk__in=stream_ids).values_list("pk", "metric__code", "metric__unit")
    return {pk: StreamFact(code, unit) for pk, code, unit in rows}
