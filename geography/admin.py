"""Regions and zones. Boundaries come from files (``manage.py import_zones``); names and population may be mended here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin

from core.admin_exchange import Exchange, TableResource
from core.admin_kit import CentreAdmin, ReadOnlyAdmin, pill
from core.admin_map import MapMedia, shape_map
from geography.models import Region, Zone, ZonePiece


class ZoneResource(TableResource):
    """Names and population of zones that are there already; boundaries come from files of their own kind."""

    class Meta(TableResource.Meta):
        model = Zone
        fields = ("id", "region__code", "level", "code", "name_en", "name_ar", "population", "is_active", "is_approximate")
        import_id_fields = ("id",)
        clean_model_instances = False

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        return original.pk is None or super().skip_row(instance, original, row, import_validation_errors)

    def import_field(self, field: Any, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        if field.attribute in {"name_en", "name_ar", "population"}:
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def get_queryset(self) -> Any:
        return super().get_queryset().defer("boundary")


@admin.register(Region)
class RegionAdmin(CentreAdmin):
    list_display = ["name", "code", "time_zone", "metric_srid", "is_default"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["-is_default", "code"]


@admin.register(Zone)
class ZoneAdmin(MapMedia, Exchange, ImportExportMixin, CentreAdmin):
    list_display = ["name", "name_en", "name_ar", "code", "level", "region", "parent", "population", "shape_kind", "is_active"]
    list_display_links = ["name"]
    list_filter = ["level", "region", "is_approximate", "is_active"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["region", "level", "code"]
    resource_classes = [ZoneResource]
    fields = [
        "name_en",
        "name_ar",
        "population",
        "label_point",
        "is_active",
        "region",
        "level",
        "code",
        "parent",
        "is_approximate",
        "updated_at",
        "outline",
    ]
    readonly_fields = ["region", "level", "code", "parent", "is_approximate", "is_active", "updated_at", "outline"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("region", "parent").defer("boundary", "parent__boundary")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    @admin.display(description=_("boundary"), ordering="is_approximate")
    def shape_kind(self, zone: Zone) -> Any:
        return pill("warn", _("approximate")) if zone.is_approximate else pill("ok", _("official"))

    @admin.display(description=_("outline"))
    def outline(self, zone: Zone) -> Any:
        return shape_map(zone.boundary)


@admin.register(ZonePiece)
class ZonePieceAdmin(MapMedia, ReadOnlyAdmin):
    list_display = ["id", "zone", "level"]
    list_filter = ["level"]
    search_fields = ["zone__code", "zone__name_en", "zone__name_ar"]
    ordering = ["-id"]
    fields = ["zone", "region", "level", "outline"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("zone", "region").defer("shape", "zone__boundary")

    @admin.display(description=_("outline"))
    def outline(self, piece: ZonePiece) -> Any:
        return shape_map(piece.shape)
