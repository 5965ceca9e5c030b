"""On-call schedules in the command centre: the schedule with its layers, and in each its people in their order. The service writes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from alerts.models import LayerMember, OnCallLayer, OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.services.oncall import LayerGiven, change_schedule, make_schedule, problems
from alerts.services.oncall.schedules import MOST_LAYERS
from core.admin_kit import ReadOnlyAdmin
from patrol.admin.force import ForceAdmin

WEEKDAYS = [
    (0, gettext_lazy("Monday")), (1, gettext_lazy("Tuesday")), (2, gettext_lazy("Wednesday")), (3, gettext_lazy("Thursday")),
    (4, gettext_lazy("Friday")), (5, gettext_lazy("Saturday")), (6, gettext_lazy("Sunday")),
]  # fmt: skip


class LayerForm(forms.ModelForm):
    people = forms.CharField(
        label=gettext_lazy("people, in their order"),
        help_text=gettext_lazy("User names, one a line or with commas. The same person may stand in it twice."),
        widget=forms.Textarea(attrs={"rows": 3, "cols": 28}),
        max_length=5000,
    )
    only_weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("only on these weekdays"), choices=WEEKDAYS, coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = OnCallLayer
        fields = ["name", "rotation", "every", "starts_on", "ends_on", "handover_at", "only_from", "only_to", "only_weekdays", "people"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            members = self.instance.members.select_related("user").order_by("position")
            self.fields["people"].initial = "\n".join(member.user.username for member in members)

    def clean_people(self) -> tuple[int, ...]:
        names = [name for name in self.cleaned_data["people"].replace(",", "\n").replace("،", "\n").split() if name]
        known = {user.username.lower(): user.pk for user in User.objects.filter(username__in=names)}
        known |= {user.username.lower(): user.pk for user in User.objects.filter(username__in=[name.lower() for name in names])}
        unknown = [name for name in names if name.lower() not in known]
        if unknown:
            raise forms.ValidationError(_("There is no such user: %(names)s.") % {"names": ", ".join(unknown[:5])})
        return tuple(known[name.lower()] for name in names)

    def _post_clean(self) -> None:
        """The service judges the layers as a whole."""


class LayerFormSet(BaseInlineFormSet):
    def given(self) -> list[LayerGiven]:
        """The layers as they stand in the form, lowest first, without those struck out."""
        told = [form.cleaned_data for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        names = ("name", "rotation", "every", "starts_on", "ends_on", "handover_at", "only_from", "only_to", "people")
        return [
            LayerGiven(**{name: one[name] for name in names}, only_weekdays=tuple(one["only_weekdays"]))
            for one in told
            if one.get("people")
        ]

    def validate_unique(self) -> None:
        """Positions are given by the service."""


class LayersInline(admin.StackedInline):
    model = OnCallLayer
    form = LayerForm
    formset = LayerFormSet
    extra = 0
    max_num = MOST_LAYERS
    ordering = ["position"]
    fields = [
        "name", ("rotation", "every", "handover_at"), ("starts_on", "ends_on"), ("only_from", "only_to"), "only_weekdays", "people",
    ]  # fmt: skip


@admin.register(OnCallSchedule)
class OnCallScheduleAdmin(ForceAdmin):
    list_display = ["name", "code", "agency", "governorate", "time_zone", "is_active"]
    list_filter = ["agency", "is_active"]
    list_select_related = ["agency", "governorate"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["code"]
    inlines = [LayersInline]
    readonly_fields = ["version", "is_synthetic", "wrong"]
    fields = ["code", ("name_en", "name_ar"), "agency", "governorate", "time_zone", "is_active", "wrong", "version", "is_synthetic"]
    audits_itself = True

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), *(["code"] if obj is not None else [])]

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        """Kept until the layers are read: the schedule is judged and written whole."""

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        told = {name: value for name, value in form.cleaned_data.items() if name in form.changed_data or not change}
        told.pop("agency" if change else "is_active", None)
        layers = formset.given() if formset.has_changed() or not change else None
        if change:
            saved = change_schedule(schedule=OnCallSchedule.objects.get(pk=form.instance.pk), by=request.user, layers=layers, **told)
        else:
            saved = make_schedule(by=request.user, layers=layers or (), **told)
        form.instance.__dict__.update(saved.__dict__)

    @admin.display(description=gettext_lazy("what is wrong"))
    def wrong(self, schedule: OnCallSchedule) -> Any:
        found = problems(schedule=schedule) if schedule.pk else []
        if not found:
            return "–"
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((_told(one),) for one in found[:20])))


def _told(one: Any) -> str:
    if one.starts_at is None:
        return one.text
    return f"{one.text} {one.starts_at:%Y-%m-%d %H:%M} – {one.ends_at:%Y-%m-%d %H:%M} UTC"


class OfScheduleAdmin(ReadOnlyAdmin):
    """Made on the calendar's page, where one sees what they change; read here."""

    search_fields = ["schedule__code", "reason"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found


@admin.register(OnCallOverride)
class OnCallOverrideAdmin(OfScheduleAdmin):
    list_display = ["schedule", "user", "starts_at", "ends_at", "reason", "created_by", "is_cancelled"]
    list_select_related = ["schedule", "user", "created_by"]
    list_filter = ["is_cancelled"]
    date_hierarchy = "starts_at"


@admin.register(ShiftSwap)
class ShiftSwapAdmin(OfScheduleAdmin):
    list_display = ["schedule", "asked_by", "asked_of", "starts_at", "ends_at", "state", "taken_by", "answer"]
    list_select_related = ["schedule", "asked_by", "asked_of", "taken_by"]
    list_filter = ["state"]
    date_hierarchy = "starts_at"


@admin.register(OnCallLayer)
class OnCallLayerAdmin(OfScheduleAdmin):
    """Written on their schedule's screen."""

    list_display = ["schedule", "position", "name", "rotation", "every", "handover_at", "starts_on", "ends_on"]
    list_select_related = ["schedule"]
    search_fields = ["schedule__code", "name"]
    list_filter = ["rotation"]


@admin.register(LayerMember)
class LayerMemberAdmin(ReadOnlyAdmin):
    list_display = ["layer", "position", "user"]
    list_select_related = ["layer", "user"]
    search_fields = ["layer__schedule__code", "user__username", "user__full_name"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.filter(layer__in=OnCallLayer.objects.visible_to(viewer))
        return found
