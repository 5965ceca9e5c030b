"""Zones for partners: codes, names and outlines, of the governorates their key sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from geography.models import Zone
from interop.api.authentication import HasScope
from interop.api.external import answers
from interop.api.external.asked import BBOX, ZONE, before, choices, since
from interop.api.external.documents import lists
from interop.api.external.views import Table, span
from interop.api.serializers import PointSerializer
from interop.models import PartnerKey, Scope

_DECIMALS = 5  # a metre: outlines are for maps


class HasAnyReadScope(HasScope):
    """What everybody needs who reads anything."""

    def has_permission(self, request: Any, view: Any) -> bool:
        held = [scope for scope in Scope.values if scope.endswith(":read") and isinstance(request.auth, PartnerKey)]
        view.scope = next((scope for scope in held if request.auth.has_scope(scope)), Scope.INCIDENTS_READ)
        return super().has_permission(request, view)


class ExternalZoneSerializer(serializers.Serializer[Zone]):
    """A zone. `boundary` comes with GeoJSON, and where `fields=` names it."""

    code = serializers.CharField()
    level = serializers.ChoiceField(choices=Zone.Level.choices)
    region = serializers.CharField(source="region.code")
    parent = serializers.CharField(  # type: ignore[assignment]
        source="parent.code", default=None, allow_null=True, help_text="The code of what it lies in."
    )
    name_en = serializers.CharField()
    name_ar = serializers.CharField()
    population = serializers.IntegerField(allow_null=True)
    is_approximate = serializers.BooleanField(help_text="Drawn by us from circles until the official outline is imported.")
    location = PointSerializer(source="label_point")
    updated_at = serializers.DateTimeField()
    boundary = serializers.SerializerMethodField(help_text="A GeoJSON multipolygon.")

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_boundary(self, zone: Any) -> Any:
        outline = getattr(zone, "outline", None)
        return orjson.loads(outline) if outline else None


class Zones(Table):
    name = "zones"
    scope = Scope.INCIDENTS_READ
    permission_classes = [HasAnyReadScope]
    serializer_class = ExternalZoneSerializer
    queryset = Zone.objects.none()
    columns = tuple(ExternalZoneSerializer().fields)
    not_by_default = frozenset({"boundary"})
    geometry = "boundary"
    sorts = {"code": "code", "-updated_at": "updated_at"}
    filters = {
        "level": choices(Zone.Level.values, "Only of these levels."),
        "bbox": BBOX,
        "zone": ZONE,
        "updated_since": since("changed"),
        "updated_before": before("changed"),
    }

    def visible(self) -> QuerySet[Zone]:
        rows = Zone.objects.in_use().among(self.key.jurisdiction.governorate_ids).select_related("region", "parent")
        return rows.defer("boundary", "parent__boundary", "parent__label_point")

    def narrowed(self, rows: QuerySet[Any], given: dict[str, Any]) -> QuerySet[Any]:
        rows = span(rows, given, {"updated": "updated_at"})
        if "level" in given:
            rows = rows.filter(level__in=given["level"])
        if "zone" in given:
            rows = rows.filter(pk__in=self.zone_ids(given["zone"]))
        return rows.filter(boundary__intersects=given["bbox"]) if "bbox" in given else rows

    def fetch(self, rows: QuerySet[Any], names: Sequence[str], order: str | None) -> Any:
        return list(rows.annotate(outline=AsGeoJSON("boundary", precision=_DECIMALS)) if "boundary" in names else rows)

    def shape(self, rows: Any, names: Sequence[str]) -> list[answers.Row]:
        return [{name: row[name] for name in names} for row in self.serializer_class(rows, many=True).data]


class ZoneList(Zones):
    @lists(Zones, operation="pull_zones", summary="Zones, by code", row=ExternalZoneSerializer)
    def get(self, request: Request, format: str | None = None) -> HttpResponseBase:
        return self.answer(request)
