"""Stations, vehicles, skills, teams, units and people in the command centre."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from import_export import fields
from import_export.admin import ImportExportMixin
from import_export.widgets import ForeignKeyWidget, ManyToManyWidget

from accounts.models import Agency
from core.admin_exchange import Exchange, TableResource
from core.admin_kit import ActsOnRows, CentreAdmin, ReasonForm, bdi, pill
from geography.models import Zone
from patrol.models import Duty, Member, RosterEntry, Skill, Station, Team, Unit, Vehicle
from patrol.services.force import put_vehicle_back, retire_member, retire_unit, return_member, return_unit, take_vehicle_out


class ForceAdmin(CentreAdmin):
    """Rows of an agency in a governorate: seen, chosen and added inside the viewer's jurisdiction alone."""

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        mine = request.user.jurisdiction
        if db_field.name == "agency" and mine.agency_ids is not None:
            field.queryset = field.queryset.filter(pk__in=sorted(mine.agency_ids))
        elif db_field.name == "governorate":
            rows = Zone.objects.level(Zone.Level.GOVERNORATE).among(mine.governorate_ids)
            field.queryset = rows.defer("boundary").order_by("code")
        return field

    def has_force_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_force")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        kept = ["agency"] if obj is not None and "agency" in [field.name for field in self.opts.fields] else []
        return [*super().get_readonly_fields(request, obj), *kept]


def same_agency(form: Any, *names: str) -> None:
    """Complain of rows named in the form that belong to another agency than its own."""
    cleaned = form.cleaned_data
    agency_id = form.instance.agency_id if form.instance.pk else getattr(cleaned.get("agency"), "pk", None)
    for name in names:
        row = cleaned.get(name)
        if row is not None and row.agency_id != agency_id:
            form.add_error(name, _("Of another agency."))


def stays_while_at_work(form: Any, **who: Any) -> None:
    """Complain when the governorate of somebody or something on duty or on a roster ahead is changed."""
    if not form.instance.pk or "governorate" not in form.changed_data:
        return
    ahead = RosterEntry.objects.standing().filter(ends_at__gt=timezone.now(), **who).exists()
    if ahead or Duty.objects.open().filter(**who).exists():
        form.add_error("governorate", _("On duty or on the roster: off both first."))


class AgencyField(fields.Field):
    def __init__(self) -> None:
        super().__init__(column_name="agency", attribute="agency", widget=ForeignKeyWidget(Agency, "slug"))


class GovernorateWidget(ForeignKeyWidget):
    def __init__(self) -> None:
        super().__init__(Zone, "code")

    def get_queryset(self, value: Any, row: Any, *args: Any, **kwargs: Any) -> Any:
        return Zone.objects.level(Zone.Level.GOVERNORATE).order_by("-region__is_default").defer("boundary")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        found = self.get_queryset(value, row).filter(code=str(value or "").strip()).first()
        if found is None:
            raise ValueError(_("There is no such governorate."))
        return found


class OfAgencyWidget(ForeignKeyWidget):
    """A row by its code inside the agency the line names."""

    def get_queryset(self, value: Any, row: Any, *args: Any, **kwargs: Any) -> Any:
        return self.model.objects.filter(agency__slug=str(row.get("agency") or "").strip())


class ForceResource(TableResource):
    agency = AgencyField()
    governorate = fields.Field(column_name="governorate", attribute="governorate", widget=GovernorateWidget())
    station = fields.Field(column_name="station", attribute="station", widget=OfAgencyWidget(Station, "code"))
    skills = fields.Field(column_name="skills", attribute="skills", widget=ManyToManyWidget(Skill, field="code", separator=" "))


class UnitResource(ForceResource):
    team = fields.Field(column_name="team", attribute="team", widget=OfAgencyWidget(Team, "code"))
    vehicle = fields.Field(column_name="vehicle", attribute="vehicle", widget=OfAgencyWidget(Vehicle, "fleet_number"))

    class Meta(TableResource.Meta):
        model = Unit
        fields = ("agency", "call_sign", "kind", "governorate", "station", "team", "vehicle", "skills", "arrival_sets_on_scene")
        import_id_fields = ("agency", "call_sign")


class MemberResource(ForceResource):
    class Meta(TableResource.Meta):
        model = Member
        fields = ("agency", "service_number", "name_en", "name_ar", "governorate", "station", "skills")
        import_id_fields = ("agency", "service_number")


# --- small tables --------------------------------------------------------------------------------------------------------------------


@admin.register(Skill)
class SkillAdmin(CentreAdmin):
    list_display = ["name", "code", "name_en", "name_ar"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["code"]


class StationForm(forms.ModelForm):
    def clean(self) -> Any:
        cleaned = super().clean()
        if self.instance.pk and cleaned is not None and cleaned.get("is_active") is False:
            left = list(Unit.objects.filter(station=self.instance, is_active=True).values_list("call_sign", flat=True)[:6])
            if left:
                units = ", ".join(left[:5]) + ("…" if len(left) > 5 else "")
                self.add_error("is_active", _("Units still start here: %(units)s.") % {"units": units})
        return cleaned


@admin.register(Station)
class StationAdmin(ForceAdmin):
    form = StationForm
    list_display = ["name", "code", "agency", "governorate", "is_active"]
    list_filter = ["agency", "is_active"]
    list_select_related = ["agency", "governorate"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["agency", "code"]
    readonly_fields = ["is_synthetic"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary")


@admin.register(Team)
class TeamAdmin(ForceAdmin):
    list_display = ["name", "code", "agency", "governorate", "is_active"]
    list_filter = ["agency", "is_active"]
    list_select_related = ["agency", "governorate"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["agency", "code"]
    readonly_fields = ["is_synthetic"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary")


# --- vehicles ------------------------------------------------------------------------------------------------------------------------


class OutForm(ReasonForm):
    reason = forms.CharField(label=gettext_lazy("What is wrong with it"), max_length=200)


class VehicleForm(forms.ModelForm):
    def clean(self) -> Any:
        cleaned = super().clean()
        same_agency(self, "station")
        if self.instance.pk and cleaned is not None and cleaned.get("is_active") is False:
            unit = Unit.objects.filter(vehicle=self.instance, is_active=True).first()
            if unit is not None:
                self.add_error("is_active", _("%(unit)s still uses it.") % {"unit": unit})
        return cleaned


class InServiceFilter(admin.SimpleListFilter):
    title = gettext_lazy("in service")
    parameter_name = "service"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("in", _("In service")), ("out", _("Out of service"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        if self.value() == "in":
            return queryset.filter(out_of_service="")
        return queryset.exclude(out_of_service="") if self.value() == "out" else queryset


@admin.register(Vehicle)
class VehicleAdmin(ActsOnRows, ForceAdmin):
    form = VehicleForm
    list_display = ["fleet_number", "kind", "agency", "station", "standing", "is_active"]
    list_filter = [InServiceFilter, "agency", "kind", "is_active"]
    list_select_related = ["agency", "station"]
    search_fields = ["fleet_number"]
    ordering = ["agency", "fleet_number"]
    autocomplete_fields = ["station"]
    readonly_fields = ["out_of_service", "is_synthetic"]
    actions = ["take_out", "put_back"]
    object_actions = ["take_out", "put_back"]

    @admin.display(description=gettext_lazy("standing"), ordering="out_of_service")
    def standing(self, vehicle: Vehicle) -> Any:
        return pill("bad", vehicle.out_of_service[:60]) if vehicle.out_of_service else pill("ok", _("in service"))

    @admin.action(description=gettext_lazy("Out of service…"), permissions=["force"])
    def take_out(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=OutForm,
            title=_("Take vehicles out of service"),
            button=_("Out of service"),
            note=_("Their units show as out of service, with this reason, and are not sent to incidents."),
            perform=lambda row, answers: take_vehicle_out(vehicle=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d vehicle is out of service.", "%(n)d vehicles are out of service.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Back in service…"), permissions=["force"])
    def put_back(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Put vehicles back in service"),
            button=_("Back in service"),
            perform=lambda row, answers: put_vehicle_back(vehicle=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d vehicle is back.", "%(n)d vehicles are back.", count) % {"n": count},
        )


# --- units and people ----------------------------------------------------------------------------------------------------------------


class UnitForm(forms.ModelForm):
    def clean(self) -> Any:
        cleaned = super().clean()
        if cleaned is None:
            return cleaned
        same_agency(self, "station", "team", "vehicle")
        vehicle = cleaned.get("vehicle")
        if vehicle is not None:
            other = Unit.objects.filter(vehicle=vehicle, is_active=True).exclude(pk=self.instance.pk).first()
            if other is not None and "vehicle" in self.changed_data:
                self.add_error("vehicle", _("%(unit)s uses it already.") % {"unit": other})
            elif not vehicle.is_active:
                self.add_error("vehicle", _("Out of use."))
        if self.instance.pk:
            stays_while_at_work(self, unit=self.instance)
        cleaned["tracker_id"] = cleaned.get("tracker_id") or None
        return cleaned


@admin.register(Unit)
class UnitAdmin(ActsOnRows, Exchange, ImportExportMixin, ForceAdmin):
    form = UnitForm
    list_display = ["call_sign_shown", "kind", "agency", "governorate", "station", "team", "vehicle", "standing"]
    list_filter = ["is_active", "agency", "kind", "arrival_sets_on_scene"]
    list_select_related = ["agency", "governorate", "station", "team", "vehicle"]
    search_fields = ["call_sign", "tracker_id", "station__code"]
    ordering = ["agency", "call_sign"]
    autocomplete_fields = ["station", "team", "vehicle"]
    readonly_fields = ["is_active", "is_synthetic"]
    actions = ["retire", "bring_back"]
    object_actions = ["retire", "bring_back"]
    resource_classes = [UnitResource]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary")

    @admin.display(description=gettext_lazy("call sign"), ordering="call_sign")
    def call_sign_shown(self, unit: Unit) -> Any:
        return bdi(unit.call_sign)

    @admin.display(description=gettext_lazy("standing"), ordering="is_active")
    def standing(self, unit: Unit) -> Any:
        if not unit.is_active:
            return pill("quiet", _("out of use"))
        if unit.vehicle is not None and unit.vehicle.out_of_service:
            return pill("bad", unit.vehicle.out_of_service[:60])
        return pill("ok", _("in use"))

    @admin.action(description=gettext_lazy("Take out of use…"), permissions=["force"])
    def retire(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Take units out of use"),
            button=_("Take out of use"),
            note=_("A unit with open assignments, on duty or on a roster ahead stays, and says why. What it did is kept."),
            is_grave=True,
            perform=lambda row, answers: retire_unit(unit=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d unit is out of use.", "%(n)d units are out of use.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Back in use…"), permissions=["force"])
    def bring_back(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Put units back in use"),
            button=_("Back in use"),
            perform=lambda row, answers: return_unit(unit=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d unit is in use.", "%(n)d units are in use.", count) % {"n": count},
        )


class MemberForm(forms.ModelForm):
    def clean(self) -> Any:
        cleaned = super().clean()
        if cleaned is None:
            return cleaned
        same_agency(self, "station", "user")
        if self.instance.pk:
            stays_while_at_work(self, member=self.instance)
        return cleaned


@admin.register(Member)
class MemberAdmin(ActsOnRows, Exchange, ImportExportMixin, ForceAdmin):
    form = MemberForm
    list_display = ["service_number_shown", "name_shown", "agency", "governorate", "station", "user", "standing"]
    list_filter = ["is_active", "agency"]
    list_select_related = ["agency", "governorate", "station", "user"]
    search_fields = ["service_number", "name_en", "name_ar", "user__username"]
    ordering = ["agency", "service_number"]
    autocomplete_fields = ["station", "user"]
    readonly_fields = ["is_active", "is_synthetic"]
    actions = ["retire", "bring_back"]
    object_actions = ["retire", "bring_back"]
    resource_classes = [MemberResource]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary")

    @admin.display(description=gettext_lazy("service number"), ordering="service_number")
    def service_number_shown(self, member: Member) -> Any:
        return bdi(member.service_number)

    @admin.display(description=gettext_lazy("name"), ordering="name_en")
    def name_shown(self, member: Member) -> str:
        return str(member)

    @admin.display(description=gettext_lazy("standing"), ordering="is_active")
    def standing(self, member: Member) -> Any:
        return pill("ok", _("in the force")) if member.is_active else pill("quiet", _("has left"))

    @admin.action(description=gettext_lazy("Has left…"), permissions=["force"])
    def retire(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("People leave the force"),
            button=_("Has left"),
            note=_("Off duty and off the roster first. Their hours and what they did are kept. The account is a matter of its own."),
            is_grave=True,
            perform=lambda row, answers: retire_member(member=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d person has left.", "%(n)d people have left.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Is back…"), permissions=["force"])
    def bring_back(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("People come back to the force"),
            button=_("Is back"),
            perform=lambda row, answers: return_member(member=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d person is back.", "%(n)d people are back.", count) % {"n": count},
        )
