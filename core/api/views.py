"""The API's own pages: what answers where nothing is, and the documents people read."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from core.api.errors import plain_problem


@csrf_exempt
def nothing_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    hint = _("There is nothing at this address.")
    if rest.endswith("/"):
        hint = _("There is nothing at this address. Addresses of the API end without a slash.")
    return plain_problem(request, status=404, detail=hint)


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    return render(request, "api/swagger.html")


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "api/redoc.html")
