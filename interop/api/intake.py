"""The agencies' door: one address a kind of message, single and batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import CONTENT_TYPE, ProblemSerializer, problem_response
from core.errors import DomainError
from interop.api.authentication import HasScope, KeyAuthentication
from interop.api.jobs import JobSerializer, job_url
from interop.api.serializers import BatchReceiptSerializer, ReceiptSerializer, incident_url
from interop.api.standards.envelopes import ENVELOPES
from interop.messages import MESSAGES, OF_INCIDENTS
from interop.models import Kind, PartnerKey, Scope
from interop.services import Outcome, Receipt, queue_batch, receive_message, receive_messages
from interop.services.batches import STATUS_OF
from interop.services.letters import canonical_of, faults_of

SINGLE_MAX_BYTES = 2 * 2**20
BATCH_MAX_BYTES = 20 * 2**20
BATCH_MAX_ROWS = 10_000
AT_ONCE_MAX_ROWS = 1_000
_IDEMPOTENCY_KEY = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]{1,100}")


def idempotency_key_of(request: Request) -> str:
    """The header's value, with or without the quotes the draft standard asks for."""
    given = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return ""
    key = given.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise ParseError(_("Idempotency-Key is given once: 1 to 100 visible ASCII characters, without comma or quote."))
    return key


class Intake(APIView):
    """One message of the view's kind."""

    authentication_classes = [KeyAuthentication]
    permission_classes = [HasScope]
    parser_classes: Sequence[type[BaseParser]] = ENVELOPES
    scope = Scope.INCIDENTS_WRITE
    max_body_bytes = SINGLE_MAX_BYTES
    kind: ClassVar[str]

    def post(self, request: Request) -> Response:
        body = request.data
        receipt = receive_message(
            key=_key(request),
            kind=self.kind,
            body=body,
            canonical=getattr(request, "canonical_body", None),
            idempotency_key=idempotency_key_of(request),
        )
        if receipt.outcome == Outcome.REJECTED:
            return problem_response(
                status=422, detail=_("The message was not taken: some fields are not right."), errors=receipt.errors, request=request
            )
        described = describe(receipt, request)
        return Response(described, status=STATUS_OF[receipt.outcome], headers={"Location": described["url"]} if described["url"] else {})


class BatchIntake(Intake):
    """Up to ten thousand messages of the view's kind. Each row stands for itself.

    Up to a thousand are answered at once, unless the caller would rather not wait; more become a job.
    """

    max_body_bytes = BATCH_MAX_BYTES

    def post(self, request: Request) -> Response:
        body = request.data
        rows = body.get("messages") if isinstance(body, dict) else body
        if not isinstance(rows, list) or not 1 <= len(rows) <= BATCH_MAX_ROWS:
            sorry = _("A batch is a list of 1 to %(limit)d messages.") % {"limit": BATCH_MAX_ROWS}
            errors = [{"field": "", "code": "not_a_batch", "detail": sorry}]
            none: dict[str, Any] = dict.fromkeys(map(str, Outcome), 0)
            return problem_response(status=422, detail=sorry, errors=errors, request=request, **none, results=[])
        if len(rows) > AT_ONCE_MAX_ROWS or prefers_no_wait(request):
            return self.queued(request, rows)
        answers = receive_messages(key=_key(request), kind=self.kind, bodies=rows, idempotency_key=idempotency_key_of(request))
        results = [_result(index, answer, request) for index, answer in enumerate(answers)]
        counts = {str(outcome): sum(row["outcome"] == outcome for row in results) for outcome in Outcome}
        if counts["rejected"] == len(results):
            errors = [{**error, "field": f"{row['index']}.{error['field']}".rstrip(".")} for row in results for error in row["errors"]]
            sorry = _("No message of the batch was taken.")
            return problem_response(status=422, detail=sorry, errors=errors, request=request, **counts, results=results)
        return Response({**counts, "results": results}, status=201 if counts["opened"] else 200)

    def queued(self, request: Request, rows: list[Any]) -> Response:
        canonical = getattr(request, "canonical_body", None) or canonical_of(request.data)
        queued = queue_batch(
            key=_key(request), kind=self.kind, bodies=rows, canonical=canonical, idempotency_key=idempotency_key_of(request)
        )
        headers = {"Location": job_url(queued.job, request)}
        if prefers_no_wait(request):
            headers["Preference-Applied"] = "respond-async"
        return Response(JobSerializer(queued.job, context={"request": request}).data, status=202, headers=headers)


def prefers_no_wait(request: Request) -> bool:
    """Whether the caller asks for a job (RFC 7240)."""
    given = request.META.get("HTTP_PREFER", "")
    return any(word.partition(";")[0].strip().lower() == "respond-async" for word in given.split(","))


def _result(index: int, answer: Receipt | DomainError, request: Request) -> dict[str, Any]:
    if isinstance(answer, DomainError):
        row = {"index": index, "status": answer.status, "outcome": "rejected", "ref": "", "url": "", "message_id": ""}
        return {**row, "errors": faults_of(answer)}
    said = describe(answer, request)
    return {
        "index": index,
        "status": STATUS_OF[answer.outcome],
        "outcome": said["outcome"],
        "ref": said["ref"],
        "url": said["url"],
        "message_id": said["message"]["message_id"],
        "errors": answer.errors,
    }


def _key(request: Request) -> PartnerKey:
    assert isinstance(request.auth, PartnerKey)
    return request.auth


def describe(receipt: Receipt, request: Request) -> dict[str, Any]:
    incident, message = receipt.incident, receipt.message
    return {
        "outcome": str(receipt.outcome),
        "ref": incident.ref if incident else "",
        "url": incident_url(incident, request) if incident else "",
        "state": incident.state if incident else "",
        "message": {
            "id": message.pk if message else None,
            "message_id": message.message_id if message else "",
            "status": message.status if message else "rejected",
        },
    }


class BatchProblemSerializer(BatchReceiptSerializer, ProblemSerializer):
    """A batch of which no row was taken."""


_HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": r"^[\x21\x23-\x2b\x2d-\x7e]{1,100}$"},
    OpenApiParameter.HEADER,
    description="Makes a repeat safe where the message has no id of its own: 1 to 100 visible ASCII characters, no comma, no quote.",
)

_PREFER = OpenApiParameter("Prefer", str, OpenApiParameter.HEADER, description="`respond-async`: answer with a job at once (RFC 7240).")


def intake_views() -> list[tuple[str, type[Intake], type[BatchIntake]]]:
    """A pair of views for every kind that opens incidents, each documented with its own fields."""
    return [(kind.value, _single(kind), _batch(kind)) for kind in OF_INCIDENTS]


def _single(kind: Kind) -> type[Intake]:
    message = MESSAGES[kind]
    view = type(f"{message.__name__}Intake", (Intake,), {"kind": kind.value, "__doc__": Intake.__doc__})
    example = OpenApiExample(kind.value, value=message.example, request_only=True)
    location = OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[200, 201], description="The incident's address.")
    documented = extend_schema(
        operation_id=f"send_{kind.value.replace('-', '_')}",
        tags=["ingest"],
        summary=f"Send one message: {kind.value}",
        description=f"{(message.__doc__ or '').strip()}\n\nA repeat (the same id or Idempotency-Key, the same content) is answered with "
        "the same incident. A message that is not right is refused with every field named, and kept so that it can be corrected: "
        "send it again under the same id. Fields not named here are kept with the report and change nothing. A CloudEvents 1.0 "
        "envelope round the message is accepted too: structured (application/cloudevents+json) or binary (ce- headers).",
        parameters=[_HEADER, location],
        request={"application/json": message},
        examples=[example],
        responses={
            201: OpenApiResponse(ReceiptSerializer, description="An incident was opened."),
            200: OpenApiResponse(ReceiptSerializer, description="We have this message already: the incident it opened."),
            202: OpenApiResponse(
                ReceiptSerializer, description="Kept safely; something failed on our side and it will be processed shortly."
            ),
        },
    )
    return extend_schema_view(post=documented)(view)


def _batch(kind: Kind) -> type[BatchIntake]:
    message = MESSAGES[kind]
    view = type(f"{message.__name__}BatchIntake", (BatchIntake,), {"kind": kind.value, "__doc__": BatchIntake.__doc__})
    rows = {
        "type": "array",
        "minItems": 1,
        "maxItems": BATCH_MAX_ROWS,
        "items": {"$ref": f"#/components/schemas/{message.__name__}Request"},
    }
    documented = extend_schema(
        operation_id=f"send_{kind.value.replace('-', '_')}_batch",
        tags=["ingest"],
        summary=f"Send up to {BATCH_MAX_ROWS:,} messages: {kind.value}",
        description="Each row stands for itself: the good ones go in, the others are named by index and field.\n\n"
        f"Up to {AT_ONCE_MAX_ROWS:,} rows are answered at once: 201 where at least one incident was opened, 200 where every row taken "
        "was a repeat, 422 where no row was taken. More rows, or any with `Prefer: respond-async`, are kept safely and answered with 202 "
        "and a job, which says how far it is and what became of each row. An Idempotency-Key then stands for the whole batch: the same "
        "body gives the same job, another one 409.\n\n"
        f"A body comes as it is or with `Content-Encoding: gzip`: at most {settings.API_MAX_BYTES >> 20} MiB as sent and "
        f"{BATCH_MAX_BYTES >> 20} MiB when read.",
        parameters=[_HEADER, _PREFER],
        request={"application/json": rows},
        examples=[OpenApiExample(kind.value, value=[message.example], request_only=True)],
        responses={
            201: OpenApiResponse(BatchReceiptSerializer, description="At least one incident was opened."),
            200: OpenApiResponse(BatchReceiptSerializer, description="Nothing new: every row taken was a repeat."),
            202: OpenApiResponse(JobSerializer, description="Kept safely; the job takes it in."),
            (422, CONTENT_TYPE): OpenApiResponse(BatchProblemSerializer, description="No row was taken."),
        },
    )
    return extend_schema_view(post=documented)(view)
