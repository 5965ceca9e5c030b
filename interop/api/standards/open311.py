"""Open311 GeoReport v2: residents' applications send complaints to the municipality and ask what became of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import Invalid
from incidents.models import Incident, IncidentType
from interop import precision
from interop.api.authentication import KeyAuthentication
from interop.api.intake import idempotency_key_of
from interop.api.reads import on_record
from interop.api.standards.kit import KeyAsPassword, SmallFormParser, StandardView, answer, here
from interop.messages.fields import Instant
from interop.models import InboxMessage, Kind, PartnerKey, Scope
from interop.services import Outcome
from interop.services.complaints import file_complaint
from interop.standards import open311

TAGS = ["standards"]
MOST_REQUESTS = 1_000
LONGEST_SPAN = timedelta(days=90)
FORMATS = {"json": "application/json; charset=utf-8", "xml": "text/xml; charset=utf-8"}
_JURISDICTION = OpenApiParameter("jurisdiction_id", str, description="The region's code; may be left out.")


_ROWS = {"type": "array", "items": {"type": "object", "additionalProperties": {}}}
_ERROR = {
    "type": "object",
    "properties": {"code": {"type": "integer"}, "description": {"type": "string"}},
    "required": ["code", "description"],
}


class Open311View(StandardView):
    """Answers and refusals in the form the address ends with."""

    authentication_classes = [KeyAuthentication, KeyAsPassword]
    takes_key_parameter = True
    people_may_read = False
    scope = Scope.INCIDENTS_READ
    # The standard's own form of a refusal, in place of problem+json.
    problem_content = {
        "application/json": {"schema": {"type": "array", "items": _ERROR}},
        "text/xml": {"schema": {"type": "string"}},
        # of an address that is none: in no form we know
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
    }

    def said(self, name: str, rows: Any, *, status: int = 200) -> HttpResponse:
        form = self.form
        return answer(open311.as_json(rows) if form == "json" else open311.as_xml(name, rows), FORMATS[form], status=status)

    @property
    def form(self) -> str:
        return str(self.kwargs.get("form", "json"))

    def handle_exception(self, exc: Exception) -> Any:
        problem: Response = super().handle_exception(exc)
        told = problem.data if isinstance(problem.data, dict) else {}
        sentences = [f"{error['field']}: {error['detail']}" for error in told.get("errors", ())] or [str(told.get("detail", ""))]
        status = 400 if problem.status_code == 422 else problem.status_code
        refused = self.said("errors", open311.errors(status, sentences), status=status)
        for name in ("WWW-Authenticate", "Retry-After"):
            if name in problem.headers:
                refused[name] = problem.headers[name]
        return refused

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        wanted = request.query_params.get("jurisdiction_id")
        if wanted and wanted != self.key.partner.region.code:
            raise Http404

    @property
    def key(self) -> PartnerKey:
        assert isinstance(self.request.auth, PartnerKey)
        return self.request.auth

    def services(self) -> Any:
        """What may be complained about: the types of municipal service."""
        return IncidentType.objects.filter(category="service", is_active=True, is_reviewed=True).order_by("code")

    def complaints(self) -> Any:
        rows = Incident.objects.visible_to(self.key).filter(type__in=self.services())
        return rows.select_related("region", "type", "agency", "area").defer("search", "area__boundary")

    def told(self, rows: list[Incident]) -> list[dict[str, Any]]:
        on_record(self.request, rows, door="open311")
        how = precision.precision_of(self.key)
        points = [(row.location.x, row.location.y) if row.location else None for row in rows]
        labels = [(row.area.label_point.x, row.area.label_point.y) if row.area else None for row in rows]
        places = precision.told(points, [row.region.metric_srid for row in rows], labels, how)
        exact = precision.is_exact(self.key)
        return [open311.request(row, place, exact=exact) for row, place in zip(rows, places, strict=True)]


class Discovery(Open311View):
    @extend_schema(
        operation_id="open311_discovery", tags=TAGS, summary="Open311: where it is and in which forms", responses=OpenApiTypes.OBJECT
    )
    def get(self, request: Request, form: str) -> HttpResponse:
        root = here(request) + request.path.rpartition("/")[0]
        return self.said("discovery", open311.discovery(root, datetime(2026, 11, 1, tzinfo=UTC), here(request)))


class Services(Open311View):
    @extend_schema(
        operation_id="open311_services", tags=TAGS, summary="Open311: what may be complained about", parameters=[_JURISDICTION],
        responses={200: _ROWS},
    )  # fmt: skip
    def get(self, request: Request, form: str) -> HttpResponse:
        return self.said("services", [open311.service(type) for type in self.services()])


class ServiceDefinition(Open311View):
    @extend_schema(
        operation_id="open311_service", tags=TAGS, summary="Open311: what a service asks for", parameters=[_JURISDICTION],
        responses=OpenApiTypes.OBJECT,
    )  # fmt: skip
    def get(self, request: Request, code: str, form: str) -> HttpResponse:
        type = self.services().filter(code=code).first()
        if type is None:
            raise Http404
        return self.said("service_definition", open311.definition(type))


class FiledSerializer(serializers.Serializer[Any]):
    """A resident's report as the standard names its fields. Names, telephone and e-mail are not kept."""

    service_code = serializers.CharField()
    lat = serializers.FloatField(required=False)
    long = serializers.FloatField(required=False)
    address_string = serializers.CharField(required=False)
    address_id = serializers.CharField(required=False)
    description = serializers.CharField(required=False)
    media_url = serializers.CharField(required=False)
    api_key = serializers.CharField(required=False, help_text="The partner key, where no header carries it.")


class Requests(Open311View):
    parser_classes = [SmallFormParser]
    max_body_bytes = 512 * 1024

    @property
    def asked_scope(self) -> Scope:
        return Scope.INCIDENTS_WRITE if self.request.method == "POST" else Scope.INCIDENTS_READ

    def check_permissions(self, request: Request) -> None:
        self.scope = self.asked_scope
        super().check_permissions(request)

    @extend_schema(
        operation_id="open311_requests",
        tags=TAGS,
        summary="Open311: complaints, newest first, of the last 90 days where no span is asked for",
        parameters=[
            _JURISDICTION,
            OpenApiParameter("service_request_id", str, description="These alone, separated by commas."),
            OpenApiParameter("service_code", str, description="Of these services, separated by commas."),
            OpenApiParameter("start_date", str, description="Reported at or after it."),
            OpenApiParameter("end_date", str, description="Reported at or before it; at most 90 days later."),
            OpenApiParameter("status", str, description="open, closed, or both separated by a comma."),
        ],
        responses={200: _ROWS},
    )
    def get(self, request: Request, form: str) -> HttpResponse:
        asked, rows = request.query_params, self.complaints()
        if ids := _words(asked.get("service_request_id", "")):
            found = [incident for ref in ids[:MOST_REQUESTS] for incident in rows.by_ref(ref)[:1]]
            return self.said("service_requests", self.told(found))
        if codes := _words(asked.get("service_code", "")):
            rows = rows.filter(type__code__in=codes)
        states = set(_words(asked.get("status", "")))
        if states - {"open", "closed"}:
            raise ParseError(_("The parameter “%(name)s” cannot be read.") % {"name": "status"})
        if states == {"open"}:
            rows = rows.open()
        elif states == {"closed"}:
            rows = rows.exclude(pk__in=rows.open().values("pk"))
        begin, end = self.span()
        rows = rows.filter(reported_at__gte=begin, reported_at__lte=end).order_by("-id")
        return self.said("service_requests", self.told(list(rows[:MOST_REQUESTS])))

    def span(self) -> tuple[datetime, datetime]:
        begin, end = (self.time(name) for name in ("start_date", "end_date"))
        end = end or (min(begin + LONGEST_SPAN, timezone.now()) if begin else timezone.now())
        begin = begin or end - LONGEST_SPAN
        if end < begin or end - begin > LONGEST_SPAN:
            raise ParseError(_("From start_date to end_date are at most %(days)d days.") % {"days": LONGEST_SPAN.days})
        return begin, end

    def time(self, name: str) -> datetime | None:
        given = self.request.query_params.get(name)
        if not given:
            return None
        try:
            return Instant().run_validation(given.replace(" ", "+"))
        except serializers.ValidationError as refusal:
            raise ParseError(_("The parameter “%(name)s” cannot be read.") % {"name": name}) from refusal

    @extend_schema(
        operation_id="open311_file_request",
        tags=TAGS,
        summary="Open311: file a complaint; the same again within a day is the one we have",
        request={"application/x-www-form-urlencoded": FiledSerializer},
        responses={201: _ROWS, 200: OpenApiResponse(_ROWS, description="We have it already.")},
    )
    def post(self, request: Request, form: str) -> HttpResponse:
        sent: Any = request.data
        given = {name: str(value) for name, value in sent.items()}
        self.judge(given)
        receipt = file_complaint(key=self.key, given=given, idempotency_key=idempotency_key_of(request))
        if receipt.outcome == Outcome.REJECTED:
            raise Invalid(
                _("Some fields are not right."), fields={fault["field"] or "request": fault["detail"] for fault in receipt.errors}
            )
        if receipt.incident is None:
            assert receipt.message is not None
            return self.said("service_requests", [{"token": str(receipt.message.pk)}], status=202)
        filed = {"service_request_id": receipt.incident.ref, "service_notice": None, "account_id": None}
        return self.said("service_requests", [filed], status=201 if receipt.outcome == Outcome.OPENED else 200)

    def judge(self, given: dict[str, str]) -> None:
        """What the standard asks for: a service we have, and a place in one of three ways."""
        wrong: dict[str, str] = {}
        if not self.services().filter(code=given.get("service_code", "")).exists():
            wrong["service_code"] = _("There is no such service.")
        if bool(given.get("lat")) != bool(given.get("long")):
            wrong["lat"] = _("Give both, or neither.")
        for name, limit in (("lat", 90), ("long", 180)):
            if given.get(name) and not _is_number(given[name], limit):
                wrong[name] = _("This is no number of degrees.")
        if not any(given.get(name, "").strip() for name in ("lat", "address_string", "address_id")):
            wrong["lat"] = _("Say where: lat and long, address_string or address_id.")
        for name, longest in open311.LONGEST.items():
            if len(given.get(name, "")) > longest:
                wrong[name] = _("1 to %(limit)d characters.") % {"limit": longest}
        if wrong:
            raise Invalid(_("Some fields are not right."), fields=wrong)


class OneRequest(Open311View):
    @extend_schema(
        operation_id="open311_request",
        tags=TAGS,
        summary="Open311: one complaint",
        parameters=[_JURISDICTION],
        responses={200: _ROWS},
    )
    def get(self, request: Request, ref: str, form: str) -> HttpResponse:
        found = list(self.complaints().by_ref(ref)[:1])
        if not found:
            raise Http404
        return self.said("service_requests", self.told(found))


class Token(Open311View):
    @extend_schema(
        operation_id="open311_token", tags=TAGS, summary="Open311: which complaint a token became", parameters=[_JURISDICTION],
        responses={200: _ROWS},
    )  # fmt: skip
    def get(self, request: Request, token: str, form: str) -> HttpResponse:
        if not (token.isascii() and token.isdigit() and len(token) <= 18):
            raise Http404
        mine = InboxMessage.objects.visible_to(self.key).filter(kind=Kind.MUNICIPAL_COMPLAINT, source__feed__partner=self.key.partner)
        message = mine.select_related("incident__region").filter(pk=int(token)).first()
        if message is None:
            raise Http404
        known = {"service_request_id": message.incident.ref} if message.incident else {}
        return self.said("service_requests", [{**known, "token": token}])


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _is_number(text: str, limit: float) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and abs(number) <= limit
