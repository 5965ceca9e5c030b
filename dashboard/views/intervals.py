"""Response times: the page and its file."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import User
from dashboard.intervals import BY, as_csv, asked_of, report_of, tables
from dashboard.patrol_scope import scope_of
from incidents.lifecycle import Priority


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    user = _reader(request)
    scope = scope_of(request)
    asked = asked_of(request.GET, scope.governorate.region)
    report, problem = report_of(asked, user, agency=scope.agency, governorate=scope.governorate if "governorate" in request.GET else None)
    context = {
        "scope": scope, "asked": asked, "report": report, "problem": problem, "tables": tables(report) if report is not None else [],
        "groupings": BY.items(), "priorities": Priority.choices, "query": f"{scope.query}&{asked.query}" if "governorate" in request.GET
        else f"agency={scope.agency.slug}&{asked.query}",
    }  # fmt: skip
    response = render(request, "dashboard/patrol/intervals.html", context, status=422 if problem else 200)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_safe
def file(request: HttpRequest) -> HttpResponse:
    """The same figures as CSV."""
    user = _reader(request)
    scope = scope_of(request)
    asked = asked_of(request.GET, scope.governorate.region)
    report, problem = report_of(asked, user, agency=scope.agency, governorate=scope.governorate if "governorate" in request.GET else None)
    if report is None:
        return HttpResponse(problem, status=422, content_type="text/plain; charset=utf-8")
    response = HttpResponse("\ufeff" + as_csv(report), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="response-times-{asked.start}-{asked.end}.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    if not request.user.can("watch_units"):
        raise PermissionDenied(_("Your role does not allow this."))
    return request.user
