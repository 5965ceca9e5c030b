"""What keeps alerts quiet, in the command centre: silences and what cooldowns hold back to be read, inhibitions to be written."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.analytics.matching import FIELDS
from alerts.models import AlertRule, HeldFiring, Inhibition, Silence
from alerts.services.alerts import problem_with
from core.admin_kit import CentreAdmin, ReadOnlyAdmin

EQUAL = ("governorate", "zone", "agency", "type", "category")


@admin.register(Silence)
class SilenceAdmin(ReadOnlyAdmin):
    """They are made and ended on the page of silences, where what they quiet is in sight."""

    list_display = ["reason", "starts_at", "ends_at", "agency", "governorate", "created_by", "ended_by"]
    list_filter = ["agency"]
    list_select_related = ["agency", "governorate", "created_by", "ended_by"]
    search_fields = ["reason"]
    date_hierarchy = "starts_at"

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer).defer("governorate__boundary")  # type: ignore[attr-defined]


class InhibitionForm(forms.ModelForm):
    class Meta:
        model = Inhibition
        fields = ["code", "name_en", "name_ar", "source", "target", "equal", "is_within", "is_active"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in ("source", "target"):
            if name in given and (problem := problem_with(given[name])):
                self.add_error(name, problem)
        unknown = [word for word in given.get("equal") or [] if word not in EQUAL]
        if unknown:
            self.add_error("equal", _("Unknown field: %(field)s.") % {"field": unknown[0]})
        return given


@admin.register(Inhibition)
class InhibitionAdmin(CentreAdmin):
    """Of the whole ministry: somebody who sees every agency writes them."""

    form = InhibitionForm
    list_display = ["name", "code", "is_within", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["code", "name_en", "name_ar"]

    @admin.display(description=gettext_lazy("name"), ordering="code")
    def name(self, inhibition: Inhibition) -> str:
        return inhibition.name

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        for name in ("source", "target"):
            if name in form.base_fields:
                form.base_fields[name].help_text = _('A list like [{"field": "type", "is": "…"}], of %(fields)s.') % {
                    "fields": ", ".join(FIELDS)
                }
        return form

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and _sees_every_agency(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _sees_every_agency(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _sees_every_agency(request)


def _sees_every_agency(request: HttpRequest) -> bool:
    mine = getattr(request.user, "jurisdiction", None)
    return mine is not None and mine.agency_ids is None


@admin.register(HeldFiring)
class HeldFiringAdmin(ReadOnlyAdmin):
    list_display = ["rule", "held_by", "held_at", "due_at"]
    list_select_related = ["rule"]
    list_filter = ["held_by"]
    fields = ["rule", "held_by", "held_at", "due_at"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(rule__in=AlertRule.objects.visible_to(viewer))
