"""The patrol report: page, document, file."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from core.version import code_version
from dashboard.patrol_measure import Asked, asked_of, require_verb, streamed
from dashboard.patrol_report import ReportPage, csv_rows
from dashboard.views.trials import as_pdf
from patrol.services.report import Report, patrol_report


def _report(request: HttpRequest) -> tuple[Asked, Report]:
    require_verb(request, "watch_units")
    asked = asked_of(request)
    scope = asked.scope
    made = patrol_report(viewer=request.user, agency=scope.agency, governorate=scope.governorate, window=asked.window, now=timezone.now())
    return asked, made


def _context(asked: Asked, report: Report) -> dict[str, object]:
    return {"asked": asked, "report": report, "page": ReportPage(report, asked.scope.query), "version": code_version()}


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    response = render(request, "dashboard/patrol/report.html", _context(*_report(request)))
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_safe
def document(request: HttpRequest) -> HttpResponse:
    asked, report = _report(request)
    return as_pdf("dashboard/patrol/report_print.html", _context(asked, report), f"{_name(asked)}-{get_language()}.pdf")


@login_required
@require_safe
def as_csv(request: HttpRequest) -> HttpResponseBase:
    asked, report = _report(request)
    response = StreamingHttpResponse(streamed(csv_rows(report)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_name(asked)}.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _name(asked: Asked) -> str:
    code = "".join(letter for letter in asked.scope.governorate.code if letter.isascii() and (letter.isalnum() or letter in "-_"))
    return f"patrol-report-{code}-{asked.window.first}-{asked.window.last}"
