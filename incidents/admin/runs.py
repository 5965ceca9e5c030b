"""The runs of the analytics in the command centre: how far, with what, why it failed; and the button that stops one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from core.admin_kit import ReadOnlyAdmin, ReadOnlyInline, age, as_json, bdi, pill
from core.errors import DomainError
from incidents.models import PipelineRun, PipelineStep
from incidents.services.pipeline import STALE_AFTER, request_cancel
from incidents.services.pipeline.words import counts_in_words, kind_in_words, parameters_in_words, trigger_in_words

KIND = {"waiting": "quiet", "running": "busy", "done": "ok", "failed": "bad", "cancelled": "warn"}
OVER = ("done", "failed", "cancelled")


def said(counts: Any) -> str:
    return " · ".join(counts_in_words(counts)) if isinstance(counts, dict) and counts else "–"


class StepInline(ReadOnlyInline):
    model = PipelineStep
    fields = ["name", "standing", "started_at", "seconds", "attempts", "counts_shown", "error"]
    readonly_fields = ["standing", "counts_shown"]

    @admin.display(description=_("status"))
    def standing(self, step: PipelineStep) -> Any:
        return pill(KIND[step.status], step.get_status_display())

    @admin.display(description=_("counts"))
    def counts_shown(self, step: PipelineStep) -> str:
        return said(step.counts)


@admin.register(PipelineRun)
class PipelineRunAdmin(ReadOnlyAdmin):
    list_display = ["key", "trigger", "standing", "as_of", "started", "seconds_shown", "counts_shown", "requested_by"]
    list_filter = ["status", "as_of"]
    list_select_related = ["requested_by"]
    search_fields = ["key", "error"]
    date_hierarchy = "started_at"
    ordering = ["-id"]
    inlines = [StepInline]
    change_form_template = "admin/incidents/pipelinerun/change_form.html"
    fields = [
        "key",
        "trigger",
        "as_of",
        "requested_by",
        "started_at",
        "began_at",
        "finished_at",
        "late_at",
        "cancelled_by",
        "cancel_reason",
        "seconds_shown",
        "code_version",
        "told",
        "parameters_shown",
        "error",
    ]

    def get_urls(self) -> Any:
        own = [
            path("<int:pk>/progress/", self.admin_site.admin_view(self.progress_view), name="incidents_pipelinerun_progress"),
            path("<int:pk>/stop/", self.admin_site.admin_view(require_POST(self.stop_view)), name="incidents_pipelinerun_stop"),
        ]
        return [*own, *super().get_urls()]

    @admin.display(description=_("asked by"))
    def trigger(self, run: PipelineRun) -> str:
        return trigger_in_words(run)

    @admin.display(description=_("status"), ordering="status")
    def standing(self, run: PipelineRun) -> Any:
        return pill(KIND[run.status], run.get_status_display())

    @admin.display(description=_("started"), ordering="id")
    def started(self, run: PipelineRun) -> Any:
        return age(run.started_at)

    @admin.display(description=_("seconds"), ordering="seconds")
    def seconds_shown(self, run: PipelineRun) -> str:
        return "–" if run.seconds is None else f"{run.seconds:.1f}"

    @admin.display(description=_("counts"))
    def counts_shown(self, run: PipelineRun) -> str:
        return said(run.counts)

    @admin.display(description=_("what it was told"))
    def told(self, run: PipelineRun) -> Any:
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", ((w, bdi(m)) for w, m in parameters_in_words(run))))

    @admin.display(description=_("parameters"))
    def parameters_shown(self, run: PipelineRun) -> Any:
        return as_json(run.parameters)

    # -- watch it, stop it ----------------------------------------------------------------------------------------------------

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        run = kwargs.get("obj")
        if run is not None:
            context.update(self.progress_of(request, run))
        return super().render_change_form(request, context, *args, **kwargs)

    def progress_of(self, request: HttpRequest, run: PipelineRun) -> dict[str, Any]:
        steps = list(run.steps.all())
        now = timezone.now()
        going_on = [step for step in steps if step.status == "running"]
        is_over = run.status in OVER
        until = run.finished_at if is_over else now
        return {
            "run": run,
            "steps_of": len(steps),
            "steps_over": sum(step.status in OVER for step in steps),
            "steps_failed": sum(step.status == "failed" for step in steps),
            "going_on": [(kind_in_words(step.kind), step.name) for step in going_on],
            "is_active": not is_over,
            "is_silent": any(step.heartbeat_at and now - step.heartbeat_at > STALE_AFTER / 2 for step in going_on),
            "seconds": (until - run.began_at).total_seconds() if run.began_at and until else None,
            "may_stop": request.user.can("run_pipeline") and not is_over and run.cancel_requested_at is None,  # type: ignore[union-attr]
            "page_url": reverse("runs-one", args=[run.pk]),
        }

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        answer = render(request, "admin/incidents/pipelinerun/_progress.html", self.progress_of(request, self._run(request, pk)))
        answer["Cache-Control"] = "no-store"
        return answer

    def stop_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self._run(request, pk)
        try:
            request_cancel(run=run, by=request.user, reason=request.POST.get("reason", ""))  # type: ignore[arg-type]
        except DomainError as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, gettext("The run stops. Steps that are done stay as they are."))
        return HttpResponseRedirect(reverse("admin:incidents_pipelinerun_change", args=[pk]))

    def _run(self, request: HttpRequest, pk: int) -> PipelineRun:
        run = self.get_queryset(request).filter(pk=pk).first() if self.has_view_permission(request) else None
        if run is None:
            raise Http404(gettext("There is no such run."))
        return run


@admin.register(PipelineStep)
class PipelineStepAdmin(ReadOnlyAdmin):
    list_display = ["name", "run", "standing", "started_at", "seconds", "attempts", "counts_shown"]
    list_filter = ["status"]
    list_select_related = ["run"]
    search_fields = ["name", "run__key", "error"]
    date_hierarchy = "started_at"
    ordering = ["-id"]
    fields = [
        "run",
        "name",
        "standing",
        "started_at",
        "finished_at",
        "seconds",
        "expected_seconds",
        "attempts",
        "worker",
        "heartbeat_at",
        "is_retiring",
        "counts_shown",
        "all_counts",
        "error",
    ]

    @admin.display(description=_("status"), ordering="status")
    def standing(self, step: PipelineStep) -> Any:
        return pill(KIND[step.status], step.get_status_display())

    @admin.display(description=_("counts"))
    def counts_shown(self, step: PipelineStep) -> str:
        return said(step.counts)

    @admin.display(description=_("every figure"))
    def all_counts(self, step: PipelineStep) -> Any:
        return as_json(step.counts)
