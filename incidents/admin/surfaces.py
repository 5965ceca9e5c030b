"""Surfaces and near-repeat tests: to be read."""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from core.admin_kit import ReadOnlyAdmin
from incidents.admin.analytics import StandingNow
from incidents.models import NearRepeat, Surface


@admin.register(Surface)
class SurfaceAdmin(ReadOnlyAdmin):
    list_display = ["kind", "region", "category", "horizon", "role", "model", "learnt_to", "valid_to"]
    list_filter = [StandingNow, "kind", "horizon", "role", "model", "region"]
    list_select_related = ["region"]
    ordering = ["-id"]
    exclude = ["columns", "rows", "values", "classes", "governorate_ids", "area_ids", "parts"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).without_cells()  # type: ignore[attr-defined]


@admin.register(NearRepeat)
class NearRepeatAdmin(ReadOnlyAdmin):
    list_display = ["category", "governorate", "region", "incident_count", "ratio", "p_value", "is_significant", "learnt_to"]
    list_filter = [StandingNow, "category", "is_significant", "region"]
    list_select_related = ["governorate", "region"]
    ordering = ["-id"]
