"""Profiles with their metrics, and groups of devices."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_kit import ActsOnRows, CentreAdmin, pill
from geography.models import Zone
from iot.admin.trying import TriesDecoders
from iot.models import DeviceGroup, DeviceProfile, Metric


class MetricInline(admin.TabularInline):
    model = Metric
    extra = 0
    fields = ["code", "name_en", "name_ar", "unit", "least", "most", "most_change_per_min", "stuck_after_s"]


@admin.register(DeviceProfile)
class DeviceProfileAdmin(TriesDecoders, ActsOnRows, CentreAdmin):
    list_display = ["name", "code", "kind", "expected_every_s", "keep_raw_days", "most_per_min", "standing"]
    list_filter = ["kind", "is_active"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["code"]
    inlines = [MetricInline]
    actions = ["try_decoder"]
    object_actions = ["try_decoder"]

    @admin.display(description=gettext_lazy("standing"), ordering="is_active")
    def standing(self, profile: DeviceProfile) -> Any:
        return pill("ok", _("in use")) if profile.is_active else pill("quiet", _("switched off"))


@admin.register(Metric)
class MetricAdmin(CentreAdmin):
    list_display = ["name", "profile", "code", "unit", "least", "most", "most_change_per_min"]
    list_filter = ["profile"]
    list_select_related = ["profile"]
    search_fields = ["code", "name_en", "name_ar"]
    autocomplete_fields = ["profile"]
    ordering = ["profile", "code"]


class OfAgencyAdmin(CentreAdmin):
    """Rows of an agency: seen, chosen and added inside the viewer's jurisdiction alone."""

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        mine = request.user.jurisdiction
        if db_field.name == "agency" and mine.agency_ids is not None:
            field.queryset = field.queryset.filter(pk__in=sorted(mine.agency_ids))
        elif db_field.name == "governorate":
            field.queryset = Zone.objects.level(Zone.Level.GOVERNORATE).among(mine.governorate_ids).defer("boundary").order_by("code")
        return field


@admin.register(DeviceGroup)
class DeviceGroupAdmin(OfAgencyAdmin):
    list_display = ["name", "code", "agency", "governorate"]
    list_filter = ["agency"]
    list_select_related = ["agency", "governorate"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["agency", "code"]
