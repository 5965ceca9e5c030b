"""Trials: the list, a new draw, one trial with its seal and its effect."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import pdf
from core.errors import DomainError, NotFound
from core.version import code_version
from dashboard.answers import fresh, pdf_file
from dashboard.patrol_measure import require_verb
from dashboard.patrol_scope import scope_of
from dashboard.trials import TrialForm, TrialPage
from patrol.models import Trial
from patrol.services.trials import draw_trial, report_trial, seal_trial, stop_trial

SHOWN = 50


def _rows(request: HttpRequest) -> Any:
    rows = Trial.objects.visible_to(request.user).select_related("region", "agency", "governorate", "created_by", "sealed_by")
    return rows.defer("governorate__boundary")


def _one(request: HttpRequest, pk: int) -> Trial:
    found: Trial | None = _rows(request).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(_("There is no such trial."))
    return found


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    require_verb(request, "watch_units")
    context = {"trials": _rows(request)[:SHOWN], "may_run": request.user.can("run_trial")}  # type: ignore[union-attr]
    return fresh(request, "dashboard/patrol/trials.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    require_verb(request, "run_trial")
    scope = scope_of(request)
    zone = scope.governorate.region.zone_info
    status = 200
    if request.method == "POST":
        form = TrialForm(request.POST)
        status = 422
        if form.is_valid():
            try:
                by: Any = request.user
                made = draw_trial(governorate=scope.governorate, agency=scope.agency, by=by, design=form.design(zone), now=timezone.now())
            except NotFound as error:
                raise Http404(error.message) from error
            except DomainError as error:
                status = error.status
                form.refuse(error.fields, error.message)
            else:
                messages.success(request, _("Drawn. Another person seals it before it begins."))
                return redirect("trials-one", pk=made.pk)
    else:
        form = TrialForm()
    return fresh(request, "dashboard/patrol/trial_new.html", {"form": form, "scope": scope, "asked": {"scope": scope}}, status)


@login_required
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    require_verb(request, "watch_units")
    return _trial_page(request, _one(request, pk))


def _trial_page(request: HttpRequest, trial: Trial, problem: str = "", status: int = 200) -> HttpResponse:
    context = {
        "page": TrialPage(trial, timezone.now()),
        "trial": trial,
        "problem": problem,
        "may_run": request.user.can("run_trial"),  # type: ignore[union-attr]
        "drew_it": trial.created_by_id == request.user.pk,
    }
    return fresh(request, "dashboard/patrol/trial.html", context, status)


@login_required
@require_POST
def act(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    """Seal, stop or report it; a refusal is said on its page."""
    require_verb(request, "run_trial")
    trial, now = _one(request, int(pk)), timezone.now()
    try:
        if verb == "seal":
            seal_trial(trial=trial, by=request.user, now=now)  # type: ignore[arg-type]
            messages.success(request, _("Sealed. From now on neither the draw nor the period changes."))
        elif verb == "stop":
            stop_trial(trial=trial, by=request.user, reason=request.POST.get("reason", ""), now=now)  # type: ignore[arg-type]
            messages.success(request, _("Stopped. No effect will be reported of it."))
        else:
            report_trial(trial=trial, by=request.user, now=now)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _trial_page(request, trial, " ".join([error.message, *error.fields.values()]), error.status)
    return redirect("trials-one", pk=trial.pk)


@login_required
@require_safe
def document(request: HttpRequest, pk: int) -> HttpResponse:
    require_verb(request, "watch_units")
    trial = _one(request, pk)
    context = {"page": TrialPage(trial, timezone.now()), "trial": trial, "version": code_version(), "on_paper": True}
    return as_pdf("dashboard/patrol/trial_print.html", context, f"trial-{trial.pk}-{get_language()}.pdf")


def as_pdf(template: str, context: dict[str, Any], name: str) -> HttpResponse:
    return pdf_file(lambda: pdf.render(render_to_string(template, context)), name)
