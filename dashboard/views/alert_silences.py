"""Silences: what is expected for a while and pages nobody; made with what it would quiet in sight, and ended early."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from alerts.models import Silence
from alerts.services import alerts as life
from core.errors import DomainError, NotFound
from dashboard.alert_forms import SilenceForm
from dashboard.alert_queue import alerts_for, for_rows
from dashboard.alert_queue import rows_of as alert_rows
from dashboard.alert_silences import rows_of
from dashboard.answers import person_of

MOST_SHOWN = 20


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    user = _sees(request)
    if request.method != "POST":
        return _page(request, user, SilenceForm(viewer=user) if user.can("manage_alerts") else None)
    if not user.can("manage_alerts"):
        raise PermissionDenied(str(_("Your role does not allow this.")))
    form = SilenceForm(request.POST, viewer=user)
    if not form.is_valid():
        return _page(request, user, form, problem=_("Something is missing; see the marked fields."), status=422)
    given = form.cleaned_data
    if "preview" in request.POST:
        found = life.would_silence(matchers=form.matchers, viewer=user)
        shown = alert_rows(for_rows(_alerts(user, found), user)[:MOST_SHOWN], user)
        return _page(request, user, form, would=shown, would_count=len(found), is_preview=True)
    try:
        life.make_silence(
            by=user, matchers=form.matchers, starts_at=given["starts_at"], ends_at=given["ends_at"], reason=given["reason"],
            governorate=form.governorates.get(given["governorate"]),
        )  # fmt: skip
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        form.take(error)
        return _page(request, user, form, problem=error.message, status=error.status)
    messages.success(request, _("The silence is made. When it ends, what is still wrong fires again."))
    return redirect("silences")


@login_required
@never_cache
@require_POST
def end(request: HttpRequest, pk: str) -> HttpResponse:
    user = _sees(request)
    silence = Silence.objects.visible_to(user).filter(pk=int(pk)).first()
    if silence is None:
        raise Http404(_("There is no such silence."))
    try:
        life.end_silence(silence=silence, by=user)
        messages.success(request, _("The silence has ended. What is still wrong fires again within seconds."))
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("silences")


def _alerts(user: User, found: list[Any]) -> Any:
    return alerts_for(user).filter(pk__in=[alert.pk for alert in found])


def _sees(request: HttpRequest) -> User:
    user = person_of(request)
    if not user.can("see_alerts"):
        raise PermissionDenied(str(_("Your role does not allow this.")))
    return user


def _page(request: HttpRequest, user: User, form: SilenceForm | None, *, status: int = 200, **more: Any) -> HttpResponse:
    standing, over = rows_of(user)
    context = {"form": form, "standing": standing, "over": over, "now": timezone.now(), **more}
    return render(request, "dashboard/alerts/silences.html", context, status=status)
