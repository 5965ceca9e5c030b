"""The command centre's screens of alerts, their log and what they group: to be read. They are acted on where they are shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy

from alerts.models import Alert, AlertLog, Occurrence
from core.admin_kit import ReadOnlyAdmin, as_json, bdi


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ["shown_title", "level", "state", "kind", "agency", "governorate", "opened_at", "acknowledged_by", "resolved_at"]
    list_filter = ["state", "level", "kind", "was_needed", "agency", "is_synthetic"]
    list_select_related = ["agency", "governorate", "acknowledged_by", "rule"]
    search_fields = ["title_en", "title_ar", "rule__code"]
    date_hierarchy = "opened_at"
    ordering = ["-id"]
    exclude = ["facts"]
    readonly_fields = ["facts_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer).defer("governorate__boundary", "zone__boundary")  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("title"), ordering="title_en")
    def shown_title(self, alert: Alert) -> Any:
        return bdi(alert.title)

    @admin.display(description=gettext_lazy("facts"))
    def facts_shown(self, alert: Alert) -> Any:
        return as_json(alert.facts)


class OfAlertAdmin(ReadOnlyAdmin):
    """Rows that are seen by whoever sees their alert."""

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(alert__in=Alert.objects.visible_to(viewer))


@admin.register(AlertLog)
class AlertLogAdmin(OfAlertAdmin):
    list_display = ["at", "alert", "kind", "by", "through", "note"]
    list_filter = ["kind", "through"]
    list_select_related = ["alert", "by"]
    search_fields = ["note", "alert__title_en", "alert__title_ar"]
    date_hierarchy = "at"
    ordering = ["-id"]


@admin.register(Occurrence)
class OccurrenceAdmin(OfAlertAdmin):
    list_display = ["at", "alert", "event_id", "incident", "measure"]
    list_select_related = ["alert", "incident__region"]
    search_fields = ["alert__title_en", "alert__title_ar"]
    date_hierarchy = "at"
    ordering = ["-id"]
