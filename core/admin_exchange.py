"""Small tables in and out as CSV, spreadsheet and JSON (django-import-export), audited, with formulas made harmless."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from import_export import resources
from import_export.formats.base_formats import CSV, JSON, XLSX
from import_export.forms import ExportForm
from import_export.results import RowResult

from core import audit


class TableResource(resources.ModelResource):
    class Meta:
        skip_unchanged = True
        report_skipped = True
        clean_model_instances = True
        use_transactions = True


class Exchange:
    """For a ``CentreAdmin`` with one of django-import-export's mixins behind it: our formats, our permissions, our audit trail."""

    formats = [CSV, XLSX, JSON]
    skip_admin_log = True
    skip_export_form = False
    export_form_class = ExportForm
    show_change_form_export = False

    def has_import_permission(self: Any, request: Any) -> bool:
        """A whole table is imported by those who may edit it and see every agency: a file knows no jurisdiction."""
        sees_all = request.user.jurisdiction.agency_ids is None
        return sees_all and self.has_add_permission(request) and self.has_change_permission(request)

    def has_export_permission(self: Any, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def process_result(self: Any, result: Any, request: HttpRequest) -> Any:
        kinds = (RowResult.IMPORT_TYPE_NEW, RowResult.IMPORT_TYPE_UPDATE, RowResult.IMPORT_TYPE_DELETE, RowResult.IMPORT_TYPE_SKIP)
        rows = [
            {"id": str(row.object_id), "name": str(row.object_repr)[:80], "how": row.import_type}
            for row in result.rows
            if row.import_type in kinds[:3]
        ]
        audit.record(
            f"{self.opts.model_name}.import",
            by=request.user,
            after={"model": self.opts.label_lower, **{kind: result.totals[kind] for kind in kinds}, "rows": rows[:200]},
        )
        return super().process_result(result, request)  # type: ignore[misc]

    def get_export_data(self: Any, file_format: Any, request: HttpRequest, queryset: Any, **kwargs: Any) -> Any:
        audit.record(
            f"{self.opts.model_name}.export",
            by=request.user,
            after={
                "model": self.opts.label_lower,
                "rows": queryset.count(),
                "format": file_format.get_extension(),
                "filters": request.GET.dict(),
            },
        )
        return super().get_export_data(file_format, request, queryset, **kwargs)  # type: ignore[misc]
