"""The one place where an exception becomes an answer."""

from __future__ import annotations

import logging
from typing import Any

from django.core import signals
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from core.api.errors import problem_response
from core.errors import DomainError

logger = logging.getLogger("khareetaty.api")


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """The one place where an exception becomes an answer."""
    request = context["request"]
    set_rollback()
    if isinstance(exc, DomainError):
        errors = [{"field": name, "code": exc.codes.get(name, exc.code), "detail": text} for name, text in exc.fields.items()]
        headers = {"Retry-After": str(exc.retry_after_s)} if exc.retry_after_s is not None else {}
        return problem_response(status=exc.status, code=exc.code, detail=exc.message, errors=errors, request=request, headers=headers)
    if isinstance(exc, exceptions.APIException):
        return _from_framework(exc, request)
    if isinstance(exc, Http404):
        return problem_response(status=404, detail=_("There is nothing here."), request=request)
    if isinstance(exc, PermissionDenied):
        return problem_response(status=403, detail=_("You may not do this."), request=request)
    if isinstance(exc, RequestDataTooBig):
        return problem_response(status=413, detail=_("The body is too large."), request=request)
    if isinstance(exc, SuspiciousOperation):
        return problem_response(status=400, detail=_("The request is malformed."), request=request)
    # Ours to mend: told to whoever watches, and to the caller without a word of how.
    logger.error("%s %s failed", getattr(request, "method", ""), getattr(request, "path", ""), exc_info=exc)
    signals.got_request_exception.send(sender=None, request=getattr(request, "_request", None))
    if isinstance(exc, OperationalError | InterfaceError):
        sorry = _("The database does not answer. Try again shortly.")
        return problem_response(status=503, detail=sorry, request=request, headers={"Retry-After": "5"})
    return problem_response(status=500, detail=_("Something failed on our side. Nothing was changed."), request=request)


def _from_framework(exc: exceptions.APIException, request: Any) -> Response:
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if accepted := getattr(exc, "accept_encoding", None):
        headers["Accept-Encoding"] = accepted
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if isinstance(exc, exceptions.ValidationError):
        errors = field_errors(exc)
        return problem_response(
            status=422, code="invalid", detail=_("Some fields are not right."), errors=errors, request=request, headers=headers
        )
    code = exc.get_codes()
    detail = exc.detail if isinstance(exc.detail, str) else str(exc.default_detail)
    return problem_response(
        status=exc.status_code, code=code if isinstance(code, str) else "", detail=str(detail), request=request, headers=headers
    )


def field_errors(exc: exceptions.ValidationError) -> list[dict[str, str]]:
    """``[{field, code, detail}]``; nested fields are joined by dots."""
    whole = ("non_field_errors", "")
    return [
        {"field": "" if (e.attr or "") in whole else str(e.attr).removesuffix(".non_field_errors"), "code": e.code, "detail": str(e.detail)}
        for e in flatten_errors(exc.detail)
    ]
