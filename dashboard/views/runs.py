"""The runs of the analytics: what ran, when, with what; one run as it goes on; a run asked for, a run stopped."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from core.errors import DomainError
from dashboard.answers import fresh
from dashboard.forms import CancelRunForm, RunForm
from dashboard.runs import OVER, night_of, run_page, runs_before
from incidents.models import PipelineRun
from incidents.services import pipeline


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The history, newest first, with how this night stands and, for those who may, a form to ask for a run."""
    return fresh(request, "dashboard/runs.html", {**_listed(request), "form": RunForm()})


@login_required
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """The list alone, for refreshing it."""
    return fresh(request, "dashboard/_runs.html", _listed(request))


@login_required
@require_POST
def new(request: HttpRequest) -> HttpResponse:
    """Ask for a run. A refusal brings the page back with what was chosen."""
    form = RunForm(request.POST)
    problem, status = "", 422
    if form.is_valid():
        try:
            run = pipeline.request_pipeline_run(by=_actor(request), **form.chosen)
        except DomainError as refusal:
            form.take(refusal)
            problem, status = refusal.message, refusal.status
        else:
            messages.success(request, _("The run has been asked for. A worker takes it up at once."))
            return redirect("runs-one", pk=run.pk)
    return fresh(request, "dashboard/runs.html", {**_listed(request), "form": form, "problem": problem, "form_is_open": True}, status)


@login_required
@require_safe
def one(request: HttpRequest, pk: str) -> HttpResponse:
    """One run: its progress, its steps, what it was told."""
    return fresh(request, "dashboard/run.html", _facts(request, _find(request, pk)))


@login_required
@require_safe
def progress(request: HttpRequest, pk: str) -> HttpResponse:
    """The part of the page that moves."""
    return fresh(request, "dashboard/_run.html", _facts(request, _find(request, pk)))


@login_required
@require_POST
def cancel(request: HttpRequest, pk: str) -> HttpResponse:
    """Stop a run. Works as a plain form and from HTMX."""
    run = _find(request, pk)
    form = CancelRunForm(request.POST)
    is_partial = request.headers.get("HX-Request") == "true"
    problem, status = "", 422
    if form.is_valid():
        try:
            pipeline.request_cancel(run=run, by=_actor(request), reason=form.cleaned_data["reason"])
            status = 200
        except DomainError as refusal:
            problem, status = refusal.message, refusal.status
    else:
        problem = " ".join(str(text) for texts in form.errors.values() for text in texts)
    if status == 200 and not is_partial:
        messages.success(request, _("The run stops. Steps that are done stay as they are."))
        return redirect("runs-one", pk=run.pk)
    run = _find(request, pk)
    return fresh(
        request, "dashboard/_run.html" if is_partial else "dashboard/run.html", {**_facts(request, run), "problem": problem}, status
    )


def _find(request: HttpRequest, pk: str) -> PipelineRun:
    runs = PipelineRun.objects.visible_to(request.user).select_related("requested_by", "cancelled_by")
    run = runs.filter(pk=int(pk)).first()
    if run is None:
        raise Http404(_("There is no such run."))
    return run


def _facts(request: HttpRequest, run: PipelineRun) -> dict[str, Any]:
    return {"page": run_page(run, request.user), "run": run, "cancel_form": CancelRunForm()}


def _listed(request: HttpRequest) -> dict[str, Any]:
    given = request.GET.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
    runs, following = runs_before(request.user, before)
    return {
        "runs": runs,
        "following": following,
        "before": before,
        "is_running": any(line.run.status not in OVER for line in runs),
        "night": night_of(),
        "may_run": _actor(request).can("run_pipeline"),
    }


def _actor(request: HttpRequest) -> Any:
    return request.user
