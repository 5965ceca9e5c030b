"""The runs of the analytics, as programs read them; people ask for one and stop one by their session."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from core.api.fields import Day
from core.api.paging import NewestFirst
from incidents.models import PipelineRun
from incidents.services import pipeline
from incidents.services.pipeline.kinds import KINDS
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import PartnerKey, Scope

MAX_PK = 2**63 - 1


class StepSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="`kind:region` or `kind:region:part`.")
    kind = serializers.CharField()
    region = serializers.CharField(source="region_code")
    part = serializers.CharField(help_text="Empty where the kind is one step.")
    status = serializers.ChoiceField(choices=PipelineRun.Status.choices)
    attempts = serializers.IntegerField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    counts = serializers.DictField(help_text="The step's own figures; `from` and `to` are its data window.")
    error = serializers.SerializerMethodField(help_text="Its words for those who may run the analytics, else only that there is one.")

    def get_error(self, step: Any) -> str:
        return step.error if self.context.get("sees_errors") or not step.error else "failed"


class RunSerializer(serializers.Serializer[PipelineRun]):
    id = serializers.IntegerField()
    key = serializers.CharField()
    status = serializers.ChoiceField(choices=PipelineRun.Status.choices)
    as_of = serializers.DateTimeField(help_text="Nothing at or after it was read.")
    requested_at = serializers.DateTimeField(source="started_at")
    began_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    late_at = serializers.DateTimeField(allow_null=True, help_text="When a nightly run was found late; at most once.")
    seconds = serializers.FloatField(allow_null=True, help_text="By the clock, from beginning to end.")
    code_version = serializers.CharField()
    parameters = serializers.DictField()
    counts = serializers.DictField()


class RunDetailSerializer(RunSerializer):
    steps = serializers.SerializerMethodField(help_text="Those of regions the caller may see.")

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, run: PipelineRun) -> Any:
        steps = run.steps.visible_to(self.context["viewer"])
        return StepSerializer(steps, many=True, context=self.context).data


class RunRequestSerializer(serializers.Serializer[Any]):
    """Everything from now, unless less is asked for."""

    as_of = Day(required=False, allow_null=True, help_text="Look from the start of this day, on each region's clock.")
    regions = serializers.ListField(child=serializers.CharField(max_length=16), required=False, allow_empty=False, max_length=50)
    only = serializers.ListField(child=serializers.ChoiceField(choices=sorted(KINDS)), required=False, allow_empty=False, max_length=50)


class CancelSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=400, default="")


class ByPeople(BasePermission):
    """Reading is for keys with the scope and for people; asking and stopping is for people, whose role the service judges."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return True
        self.message = _("Runs are asked for and stopped by people, not by keys.")
        self.code = "person_needed"
        return isinstance(request.user, User) and not isinstance(request.auth, PartnerKey)


class Runs(GenericAPIView[PipelineRun]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, ByPeople]
    scope = Scope.HOTSPOTS_READ
    people_may_read = True
    serializer_class = RunSerializer
    queryset = PipelineRun.objects.none()

    def found(self, pk: int) -> PipelineRun:
        run = PipelineRun.objects.visible_to(viewer_of(self.request)).filter(pk=min(pk, MAX_PK)).first()
        if run is None:
            raise Http404
        return run

    def told(self, run: PipelineRun) -> Any:
        viewer = viewer_of(self.request)
        sees_errors = isinstance(viewer, User) and (viewer.can("run_pipeline") or viewer.can("read_audit"))
        return RunDetailSerializer(run, context={"viewer": viewer, "sees_errors": sees_errors}).data


class RunList(Runs):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_runs",
        tags=["analysis"],
        summary="List runs of the analytics, newest first",
        parameters=[OpenApiParameter("status", str, enum=PipelineRun.Status.values, description="Only runs of this status.")],
        responses=RunSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        runs = PipelineRun.objects.visible_to(viewer_of(request))
        if (status := request.query_params.get("status")) is not None:
            if status not in PipelineRun.Status.values:
                raise ValidationError({"status": [_("Choose of: %(states)s.") % {"states": ", ".join(PipelineRun.Status.values)}]})
            runs = runs.filter(status=status)
        page = self.paginate_queryset(runs)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="request_run",
        tags=["analysis"],
        summary="Ask for a run of the analytics (people only)",
        request=RunRequestSerializer,
        responses={202: RunDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        given = RunRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        run = pipeline.request_pipeline_run(by=request.user, **given.validated_data)  # type: ignore[arg-type]
        return Response(self.told(run), status=202)


class RunDetail(Runs):
    pagination_class = None

    @extend_schema(operation_id="read_run", tags=["analysis"], summary="Read one run with its steps", responses=RunDetailSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(self.told(self.found(pk)))


class RunCancel(Runs):
    pagination_class = None

    @extend_schema(
        operation_id="cancel_run",
        tags=["analysis"],
        summary="Stop a run (people only)",
        request=CancelSerializer,
        responses=RunDetailSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        given = CancelSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        run = pipeline.request_cancel(run=self.found(pk), by=request.user, reason=given.validated_data["reason"])  # type: ignore[arg-type]
        return Response(self.told(run))
