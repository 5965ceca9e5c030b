"""How the list of incidents is narrowed in the command centre."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from geography.models import Zone
from incidents.lifecycle import FINAL
from incidents.models import IncidentType


class OpenFilter(admin.SimpleListFilter):
    title = gettext_lazy("standing")
    parameter_name = "open"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("yes", _("Open")), ("no", _("Ended"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        if self.value() == "yes":
            return queryset.open()  # type: ignore[attr-defined]
        return queryset.filter(state__in=sorted(FINAL)) if self.value() == "no" else queryset


class GovernorateFilter(admin.SimpleListFilter):
    """The governorates the viewer may see, and "nowhere" for incidents without a place."""

    title = gettext_lazy("governorate")
    parameter_name = "governorate"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        zones = Zone.objects.level(Zone.Level.GOVERNORATE).only("name_en", "name_ar").order_by("region", "code")
        seen = request.user.jurisdiction.governorate_ids
        if seen is not None:
            zones = zones.filter(pk__in=sorted(seen))
        return [*((str(zone.pk), zone.name) for zone in zones), ("none", _("Without a place"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        value = self.value()
        if value == "none":
            return queryset.filter(governorate=None)
        return queryset.filter(governorate_id=int(value)) if value and value.isdecimal() else queryset


class CategoryFilter(admin.SimpleListFilter):
    title = gettext_lazy("category")
    parameter_name = "category"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        names = IncidentType.objects.order_by("category").values_list("category", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(type__category=self.value()) if self.value() else queryset


class UnreviewedTypeFilter(admin.SimpleListFilter):
    title = gettext_lazy("type reviewed")
    parameter_name = "type_reviewed"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("no", _("Not yet")), ("yes", _("Yes"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(type__is_reviewed=self.value() == "yes") if self.value() else queryset
