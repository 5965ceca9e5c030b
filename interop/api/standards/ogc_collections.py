"""The collections of OGC API Features: whose rows, which columns, when and where. Each starts from what the viewer may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.contrib.gis.db.models.functions import AsGeoJSON, Transform
from django.db.models import F, QuerySet

from accounts.jurisdiction import jurisdiction_of
from alerts.models import Alert
from geography.models import Region, Zone
from incidents.models import HotSpot, Incident
from interop import precision
from interop.models import Precision, Scope
from interop.standards import ogc


@dataclass(frozen=True)
class Collection:
    described: ogc.Described
    scope: str | None
    rows: Callable[[Any], QuerySet[Any]]
    shape: str
    properties: Callable[[Any], dict[str, Any]]
    begins: str | None = None
    ends: str | None = None
    is_small: bool = False
    names_by: str = "pk"
    point: str = ""
    """What is told instead of the shape to a key of less than exact precision; empty: the shape is nobody's secret."""
    region: str | None = "region_id"
    area: str = "area_id"

    def is_point(self, viewer: Any) -> bool:
        return self.shape == self.point or (bool(self.point) and not precision.is_exact(viewer))

    def inside(self, rows: Any, box: Any, viewer: Any) -> Any:
        """The rows whose place, as the viewer is told it, lies in ``box``."""
        if self.is_point(viewer):
            return precision.inside(rows, box, precision.precision_of(viewer), point=self.point, region=self.region, area=self.area)
        return rows.filter(**{f"{self.shape}__intersects": box})

    def told(self, rows: Any, crs: ogc.Crs, viewer: Any) -> Any:
        """With what the geometry needs: a shape as text in ``crs``, made by the database; a point as it is."""
        if self.is_point(viewer):
            return rows if self.shape == self.point else rows.defer(self.shape)
        where: Any = F(self.shape) if crs.srid == 4326 else Transform(self.shape, crs.srid)
        return rows.annotate(geometry=AsGeoJSON(where, precision=crs.decimals)).defer(self.shape)

    def one(self, rows: Any, fid: str) -> Any:
        if self.names_by == "ref":
            return rows.by_ref(fid)
        is_number = fid.isascii() and fid.isdigit() and len(fid) <= 18
        return rows.filter(pk=int(fid)) if is_number else rows.none()

    def features(self, rows: Sequence[Any], crs: ogc.Crs, viewer: Any) -> list[dict[str, Any]]:
        shapes = self._points(rows, crs, viewer) if self.is_point(viewer) else [self._shape(row, crs) for row in rows]
        told = [self.properties(row) for row in rows]
        if not precision.is_exact(viewer):
            told = [self.withheld(row, properties) for row, properties in zip(rows, told, strict=True)]
        return [
            {"type": "Feature", "id": getattr(row, self.names_by), "geometry": shape, "properties": properties}
            for row, shape, properties in zip(rows, shapes, told, strict=True)
        ]

    def withheld(self, row: Any, properties: dict[str, Any]) -> dict[str, Any]:
        """Without what a person typed and without a zone finer than an area."""
        if self.described.name != "alerts":
            return properties
        typed = dict.fromkeys(("title_en", "title_ar"), "") if row.kind == Alert.Kind.MANUAL else {}
        finer = {"zone": None} if row.zone is not None and row.zone.level in (Zone.Level.BLOCK, Zone.Level.SECTOR) else {}
        return properties | typed | finer

    def _shape(self, row: Any, crs: ogc.Crs) -> dict[str, Any] | None:
        if not row.geometry:
            return None
        geometry: dict[str, Any] = orjson.loads(row.geometry)
        geometry.pop("crs", None)
        return ogc.swapped(geometry) if crs.north_first else geometry

    def _points(self, rows: Sequence[Any], crs: ogc.Crs, viewer: Any) -> list[dict[str, Any] | None]:
        how = precision.precision_of(viewer)
        points = [_pair(getattr(row, self.point)) for row in rows]
        srids = [row.region.metric_srid if self.region else _metric_srid() for row in rows] if how == Precision.GRID else [0] * len(rows)
        labels = [_label(getattr(row, self.area.removesuffix("_id"))) for row in rows] if how == Precision.AREA else [None] * len(rows)
        return ogc.points_in(precision.told(points, srids, labels, how), crs)


def _pair(point: Any) -> tuple[float, float] | None:
    return (point.x, point.y) if point is not None else None


def _label(zone: Any) -> tuple[float, float] | None:
    return _pair(zone.label_point) if zone is not None and zone.level == Zone.Level.AREA else None


def _metric_srid() -> int:
    return int(Region.objects.order_by("-is_default", "pk").values_list("metric_srid", flat=True)[0])


def _code(zone: Any) -> str | None:
    return zone.code if zone is not None else None


def _incidents(viewer: Any) -> QuerySet[Any]:
    shapes = [f"{level}__{shape}" for level in ("governorate", "area") for shape in ("boundary", "label_point")]
    shapes.remove("area__label_point")
    rows = Incident.objects.visible_to(viewer).select_related("region", "type", "agency", "governorate", "area")
    return rows.defer("search", "description", *shapes)


def _incident(row: Any) -> dict[str, Any]:
    return {
        "ref": row.ref,
        "state": row.state,
        "disposition": row.disposition,
        "is_open": row.is_open,
        "priority": row.priority,
        "severity": row.severity,
        "type": row.type.code,
        "type_en": row.type.name_en,
        "type_ar": row.type.name_ar,
        "category": row.type.category,
        "agency": row.agency.slug,
        "governorate": _code(row.governorate),
        "area": _code(row.area),
        "occurred_at": row.occurred_at,
        "reported_at": row.reported_at,
        "closed_at": row.closed_at,
        "changed_at": row.changed_at,
        "is_synthetic": row.is_synthetic,
    }


def _hotspots(viewer: Any) -> QuerySet[Any]:
    shapes = ["governorate__boundary", "governorate__label_point", "area__boundary"]
    return HotSpot.objects.shown().visible_to(viewer).filter(is_current=True).with_places().defer(*shapes)


def _hotspot(row: Any) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "category": row.category,
        "change": row.change,
        "track": row.track_id,
        "run": row.run_id,
        "governorate": _code(row.governorate),
        "area": _code(row.area),
        "incidents": row.incident_count,
        "area_km2": row.area_km2,
        "incidents_per_km2": row.density_per_km2,
        "severity_score": row.severity_score,
        "rate_ratio": row.rate_ratio,
        "q_value": row.q_value,
        "window_from": row.window_from,
        "window_to": row.window_to,
        "is_synthetic": row.is_synthetic,
    }


def _zones(viewer: Any) -> QuerySet[Any]:
    rows = Zone.objects.in_use().among(jurisdiction_of(viewer).governorate_ids).select_related("region", "parent")
    return rows.defer("label_point", "parent__boundary", "parent__label_point")


def _zone(row: Any) -> dict[str, Any]:
    return {
        "region": row.region.code,
        "level": row.level,
        "code": row.code,
        "name_en": row.name_en,
        "name_ar": row.name_ar,
        "part_of": _code(row.parent),
        "population": row.population,
        "is_approximate": row.is_approximate,
        "updated_at": row.updated_at,
    }


def _alerts(viewer: Any) -> QuerySet[Any]:
    rows = Alert.objects.shown_to(viewer).select_related("rule", "agency", "governorate", "zone")
    return rows.defer("governorate__boundary", "governorate__label_point", "zone__boundary")


def _alert(row: Any) -> dict[str, Any]:
    return {
        "key": str(row.key),
        "kind": row.kind,
        "state": row.state,
        "level": row.level,
        "title_en": row.title_en,
        "title_ar": row.title_ar,
        "rule": row.rule.code if row.rule else None,
        "agency": row.agency.slug if row.agency else None,
        "governorate": _code(row.governorate),
        "zone": _code(row.zone),
        "type": row.type_code,
        "category": row.category,
        "occurrences": row.occurrence_count,
        "opened_at": row.opened_at,
        "last_seen_at": row.last_seen_at,
        "resolved_at": row.resolved_at,
        "is_synthetic": row.is_synthetic,
    }


_ALL = [
    Collection(
        ogc.Described("incidents", "Incidents", "What happened, newest first. Without a geometry: unlocated."),
        Scope.INCIDENTS_READ, _incidents, "location", _incident, "occurred_at", "occurred_at",
        names_by="ref", point="location",
    ),
    Collection(
        ogc.Described("hotspots", "Hot spots", "Where incidents crowd now; an empty category is all that may be modelled, together."),
        Scope.HOTSPOTS_READ, _hotspots, "hull", _hotspot, "window_from", "window_to", is_small=True, point="centre",
    ),
    Collection(
        ogc.Described("zones", "Zones", "Governorates, areas, blocks and police sectors. Approximate boundaries say so."),
        None, _zones, "boundary", _zone, is_small=True,
    ),
    Collection(
        ogc.Described("alerts", "Alerts", "What people must hear of. Without a geometry: of a zone or of nowhere."),
        Scope.ALERTS_READ, _alerts, "location", _alert, "opened_at", "last_seen_at",
        point="location", region=None, area="zone_id",
    ),
]  # fmt: skip
COLLECTIONS: dict[str, Collection] = {one.described.name: one for one in _ALL}
