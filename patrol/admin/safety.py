"""Calls for help, welfare checks, handover packs: to be read. They are answered, ended and signed where they are shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy

from core.admin_kit import ReadOnlyAdmin, as_json, bdi
from patrol.models import ShiftPack, Sos, WelfareCheck


@admin.register(Sos)
class SosAdmin(ReadOnlyAdmin):
    list_display = ["called_by", "unit", "agency", "pressed_at", "acknowledged_by", "acknowledged_at", "repeats", "is_duress", "ended_at"]
    list_filter = ["is_duress", "is_silent", "agency", "is_synthetic"]
    list_select_related = ["user", "member", "unit", "agency", "acknowledged_by"]
    search_fields = ["unit__call_sign", "user__username", "member__service_number", "outcome"]
    date_hierarchy = "pressed_at"
    ordering = ["-id"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("called by"), ordering="user")
    def called_by(self, sos: Sos) -> Any:
        return bdi(str(sos.member or sos.user))


@admin.register(WelfareCheck)
class WelfareCheckAdmin(ReadOnlyAdmin):
    list_display = ["unit", "minutes", "started_at", "due_at", "warned_at", "escalated_at", "answered_by", "ended_at"]
    list_select_related = ["unit", "answered_by"]
    search_fields = ["unit__call_sign"]
    date_hierarchy = "started_at"
    ordering = ["-id"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]


@admin.register(ShiftPack)
class ShiftPackAdmin(ReadOnlyAdmin):
    list_display = ["shift_from", "shift_to", "agency", "governorate", "state", "signed_out_by", "signed_in_by"]
    list_filter = ["state", "agency"]
    list_select_related = ["agency", "governorate", "signed_out_by", "signed_in_by"]
    search_fields = ["governorate__name_en", "governorate__name_ar"]
    date_hierarchy = "shift_from"
    ordering = ["-shift_from", "pk"]
    exclude = ["facts", "notes"]
    readonly_fields = ["facts_shown", "notes_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer).defer("governorate__boundary")  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("facts"))
    def facts_shown(self, pack: ShiftPack) -> Any:
        return as_json(pack.facts)

    @admin.display(description=gettext_lazy("notes"))
    def notes_shown(self, pack: ShiftPack) -> Any:
        return as_json(pack.notes)
