"""Vehicles by the hour: numbers, and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy

from core.admin_kit import ReadOnlyAdmin
from iot.models import PlateHour


@admin.register(PlateHour)
class PlateHourAdmin(ReadOnlyAdmin):
    list_display = ["hour", "zone", "agency", "vehicles_distinct", "counted_at"]
    list_filter = ["agency"]
    list_select_related = ["zone", "agency"]
    date_hierarchy = "hour"
    readonly_fields = ["hour", "zone", "agency", "vehicles_distinct", "counted_at", "how"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer).defer("zone__boundary")
        return found

    def get_fields(self, request: Any, obj: Any = None) -> Any:
        return list(self.readonly_fields)

    @admin.display(description=gettext_lazy("how it was counted"))
    def how(self, _row: PlateHour) -> Any:
        return gettext_lazy("By a sketch that counts and does not list: about one per cent off. No plate is kept, nor a hash of one.")
