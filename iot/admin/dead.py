"""Readings that could not be taken, and how the streams stand."""

from __future__ import annotations

from typing import Any

import redis
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from iot.admin.devices import OfDeviceAdmin
from iot.models import DeadReading
from iot.services.feeds import Feeds, feeds


@admin.register(DeadReading)
class DeadReadingAdmin(OfDeviceAdmin):
    """Above the list: the streams, for those who see every agency."""

    change_list_template = "admin/iot/dead_list.html"
    list_display = ["last_at", "why", "n", "device_code", "metric", "door", "detail"]
    list_filter = ["why", "door"]
    list_select_related = ["device"]
    search_fields = ["device__code", "metric", "detail"]
    date_hierarchy = "hour"
    readonly_fields = ["last_at", "hour", "why", "n", "device_code", "metric", "at", "door", "detail", "as_it_came"]

    @admin.display(description=gettext_lazy("as it came"))
    def as_it_came(self, row: DeadReading) -> Any:
        return format_html('<pre class="json" dir="ltr">{}</pre>', row.raw_text) if row.raw else "–"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"feeds": _feeds_for(request), **(extra_context or {})})


def _feeds_for(request: HttpRequest) -> Feeds | None:
    mine = getattr(request.user, "jurisdiction", None)
    if mine is None or mine.agency_ids is not None or mine.governorate_ids is not None:
        return None
    try:
        return feeds()
    except redis.RedisError:
        return Feeds([], is_away=True)
