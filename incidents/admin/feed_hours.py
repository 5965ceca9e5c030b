"""The hours of each feed, as they were counted. Read here; the page of the feed says what they come to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models

from core.admin_kit import ReadOnlyAdmin
from incidents.models import FeedHour


@admin.register(FeedHour)
class FeedHourAdmin(ReadOnlyAdmin):
    list_display = [
        "source", "hour", "accepted", "refused_rows", "refused_messages", "outside_rows", "outside_messages", "unknown_type", "alike",
        "repeats", "timely", "live",
    ]  # fmt: skip
    list_filter = ["source__agency", "source"]
    list_select_related = ["source"]
    search_fields = ["source__slug", "source__name"]
    ordering = ["-hour", "source"]
    fields = [
        "source", "hour", "accepted", "located", "worded", "unknown_type", "alike", "live", "timely", "refused_rows", "outside_rows",
        "refused_messages", "outside_messages", "repeats", "notices", "counted_at",
    ]  # fmt: skip

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]
