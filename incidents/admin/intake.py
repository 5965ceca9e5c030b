"""Imports, the rows that did not go in, and reports as they came."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, ReasonForm, age, as_json, bdi, pill
from core.errors import DomainError, NotFound
from incidents.admin.importing import ImportScreens, RowForm
from incidents.models import ImportRun, RejectedRow, Report
from incidents.normalise.problems import MESSAGES
from incidents.services.importing import dismiss_row, resubmit_row
from incidents.services.importing.quarantine import values_of

RUN_KIND = {"uploaded": "quiet", "queued": "warn", "running": "busy", "done": "ok", "cancelled": "quiet", "failed": "bad"}
WAITING = {RejectedRow.Status.REJECTED, RejectedRow.Status.QUARANTINED}
ROW_KIND = {"rejected": "bad", "quarantined": "warn", "corrected": "ok", "dismissed": "quiet"}


@admin.register(ImportRun)
class ImportRunAdmin(ImportScreens, ReadOnlyAdmin):
    list_display = ["file_shown", "source", "standing", "read", "accepted", "duplicates", "rejected", "requested_by", "started"]
    list_filter = ["status", "is_dry_run", "source"]
    list_select_related = ["source", "requested_by"]
    search_fields = ["file_name", "sha256", "=id"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    change_form_template = "admin/incidents/importrun/change_form.html"
    fieldsets = [
        (_("The file"), {"fields": ["file_shown", "format", "size_shown", "sha256"]}),
        (_("How it was read"), {"fields": ["source", "is_dry_run", "options_shown"]}),
        (_("Who and when"), {"fields": ["requested_by", "created_at", "started_at", "finished_at"]}),
    ]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        """The imports of the viewer's agencies' sources, and their own uploads that have no source yet."""
        agencies = viewer.jurisdiction.agency_ids
        if agencies is None:
            return rows
        return rows.filter(Q(source__agency_id__in=sorted(agencies)) | Q(source=None, requested_by=viewer))

    @admin.display(description=_("file"), ordering="file_name")
    def file_shown(self, run: ImportRun) -> Any:
        return bdi(run.file_name)

    @admin.display(description=_("status"), ordering="status")
    def standing(self, run: ImportRun) -> Any:
        shown = pill(RUN_KIND[run.status], run.get_status_display())
        return format_html("{} {}", shown, pill("quiet", gettext("dry run"))) if run.is_dry_run else shown

    @admin.display(description=_("age"), ordering="id")
    def started(self, run: ImportRun) -> Any:
        return age(run.created_at)

    @admin.display(description=_("size"))
    def size_shown(self, run: ImportRun) -> str:
        return filesizeformat(run.size_bytes)

    @admin.display(description=_("options"))
    def options_shown(self, run: ImportRun) -> Any:
        return as_json(run.options)


@admin.register(RejectedRow)
class RejectedRowAdmin(ActsOnRows, CentreAdmin):
    """Rows that wait: mended in a form and sent again, or set aside with a reason."""

    audits_itself = True
    list_display = ["row_shown", "source", "import_run", "external_id", "standing", "why", "waiting"]
    list_filter = ["status", "source"]
    list_select_related = ["source", "import_run", "incident__region"]
    search_fields = ["external_id", "=import_run__id"]
    search_help_text = _("The source's id, or the import's number.")
    ordering = ["-id"]
    actions = ["resubmit", "dismiss"]
    object_actions = ["dismiss"]
    change_form_template = "admin/incidents/rejectedrow/change_form.html"
    fields = ["source", "import_run", "row_number", "external_id", "standing", "why", "incident", "created_at", "resolved_at", "raw_shown"]
    readonly_fields = fields  # type: ignore[assignment]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(viewer.jurisdiction.condition(agency="source__agency_id", governorate="incident__governorate_id"))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("incident__search", "incident__description")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup == "import_run__id__exact" or super().lookup_allowed(lookup, value, request)

    # -- columns ------------------------------------------------------------------------------------------------------------

    @admin.display(description=_("row"), ordering="row_number")
    def row_shown(self, row: RejectedRow) -> str:
        return str(row.row_number or "–")

    @admin.display(description=_("status"), ordering="status")
    def standing(self, row: RejectedRow) -> Any:
        return pill(ROW_KIND[row.status], row.get_status_display())

    @admin.display(description=_("what is wrong"))
    def why(self, row: RejectedRow) -> str:
        return "; ".join(f"{name}: {text}".strip(": ") for name, text in problems_of(row))[:300] or "–"

    @admin.display(description=_("waiting"), ordering="id")
    def waiting(self, row: RejectedRow) -> Any:
        return age(row.created_at)

    @admin.display(description=_("as it came"))
    def raw_shown(self, row: RejectedRow) -> Any:
        return as_json(row.raw)

    # -- mend and send again ------------------------------------------------------------------------------------------------------

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None and row.status in WAITING and self.has_change_permission(request, row):
            context["row_form"] = getattr(request, "row_form", None) or RowForm(row=row, initial=values_of(row))
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if request.method == "POST" and object_id is not None:
            row = self.get_object(request, unquote(object_id))
            if row is None:
                return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            if not self.has_change_permission(request, row):
                raise PermissionDenied
            form = RowForm(request.POST, row=row, initial=values_of(row))
            if form.is_valid():
                given = {name: value for name, value in form.cleaned_data.items() if name in form.changed_data}
                try:
                    incident = resubmit_row(row=row, values=given, by=request.user)  # type: ignore[arg-type]
                except NotFound as refusal:
                    raise Http404(refusal.message) from refusal
                except DomainError as refusal:
                    for name, text in refusal.fields.items():
                        form.add_error(name if name in form.fields else None, text)
                    form.add_error(None, refusal.message)
                else:
                    messages.success(request, gettext("The row went in as %(ref)s.") % {"ref": incident.ref})
                    return HttpResponseRedirect(reverse("admin:incidents_rejectedrow_changelist") + "?status__exact=" + row.status)
            request.row_form = form  # type: ignore[attr-defined]
            request.method = "GET"  # the page is shown again, with what was typed
        return super().changeform_view(request, object_id, form_url, extra_context)

    def has_import_verb_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("import")

    @admin.action(description=_("Send again as they are…"), permissions=["import_verb"])
    def resubmit(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=Ask,
            title=gettext("Send rows again"),
            button=gettext("Send again"),
            note=gettext("For rows that failed for a reason outside them: a zone that was missing, a type that was not mapped."),
            perform=lambda row, answers: resubmit_row(row=row, values={}, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d row went in.", "%(n)d rows went in.", count) % {"n": count},
        )

    @admin.action(description=_("Set aside…"), permissions=["import_verb"])
    def dismiss(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=gettext("Set rows aside"),
            button=gettext("Set aside"),
            perform=lambda row, answers: dismiss_row(row=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d row was set aside.", "%(n)d rows were set aside.", count) % {"n": count},
        )


def problems_of(row: RejectedRow) -> list[tuple[str, str]]:
    """(field, sentence) for each thing wrong; the sentence in the reader's language where the code is known."""
    found = []
    for error in row.errors if isinstance(row.errors, list) else []:
        if isinstance(error, dict):
            code, message = str(error.get("code", "")), str(error.get("message", ""))
            sentence = MESSAGES.get(code)
            detail = message[message.rfind(" (") :] if message.endswith(")") and " (" in message else ""
            found.append((str(error.get("field", "")), f"{sentence}{detail}" if sentence else message))
    return found


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ["external_id", "source", "kind", "incident", "import_run", "received"]
    list_filter = ["source"]
    search_fields = ["=external_id", "=incident__id"]
    search_help_text = _("The source's id, or the incident's number.")
    ordering = ["-id"]
    exclude = ["raw"]
    readonly_fields = ["raw_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(viewer.jurisdiction.condition(agency="source__agency_id", governorate="incident__governorate_id"))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request).select_related("source", "incident__region", "import_run")
        return rows.defer("incident__search", "incident__description")

    @admin.display(description=_("age"), ordering="id")
    def received(self, report: Report) -> Any:
        return age(report.received_at)

    @admin.display(description=_("as it came"))
    def raw_shown(self, report: Report) -> Any:
        return as_json(report.raw)
