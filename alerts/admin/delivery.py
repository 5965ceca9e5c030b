"""The command centre's screens of delivery: pages, deliveries and receipts to be read; the words of messages to be written."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from alerts.models import Delivery, DeliveryAttempt, MessageTemplate, Page, Receipt
from alerts.services.delivery import remove_template, save_template
from alerts.services.people import masked
from core.admin_kit import CentreAdmin, ReadOnlyAdmin, ReadOnlyInline, as_json, bdi


class AttemptInline(ReadOnlyInline):
    model = DeliveryAttempt
    fields = ["number", "started_at", "ended_at", "outcome", "code", "detail"]


class DeliveryInline(ReadOnlyInline):
    model = Delivery
    fields = ["rung_no", "channel", "state", "attempts", "sent_at", "delivered_at", "error_code"]
    ordering = ["rung_no", "pk"]


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    list_display = ["alert", "who", "state", "rung_no", "next_at", "created_at", "ended_at"]
    list_filter = ["state", "importance"]
    list_select_related = ["alert", "user", "contact"]
    search_fields = ["user__username", "contact__code", "alert__title_en", "alert__title_ar"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    exclude = ["code", "rungs"]  # a code acknowledges in a person's name
    inlines = [DeliveryInline]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("whom"), ordering="user")
    def who(self, page: Page) -> Any:
        return bdi(str(page.user or page.contact))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "channel", "state", "alert", "to", "attempts", "error_code", "held_by_limit", "sent_at", "delivered_at"]
    list_filter = ["state", "channel", "is_critical", "held_by_limit", "is_test"]
    list_select_related = ["alert", "page__user", "page__contact"]
    search_fields = ["provider_id", "error_code", "alert__title_en", "alert__title_ar"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    exclude = ["address", "method", "subscription"]
    readonly_fields = ["to", "address_shown", "receipts_shown"]
    inlines = [AttemptInline]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("to"))
    def to(self, delivery: Delivery) -> Any:
        page = delivery.page
        return bdi(str(page.user or page.contact)) if page is not None else "–"

    @admin.display(description=gettext_lazy("address"))
    def address_shown(self, delivery: Delivery) -> Any:
        return bdi(masked(delivery.channel, delivery.address)) if delivery.address else "–"

    @admin.display(description=gettext_lazy("receipts"))
    def receipts_shown(self, delivery: Delivery) -> Any:
        return as_json([f"{row.received_at:%H:%M:%S} {row.status} {row.code}".strip() for row in delivery.receipts.order_by("id")])


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "delivery", "number", "outcome", "code", "ended_at"]
    list_filter = ["outcome"]
    list_select_related = ["delivery"]
    search_fields = ["provider_id", "code"]
    date_hierarchy = "started_at"
    ordering = ["-id"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(delivery__in=Delivery.objects.visible_to(viewer))


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "provider", "provider_id", "status", "code", "applied_at", "delivery"]
    list_filter = ["provider", "status"]
    list_select_related = ["delivery"]
    search_fields = ["provider_id"]
    date_hierarchy = "received_at"
    ordering = ["-id"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(models.Q(delivery=None) | models.Q(delivery__in=Delivery.objects.visible_to(viewer)))


@admin.register(MessageTemplate)
class MessageTemplateAdmin(CentreAdmin):
    list_display = ["event", "channel", "language", "subject", "is_seeded", "changed_at"]
    list_filter = ["event", "channel", "language", "is_seeded"]
    search_fields = ["subject", "body"]
    ordering = ["event", "channel", "language"]
    fields = ["event", "channel", "language", "subject", "body", "provider_template"]
    audits_itself = True

    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        kept = save_template(by=request.user, template=obj if change else None, **form.cleaned_data)  # type: ignore[arg-type]
        obj.__dict__.update(kept.__dict__)

    def delete_model(self, request: HttpRequest, obj: MessageTemplate) -> None:
        remove_template(by=request.user, template=obj)  # type: ignore[arg-type]

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)
