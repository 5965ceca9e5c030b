"""How quickly people were reached, and what nobody needed."""

from __future__ import annotations

import csv
import io

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from dashboard.alert_stats import HEAD, context_of, csv_rows, span_of, told
from dashboard.answers import person_of
from dashboard.forecast_csv import plain


def _sees(request: HttpRequest) -> User:
    user = person_of(request)
    if not user.can("see_alerts"):
        raise PermissionDenied(str(_("Your role does not allow this.")))
    return user


@login_required
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/alerts/statistics.html", context_of(_sees(request), span_of(request.GET)))


@login_required
@require_safe
@never_cache
def file(request: HttpRequest) -> HttpResponse:
    span = span_of(request.GET)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    writer.writerows([plain(cell) if isinstance(cell, str) else cell for cell in row] for row in csv_rows(told(_sees(request), span)))
    response = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="alerts-{span}.csv"'
    return response
