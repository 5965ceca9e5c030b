"""Imports, the rows that did not go in, and reports as they came."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from core.admin_kit import CentreAdmin, ReadOnlyAdmin, age, as_json, bdi, pill
from incidents.models import ImportRun, RejectedRow, Report

RUN_KIND = {"uploaded": "quiet", "queued": "warn", "running": "busy", "done": "ok", "cancelled": "quiet", "failed": "bad"}
ROW_KIND = {"rejected": "bad", "quarantined": "warn", "corrected": "ok", "dismissed": "quiet"}


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_display = ["file_shown", "source", "standing", "read", "accepted", "duplicates", "rejected", "requested_by", "started"]
    list_filter = ["status", "is_dry_run", "source"]
    list_select_related = ["source", "requested_by"]
    search_fields = ["file_name", "sha256", "=id"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    exclude = ["options", "archived_as", "rejects_file", "cancel_requested"]
    readonly_fields = ["options_shown"]

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
        return pill(RUN_KIND[run.status], run.get_status_display())

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
class RejectedRowAdmin(CentreAdmin):
    list_display = ["row_shown", "source", "import_run", "external_id", "standing", "why", "waiting"]
    list_filter = ["status", "source"]
    list_select_related = ["source", "import_run", "incident__region"]
    search_fields = ["external_id", "=import_run__id"]
    search_help_text = _("The source's id, or the import's number.")
    ordering = ["-id"]
    readonly_fields = [
        "source",
        "import_run",
        "row_number",
        "external_id",
        "standing",
        "why",
        "raw_shown",
        "incident",
        "created_at",
        "resolved_at",
    ]
    fields = [*readonly_fields]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(viewer.jurisdiction.condition(agency="source__agency_id", governorate="incident__governorate_id"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description=_("row"), ordering="row_number")
    def row_shown(self, row: RejectedRow) -> str:
        return str(row.row_number or "–")

    @admin.display(description=_("status"), ordering="status")
    def standing(self, row: RejectedRow) -> Any:
        return pill(ROW_KIND[row.status], row.get_status_display())

    @admin.display(description=_("what is wrong"))
    def why(self, row: RejectedRow) -> str:
        errors = row.errors if isinstance(row.errors, list) else []
        return "; ".join(f"{e.get('field', '')}: {e.get('message', '')}".strip(": ") for e in errors if isinstance(e, dict))[:200] or "–"

    @admin.display(description=_("waiting"), ordering="id")
    def waiting(self, row: RejectedRow) -> Any:
        return age(row.created_at)

    @admin.display(description=_("as it came"))
    def raw_shown(self, row: RejectedRow) -> Any:
        return as_json(row.raw)


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
