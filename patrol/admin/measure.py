"""The screens of what is measured: read here, written by services. A trial is drawn, sealed and stopped on its own pages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from core.admin_kit import ReadOnlyAdmin, as_json, bdi
from patrol.models import StopDosage, Trial, TrialCell, TrialPresence, UnitDay


class _Seen(ReadOnlyAdmin):
    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]


@admin.register(StopDosage)
class StopDosageAdmin(_Seen):
    list_display = ["stop", "shift", "unit", "planned_s", "delivered_s", "absent_s", "unknown_s", "beyond_s", "is_final", "measured_at"]
    list_filter = ["is_final"]
    list_select_related = ["stop__plan__shift", "unit"]
    search_fields = ["stop__place", "unit__call_sign"]
    ordering = ["-stop_id"]

    @admin.display(description=gettext_lazy("shift"))
    def shift(self, row: StopDosage) -> str:
        return str(row.stop.plan.shift)


@admin.register(UnitDay)
class UnitDayAdmin(_Seen):
    list_display = ["unit", "day", "duty_s", "known_s", "metres", "positions", "doubted", "is_final"]
    list_filter = ["is_final"]
    list_select_related = ["unit"]
    search_fields = ["unit__call_sign"]
    date_hierarchy = "day"


@admin.register(Trial)
class TrialAdmin(_Seen):
    list_display = ["name", "governorate", "agency", "state", "starts_at", "ends_at", "created_by", "sealed_by"]
    list_filter = ["state", "agency", "is_synthetic"]
    search_fields = ["name", "hypothesis"]
    exclude = ["parameters", "report"]
    readonly_fields = ["parameters_shown", "report_shown"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return (
            super().get_queryset(request).select_related("governorate", "agency", "created_by", "sealed_by").defer("governorate__boundary")
        )

    @admin.display(description=gettext_lazy("parameters"))
    def parameters_shown(self, trial: Trial) -> Any:
        return as_json(trial.parameters)

    @admin.display(description=gettext_lazy("report, as counted"))
    def report_shown(self, trial: Trial) -> Any:
        return as_json(trial.report)


@admin.register(TrialCell)
class TrialCellAdmin(_Seen):
    list_display = ["where", "trial", "arm", "stratum", "baseline_count"]
    list_filter = ["arm", "stratum"]
    list_select_related = ["trial"]
    search_fields = ["trial__name"]

    @admin.display(description=gettext_lazy("cell"))
    def where(self, cell: TrialCell) -> Any:
        return bdi(f"{cell.column}:{cell.row}")


@admin.register(TrialPresence)
class TrialPresenceAdmin(_Seen):
    list_display = ["cell", "day", "seconds"]
    list_select_related = ["cell"]
    search_fields = ["cell__trial__name"]
    date_hierarchy = "day"
