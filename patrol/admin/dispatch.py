"""The dispatch screens of the command centre: work given out and advice are read; run cards and targets are kept here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, CentreAdmin, ReadOnlyAdmin, ReadOnlyInline, ReasonForm, age, as_json, bdi, pill
from patrol.lifecycle import OPEN
from patrol.models import (
    AidRequest,
    Assignment,
    AssignmentLog,
    FieldAction,
    MutualAid,
    Recommendation,
    ResponseTarget,
    RunCard,
    RunCardLine,
)
from patrol.services.aid import agreements_of, asked_by
from patrol.services.assignments import cancel_assignment


class LogInline(ReadOnlyInline):
    model = AssignmentLog
    fields = ["at", "recorded_at", "from_state", "to_state", "author_name", "reason", "facts"]
    verbose_name_plural = gettext_lazy("log")


@admin.register(Assignment)
class AssignmentAdmin(ActsOnRows, ReadOnlyAdmin):
    list_display = ["id", "unit_shown", "kind", "what", "state_shown", "priority", "assigned_at", "on_scene_at", "ended_at"]
    list_filter = ["state", "kind", "priority", "agency"]
    list_select_related = ["unit", "incident__region", "agency"]
    search_fields = ["unit__call_sign", "title"]
    date_hierarchy = "assigned_at"
    ordering = ["-id"]
    exclude = ["location"]
    inlines = [LogInline]
    actions: Any = ["take_back"]
    object_actions = ["take_back"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found

    @admin.display(description=gettext_lazy("unit"), ordering="unit__call_sign")
    def unit_shown(self, row: Assignment) -> Any:
        return bdi(row.unit.call_sign)

    @admin.display(description=gettext_lazy("what to do"))
    def what(self, row: Assignment) -> Any:
        return bdi(row.incident.ref if row.incident is not None else row.title)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, row: Assignment) -> Any:
        return pill("warn" if row.state == "auto_closed" else "ok" if row.state in OPEN else "plain", row.get_state_display())

    def has_task_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("task")

    @admin.action(description=gettext_lazy("Take back…"), permissions=["task"])
    def take_back(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Take work back"),
            button=_("Take back"),
            note=_("What has ended already stays as it is. An incident nobody has reached goes back to the queue."),
            is_grave=True,
            perform=lambda row, answers: cancel_assignment(assignment=row, by=request.user, reason=answers["reason"][:400]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d was taken back.", "%(n)d were taken back.", count) % {"n": count},
        )


@admin.register(AssignmentLog)
class AssignmentLogAdmin(ReadOnlyAdmin):
    list_display = ["assignment", "at", "recorded_at", "from_state", "to_state", "author_name", "reason"]
    list_filter = ["to_state"]
    list_select_related = ["assignment"]
    date_hierarchy = "at"
    ordering = ["-id"]
    exclude = ["facts"]
    readonly_fields = ["facts_shown"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.filter(assignment__in=Assignment.objects.visible_to(viewer))
        return found

    @admin.display(description=gettext_lazy("facts"))
    def facts_shown(self, row: AssignmentLog) -> Any:
        return as_json(row.facts)


@admin.register(FieldAction)
class FieldActionAdmin(ReadOnlyAdmin):
    list_display = ["key", "user", "verb", "at", "recorded_at"]
    list_filter = ["verb"]
    list_select_related = ["user"]
    date_hierarchy = "recorded_at"
    ordering = ["-recorded_at"]
    exclude = ["answer"]
    readonly_fields = ["answer_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        """Those of the people of the viewer's agencies."""
        agencies = viewer.jurisdiction.agency_ids
        return rows if agencies is None else rows.filter(user__agency__in=sorted(agencies))

    @admin.display(description=gettext_lazy("answer"))
    def answer_shown(self, row: FieldAction) -> Any:
        return as_json(row.answer)


@admin.register(Recommendation)
class RecommendationAdmin(ReadOnlyAdmin):
    list_display = ["id", "incident_shown", "at", "alarm_level", "requested_by", "advised", "missing", "provider"]
    list_filter = ["alarm_level", "provider", "agency"]
    list_select_related = ["incident__region", "requested_by"]
    date_hierarchy = "at"
    ordering = ["-id"]
    exclude = ["inputs", "ranked", "shortfalls"]
    readonly_fields = ["ranked_shown", "shortfalls_shown", "inputs_shown"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("inputs")

    @admin.display(description=gettext_lazy("incident"))
    def incident_shown(self, row: Recommendation) -> Any:
        return bdi(row.incident.ref)

    @admin.display(description=gettext_lazy("advised"))
    def advised(self, row: Recommendation) -> int:
        return sum(1 for it in row.ranked if it["advised"])

    @admin.display(description=gettext_lazy("missing"))
    def missing(self, row: Recommendation) -> int:
        return len(row.shortfalls)

    @admin.display(description=gettext_lazy("candidates"))
    def ranked_shown(self, row: Recommendation) -> Any:
        return as_json(row.ranked)

    @admin.display(description=gettext_lazy("shortfalls"))
    def shortfalls_shown(self, row: Recommendation) -> Any:
        return as_json(row.shortfalls)

    @admin.display(description=gettext_lazy("made from"))
    def inputs_shown(self, row: Recommendation) -> Any:
        return as_json(row.inputs)


@admin.register(ResponseTarget)
class ResponseTargetAdmin(CentreAdmin):
    """The general targets are everybody's to read and the super administrator's to change; an agency's own are its supervisors'."""

    list_display = ["priority", "agency", "queue_s", "turnout_s", "travel_s", "response_s", "share"]
    list_filter = ["priority", "agency"]
    list_select_related = ["agency"]
    ordering = ["priority", "agency"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        agencies = viewer.jurisdiction.agency_ids
        return rows if agencies is None else rows.filter(models.Q(agency=None) | models.Q(agency__in=sorted(agencies)))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or obj.agency_id is not None or request.user.is_superuser)

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        mine = request.user.jurisdiction.agency_ids
        if db_field.name == "agency" and mine is not None:
            field.queryset = field.queryset.filter(pk__in=sorted(mine))
            field.required = True
        return field


class LineInline(admin.TabularInline):
    model = RunCardLine
    fields = ["count", "kind", "skill", "within_minutes"]
    extra = 1


class RunCardForm(forms.ModelForm):
    class Meta:
        model = RunCard
        fields = ["agency", "type", "alarm_level", "is_active"]


@admin.register(RunCard)
class RunCardAdmin(CentreAdmin):
    form = RunCardForm
    list_display = ["agency", "type_shown", "alarm_level", "asks_for", "is_active"]
    list_filter = ["is_active", "alarm_level", "agency"]
    list_select_related = ["agency", "type"]
    search_fields = ["type__name_en", "type__name_ar", "type__code"]
    autocomplete_fields = ["type"]
    ordering = ["agency", "type", "alarm_level"]
    inlines = [LineInline]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).prefetch_related("lines__skill")

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        mine = request.user.jurisdiction.agency_ids
        if db_field.name == "agency" and mine is not None:
            field.queryset = field.queryset.filter(pk__in=sorted(mine))
        return field

    @admin.display(description=gettext_lazy("type"), ordering="type__name_en")
    def type_shown(self, card: RunCard) -> Any:
        return bdi(card.type.name) if card.type is not None else _("any")

    @admin.display(description=gettext_lazy("asks for"))
    def asks_for(self, card: RunCard) -> str:
        said = [
            f"{line.count} × {line.get_kind_display() or _('any')}" + (f" ({line.skill.name})" if line.skill is not None else "")
            for line in card.lines.all()
        ]
        return " · ".join(said) or "–"


@admin.register(RunCardLine)
class RunCardLineAdmin(ReadOnlyAdmin):
    list_display = ["card", "count", "kind", "skill", "within_minutes"]
    list_filter = ["kind", "skill"]
    list_select_related = ["card", "skill"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(card__in=RunCard.objects.visible_to(viewer))


@admin.register(MutualAid)
class MutualAidAdmin(ReadOnlyAdmin):
    """Drawn up, consented to and ended on the page of mutual aid, each side for itself."""

    list_display = ["lender", "borrower", "starts_at", "ends_at", "lender_consent_by", "borrower_consent_by", "ended_at"]
    list_filter = ["lender", "borrower"]
    list_select_related = ["lender", "borrower", "lender_consent_by", "borrower_consent_by"]
    ordering = ["-id"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(pk__in=agreements_of(viewer).values("pk"))


@admin.register(AidRequest)
class AidRequestAdmin(ReadOnlyAdmin):
    list_display = ["incident_shown", "agreement", "units_wanted", "requested_by", "requested_shown", "is_granted", "ends_at", "ended_at"]
    list_filter = ["is_granted"]
    list_select_related = ["incident__region", "agreement", "requested_by"]
    date_hierarchy = "requested_at"
    ordering = ["-id"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(pk__in=asked_by(viewer).values("pk"))

    @admin.display(description=gettext_lazy("incident"))
    def incident_shown(self, row: AidRequest) -> Any:
        return bdi(row.incident.ref)

    @admin.display(description=gettext_lazy("asked at"), ordering="requested_at")
    def requested_shown(self, row: AidRequest) -> Any:
        return age(row.requested_at)
