"""Patterns, shifts, the roster, leave, duty and the zones of teams in the command centre: every change goes through its service."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, Ask, ReadOnlyInline, ReasonForm, age, pill
from geography.models import Zone
from patrol.admin.force import ForceAdmin
from patrol.models import Duty, Leave, RosterEntry, Shift, ShiftPattern, ZoneAssignment
from patrol.services.duty import BY_TIME, go_off_duty
from patrol.services.leave import grant_leave, withdraw_leave
from patrol.services.roster import put_on_roster, take_off_roster
from patrol.services.shifts import MOST_DAYS, make_shifts
from patrol.services.zones import assign_zone, withdraw_zone


class WrittenByServices(ActsOnRows, ForceAdmin):
    """Rows are added by a service from the form, ended by an action that asks why, and never edited."""

    audits_itself = True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_roster_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("roster")

    def make(self, by: Any, **given: Any) -> Any:
        raise NotImplementedError

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        obj.__dict__.update(self.make(request.user, **form.cleaned_data).__dict__)

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """The service did it."""


class MakeShiftsForm(Ask):
    governorate = forms.ModelChoiceField(
        label=gettext_lazy("Governorate"), queryset=Zone.objects.level(Zone.Level.GOVERNORATE).defer("boundary").order_by("code")
    )
    first_day = forms.DateField(label=gettext_lazy("First day"), widget=forms.DateInput(attrs={"type": "date"}))
    days = forms.IntegerField(label=gettext_lazy("For how many days"), min_value=1, max_value=MOST_DAYS, initial=14)


@admin.register(ShiftPattern)
class ShiftPatternAdmin(ActsOnRows, ForceAdmin):
    list_display = ["name", "code", "agency", "begins_at", "length", "break_minutes", "rest", "is_active"]
    list_filter = ["agency", "is_active"]
    list_select_related = ["agency"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["agency", "begins_at"]
    actions = ["make"]
    object_actions = ["make"]

    @admin.display(description=gettext_lazy("length"), ordering="length_minutes")
    def length(self, pattern: ShiftPattern) -> str:
        return _("%(h)s h") % {"h": f"{pattern.length_minutes / 60:g}"}

    @admin.display(description=gettext_lazy("least rest"), ordering="minimum_rest_minutes")
    def rest(self, pattern: ShiftPattern) -> str:
        return _("%(h)s h") % {"h": f"{pattern.minimum_rest_minutes / 60:g}"}

    def has_roster_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("roster")

    @admin.action(description=gettext_lazy("Make shifts…"), permissions=["roster"])
    def make(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        made: list[int] = []

        def perform(pattern: Any, answers: dict[str, Any]) -> None:
            rows = make_shifts(agency=pattern.agency, patterns=[pattern], by=request.user, **answers)  # type: ignore[arg-type]
            made.append(len(rows))

        return self.act(
            request,
            queryset.select_related("agency"),
            form=MakeShiftsForm,
            title=_("Make shifts from patterns"),
            button=_("Make shifts"),
            note=_("One shift a day on the governorate's own clock. Those that exist stay as they are."),
            perform=perform,
            done=lambda count: ngettext("%(n)d shift stands.", "%(n)d shifts stand.", sum(made)) % {"n": sum(made)},
        )


class EntriesInline(ReadOnlyInline):
    model = RosterEntry
    fields = ["member", "unit", "part", "starts_at", "ends_at", "rest_override_reason"]
    ordering = ["unit__call_sign", "part"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows: Any = super().get_queryset(request)
        return rows.standing().select_related("member", "unit")


@admin.register(Shift)
class ShiftAdmin(ForceAdmin):
    list_display = ["starts_at", "ends_at", "pattern", "agency", "governorate", "people"]
    list_filter = ["agency", "pattern"]
    list_select_related = ["pattern", "agency", "governorate"]
    search_fields = ["pattern__code", "pattern__name_en", "pattern__name_ar"]
    date_hierarchy = "starts_at"
    inlines = [EntriesInline]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        standing = models.Count("entries", filter=models.Q(entries__is_cancelled=False))
        return super().get_queryset(request).annotate(people_count=standing).defer("governorate__boundary")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("people"), ordering="people_count")
    def people(self, shift: Any) -> Any:
        return shift.people_count or pill("bad", _("nobody"))


@admin.register(RosterEntry)
class RosterEntryAdmin(WrittenByServices):
    list_display = ["member", "unit", "part", "starts_at", "ends_at", "standing", "rest_override_reason"]
    list_filter = ["part", "is_cancelled"]
    list_select_related = ["member", "unit"]
    search_fields = ["member__service_number", "member__name_en", "member__name_ar", "unit__call_sign"]
    date_hierarchy = "starts_at"
    ordering = ["-starts_at", "pk"]
    autocomplete_fields = ["shift", "member", "unit"]
    actions = ["take_off"]
    object_actions = ["take_off"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ["shift", "member", "unit", "part", "rest_override_reason"]
        return asked if obj is None else [*asked, "starts_at", "ends_at", "is_cancelled", "created_by"]

    def make(self, by: Any, **given: Any) -> Any:
        return put_on_roster(by=by, **given)

    @admin.display(description=gettext_lazy("standing"), ordering="is_cancelled")
    def standing(self, entry: RosterEntry) -> Any:
        return pill("quiet", _("cancelled")) if entry.is_cancelled else pill("ok", _("stands"))

    @admin.action(description=gettext_lazy("Take off the roster…"), permissions=["roster"])
    def take_off(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset.select_related("shift", "member"),
            form=ReasonForm,
            title=_("Take people off the roster"),
            button=_("Take off"),
            perform=lambda row, answers: take_off_roster(entry=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d was taken off the roster.", "%(n)d were taken off the roster.", count) % {"n": count},
        )


@admin.register(Leave)
class LeaveAdmin(WrittenByServices):
    list_display = ["member", "kind", "starts_at", "ends_at", "standing"]
    list_filter = ["kind", "is_cancelled"]
    list_select_related = ["member"]
    search_fields = ["member__service_number", "member__name_en", "member__name_ar"]
    ordering = ["-starts_at", "pk"]
    autocomplete_fields = ["member"]
    actions = ["withdraw"]
    object_actions = ["withdraw"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ["member", "kind", "starts_at", "ends_at"]
        return asked if obj is None else [*asked, "is_cancelled", "created_by"]

    def make(self, by: Any, **given: Any) -> Any:
        return grant_leave(by=by, **given)

    @admin.display(description=gettext_lazy("standing"), ordering="is_cancelled")
    def standing(self, leave: Leave) -> Any:
        return pill("quiet", _("withdrawn")) if leave.is_cancelled else pill("ok", _("granted"))

    @admin.action(description=gettext_lazy("Withdraw…"), permissions=["roster"])
    def withdraw(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset.select_related("member"),
            form=ReasonForm,
            title=_("Withdraw leave"),
            button=_("Withdraw"),
            perform=lambda row, answers: withdraw_leave(leave=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d leave was withdrawn.", "%(n)d leaves were withdrawn.", count) % {"n": count},
        )


class OpenDutyFilter(admin.SimpleListFilter):
    title = gettext_lazy("on duty")
    parameter_name = "open"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("yes", _("On duty now")), ("no", _("Ended"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(ended_at__isnull=self.value() == "yes") if self.value() else queryset


@admin.register(Duty)
class DutyAdmin(WrittenByServices):
    list_display = ["who", "unit", "started_at", "expected_until", "standing", "rest_override_reason"]
    list_filter = [OpenDutyFilter]
    list_select_related = ["member", "unit"]
    search_fields = ["member__service_number", "member__name_en", "member__name_ar", "unit__call_sign"]
    date_hierarchy = "started_at"
    ordering = ["-started_at", "pk"]
    actions = ["end"]
    object_actions = ["end"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description=gettext_lazy("who"))
    def who(self, duty: Duty) -> str:
        return str(duty.member) if duty.member is not None else _("crew unnamed")

    @admin.display(description=gettext_lazy("standing"), ordering="ended_at")
    def standing(self, duty: Duty) -> Any:
        if duty.ended_at is None:
            return pill("ok", _("on duty"))
        return pill("warn", _("closed by time")) if duty.ended_because == BY_TIME else age(duty.ended_at)

    @admin.action(description=gettext_lazy("Off duty…"), permissions=["roster"])
    def end(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        def perform(duty: Any, answers: dict[str, Any]) -> object:
            who = {"member": duty.member} if duty.member_id is not None else {"unit": duty.unit}
            return go_off_duty(by=request.user, reason=answers["reason"], **who)  # type: ignore[arg-type]

        return self.act(
            request,
            queryset.filter(ended_at=None).select_related("member", "unit"),
            form=ReasonForm,
            title=_("End duties"),
            button=_("Off duty"),
            note=_("Refused while the unit has open assignments: they are named."),
            perform=perform,
            done=lambda count: ngettext("%(n)d duty was ended.", "%(n)d duties were ended.", count) % {"n": count},
        )


@admin.register(ZoneAssignment)
class ZoneAssignmentAdmin(WrittenByServices):
    list_display = ["team", "zone", "starts_at", "ends_at", "standing", "reason"]
    list_select_related = ["team", "zone"]
    search_fields = ["team__code", "team__name_en", "team__name_ar", "zone__name_en", "zone__name_ar"]
    ordering = ["-starts_at", "pk"]
    autocomplete_fields = ["team", "zone"]
    actions = ["withdraw"]
    object_actions = ["withdraw"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("zone__boundary")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ["team", "zone", "starts_at", "ends_at", "reason"]
        return asked if obj is None else [*asked, "assigned_by", "cancelled_at"]

    def make(self, by: Any, **given: Any) -> Any:
        return assign_zone(by=by, **given)

    @admin.display(description=gettext_lazy("standing"), ordering="cancelled_at")
    def standing(self, row: ZoneAssignment) -> Any:
        return pill("quiet", _("withdrawn")) if row.cancelled_at is not None else pill("ok", _("stands"))

    @admin.action(description=gettext_lazy("Withdraw…"), permissions=["force"])
    def withdraw(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset.select_related("team"),
            form=ReasonForm,
            title=_("Withdraw zones from teams"),
            button=_("Withdraw"),
            perform=lambda row, answers: withdraw_zone(assignment=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d zone was withdrawn.", "%(n)d zones were withdrawn.", count) % {"n": count},
        )
