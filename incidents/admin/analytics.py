"""What the analytics found: to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core.admin_kit import ReadOnlyAdmin, as_json, pill
from incidents.models import Forecast


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


@admin.register(Forecast)
class ForecastAdmin(ReadOnlyAdmin):
    list_display = ["zone", "day", "category", "expected_shown", "between", "between_95", "method", "published", "standing", "run"]
    list_filter = [StandingNow, "is_published", "method", "zone__level", "category"]
    search_fields = ["zone__name_en", "zone__name_ar", "zone__code"]
    date_hierarchy = "day"
    ordering = ["-id"]
    exclude = ["baselines"]
    readonly_fields = ["baselines_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("zone", "region", "run").defer("zone__boundary")

    @admin.display(description=_("expected"), ordering="expected")
    def expected_shown(self, forecast: Forecast) -> str:
        return f"{forecast.expected:.1f}"

    @admin.display(description=_("between"))
    def between(self, forecast: Forecast) -> str:
        return f"{forecast.low:.0f} – {forecast.high:.0f}"

    @admin.display(description=_("between, 95 %"))
    def between_95(self, forecast: Forecast) -> str:
        if forecast.low_95 is None or forecast.high_95 is None:
            return "–"
        return f"{forecast.low_95:.0f} – {forecast.high_95:.0f}"

    @admin.display(description=_("published"), ordering="is_published")
    def published(self, forecast: Forecast) -> Any:
        return pill("ok", _("published")) if forecast.is_published else pill("quiet", _("held back"))

    @admin.display(description=_("baselines"))
    def baselines_shown(self, forecast: Forecast) -> Any:
        return as_json(forecast.baselines)

    @admin.display(description=_("standing"), ordering="is_current")
    def standing(self, forecast: Forecast) -> Any:
        return pill("ok", _("now")) if forecast.is_current else pill("quiet", _("past"))
