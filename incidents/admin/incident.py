"""Incidents in the command centre. A state is moved by a verb, never edited; every change goes through the services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import (
    ActsOnRows,
    CentreAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ReasonForm,
    SpannedChangeList,
    age,
    as_json,
    bdi,
    pill,
    severity_mark,
)
from core.admin_map import MapMedia, shape_map
from incidents.admin.exporting import export_incidents
from incidents.admin.incident_filters import CategoryFilter, GovernorateFilter, OpenFilter, UnreviewedTypeFilter
from incidents.admin.incident_forms import ClassifyForm, CloseForm, CorrectionForm, MoveForm, NewIncidentForm, NoteForm, duplicate_form
from incidents.lifecycle import EXITS, OPEN, State
from incidents.models import Incident, IncidentLog, Report
from incidents.services import (
    annotate_incident,
    change_incident,
    classify_incident,
    close_incident,
    mark_duplicate,
    move_incident,
    reopen_incident,
)
from incidents.services.manual import open_by_hand

STATE_KIND = {State.RECEIVED: "warn", State.REOPENED: "warn", State.CLOSED: "ok"} | dict.fromkeys(EXITS, "quiet")


def state_pill(state: str) -> Any:
    return pill(STATE_KIND.get(State(state), "busy"), State(state).label)


class LogInline(ReadOnlyInline):
    model = IncidentLog
    fields = ["at", "kind", "from_state", "to_state", "changes", "author_name", "reason"]
    verbose_name_plural = gettext_lazy("timeline")
    template = "admin/incidents/timeline.html"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).order_by("id")


class ReportInline(ReadOnlyInline):
    model = Report
    fields = ["source", "external_id", "kind", "received_at", "raw_shown"]
    readonly_fields = ["raw_shown"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("source")

    @admin.display(description=gettext_lazy("as it came"))
    def raw_shown(self, report: Report) -> Any:
        return as_json(report.raw)


@admin.register(Incident)
class IncidentAdmin(MapMedia, ActsOnRows, CentreAdmin):
    audits_itself = True
    list_display = ["ref_shown", "severity_shown", "type", "state_shown", "priority_shown", "place", "agency", "source", "how_old"]
    list_filter = [
        OpenFilter,
        "severity",
        "priority",
        "state",
        CategoryFilter,
        UnreviewedTypeFilter,
        GovernorateFilter,
        "agency",
        "source",
        "origin",
        "is_synthetic",
    ]
    search_fields = ["search"]
    search_help_text = gettext_lazy("Reference, words in Arabic or English, address, the source's id.")
    date_hierarchy = "occurred_at"
    ordering = ["-id"]
    actions = ["close", "classify", "move", "duplicate", "reopen", "note"]
    object_actions = ["move", "close", "classify", "duplicate", "reopen", "note"]
    autocomplete_fields = ["type"]
    inlines = [LogInline, ReportInline]
    readonly_fields = [
        "ref_shown",
        "state_shown",
        "disposition",
        "severity_shown",
        "agency",
        "source",
        "origin",
        "is_synthetic",
        "duplicate_of",
        "place",
        "outline",
        "address",
        "address_block",
        "address_street",
        "address_jadda",
        "address_building",
        "paci_number",
        "governorate",
        "area",
        "block",
        "sector",
        *[f.name for f in Incident._meta.concrete_fields if f.name.endswith("_at") and f.name != "changed_at"],
    ]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return (
            super()
            .get_queryset(request)
            .for_card()  # type: ignore[attr-defined]
            .select_related("block", "sector", "duplicate_of__region")
            .defer("block__boundary", "sector__boundary", "duplicate_of__search")
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return SpannedChangeList

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (queryset.matching(search_term) if search_term.strip() else queryset), False

    def get_urls(self) -> Any:
        return [
            path("export/<str:kind>/", self.admin_site.admin_view(self.export_view), name="incidents_incident_export"),
            *super().get_urls(),
        ]

    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        return export_incidents(self, request, kind)

    # -- columns --------------------------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("incident"), ordering="id")
    def ref_shown(self, incident: Incident) -> Any:
        return bdi(incident.ref)

    @admin.display(description=gettext_lazy("severity"), ordering="severity")
    def severity_shown(self, incident: Incident) -> Any:
        return severity_mark(incident.severity, incident.get_severity_display())

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, incident: Incident) -> Any:
        return state_pill(incident.state)

    @admin.display(description=gettext_lazy("priority"), ordering="priority")
    def priority_shown(self, incident: Incident) -> Any:
        return bdi(f"P{incident.priority}")

    @admin.display(description=gettext_lazy("place"))
    def place(self, incident: Incident) -> str:
        return " · ".join(zone.name for zone in (incident.governorate, incident.area) if zone) or _("no place")

    @admin.display(description=gettext_lazy("age"), ordering="occurred_at")
    def how_old(self, incident: Incident) -> Any:
        return age(incident.occurred_at)

    @admin.display(description=gettext_lazy("map"))
    def outline(self, incident: Incident) -> Any:
        return shape_map(incident.location)

    # -- the page of one incident ----------------------------------------------------------------------------------------

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        self_form = CorrectionForm if obj is not None else NewIncidentForm
        return super().get_form(request, obj, change, **{**kwargs, "form": self_form})

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {"occurred_at": timezone.localtime().replace(second=0, microsecond=0), **super().get_changeform_initial_data(request)}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [
                (None, {"fields": ["agency", "type", "occurred_at", "location", "address"]}),
                (_("How bad, how fast"), {"fields": ["severity", "priority", "origin"]}),
                (None, {"fields": ["description"]}),
            ]
        corrections = ["type", "priority", "severity", "description", *(["reason"] if self.has_change_permission(request, obj) else [])]
        times = [
            name
            for name in (
                "occurred_at",
                "reported_at",
                "received_at",
                "classified_at",
                "queued_at",
                "dispatched_at",
                "en_route_at",
                "on_scene_at",
                "cleared_at",
                "closed_at",
                "reopened_at",
            )
            if getattr(obj, name) is not None
        ]
        synthetic = ["is_synthetic"] if obj.is_synthetic else []
        ended = [name for name in ("disposition", "duplicate_of") if getattr(obj, name)]
        parts = ("address", "address_block", "address_street", "address_jadda", "address_building", "paci_number")
        address = [name for name in parts if getattr(obj, name)]
        zones = [name for name in ("governorate", "area", "block", "sector") if getattr(obj, f"{name}_id")]
        return [
            (None, {"fields": ["ref_shown", "state_shown", *ended, "agency", "source", "origin", *synthetic]}),
            (_("Correct the details"), {"fields": corrections}),
            (_("Where"), {"fields": ["outline", *zones, *address]}),
            (_("When"), {"fields": times}),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A closed incident is reopened before it is corrected."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.state in OPEN)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is not None else []

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else []

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        if not change:
            opened = open_by_hand(by=request.user, **{name: given[name] for name in NewIncidentForm.Meta.fields})
            for field in Incident._meta.concrete_fields:
                setattr(obj, field.attname, getattr(opened, field.attname))
            return
        stored = Incident.objects.select_related("region", "type").get(pk=obj.pk)
        changed = {name: given[name] for name in ("type", "priority", "severity") if name in form.changed_data}
        if changed:
            classify_incident(incident=stored, by=request.user, reason=given["reason"], **changed)
        if "description" in form.changed_data:
            change_incident(incident=stored, by=request.user, description=given["description"], reason=given["reason"])

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """Nothing hangs on an incident that a form may write."""

    # -- verbs ----------------------------------------------------------------------------------------------------------------------

    def _can(self, request: HttpRequest, verb: str) -> bool:
        return getattr(request.user, "can", lambda _verb: False)(verb)

    def has_close_permission(self, request: HttpRequest) -> bool:
        return self._can(request, "close")

    def has_classify_permission(self, request: HttpRequest) -> bool:
        return self._can(request, "classify")

    def has_move_permission(self, request: HttpRequest) -> bool:
        return self._can(request, "move")

    def has_reopen_permission(self, request: HttpRequest) -> bool:
        return self._can(request, "reopen")

    def has_annotate_permission(self, request: HttpRequest) -> bool:
        return self._can(request, "annotate")

    @admin.action(description=gettext_lazy("Close…"), permissions=["close"])
    def close(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=CloseForm,
            title=_("Close incidents"),
            button=_("Close"),
            perform=lambda row, a: close_incident(
                incident=row, by=_actor(request), disposition=a["disposition"], reason=a["reason"], expected=row.state
            ),
            done=lambda n: ngettext("%(n)d incident was closed.", "%(n)d incidents were closed.", n) % {"n": n},
        )

    @admin.action(description=gettext_lazy("Classify…"), permissions=["classify"])
    def classify(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ClassifyForm,
            title=_("Classify incidents"),
            button=_("Classify"),
            perform=lambda row, a: classify_incident(incident=row, by=_actor(request), **a),
            done=lambda n: ngettext("%(n)d incident was classified.", "%(n)d incidents were classified.", n) % {"n": n},
        )

    @admin.action(description=gettext_lazy("Move…"), permissions=["move"])
    def move(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=MoveForm,
            title=_("Move incidents"),
            button=_("Move"),
            perform=lambda row, a: move_incident(incident=row, by=_actor(request), to=a["to"], reason=a["reason"], expected=row.state),
            done=lambda n: ngettext("%(n)d incident was moved.", "%(n)d incidents were moved.", n) % {"n": n},
        )

    @admin.action(description=gettext_lazy("Mark as duplicates…"), permissions=["close"])
    def duplicate(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=duplicate_form(request.user),
            title=_("Mark incidents as duplicates"),
            button=_("Mark as duplicates"),
            perform=lambda row, a: mark_duplicate(
                incident=row, original=a["original"], by=_actor(request), reason=a["reason"], expected=row.state
            ),
            done=lambda n: ngettext("%(n)d incident was marked.", "%(n)d incidents were marked.", n) % {"n": n},
        )

    @admin.action(description=gettext_lazy("Reopen…"), permissions=["reopen"])
    def reopen(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Reopen incidents"),
            button=_("Reopen"),
            perform=lambda row, a: reopen_incident(incident=row, by=_actor(request), reason=a["reason"], expected=row.state),
            done=lambda n: ngettext("%(n)d incident was reopened.", "%(n)d incidents were reopened.", n) % {"n": n},
        )

    @admin.action(description=gettext_lazy("Add a note…"), permissions=["annotate"])
    def note(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=NoteForm,
            title=_("Add a note"),
            button=_("Add"),
            perform=lambda row, a: annotate_incident(incident=row, by=_actor(request), text=a["text"]),
            done=lambda n: ngettext("A note was added to %(n)d incident.", "A note was added to %(n)d incidents.", n) % {"n": n},
        )


def _actor(request: HttpRequest) -> Any:
    return request.user


@admin.register(IncidentLog)
class IncidentLogAdmin(ReadOnlyAdmin):
    list_display = ["at", "incident", "kind", "from_state", "to_state", "author_name", "short_reason"]
    list_filter = ["kind", "to_state", "author_kind"]
    search_fields = ["=incident__id", "author_name"]
    search_help_text = gettext_lazy("The incident's number or the author.")
    ordering = ["-id"]
    exclude = ["changes"]
    readonly_fields = ["changes_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(viewer.jurisdiction.condition(agency="incident__agency_id", governorate="incident__governorate_id"))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("incident__region").defer("incident__search", "incident__description")

    @admin.display(description=gettext_lazy("reason"))
    def short_reason(self, entry: IncidentLog) -> str:
        return entry.reason[:80] or "–"

    @admin.display(description=gettext_lazy("changes"))
    def changes_shown(self, entry: IncidentLog) -> Any:
        return as_json(entry.changes)
