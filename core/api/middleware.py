"""The last guard of the API's promise: whatever fails below, an answer under /api/ is a problem in JSON, never a page."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from core.api.errors import plain_problem

API = "/api/"


class ProblemMiddleware:
    """Stands first, so that it also sees what other middleware answers: a refused host, a failed check, a crash."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code < 400 or not request.path.startswith(API):
            return response
        form = response.headers.get("Content-Type", "")
        if "json" in form or "/xml" in form:  # Open311 tells what is wrong in XML
            return response
        sorry = _("Something failed on our side. Nothing was changed.") if response.status_code >= 500 else _("The request is malformed.")
        return plain_problem(request, status=response.status_code, detail=sorry)
