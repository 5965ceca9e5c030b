"""Incidents that may be one event: a queue to decide in, and what has been decided."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import DomainError, NotFound
from dashboard.answers import person_of
from dashboard.duplicates import PAGE_SIZE, pairs_of
from incidents import services
from incidents.models import DuplicateCandidate


@login_required
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    user = person_of(request)
    show = "decided" if request.GET.get("show") == "decided" else "waiting"
    rows = DuplicateCandidate.objects.visible_to(user)
    chosen = rows.waiting() if show == "waiting" else rows.exclude(state="waiting").order_by("-decided_at", "-id")
    found = list(chosen.with_incidents()[: PAGE_SIZE + 1])
    return render(
        request,
        "dashboard/duplicates.html",
        {"pairs": pairs_of(found[:PAGE_SIZE], user), "more": len(found) > PAGE_SIZE, "limit": PAGE_SIZE, "show": show},
    )


@login_required
@require_POST
def act(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    """One decision; a plain form, from the queue or from an incident's page, back to where it came from."""
    user = person_of(request)
    found = DuplicateCandidate.objects.visible_to(user).select_related("first", "second").filter(pk=int(pk)).first()
    if found is None:
        raise Http404(_("There is no such pair."))
    try:
        messages.success(request, _decided(found, verb, request, user))
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, " ".join([error.message, *error.fields.values()]))
    back = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None) or not back.startswith("/"):
        back = reverse("duplicates")
    return redirect(back)


def _decided(found: DuplicateCandidate, verb: str, request: HttpRequest, user: User) -> str:
    reason = request.POST.get("reason", "").strip()
    if verb == "merge":
        keep = found.second if request.POST.get("keep") == str(found.second_id) else found.first
        services.merge_duplicates(candidate=found, keep=keep, by=user, reason=reason)
        return _("Merged: one incident goes on.")
    if verb == "link":
        services.link_duplicates(candidate=found, by=user, reason=reason)
        return _("Linked: both cases go on.")
    if verb == "dismiss":
        services.dismiss_duplicates(candidate=found, by=user, reason=reason)
        return _("Noted: not the same.")
    services.undo_duplicates(candidate=found, by=user, reason=reason)
    return _("Taken back.")
