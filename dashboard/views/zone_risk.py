"""The risk of zones by their sensors, and insights: read, and dismissed."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import DomainError
from dashboard.answers import fresh, person_of
from dashboard.insight_list import insights_for
from dashboard.zone_risk import ZonePage, risk_list
from iot.models import Insight
from iot.permissions import may_see_devices
from iot.services.insights import dismiss_insight


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return fresh(request, "dashboard/zonerisk/list.html", {"list": risk_list(_person(request))})


@login_required
@require_safe
def one(request: HttpRequest, zone_id: int) -> HttpResponse:
    given = request.GET
    shown = ZonePage(_person(request), zone_id, agency=given.get("agency", "")[:64], span=given.get("span", "day"))
    return fresh(request, "dashboard/zonerisk/one.html", {"risk": shown})


@login_required
@require_safe
def insights(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    context = {"page": insights_for(person, request.GET.get("state", "")), "may_dismiss": person.can("dismiss_insights")}
    return fresh(request, "dashboard/zonerisk/insights.html", context)


@login_required
@require_POST
def dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    person = _person(request)
    insight = Insight.objects.visible_to(person).filter(pk=pk).first()
    if insight is None:
        raise Http404(_("There is no such insight."))
    try:
        dismiss_insight(insight=insight, by=person, reason=request.POST.get("reason", ""))
    except DomainError as refusal:
        messages.error(request, refusal.message)
    return HttpResponseRedirect(reverse("insights"))


def _person(request: HttpRequest) -> User:
    person = person_of(request)
    if not may_see_devices(person):
        raise PermissionDenied(_("Your role does not allow this."))
    return person
