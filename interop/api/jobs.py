"""Batches that were answered with a job: how far it is, what became of each row, and an end to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.http import Http404, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from core.api.errors import FieldErrorSerializer
from core.api.paging import NewestFirst
from incidents.services.importing.rejects import guarded
from interop.api.authentication import HasScope, KeyAuthentication
from interop.api.serializers import incident_url
from interop.models import BatchJob, BatchRow, InboxMessage, Kind, PartnerKey, Scope
from interop.services import Outcome, cancel_batch
from interop.services.batches import CANCELLED

MAX_PK = 2**63 - 1
WAITING = "waiting"
OUTCOMES = [*map(str, Outcome), CANCELLED, WAITING]
COLUMNS = ["index", "status", "outcome", "ref", "message_id", "message_status", "errors"]


class JobSerializer(serializers.Serializer[BatchJob]):
    """A batch on its way in."""

    id = serializers.IntegerField()
    url = serializers.SerializerMethodField()
    results_url = serializers.SerializerMethodField(help_text="What became of each row so far.")
    kind = serializers.ChoiceField(choices=Kind.choices)
    state = serializers.ChoiceField(choices=BatchJob.State.choices)
    total = serializers.IntegerField(help_text="Rows of the batch.")
    done = serializers.IntegerField(help_text="Rows that are settled, one way or the other.")
    progress = serializers.SerializerMethodField(help_text="`done` of `total`, 0 to 1.")
    opened = serializers.IntegerField()
    repeated = serializers.IntegerField()
    rejected = serializers.IntegerField()
    kept = serializers.IntegerField(help_text="Failed on our side and kept in the inbox, which tries again.")
    cancelled = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_url(self, job: BatchJob) -> str:
        return job_url(job, self.context.get("request"))

    def get_results_url(self, job: BatchJob) -> str:
        return str(reverse("api-job-results", kwargs={"pk": job.pk}, request=self.context.get("request")))

    def get_progress(self, job: BatchJob) -> float:
        return round(job.done / job.total, 4) if job.total else 1.0


class JobRowSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Which row, counted from 0.")
    status = serializers.IntegerField(
        allow_null=True, help_text="What a single message would have been answered with; null while it waits or when it was cancelled."
    )
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    ref = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True)
    message_id = serializers.CharField(allow_blank=True)
    message_status = serializers.CharField(allow_blank=True, help_text="How the message stands in the inbox now.")
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]


class JobResultsSerializer(serializers.Serializer[Any]):
    job = JobSerializer()
    results = JobRowSerializer(many=True)


class ByKeys(BasePermission):
    """A job belongs to the key that sent it: people see jobs in the command centre."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, PartnerKey)


def job_url(job: BatchJob, request: Any) -> str:
    return str(reverse("api-job", kwargs={"pk": job.pk}, request=request))


class Jobs(GenericAPIView[BatchJob]):
    authentication_classes = [KeyAuthentication]
    permission_classes = [HasScope, ByKeys]
    scope = Scope.INCIDENTS_WRITE
    serializer_class = JobSerializer
    queryset = BatchJob.objects.none()

    def found(self, pk: int) -> BatchJob:
        job = BatchJob.objects.visible_to(self.request.auth).filter(pk=min(pk, MAX_PK)).first()
        if job is None:
            raise Http404
        return job

    def told(self, job: BatchJob) -> Any:
        return JobSerializer(job, context={"request": self.request}).data


class JobList(Jobs):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_jobs", tags=["ingest"], summary="List this key's batch jobs, newest first", responses=JobSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(BatchJob.objects.visible_to(request.auth))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class JobDetail(Jobs):
    pagination_class = None

    @extend_schema(operation_id="read_job", tags=["ingest"], summary="Read a batch job and how far it is", responses=JobSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(self.told(self.found(pk)))


class JobCancel(Jobs):
    pagination_class = None

    @extend_schema(
        operation_id="cancel_job",
        tags=["ingest"],
        summary="Stop a batch job",
        description="Rows that wait are not taken in; what has gone in stays. 409 where the job is finished.",
        request=None,
        responses=JobSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        assert isinstance(request.auth, PartnerKey)
        return Response(self.told(cancel_batch(job=self.found(pk), by=request.auth)))


_OUTCOME = OpenApiParameter("outcome", str, enum=OUTCOMES, description="Only rows of this outcome.")


class JobResults(Jobs):
    pagination_class = None

    @extend_schema(
        operation_id="read_job_results",
        tags=["ingest"],
        summary="Read what became of each row of a batch job",
        parameters=[_OUTCOME],
        responses=JobResultsSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        job = self.found(pk)
        return Response({"job": self.told(job), "results": [_row(row, request) for row in _rows(job, request)]})


class JobResultsCsv(Jobs):
    pagination_class = None

    @extend_schema(
        operation_id="read_job_results_csv",
        tags=["ingest"],
        summary="The same rows as CSV",
        parameters=[_OUTCOME],
        responses={(200, "text/csv"): OpenApiResponse(str, description=", ".join(COLUMNS))},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        job = self.found(pk)
        response = StreamingHttpResponse(_lines(_rows(job, request), request), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="job-{job.pk}.csv"'
        return response


def _rows(job: BatchJob, request: Request) -> Any:
    rows = BatchRow.objects.filter(job=job).order_by("index").select_related("message", "incident__region").defer(
        "body", "message__body", "incident__description", "incident__search"
    )  # fmt: skip
    outcome = request.query_params.get("outcome")
    if outcome is None:
        return rows
    if outcome not in OUTCOMES:
        raise ValidationError({"outcome": [_("Choose of: %(states)s.") % {"states": ", ".join(OUTCOMES)}]})
    return rows.filter(outcome="" if outcome == WAITING else outcome)


def _row(row: BatchRow, request: Request) -> dict[str, Any]:
    message: InboxMessage | None = row.message
    # A message that was kept may have gone in meanwhile; the inbox knows.
    incident = row.incident or (message.incident if message is not None and row.outcome == Outcome.KEPT else None)
    return {
        "index": row.index,
        "status": row.status,
        "outcome": row.outcome or WAITING,
        "ref": incident.ref if incident else "",
        "url": incident_url(incident, request) if incident else "",
        "message_id": message.message_id if message else "",
        "message_status": message.status if message else "",
        "errors": row.errors,
    }


def _lines(rows: Any, request: Request) -> Iterator[str]:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for found in rows.iterator(chunk_size=1_000):
        said = _row(found, request)
        said["errors"] = "; ".join(f"{error['field']}: {error['detail']}".strip(": ") for error in said["errors"])
        table.writerow([guarded(said[name]) if isinstance(said[name], str) else said[name] for name in COLUMNS])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()
