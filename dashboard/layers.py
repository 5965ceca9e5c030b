"""What can be laid on the map, in one list. A new app adds its layer with one line here and its drawing in ``static/js/map/``.

A layer with a collector is served as ``/map/<slug>.geojson``; one without is drawn from the zones' vector tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.contrib.gis.db.models import Extent
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.contrib.postgres.aggregates import BoolOr
from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.jurisdiction import jurisdiction_of
from accounts.models import User
from dashboard.alert_layer import alert_features
from dashboard.filters import BoardFilter
from dashboard.sensor_layers import Found, camera_features, crowd_features, device_features, risk_features
from geography.models import Zone
from incidents.models import HotSpot, Incident
from incidents.models.incident import make_ref
from incidents.querysets import HotSpotQuerySet
from patrol.models import Unit, UnitPosition

# A browser draws this many points smoothly, and nobody reads more. Past it the answer says how many there are.
MAX_FEATURES = 5_000
INCIDENT_DECIMALS = 6
HULL_DECIMALS = 5  # about a metre: a hull is drawn through incidents 300 m apart


@dataclass(frozen=True)
class Features:
    """GeoJSON features ready to be written, how many there would be without the cap, and what the legend says of them."""

    features: list[dict[str, Any]]
    total: int
    notes: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> bytes:
        collection = {
            "type": "FeatureCollection",
            "shown": len(self.features),
            "total": self.total,
            **self.notes,
            "features": self.features,
        }
        return orjson.dumps(collection)


@dataclass(frozen=True)
class Layer:
    slug: str
    name: str | Promise
    collect: Callable[[object, BoardFilter], Features] | None = None
    is_on: bool = True


def in_arabic() -> bool:
    return (get_language() or "").startswith("ar")


def incident_feature(
    *,
    id: int,
    ref: str,
    severity: int,
    priority: int,
    state: str,
    type_name: str,
    category: str,
    place: str,
    at: datetime,
    geometry: Any,
) -> dict[str, Any]:
    """One incident on the map; the live feed and the file have the same shape."""
    return {
        "type": "Feature",
        "id": id,
        "geometry": geometry,
        "properties": {
            "id": id,
            "ref": ref,
            "severity": severity,
            "priority": priority,
            "state": state,
            "type": type_name,
            "category": category,
            "place": place,
            "at": int(at.timestamp()),
        },
    }


def feature_of(incident: Incident) -> dict[str, Any] | None:
    """What a live update puts on the map, in the active language; ``None`` where the incident has no place.

    Ask with ``Incident.objects.for_card()``: it reads the region, the type and the area.
    """
    if incident.location is None:
        return None
    return incident_feature(
        id=incident.pk,
        ref=incident.ref,
        severity=incident.severity,
        priority=incident.priority,
        state=incident.state,
        type_name=incident.type.name,
        category=incident.type.category,
        place=incident.area.name if incident.area else "",
        at=incident.occurred_at,
        geometry={
            "type": "Point",
            "coordinates": [round(incident.location.x, INCIDENT_DECIMALS), round(incident.location.y, INCIDENT_DECIMALS)],
        },
    )


def incidents(viewer: object, filters: BoardFilter) -> Features:
    """Incidents as the board's filters have them (open, unless they say otherwise), newest first up to the cap.

    Those without a place are counted; a filter that could not be used is named, as the board names it.
    """
    found = filters.apply(Incident.objects.visible_to(viewer))
    counts = found.aggregate(all=Count("pk"), located=Count("location"))
    type_name, area_name = ("type__name_ar", "area__name_ar") if in_arabic() else ("type__name_en", "area__name_en")
    rows = (
        found.located()
        .annotate(geojson=AsGeoJSON("location", precision=INCIDENT_DECIMALS))
        .order_by("-id")
        .values_list(
            "pk",
            "region__code",
            "received_at",
            "severity",
            "priority",
            "state",
            type_name,
            "type__name_en",
            "type__category",
            area_name,
            "occurred_at",
            "geojson",
        )[:MAX_FEATURES]
    )
    features = [
        incident_feature(
            id=pk,
            ref=make_ref(region, received_at, pk),
            severity=severity,
            priority=priority,
            state=state,
            type_name=name or name_en,
            category=category,
            place=area or "",
            at=occurred_at,
            geometry=orjson.Fragment(geometry),
        )
        for pk, region, received_at, severity, priority, state, name, name_en, category, area, occurred_at, geometry in rows
    ]
    return Features(features, counts["located"], {"unlocated": counts["all"] - counts["located"], "ignored": filters.ignored})


def hot_spots(viewer: object, filters: BoardFilter) -> Features:
    """The hot spots that stand now (or stood after ``?run=``), for the one category asked for or for all together, each with its step on
    the risk ramp."""
    categories = filters.values.get("category", [])
    found = _found(filters.data.get("run", "")).visible_to(viewer).filter(category=categories[0] if len(categories) == 1 else "")
    rows = list(
        found.annotate(geojson=AsGeoJSON("hull", precision=HULL_DECIMALS))
        .select_related("area", "governorate")
        .defer("hull", "area__boundary", "governorate__boundary")[:MAX_FEATURES]
    )
    densities = [row.density_per_km2 for row in rows]
    features = [
        {
            "type": "Feature",
            "id": row.pk,
            "geometry": orjson.Fragment(row.geojson),
            "properties": {
                "id": row.pk,
                "rank": row.rank,
                "count": row.incident_count,
                "previous": row.previous_count,
                "density": round(row.density_per_km2, 1),
                "step": step,
                "place": place.name if (place := row.area or row.governorate) else "",
                "track": row.track_id,
                "change": row.change,
                "changeText": str(row.get_change_display()) if row.change and row.change != row.Change.STEADY else "",
                "trend": trend_of(row.rate_ratio_low, row.rate_ratio_high),
                "ratio": None if row.rate_ratio is None else round(row.rate_ratio, 2),
                "background": None if row.background_count is None else round(row.background_count, 1),
                "significant": row.q_value is not None and row.q_value <= row.SIGNIFICANT_Q,
                "synthetic": row.is_synthetic,
            },
        }
        for row, step in zip(rows, ramp_steps(densities), strict=True)
    ]
    ends = {"lowest": round(min(densities), 1), "highest": round(max(densities), 1)} if densities else {}
    return Features(features, len(rows) if len(rows) < MAX_FEATURES else found.count(), ends)


def units(viewer: object, filters: BoardFilter) -> Features:
    """Where the units on duty are that the viewer may watch; the filters are about incidents and narrow nothing here."""
    if not getattr(viewer, "can", lambda _verb: False)("watch_units"):
        return Features([], 0)
    found = UnitPosition.objects.visible_to(viewer).filter(unit__in=Unit.objects.on_duty())
    rows = found.annotate(geojson=AsGeoJSON("location", precision=INCIDENT_DECIMALS)).values_list(
        "unit_id", "unit__call_sign", "unit__kind", "at", "speed_kmh", "heading_deg", "accuracy_m", "geojson"
    )
    features = [
        {
            "type": "Feature",
            "id": pk,
            "geometry": orjson.Fragment(geojson),
            "properties": {
                "id": pk,
                "call_sign": call_sign,
                "kind": kind,
                "at": int(at.timestamp()),
                "speed_kmh": speed,
                "heading_deg": heading,
                "accuracy_m": accuracy,
            },
        }
        for pk, call_sign, kind, at, speed, heading, accuracy, geojson in rows.order_by("unit_id")[:MAX_FEATURES]
    ]
    return Features(features, len(features))


def firing_alerts(viewer: object, filters: BoardFilter) -> Features:
    """Alerts that are open and have a place: their own point, or where their zone is labelled. The filters are about incidents."""
    if not isinstance(viewer, User):
        return Features([], 0)
    found = alert_features(viewer)
    return Features(found[:MAX_FEATURES], len(found))


def trend_of(low: float | None, high: float | None) -> str:
    """``up`` or ``down`` where a ratio's whole interval lies above or below 1, ``level`` where it holds 1, ``unknown`` without one."""
    if low is None or high is None:
        return "unknown"
    return "up" if low > 1 else "down" if high < 1 else "level"


def _found(run: str) -> HotSpotQuerySet:
    if not run:
        return HotSpot.objects.current()
    return HotSpot.objects.found_by(int(run)) if run.isascii() and run.isdigit() and len(run) <= 18 else HotSpot.objects.none()


def extent_of(viewer: object) -> tuple[list[float] | None, bool]:
    """Where the map opens (west, south, east, north): the viewer's governorates, or the default region; and whether any is approximate."""
    places = jurisdiction_of(viewer).governorate_ids
    zones = Zone.objects.level(Zone.Level.GOVERNORATE)
    zones = zones.filter(region__is_default=True) if places is None else zones.filter(pk__in=sorted(places))
    found = zones.aggregate(box=Extent("boundary"), approximate=BoolOr("is_approximate"))
    return (list(found["box"]) if found["box"] else None), bool(found["approximate"])


CROWD_LEAST = 12
CROWD_MARGIN_DEG = 0.02


def crowd_of(viewer: object) -> list[float] | None:
    """The box round what is open now, one in twenty left out at each side: a country is mostly desert, and a map that opens on all of it
    shows a heap of marks. ``None`` where too little is open to say.
    """
    newest = Incident.objects.visible_to(viewer).open().located().order_by("-id").values_list("location", flat=True)[:1_000]
    points = [(point.x, point.y) for point in newest if point is not None]
    if len(points) < CROWD_LEAST:
        return None
    cut = max(1, len(points) // 20)
    easts, norths = (sorted(values)[cut:-cut] for values in zip(*points, strict=True))
    box = [easts[0] - CROWD_MARGIN_DEG, norths[0] - CROWD_MARGIN_DEG, easts[-1] + CROWD_MARGIN_DEG, norths[-1] + CROWD_MARGIN_DEG]
    return [round(degrees, 4) for degrees in box]


RAMP_STEPS = 5


def ramp_steps(values: list[float]) -> list[int]:
    """The step (1 to 5) of each value on the risk ramp: fifths of those shown, equal values on one step, the highest always on 5.

    >>> ramp_steps([10.0, 50.0, 20.0, 20.0, 90.0])
    [1, 4, 3, 3, 5]
    >>> ramp_steps([7.0])
    [5]
    """
    if not values:
        return []
    ordered = sorted(values)
    last = {value: position for position, value in enumerate(ordered, start=1)}
    return [-(-last[value] * RAMP_STEPS // len(values)) for value in values]


LAYERS: tuple[Layer, ...] = (
    Layer("incidents", _("Incidents"), incidents),
    Layer("hotspots", _("Hot spots"), hot_spots),
    Layer("units", _("Units"), units),
    Layer("alerts", _("Alerts"), firing_alerts),
    Layer("governorates", _("Governorates")),
    Layer("areas", _("Areas")),
    Layer("labels", _("Place names")),
)


def _of_sensors(collect: Callable[[object, Mapping[str, Any]], Found]) -> Callable[[object, BoardFilter], Features]:
    """The filters are about incidents; of the address only the box of the map is read."""

    def collected(viewer: object, filters: BoardFilter) -> Features:
        return Features(*collect(viewer, filters.data))

    return collected


SENSOR_LAYERS: tuple[Layer, ...] = (
    Layer("zonerisk", _("Risk by sensors"), _of_sensors(risk_features), is_on=False),
    Layer("sensordevices", _("Devices"), _of_sensors(device_features), is_on=False),
    Layer("crowds", _("Crowd density"), _of_sensors(crowd_features), is_on=False),
    Layer("cameras", _("Cameras"), _of_sensors(camera_features), is_on=False),
)
SERVED = {layer.slug: layer.collect for layer in LAYERS + SENSOR_LAYERS if layer.collect is not None}
