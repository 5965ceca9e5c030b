"""Everything that goes wrong at the API becomes one shape: RFC 9457 problem details. Never HTML, never a stack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"
_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    500: "server_error",
    503: "unavailable",
}


class PayloadTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(_("The body is larger than %(limit)d bytes.") % {"limit": limit_bytes})


class FieldErrorSerializer(serializers.Serializer[Any]):
    """One thing wrong with one field."""

    field = serializers.CharField(
        help_text="The field as it was sent; dots lead into objects, numbers into lists. Empty: the whole message."
    )
    code = serializers.CharField(help_text="A short stable word for programs.")
    detail = serializers.CharField(help_text="A sentence for people, in the language of Accept-Language.")


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem details."""

    type = serializers.CharField(help_text="A URI naming the kind of problem.")
    title = serializers.CharField(help_text="The kind of problem in a few words.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong this time.")
    instance = serializers.CharField(help_text="The address that was asked.")
    request_id = serializers.CharField(help_text="Give it to us when you ask about this.")
    errors = FieldErrorSerializer(many=True, help_text="What is wrong with which field; empty where no field is to blame.")  # type: ignore[assignment]


def problem(
    *, status: int, detail: str, request: Any = None, code: str = "", errors: Iterable[Mapping[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """The body of a problem. ``more`` are members of its own."""
    code = code or _CODES.get(status, "error")
    return {
        "type": f"urn:khareetaty:problem:{code}",
        "title": _title(status),
        "status": status,
        "detail": detail,
        "instance": getattr(request, "path", "") or "",
        "request_id": getattr(request, "request_id", "") or "",
        "errors": [{"field": e["field"], "code": e["code"], "detail": str(e["detail"])} for e in errors],
        **more,
    }


def problem_response(*, headers: Mapping[str, str] | None = None, **facts: Any) -> Response:
    return Response(problem(**facts), status=facts["status"], headers=dict(headers or {}), content_type=CONTENT_TYPE)


def plain_problem(request: HttpRequest, *, status: int, detail: str) -> JsonResponse:
    """A problem outside the REST framework: for addresses that lead nowhere and for what fails before a view is found."""
    return JsonResponse(problem(status=status, detail=detail, request=request), status=status, content_type=CONTENT_TYPE)


def _title(code: int) -> str:
    return {
        400: _("The request cannot be read"),
        401: _("Say who you are"),
        403: _("Not allowed"),
        404: _("Not found"),
        405: _("This address does not do that"),
        406: _("We cannot answer in that form"),
        409: _("It was changed or sent before"),
        413: _("Too large"),
        415: _("We do not read that form"),
        422: _("The content is not right"),
        429: _("Too many requests"),
        503: _("Not available now"),
    }.get(code, _("An error on our side"))
