"""A manual alert: what it is, where, who is to be told by what; and who would be, before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
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
from alerts.channels import registry
from alerts.models import Channel, Contact, Level
from alerts.services import alerts as life
from alerts.services.escalation import snapshot_of, wording
from alerts.services.people import rungs_for
from core.errors import DomainError, NotFound
from dashboard.alert_forms import ManualForm
from dashboard.answers import person_of

MOST_PREVIEWED = 100


@dataclass(frozen=True)
class Reached:
    """Somebody who would be told, by what, in this order; nobody is promised a channel that is not set up here."""

    who: str
    ways: list[str]
    missing: list[str]


def _may(request: HttpRequest) -> User:
    user = person_of(request)
    if not user.can("raise_alert"):
        raise PermissionDenied(str(_("Your role does not allow this.")))
    return user


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    user = _may(request)
    if request.method != "POST":
        return _page(request, ManualForm(viewer=user))
    form = ManualForm(request.POST, viewer=user)
    if form.is_valid():
        try:
            alert = life.raise_manual(by=user, **form.asked)
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            form.take(error)
            return _page(request, form, problem=error.message, status=error.status)
        messages.success(request, _("Raised. Whom it pages, and what becomes of it, is told here."))
        return redirect("alerts-one", pk=alert.pk)
    return _page(request, form, problem=_("Something is missing; see the marked fields."), status=422)


@login_required
@never_cache
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Who would be told by what is filled in so far. Nothing is sent."""
    user = _may(request)
    form = ManualForm(request.POST, viewer=user)
    form.is_valid()
    return render(request, "dashboard/alerts/_preview.html", _told(form))


def _told(form: ManualForm) -> dict[str, Any]:
    given: dict[str, Any] = getattr(form, "cleaned_data", {})
    critical = given.get("level") == Level.CRITICAL
    people = [*given.get("users", ()), *given.get("contacts", ())]
    policy = given.get("policy")
    channels = tuple(given.get("channels", ()))
    return {
        "reached": [_reached(one, channels, critical) for one in people[:MOST_PREVIEWED]],
        "more": max(0, len(people) - MOST_PREVIEWED),
        "policy": policy,
        "steps": [wording.sentence(step) for step in snapshot_of(policy)["steps"]] if policy is not None else [],
    }


def _reached(one: User | Contact, channels: tuple[str, ...], critical: bool) -> Reached:
    whom: dict[str, Any] = {"user": one} if isinstance(one, User) else {"contact": one}
    here = registry.configured() | {Channel.IN_APP}
    ways: list[str] = []
    missing: list[str] = []
    for rung in rungs_for(importance="important", channels=channels, critical=critical, at=timezone.now(), **whom):
        label = str(Channel(rung.channel).label)
        place = ways if Channel(rung.channel) in here else missing
        if label not in place:
            place.append(label)
    return Reached(str(one), ways, missing)


def _page(request: HttpRequest, form: ManualForm, *, problem: str = "", status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "problem": problem, **(_told(form) if form.is_bound else {"reached": [], "steps": []})}
    return render(request, "dashboard/alerts/new.html", context, status=status)
