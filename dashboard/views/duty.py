"""My own duty: on, off, and until when. The control stands in every page's frame for those whose role acts only on duty."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from core.errors import DomainError
from patrol.models import Duty, Member, RosterEntry
from patrol.services.acting import MAX_REASON
from patrol.services.duty import go_off_duty, go_on_duty

SHOWN = 10


class DutyForm(forms.Form):
    act = forms.ChoiceField(choices=[("on", "on"), ("off", "off")])
    rest_override_reason = forms.CharField(required=False, max_length=MAX_REASON)
    next = forms.CharField(required=False, max_length=500)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    member = (
        Member.objects.filter(user_id=request.user.pk or 0).select_related("governorate__region").defer("governorate__boundary").first()
    )
    if request.method != "POST":
        return _answer(request, member)
    form = DutyForm(request.POST)
    if member is None or not form.is_valid():
        raise Http404
    given = form.cleaned_data
    try:
        if given["act"] == "on":
            go_on_duty(member=member, by=request.user, rest_override_reason=given["rest_override_reason"])  # type: ignore[arg-type]
            messages.success(request, _("You are on duty."))
        else:
            go_off_duty(member=member, by=request.user)  # type: ignore[arg-type]
            messages.success(request, _("You are off duty."))
    except DomainError as error:
        return _answer(request, member, error.message, error.status, needs_reason="rest_override_reason" in error.codes)
    to = given["next"]
    return redirect(to if url_has_allowed_host_and_scheme(to, allowed_hosts={request.get_host()}) else "patrol-duty")


def _answer(request: HttpRequest, member: Member | None, problem: str = "", status: int = 200, needs_reason: bool = False) -> HttpResponse:
    context: dict[str, Any] = {"member": member, "problem": problem, "needs_reason": needs_reason}
    if member is not None:
        now = timezone.now()
        duties = list(Duty.objects.filter(member=member).select_related("unit").order_by("-started_at")[:SHOWN])
        roster = RosterEntry.objects.standing().filter(member=member, ends_at__gt=now).select_related("shift__pattern", "unit")
        context |= {
            "region": member.governorate.region,
            "duty": next((duty for duty in duties if duty.ended_at is None), None),
            "duties": [duty for duty in duties if duty.ended_at is not None],
            "ahead": list(roster.order_by("starts_at")[:SHOWN]),
        }
    response = render(request, "dashboard/patrol/duty.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response
