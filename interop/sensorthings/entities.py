"""The entity sets: which of our rows each shows, under which names, and what leads where. A viewer's own rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.gis.geos import Point
from django.db.models import QuerySet

from iot.models import Datastream, Device, DeviceProfile, Metric, Reading
from iot.quality import names_of
from iot.stream import EPOCH, microseconds

GEOJSON = "application/geo+json"
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


@dataclass(frozen=True)
class Relation:
    """``one``: the row it leads to, from this row. Else the field of the target that holds this row's key."""

    target: str
    one: Callable[[Any], Any] | None = None
    by: str = ""


@dataclass(frozen=True)
class EntitySet:
    """``fields`` are what ``$filter`` and ``$orderby`` may name: our path and its kind. ``order`` is total, so that pages neither repeat
    nor leave out."""

    name: str
    rows: Callable[[Any], QuerySet[Any]]
    told: Callable[[Any], dict[str, Any]]
    fields: Mapping[str, tuple[str, str]]
    relations: Mapping[str, Relation]
    order: tuple[str, ...] = ("pk",)
    id_of: Callable[[Any], Any] = lambda row: row.pk
    by_id: Callable[[QuerySet[Any], str], QuerySet[Any]] = lambda rows, id: rows.filter(pk=int(id)) if _is_key(id) else rows.none()


def _is_key(id: str) -> bool:
    return id.isascii() and id.isdigit() and len(id) < 19


def _devices(viewer: Any) -> QuerySet[Any]:
    rows: Any = Device.objects.visible_to(viewer)
    return rows.select_related("profile", "agency", "governorate", "area").defer("governorate__boundary", "area__boundary")


def _placed(viewer: Any) -> QuerySet[Any]:
    return _devices(viewer).filter(location__isnull=False)


def _streams(viewer: Any) -> QuerySet[Any]:
    rows: Any = Datastream.objects.visible_to(viewer)
    return rows.select_related("metric", "device__profile", "device__agency")


def _readings(viewer: Any) -> QuerySet[Any]:
    mine = viewer.jurisdiction
    rows: Any = Reading.objects.all()
    if mine.agency_ids is not None or mine.governorate_ids is not None:
        rows = rows.filter(datastream__in=Datastream.objects.visible_to(viewer).order_by().values("pk"))
    return rows


def _profiles(viewer: Any) -> QuerySet[Any]:
    return DeviceProfile.objects.filter(pk__in=Device.objects.visible_to(viewer).order_by().values("profile_id"))


def _metrics(viewer: Any) -> QuerySet[Any]:
    return Metric.objects.filter(pk__in=Datastream.objects.visible_to(viewer).order_by().values("metric_id")).select_related("profile")


# --- what is told of each -------------------------------------------------------------------------------------------------------------


def _thing(row: Device) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "code": row.code,
        "profile": row.profile.code,
        "kind": row.profile.kind,
        "agency": row.agency.slug,
        "state": row.state,
        "status": row.status,
        "synthetic": row.is_synthetic,
    }
    known = {"firmware": row.firmware or None, "battery_pct": row.battery_pct, "signal_dbm": row.signal_dbm}
    if row.last_seen_at is not None:
        known["last_seen_at"] = instant(row.last_seen_at)
    return {
        "name": row.code,
        "description": row.name or row.profile.name_en,
        "properties": properties | {name: value for name, value in known.items() if value is not None},
    }


def _point(row: Device) -> dict[str, Any]:
    assert isinstance(row.location, Point)
    return {"type": "Point", "coordinates": [round(row.location.x, 6), round(row.location.y, 6)]}


def _location(row: Device) -> dict[str, Any]:
    area = row.area.name_en if row.area is not None else ""
    return {"name": row.code, "description": f"Where {row.code} stands", "encodingType": GEOJSON, "location": _point(row)} | (
        {"properties": {"area": area}} if area else {}
    )


def _feature(row: Device) -> dict[str, Any]:
    return {"name": row.code, "description": f"The surroundings of {row.code}", "encodingType": GEOJSON, "feature": _point(row)}


def _sensor(row: DeviceProfile) -> dict[str, Any]:
    return {
        "name": row.name_en,
        "description": f"Devices of the profile {row.code}",
        "encodingType": "text/plain",
        "metadata": row.code,
        "properties": {"code": row.code, "kind": row.kind, "expected_every_s": row.expected_every_s},
    }


def _property(row: Metric) -> dict[str, Any]:
    return {
        "name": row.name_en,
        "definition": f"urn:khareetaty:metric:{row.profile.code}:{row.code}",
        "description": f"{row.name_en} as devices of the profile {row.profile.code} tell it",
        "properties": {"code": row.code, "unit": row.unit},
    }


def _datastream(row: Datastream) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": f"{row.device.code} {row.metric.code}",
        "description": f"{row.metric.name_en} of {row.device.code}",
        "observationType": MEASUREMENT,
        "unitOfMeasurement": {"name": row.metric.unit or None, "symbol": row.metric.unit or None, "definition": None},
        "properties": {"metric": row.metric.code, "device": row.device.code, "synthetic": row.device.is_synthetic},
    }
    if row.last_at is not None:
        told["properties"] |= {"last_at": instant(row.last_at), "last_value": row.last_value}
    return told


def _observation(row: Reading) -> dict[str, Any]:
    told: dict[str, Any] = {"phenomenonTime": instant(row.at), "resultTime": instant(row.received_at), "result": row.value}
    return told | ({"resultQuality": names_of(row.quality)} if row.quality else {})


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond % 1_000 == 0 else "microseconds").replace("+00:00", "Z")


def observation_id(row: Reading) -> str:
    return f"{row.datastream_id}-{microseconds(row.at)}"


def _its_place(row: Reading) -> Device | None:
    device: Device = row.datastream.device
    return device if device.location is not None else None


def _reading_by_id(rows: QuerySet[Any], id: str) -> QuerySet[Any]:
    stream, _dash, us = id.partition("-")
    if not (_is_key(stream) and _is_key(us) and int(stream) < 2**31 and int(us) < 10**17):
        return rows.none()
    return rows.filter(datastream_id=int(stream), at=EPOCH + timedelta(microseconds=int(us)))


_PLACE = {
    "id": ("pk", "key"),
    "@iot.id": ("pk", "key"),
    "name": ("code", "text"),
    "location": ("location", "geo"),
    "feature": ("location", "geo"),
}
_THING = {
    "id": ("pk", "key"),
    "@iot.id": ("pk", "key"),
    "name": ("code", "text"),
    "description": ("name", "text"),
    "properties/code": ("code", "text"),
    "properties/profile": ("profile__code", "text"),
    "properties/kind": ("profile__kind", "text"),
    "properties/agency": ("agency__slug", "text"),
    "properties/state": ("state", "text"),
    "properties/status": ("status", "text"),
    "properties/synthetic": ("is_synthetic", "bool"),
    "properties/battery_pct": ("battery_pct", "number"),
    "properties/last_seen_at": ("last_seen_at", "time"),
    "Locations/location": ("location", "geo"),
    "Locations/name": ("code", "text"),
}
_SENSOR = {
    "id": ("pk", "key"),
    "@iot.id": ("pk", "key"),
    "name": ("name_en", "text"),
    "metadata": ("code", "text"),
    "properties/code": ("code", "text"),
    "properties/kind": ("kind", "text"),
}
_PROPERTY = {
    "id": ("pk", "key"),
    "@iot.id": ("pk", "key"),
    "name": ("name_en", "text"),
    "properties/code": ("code", "text"),
    "properties/unit": ("unit", "text"),
}


def _through(relation: str, path: str, fields: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """A relation's fields under its name."""
    return {f"{relation}/{name}": (f"{path}__{ours}", kind) for name, (ours, kind) in fields.items()}


_STREAM = {
    "id": ("pk", "key"),
    "@iot.id": ("pk", "key"),
    "properties/metric": ("metric__code", "text"),
    "properties/device": ("device__code", "text"),
    "unitOfMeasurement/symbol": ("metric__unit", "text"),
    "properties/last_at": ("last_at", "time"),
    "properties/last_value": ("last_value", "number"),
    "properties/synthetic": ("device__is_synthetic", "bool"),
    **_through("Thing", "device", _THING),
    **_through("Sensor", "device__profile", _SENSOR),
    **_through("ObservedProperty", "metric", _PROPERTY),
}
_OBSERVATION = {
    "phenomenonTime": ("at", "time"),
    "resultTime": ("received_at", "time"),
    "result": ("value", "number"),
    **_through("Datastream", "datastream", _STREAM),
    **_through("FeatureOfInterest", "datastream__device", _PLACE),
}

SETS: dict[str, EntitySet] = {
    each.name: each
    for each in (
        EntitySet(
            "Things",
            _devices,
            _thing,
            _THING,
            {"Locations": Relation("Locations", by="pk"), "Datastreams": Relation("Datastreams", by="device_id")},
        ),
        EntitySet("Locations", _placed, _location, _PLACE, {"Things": Relation("Things", by="pk")}),
        EntitySet("Sensors", _profiles, _sensor, _SENSOR, {"Datastreams": Relation("Datastreams", by="device__profile_id")}),
        EntitySet("ObservedProperties", _metrics, _property, _PROPERTY, {"Datastreams": Relation("Datastreams", by="metric_id")}),
        EntitySet(
            "Datastreams",
            _streams,
            _datastream,
            _STREAM,
            {
                "Thing": Relation("Things", one=lambda row: row.device),
                "Sensor": Relation("Sensors", one=lambda row: row.device.profile),
                "ObservedProperty": Relation("ObservedProperties", one=lambda row: row.metric),
                "Observations": Relation("Observations", by="datastream_id"),
            },
        ),
        EntitySet(
            "Observations",
            _readings,
            _observation,
            _OBSERVATION,
            {
                "Datastream": Relation("Datastreams", one=lambda row: row.datastream),
                "FeatureOfInterest": Relation("FeaturesOfInterest", one=_its_place),
            },
            order=("datastream_id", "at"),
            id_of=observation_id,
            by_id=_reading_by_id,
        ),
        EntitySet("FeaturesOfInterest", _placed, _feature, _PLACE, {"Observations": Relation("Observations", by="datastream__device_id")}),
    )
}
