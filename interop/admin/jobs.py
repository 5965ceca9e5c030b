"""Batches that partners sent and did not wait for. One that should not go on can be stopped."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, OptionalReasonForm, ReadOnlyAdmin, age, as_json, bdi, pill
from interop.models import BatchJob, BatchRow
from interop.services import cancel_batch

JOB_STATE = {"queued": "quiet", "running": "busy", "done": "ok", "cancelled": "warn"}
ROW_OUTCOME = {"": "quiet", "opened": "ok", "repeated": "ok", "rejected": "warn", "kept": "busy", "cancelled": "quiet"}


@admin.register(BatchJob)
class BatchJobAdmin(ActsOnRows, ReadOnlyAdmin):
    list_display = ["__str__", "standing", "progress", "source", "key", "opened", "repeated", "rejected", "kept", "cancelled", "received"]
    list_filter = ["state", "kind", "source"]
    list_select_related = ["source", "key__partner"]
    search_fields = ["=id", "=request_id", "=idempotency_key"]
    search_help_text = gettext_lazy("The job's number, its request id or idempotency key.")
    ordering = ["-id"]
    actions = ["stop"]
    object_actions = ["stop"]
    fields = [
        "source", "kind", "key", "standing", "progress", "its_rows", "total", "opened", "repeated", "rejected", "kept", "cancelled",
        "idempotency_key", "request_id", "created_at", "worked_at", "finished_at",
    ]  # fmt: skip

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("key__partner", "source")

    def has_open_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("open")

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def standing(self, job: BatchJob) -> Any:
        return pill(JOB_STATE[job.state], job.get_state_display())

    @admin.display(description=gettext_lazy("settled"))
    def progress(self, job: BatchJob) -> Any:
        return bdi(f"{job.done:,}\u00a0/\u00a0{job.total:,}")

    @admin.display(description=gettext_lazy("batch rows"))
    def its_rows(self, job: BatchJob) -> Any:
        listing = reverse("admin:interop_batchrow_changelist")
        links = [(listing, job.pk, "", _("all"))]
        links += [
            (listing, job.pk, f"&outcome={outcome}", words_of_outcome()[outcome])
            for outcome in ("rejected", "kept")
            if getattr(job, outcome)
        ]
        return format_html_join(" · ", '<a href="{}?q={}{}">{}</a>', links)

    @admin.display(description=gettext_lazy("age"), ordering="id")
    def received(self, job: BatchJob) -> Any:
        return age(job.created_at)

    @admin.action(description=gettext_lazy("Stop…"), permissions=["open"])
    def stop(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=OptionalReasonForm,
            title=_("Stop batch jobs"),
            button=_("Stop"),
            note=_("Rows that wait are not taken in; what has gone in stays."),
            perform=lambda job, answers: cancel_batch(job=job, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d job was stopped.", "%(n)d jobs were stopped.", count) % {"n": count},
        )


@admin.register(BatchRow)
class BatchRowAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "job", "standing", "status", "why", "message", "incident"]
    list_filter = ["outcome"]
    list_select_related = ["job", "message", "incident__region"]
    search_fields = ["=job__id"]
    search_help_text = gettext_lazy("The job's number.")
    ordering = ["-job_id", "index"]
    fields = ["job", "index", "standing", "status", "attempts", "errors_shown", "message", "incident", "body_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(job__in=BatchJob.objects.visible_to(viewer).order_by())

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("message__body", "incident__search", "incident__description")

    @admin.display(description=gettext_lazy("outcome"), ordering="outcome")
    def standing(self, row: BatchRow) -> Any:
        return pill(ROW_OUTCOME[row.outcome], words_of_outcome()[row.outcome])

    @admin.display(description=gettext_lazy("what is wrong"))
    def why(self, row: BatchRow) -> str:
        return "; ".join(f"{error.get('field', '')}: {error.get('detail', '')}".strip(": ") for error in row.errors)[:200] or "–"

    @admin.display(description=gettext_lazy("errors"))
    def errors_shown(self, row: BatchRow) -> Any:
        return as_json(row.errors)

    @admin.display(description=gettext_lazy("as it came"))
    def body_shown(self, row: BatchRow) -> Any:
        return as_json(row.body)


def words_of_outcome() -> dict[str, str]:
    return {
        "": _("waits"),
        "opened": _("opened"),
        "repeated": _("repeated"),
        "rejected": _("rejected"),
        "kept": _("kept"),
        "cancelled": _("cancelled"),
    }
