"""Rate plans, the log of API calls, and what each key did by day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_kit import CentreAdmin, ReadOnlyAdmin, bdi, pill
from interop.models import KeyUsage, RateOverride, RatePlan, RequestLog


class OverrideInline(admin.TabularInline):
    model = RateOverride
    extra = 0


@admin.register(RatePlan)
class RatePlanAdmin(CentreAdmin):
    list_display = ["name", "per_minute", "burst"]
    search_fields = ["name"]
    ordering = ["name"]
    inlines = [OverrideInline]


@admin.register(RateOverride)
class RateOverrideAdmin(CentreAdmin):
    list_display = ["plan", "scope", "per_minute", "burst"]
    list_select_related = ["plan"]
    list_filter = ["scope"]
    ordering = ["plan", "scope"]


class When(admin.SimpleListFilter):
    """The last hour unless somebody asks for more: the log has millions of rows."""

    title = gettext_lazy("when")
    parameter_name = "when"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("day", _("Last 24 hours")), ("week", _("Last 7 days")), ("all", _("All that is kept"))]

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        yield {**first, "display": _("Last hour")}
        yield from rest

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        spans = {None: timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
        span = spans.get(self.value())
        return queryset if span is None else queryset.filter(at__gte=timezone.now() - span)


class Answered(admin.SimpleListFilter):
    title = gettext_lazy("answered")
    parameter_name = "answered"
    _SPANS = {"ok": (200, 399), "refused": (400, 499), "limited": (429, 429), "failed": (500, 599)}

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("ok", "2xx, 3xx"), ("refused", "4xx"), ("limited", "429"), ("failed", "5xx")]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        span = self._SPANS.get(self.value() or "")
        return queryset.filter(status__range=span) if span else queryset


@admin.register(RequestLog)
class RequestLogAdmin(ReadOnlyAdmin):
    """Who called what, and how it was answered. Neither bodies nor the values of an address are kept."""

    list_display = ["at", "caller", "method", "route_shown", "answer", "took", "bytes_in", "bytes_out", "address", "request_id"]
    list_filter = [When, Answered, "method"]
    search_fields = ["=request_id", "^caller", "^route"]
    ordering = ["-id"]
    fields = [
        "at",
        "request_id",
        "caller",
        "key_id",
        "partner_id",
        "user_id",
        "agency_id",
        "method",
        "route_shown",
        "answer",
        "took",
        "bytes_in",
        "bytes_out",
        "address",
    ]
    readonly_fields = ["route_shown", "answer", "took"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("route"))
    def route_shown(self, call: RequestLog) -> Any:
        return bdi(call.route or "–")

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def answer(self, call: RequestLog) -> Any:
        return pill("ok" if call.status < 400 else "warn" if call.status < 500 else "bad", call.status)

    @admin.display(description=gettext_lazy("milliseconds"), ordering="ms")
    def took(self, call: RequestLog) -> str:
        return f"{call.ms:,.1f}"


@admin.register(KeyUsage)
class KeyUsageAdmin(ReadOnlyAdmin):
    """What each key did by day, counted from the log every five minutes and kept longer than it."""

    list_display = ["day", "key", "calls", "refused", "limited", "failed", "p50", "p95", "bytes_in", "bytes_out", "last_at", "counted_at"]
    list_select_related = ["key__partner"]
    list_filter = ["key__partner"]
    search_fields = ["key__name", "key__partner__slug"]
    date_hierarchy = "day"
    ordering = ["-day", "key"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("key__partner")

    @admin.display(description=gettext_lazy("half within (ms)"), ordering="p50_ms")
    def p50(self, use: KeyUsage) -> str:
        return f"{use.p50_ms:,.1f}"

    @admin.display(description=gettext_lazy("95 in 100 within (ms)"), ordering="p95_ms")
    def p95(self, use: KeyUsage) -> str:
        return f"{use.p95_ms:,.1f}"
