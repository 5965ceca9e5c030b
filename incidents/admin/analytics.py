"""What the analytics found: to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core.admin_kit import ReadOnlyAdmin, as_json, pill
from core.admin_map import MapMedia, shape_map
from incidents.admin.holding_back import HoldsBack
from incidents.models import Forecast, HotSpot


class StandingNow(admin.SimpleListFilter):
    """Lists open with what stands now; earlier runs are one click away."""

    title = _("standing")
    parameter_name = "standing"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("all", _("Every run"))]

    def choices(self, changelist: Any) -> Any:
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": _("Now"),
        }
        yield {
            "selected": self.value() == "all",
            "query_string": changelist.get_query_string({self.parameter_name: "all"}),
            "display": _("Every run"),
        }

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset if self.value() == "all" else queryset.filter(is_current=True)


@admin.register(HotSpot)
class HotSpotAdmin(HoldsBack, MapMedia, ReadOnlyAdmin):
    list_display = ["rank_shown", "area", "governorate", "category", "incident_count", "previous_count", "area_km2", "standing", "run"]
    list_filter = [StandingNow, "category", "region"]
    search_fields = ["area__name_en", "area__name_ar", "governorate__name_en", "governorate__name_ar", "category"]
    date_hierarchy = "window_to"
    ordering = ["-id"]
    exclude = ["hull", "centre", "leading_types"]
    readonly_fields = ["outline", "leading"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return (
            super()
            .get_queryset(request)
            .select_related("area", "governorate", "region", "run")
            .defer("area__boundary", "governorate__boundary")
        )

    @admin.display(description=_("rank"), ordering="rank")
    def rank_shown(self, spot: HotSpot) -> str:
        return f"#{spot.rank}"

    @admin.display(description=_("standing"), ordering="is_current")
    def standing(self, spot: HotSpot) -> Any:
        return pill("ok", _("now")) if spot.is_current else pill("quiet", _("past"))

    @admin.display(description=_("outline"))
    def outline(self, spot: HotSpot) -> Any:
        return shape_map(spot.hull)

    @admin.display(description=_("leading types"))
    def leading(self, spot: HotSpot) -> Any:
        return as_json(spot.leading_types)


@admin.register(Forecast)
class ForecastAdmin(ReadOnlyAdmin):
    list_display = ["zone", "day", "category", "expected_shown", "between", "method", "history_days", "standing"]
    list_filter = [StandingNow, "method", "zone__level", "category"]
    search_fields = ["zone__name_en", "zone__name_ar", "zone__code"]
    date_hierarchy = "day"
    ordering = ["-id"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("zone", "region", "run").defer("zone__boundary")

    @admin.display(description=_("expected"), ordering="expected")
    def expected_shown(self, forecast: Forecast) -> str:
        return f"{forecast.expected:.1f}"

    @admin.display(description=_("between"))
    def between(self, forecast: Forecast) -> str:
        return f"{forecast.low:.1f} – {forecast.high:.1f}"

    @admin.display(description=_("standing"), ordering="is_current")
    def standing(self, forecast: Forecast) -> Any:
        return pill("ok", _("now")) if forecast.is_current else pill("quiet", _("past"))
