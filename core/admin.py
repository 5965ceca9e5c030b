"""The log of events, its readers, and the audit trail: all to be read, none to be written here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.admin_kit import ReadOnlyAdmin, age, as_json, bdi
from core.models import AuditEntry, Event, EventCursor


class VerbFamily(admin.SimpleListFilter):
    """What was done, by the part of the product: one short list instead of every verb there is."""

    title = _("verb")
    parameter_name = "verbs"
    FAMILIES = [
        ("account.", _("Signing in and out")),
        ("incident", _("Incidents")),
        ("import", _("Imports")),
        ("user", _("People")),
        ("partner", _("Partners")),
        ("key", _("Partner keys")),
        ("pipeline", _("Pipeline")),
    ]

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return self.FAMILIES

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(verb__startswith=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["when", "who", "verb", "what", "door", "short_reason", "address"]
    list_display_links = ["when"]
    list_filter = ["door", "actor_kind", VerbFamily, "at"]
    search_fields = ["actor_name", "verb", "object_name", "object_id", "request_id", "address", "reason"]
    search_help_text = _("Person, verb, object, request id, address or reason.")
    date_hierarchy = "at"
    fieldsets = [
        (None, {"fields": ["at", "who", "verb", "what", "reason"]}),
        (_("What changed"), {"fields": ["before_shown", "after_shown"]}),
        (_("Through which door"), {"fields": ["door", "actor_kind", "actor_id", "request_id", "address"]}),
    ]

    @admin.display(description=_("at"), ordering="id")
    def when(self, entry: AuditEntry) -> Any:
        return bdi(f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M:%S}")

    @admin.display(description=_("actor"), ordering="actor_name")
    def who(self, entry: AuditEntry) -> Any:
        return bdi(entry.actor_name or entry.get_actor_kind_display())

    @admin.display(description=_("object"))
    def what(self, entry: AuditEntry) -> Any:
        if not entry.object_type:
            return "–"
        name = entry.object_name or entry.object_id
        app, _dot, model = entry.object_type.partition(".")
        try:
            address = reverse(f"admin:{app}_{model}_change", args=[entry.object_id])
        except NoReverseMatch:
            return format_html("<bdi>{}</bdi> <small>{}</small>", name, model)
        return format_html('<a href="{}"><bdi>{}</bdi></a> <small>{}</small>', address, name, model)

    @admin.display(description=_("reason"))
    def short_reason(self, entry: AuditEntry) -> str:
        return entry.reason[:80] or "–"

    @admin.display(description=_("before"))
    def before_shown(self, entry: AuditEntry) -> Any:
        return as_json(entry.before)

    @admin.display(description=_("after"))
    def after_shown(self, entry: AuditEntry) -> Any:
        return as_json(entry.after)


class EventFamily(admin.SimpleListFilter):
    title = _("type")
    parameter_name = "family"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [
            ("incident.", _("One incident")),
            ("incidents.", _("Many incidents")),
            ("import.", _("Imports")),
            ("pipeline.", _("Pipeline")),
        ]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(type__startswith=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["seq", "type", "subject", "occurred", "agency_id", "governorate_id"]
    list_filter = [EventFamily]
    search_fields = ["=seq", "type", "=subject_id"]
    search_help_text = _("Number, type or the subject's id.")
    ordering = ["-id"]
    fields = ["seq", "type", "subject_type", "subject_id", "agency_id", "governorate_id", "occurred_at", "data_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(viewer.jurisdiction.condition())

    @admin.display(description=_("subject"))
    def subject(self, event: Event) -> str:
        return f"{event.subject_type} {event.subject_id}" if event.subject_id else "–"

    @admin.display(description=_("age"), ordering="id")
    def occurred(self, event: Event) -> Any:
        return age(event.occurred_at)

    @admin.display(description=_("data"))
    def data_shown(self, event: Event) -> Any:
        return as_json(event.data)


@admin.register(EventCursor)
class EventCursorAdmin(ReadOnlyAdmin):
    list_display = ["name", "seq", "moved"]
    ordering = ["name"]
    search_fields = ["name"]

    @admin.display(description=_("moved"))
    def moved(self, cursor: EventCursor) -> Any:
        return age(cursor.moved_at)
