"""Sources, types and words: small tables that people keep in order."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from import_export import fields
from import_export.admin import ImportExportMixin
from import_export.widgets import ForeignKeyWidget

from accounts.jurisdiction import of_agencies
from accounts.models import Agency
from core.admin_exchange import Exchange, TableResource
from core.admin_kit import ActsOnRows, Ask, CentreAdmin, OptionalReasonForm, age, bdi, pill
from geography.models import Region
from incidents.models import IncidentType, SeverityMapping, Source, TypeMapping
from incidents.services.types import merge_type, review_type


class TypeResource(TableResource):
    class Meta(TableResource.Meta):
        model = IncidentType
        fields = (
            "code",
            "name_en",
            "name_ar",
            "category",
            "default_priority",
            "default_severity",
            "icon",
            "enforcement_sensitive",
            "is_reviewed",
            "is_active",
        )
        import_id_fields = ("code",)


class MergeForm(OptionalReasonForm):
    into = forms.ModelChoiceField(
        label=gettext_lazy("Into which type"), queryset=IncidentType.objects.filter(is_active=True, is_reviewed=True).order_by("name_en")
    )
    field_order = ["into", "reason"]


class ReviewedFilter(admin.SimpleListFilter):
    title = gettext_lazy("reviewed")
    parameter_name = "reviewed"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("no", _("Not yet")), ("yes", _("Yes"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(is_reviewed=self.value() == "yes") if self.value() else queryset


@admin.register(IncidentType)
class IncidentTypeAdmin(ActsOnRows, Exchange, ImportExportMixin, CentreAdmin):
    list_display = ["name", "code", "category", "agency", "default_priority", "default_severity", "sensitive", "standing", "is_active"]
    list_filter = [ReviewedFilter, "category", "agency", "enforcement_sensitive", "is_active"]
    list_select_related = ["agency"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["category", "code"]
    autocomplete_fields = ["agency"]
    actions = ["mark_reviewed", "merge"]
    object_actions = ["mark_reviewed", "merge"]
    resource_classes = [TypeResource]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["is_reviewed"] if obj is not None and not obj.is_reviewed else []

    @admin.display(description=gettext_lazy("reviewed"), ordering="is_reviewed")
    def standing(self, kind: IncidentType) -> Any:
        return pill("ok", _("reviewed")) if kind.is_reviewed else pill("warn", _("unreviewed"))

    @admin.display(description=gettext_lazy("modelled"), ordering="enforcement_sensitive")
    def sensitive(self, kind: IncidentType) -> Any:
        return pill("quiet", _("never")) if kind.enforcement_sensitive else "–"

    def has_classify_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("classify")

    @admin.action(description=gettext_lazy("Mark as reviewed…"), permissions=["classify"])
    def mark_reviewed(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=Ask,
            title=_("Mark types as reviewed"),
            button=_("Mark as reviewed"),
            note=_("They stay types of their own, and no longer count as unknown."),
            perform=lambda kind, answers: review_type(type=kind, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d type was reviewed.", "%(n)d types were reviewed.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Merge into a known type…"), permissions=["classify"])
    def merge(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        moved: list[int] = []
        return self.act(
            request,
            queryset,
            form=MergeForm,
            title=_("Merge types into a known one"),
            button=_("Merge"),
            note=_("The sources' words will mean the known type from now on, and the incidents move to it. Each incident's log says so."),
            is_grave=True,
            perform=lambda kind, answers: moved.append(
                merge_type(type=kind, into=answers["into"], by=request.user, reason=answers["reason"])  # type: ignore[arg-type]
            ),
            done=lambda count: (
                ngettext(
                    "%(n)d type was merged; incidents moved: %(moved)d.", "%(n)d types were merged; incidents moved: %(moved)d.", count
                )
                % {"n": count, "moved": sum(moved)}
            ),
        )


class TypeMappingResource(TableResource):
    source = fields.Field(column_name="source", attribute="source", widget=ForeignKeyWidget(Source, "slug"))
    type = fields.Field(column_name="type", attribute="type", widget=ForeignKeyWidget(IncidentType, "code"))

    class Meta(TableResource.Meta):
        model = TypeMapping
        fields = ("source", "word", "type")
        import_id_fields = ("source", "word")


@admin.register(TypeMapping)
class TypeMappingAdmin(Exchange, ImportExportMixin, CentreAdmin):
    list_display = ["word_shown", "source", "type"]
    list_filter = ["source"]
    list_select_related = ["source", "type"]
    search_fields = ["word", "type__code", "type__name_en", "type__name_ar"]
    ordering = ["source", "word"]
    autocomplete_fields = ["source", "type"]
    resource_classes = [TypeMappingResource]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return of_agencies(rows, viewer, "source__agency_id")

    @admin.display(description=gettext_lazy("the source's word"), ordering="word")
    def word_shown(self, mapping: TypeMapping) -> Any:
        return bdi(mapping.word)


class SeverityMappingResource(TableResource):
    source = fields.Field(column_name="source", attribute="source", widget=ForeignKeyWidget(Source, "slug"))

    class Meta(TableResource.Meta):
        model = SeverityMapping
        fields = ("source", "word", "severity")
        import_id_fields = ("source", "word")


@admin.register(SeverityMapping)
class SeverityMappingAdmin(Exchange, ImportExportMixin, CentreAdmin):
    list_display = ["word_shown", "source_shown", "severity"]
    list_filter = ["severity", "source"]
    list_select_related = ["source"]
    search_fields = ["word"]
    ordering = ["source", "word"]
    autocomplete_fields = ["source"]
    resource_classes = [SeverityMappingResource]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return of_agencies(rows, viewer, "source__agency_id", also_without=True)

    @admin.display(description=gettext_lazy("the source's word"), ordering="word")
    def word_shown(self, mapping: SeverityMapping) -> Any:
        return bdi(mapping.word)

    @admin.display(description=gettext_lazy("source"), ordering="source")
    def source_shown(self, mapping: SeverityMapping) -> Any:
        return mapping.source or _("every source")


class SourceResource(TableResource):
    agency = fields.Field(column_name="agency", attribute="agency", widget=ForeignKeyWidget(Agency, "slug"))
    region = fields.Field(column_name="region", attribute="region", widget=ForeignKeyWidget(Region, "code"))

    class Meta(TableResource.Meta):
        model = Source
        fields = ("slug", "name", "agency", "region", "time_zone", "is_active")
        import_id_fields = ("slug",)


@admin.register(Source)
class SourceAdmin(Exchange, ImportExportMixin, CentreAdmin):
    list_display = ["name", "slug", "agency", "region", "heard", "is_active"]
    list_filter = ["agency", "region", "is_active"]
    list_select_related = ["agency", "region"]
    search_fields = ["slug", "name"]
    ordering = ["slug"]
    autocomplete_fields = ["agency", "region"]
    readonly_fields = ["last_received_at"]
    resource_classes = [SourceResource]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return of_agencies(rows, viewer, "agency_id")

    @admin.display(description=gettext_lazy("last heard"), ordering="last_received_at")
    def heard(self, source: Source) -> Any:
        return age(source.last_received_at)
