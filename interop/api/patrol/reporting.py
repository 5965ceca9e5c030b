"""The patrol report for machines: every figure as it was counted."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from interop.api.authentication import viewer_of
from interop.api.patrol.measuring import WHERE, Measuring
from patrol.services.report import Report, patrol_report


class ReportFigureSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    value = serializers.FloatField(allow_null=True, help_text="Null: not known.")
    unit = serializers.CharField(help_text="count, seconds, metres, share (of 1), decimal, instant (seconds since 1970).")


class ReportLineSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(allow_blank=True)
    name = serializers.CharField(allow_blank=True)
    figures = ReportFigureSerializer(many=True)


class ReportPartSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="plans, stops, dosage, coverage, response, workload, tasks, driving, safety.")
    figures = ReportFigureSerializer(many=True)
    lines = ReportLineSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField(), help_text="What is missing, or how to read it, in a word.")


class PatrolReportSerializer(serializers.Serializer[Report]):
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code")
    first = serializers.DateField(source="window.first")
    last = serializers.DateField(source="window.last")
    made_at = serializers.DateTimeField()
    is_synthetic = serializers.BooleanField()
    parts = ReportPartSerializer(many=True)


class PatrolReportView(Measuring):
    serializer_class = PatrolReportSerializer

    @extend_schema(
        operation_id="read_patrol_report",
        tags=["patrol"],
        summary="What came of patrol: plans, stops, dosage, gaps, response, workload, work, driving, safety",
        parameters=WHERE,
        responses=PatrolReportSerializer,
    )
    def get(self, request: Request) -> Response:
        agency, governorate = self.agency(), self.governorate()
        now = timezone.now()
        days = self.window(governorate, now)
        made = patrol_report(viewer=viewer_of(request), agency=agency, governorate=governorate, window=days, now=now)
        return Response(self.get_serializer(made).data)
