"""Trials for machines: the design, the draw, the seal, the effect. Keys read; drawing and sealing are for people, by their session."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Moment
from core.api.paging import NewestFirst
from interop.api.authentication import HasScope, viewer_of
from interop.api.patrol.measuring import WHERE, Measuring, WatchesUnits
from interop.api.trust import WritingIsForPeople
from patrol.models import Trial, TrialCell
from patrol.services.trials import Design, draw_trial, due_at, report_trial, seal_holds, seal_trial, stop_trial

MAX_PK = 2**63 - 1


class TrialCellSerializer(serializers.Serializer[TrialCell]):
    column = serializers.IntegerField()
    row = serializers.IntegerField()
    arm = serializers.ChoiceField(choices=TrialCell.Arm.choices)
    stratum = serializers.IntegerField(allow_null=True)
    baseline_count = serializers.IntegerField(help_text="Incidents in the days before the draw.")


class TrialSerializer(serializers.Serializer[Trial]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    hypothesis = serializers.CharField()
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code")
    category = serializers.CharField(help_text="Empty: all that may be modelled.")
    state = serializers.ChoiceField(choices=Trial.State.choices)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    due_at = serializers.SerializerMethodField()
    baseline_days = serializers.IntegerField()
    holdout_share = serializers.FloatField()
    strata = serializers.IntegerField()
    buffer_cells = serializers.IntegerField()
    seed = serializers.CharField(help_text="A whole number.")
    srid = serializers.IntegerField()
    origin_x_m = serializers.FloatField()
    origin_y_m = serializers.FloatField()
    cell_m = serializers.FloatField()
    sealed_at = serializers.DateTimeField(allow_null=True)
    sealed_sha256 = serializers.CharField()
    is_synthetic = serializers.BooleanField()

    @extend_schema_field(serializers.DateTimeField(help_text="When the effect is counted: two days after the end."))
    def get_due_at(self, trial: Trial) -> Any:
        return due_at(trial)


class TrialDetailSerializer(TrialSerializer):
    seal_holds = serializers.SerializerMethodField()
    cells = TrialCellSerializer(many=True)
    report = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["object", "null"], "description": "The effect, once it is counted; null before."})
    def get_report(self, trial: Trial) -> dict[str, Any] | None:
        return trial.report

    @extend_schema_field(serializers.BooleanField(allow_null=True, help_text="Whether the tables hold what was sealed; null: no seal."))
    def get_seal_holds(self, trial: Trial) -> bool | None:
        return seal_holds(trial) if trial.sealed_at else None


class TrialRequestSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    hypothesis = serializers.CharField(max_length=2_000)
    category = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")
    starts_at = Moment()
    ends_at = Moment()
    cells = serializers.IntegerField(required=False, default=60)
    holdout_share = serializers.FloatField(required=False, default=0.5)
    strata = serializers.IntegerField(required=False, default=4)
    buffer_cells = serializers.IntegerField(required=False, default=1)
    baseline_days = serializers.IntegerField(required=False, default=90)


class TrialStopSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400)


class Trials(Measuring):
    permission_classes = [HasScope, WritingIsForPeople, WatchesUnits]
    serializer_class: Any = TrialSerializer

    def rows(self) -> Any:
        rows = Trial.objects.visible_to(viewer_of(self.request)).select_related("region", "agency", "governorate")
        return rows.defer("governorate__boundary")

    def one(self, pk: int) -> Trial:
        found: Trial | None = self.rows().filter(pk=min(pk, MAX_PK)).first()
        if found is None:
            raise Http404
        return found


class TrialList(Trials):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_trials", tags=["patrol"], summary="List the trials, newest first", responses=TrialSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.rows().order_by("-id"))
        return self.get_paginated_response(TrialSerializer(page, many=True).data)

    @extend_schema(
        operation_id="draw_trial", tags=["patrol"], summary="Draw a trial as a draft (people only)",
        parameters=[OpenApiParameter(one.name, str, description=one.description) for one in WHERE[:2]],
        request=TrialRequestSerializer, responses={201: TrialDetailSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = TrialRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        design = Design(**given.validated_data)
        made = draw_trial(governorate=self.governorate(), agency=self.agency(), by=request.user, design=design, now=timezone.now())  # type: ignore[arg-type]
        return Response(TrialDetailSerializer(self.one(made.pk)).data, status=201)


class TrialDetail(Trials):
    @extend_schema(
        operation_id="read_trial", tags=["patrol"], summary="One trial with its cells, its seal and its effect",
        responses=TrialDetailSerializer,
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        return Response(TrialDetailSerializer(self.one(pk)).data)


class TrialSeal(Trials):
    @extend_schema(
        operation_id="seal_trial", tags=["patrol"], summary="Seal a draft somebody else drew (people only)", request=None,
        responses=TrialDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        seal_trial(trial=self.one(pk), by=request.user, now=timezone.now())  # type: ignore[arg-type]
        return Response(TrialDetailSerializer(self.one(pk)).data)


class TrialStop(Trials):
    @extend_schema(
        operation_id="stop_trial", tags=["patrol"], summary="Put a draft away, or stop a sealed trial (people only)",
        request=TrialStopSerializer, responses=TrialDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        given = TrialStopSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        stop_trial(trial=self.one(pk), by=request.user, reason=given.validated_data["reason"], now=timezone.now())  # type: ignore[arg-type]
        return Response(TrialDetailSerializer(self.one(pk)).data)


class TrialReport(Trials):
    @extend_schema(
        operation_id="report_trial", tags=["patrol"], summary="Count the effect of a trial that is over (people only)", request=None,
        responses=TrialDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        report_trial(trial=self.one(pk), by=request.user, now=timezone.now())  # type: ignore[arg-type]
        return Response(TrialDetailSerializer(self.one(pk)).data)
