"""What sensors put on the map: devices by how they stand, crowds beside what is usual, cameras' health, and the risk of areas.

Each is bounded by the part of the map that is looked at (``?bbox=west,south,east,north``), and starts from ``visible_to``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.contrib.gis.geos import Polygon
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from dashboard.zone_risk import STEPS, bars_of, step_of
from iot.analytics.risk import UNUSUAL_CROWD
from iot.models import Device, ZoneRisk
from iot.models.profiles import DeviceKind
from iot.permissions import may_see_devices
from iot.services.cameras import health_of
from iot.services.risk.levels import Level, crowds

MOST = 3_000
MOST_CROWDS = 500
DECIMALS = 6
Found = tuple[list[dict[str, Any]], int]
NOTHING: Found = ([], 0)


def device_features(viewer: object, asked: Mapping[str, Any]) -> Found:
    rows = _devices(viewer, asked)
    if rows is None:
        return NOTHING
    found = list(rows.select_related("profile").order_by("status", "pk")[: MOST + 1])
    features = [_of_device(device, _mark(device)) for device in found[:MOST]]
    return features, len(found) if len(found) <= MOST else rows.count()


def camera_features(viewer: object, asked: Mapping[str, Any]) -> Found:
    rows = _devices(viewer, asked)
    if rows is None:
        return NOTHING
    rows = rows.filter(profile__kind=DeviceKind.CAMERA, state=Device.State.ACTIVE)
    found = list(rows.select_related("profile").order_by("pk")[: MOST + 1])
    health = health_of(found[:MOST])
    return [_of_device(device, health[device.pk]) for device in found[:MOST]], len(found) if len(found) <= MOST else rows.count()


def crowd_features(viewer: object, asked: Mapping[str, Any]) -> Found:
    """Crowd sensors with the last they said, and how much that is of what is usual at this hour."""
    rows = _devices(viewer, asked)
    if rows is None:
        return NOTHING
    rows = rows.filter(profile__kind=DeviceKind.CROWD, state=Device.State.ACTIVE)
    found = list(rows.select_related("profile").order_by("pk")[:MOST_CROWDS])
    last: dict[int, Level] = {}
    for level in crowds({device.pk: DeviceKind.CROWD for device in found}, timezone.now()):
        if level.device_id not in last or level.end > last[level.device_id].end:
            last[level.device_id] = level
    features = []
    for device in found:
        said = last.get(device.pk)
        mark = "silent" if said is None else _crowd(said.ratio)
        facts = {} if said is None else {"value": round(said.value, 2), "ratio": said.ratio and round(said.ratio, 2)}
        features.append(_of_device(device, mark, **facts))
    return features, len(found) if len(found) < MOST_CROWDS else rows.count()


def risk_features(viewer: object, asked: Mapping[str, Any]) -> Found:
    """Areas with a score, the highest of the agencies the viewer sees, where they are labelled: their shapes are in the map's tiles."""
    if not isinstance(viewer, User) or not may_see_devices(viewer):
        return NOTHING
    rows = ZoneRisk.objects.visible_to(viewer).current().for_list().filter(zone__level="area")
    box = bbox_of(asked)
    rows = rows.filter(zone__boundary__bboverlaps=box) if box is not None else rows
    by_zone: dict[int, ZoneRisk] = {}
    for row in rows.order_by(F("score").asc(nulls_first=True), "pk")[:MOST]:
        by_zone[row.zone_id] = row
    features = [
        {
            "type": "Feature",
            "id": row.zone_id,
            "geometry": {
                "type": "Point",
                "coordinates": [round(row.zone.label_point.x, DECIMALS), round(row.zone.label_point.y, DECIMALS)],
            },
            "properties": {
                "zone": row.zone_id,
                "name": row.zone.name,
                "agency": row.agency.name,
                "score": None if row.score is None else round(row.score),
                "mark": step_of(row.score),
                "label": str(STEPS[step_of(row.score)]),
                "parts": ", ".join(f"{bar.label} {bar.points:.0f}" for bar in bars_of(row.points)),
                "synthetic": row.is_synthetic,
                "url": f"{reverse('zonerisk-one', args=[row.zone_id])}?agency={row.agency.slug}",
            },
        }
        for row in by_zone.values()
    ]
    return features, len(features)


def bbox_of(asked: Mapping[str, Any]) -> Polygon | None:
    """What ``bbox`` names; ``None`` where it is left out or is none: the cap bounds the answer then."""
    numbers = str(asked.get("bbox", "")).split(",")
    try:
        west, south, east, north = (float(one) for one in numbers)
    except ValueError:
        return None
    if not all(map(math.isfinite, (west, south, east, north))) or not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        return None
    box = Polygon.from_bbox((west, south, east, north))
    box.srid = 4326
    return box


def _devices(viewer: object, asked: Mapping[str, Any]) -> QuerySet[Device] | None:
    if not isinstance(viewer, User) or not may_see_devices(viewer):
        return None
    rows: QuerySet[Device] = Device.objects.visible_to(viewer).filter(location__isnull=False).exclude(state=Device.State.RETIRED)
    box = bbox_of(asked)
    return rows.filter(location__bboverlaps=box) if box is not None else rows


def _mark(device: Device) -> str:
    if device.state != Device.State.ACTIVE:
        return "waiting"
    return "maintenance" if device.is_in_maintenance else device.status


def _crowd(ratio: float | None) -> str:
    if ratio is None:
        return "unknown"
    return "usual" if ratio < UNUSUAL_CROWD else "more" if ratio < 3 else "much"


def _of_device(device: Device, mark: str, **facts: Any) -> dict[str, Any]:
    assert device.location is not None
    return {
        "type": "Feature",
        "id": device.pk,
        "geometry": {"type": "Point", "coordinates": [round(device.location.x, DECIMALS), round(device.location.y, DECIMALS)]},
        "properties": {
            "code": device.code,
            "name": device.name,
            "kind": str(device.profile.get_kind_display()),
            "mark": mark,
            "seen": int(device.last_seen_at.timestamp()) if device.last_seen_at else None,
            "synthetic": device.is_synthetic,
            "url": reverse("devices-one", args=[device.code]),
            **facts,
        },
    }


def marks() -> dict[str, list[tuple[str, str]]]:
    """What each layer's marks mean, for the legend and the cards."""
    return {
        "sensordevices": [
            ("online", _("Online")), ("offline", _("Offline")), ("unheard", _("Never heard")), ("maintenance", _("In maintenance")),
            ("waiting", _("Not in use")),
        ],
        "crowds": [
            ("usual", _("As usual at this hour")), ("more", _("1.5 times the usual and more")), ("much", _("3 times the usual and more")),
            ("unknown", _("Too little history")), ("silent", _("Nothing said lately")),
        ],
        "cameras": [
            ("working", _("Working")), ("away", _("Away")), ("blind", _("Sees nothing")), ("unheard", _("Never heard")),
            ("in_maintenance", _("In maintenance")),
        ],
        "zonerisk": [(name, str(label)) for name, label in STEPS.items()],
    }  # fmt: skip


def sensor_layers_config() -> dict[str, Any]:
    """What the layers' script needs."""
    return {
        "urls": {slug: reverse("map-layer", args=[slug]) for slug in marks()},
        "marks": {slug: dict(meanings) for slug, meanings in marks().items()},
        "texts": {
            "open": _("Open the device"),
            "openRisk": _("Why this score?"),
            "synthetic": _("Synthetic data"),
            "times": _("{n} times the usual"),
            "score": _("Risk {n} of 100"),
            "capped": _("Showing {shown} of {total}: zoom in"),
        },
    }
