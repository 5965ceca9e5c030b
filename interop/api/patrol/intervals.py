"""Response intervals: P50, P90, share within target, holes."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Agency
from core.api.fields import Moment
from geography.models import Zone
from incidents.models import IncidentType
from interop.api.patrol.force_kit import ForceView, PlaceAskedSerializer
from patrol.analytics.intervals import INTERVALS
from patrol.services.intervals import GROUPINGS, Group, interval_report


class IntervalSerializer(serializers.Serializer[Any]):
    interval = serializers.ChoiceField(choices=INTERVALS)
    n = serializers.IntegerField(help_text="How many are known.")
    missing = serializers.IntegerField(help_text="Unknown: nobody told.")
    contradictory = serializers.IntegerField(help_text="Unknown: the times contradict each other.")
    p50_s = serializers.FloatField(allow_null=True)
    p90_s = serializers.FloatField(allow_null=True)
    total_s = serializers.FloatField()
    target_s = serializers.FloatField(allow_null=True, help_text="Empty where none is set, or several are mixed.")
    within = serializers.IntegerField(allow_null=True)
    share = serializers.FloatField(allow_null=True, help_text="Of what is known, within each incident's own target.")
    is_few = serializers.BooleanField()


class IntervalGroupSerializer(serializers.Serializer[Group]):
    key = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    incidents = serializers.IntegerField()
    sendings = serializers.IntegerField()
    intervals = serializers.SerializerMethodField()

    @extend_schema_field(IntervalSerializer(many=True))
    def get_intervals(self, group: Group) -> Any:
        return IntervalSerializer([{"interval": name, **vars(group.intervals[name])} for name in INTERVALS], many=True).data


class IntervalReportSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    by = serializers.ChoiceField(choices=GROUPINGS)
    is_synthetic = serializers.BooleanField()
    whole = IntervalGroupSerializer()
    groups = IntervalGroupSerializer(many=True)


class IntervalsAskedSerializer(PlaceAskedSerializer):
    start = Moment(help_text="Incidents reported from here on.")
    end = Moment(help_text="Up to here, without.")
    by = serializers.ChoiceField(choices=GROUPINGS, required=False, default="priority")
    priority = serializers.IntegerField(required=False, min_value=1, max_value=5)
    type = serializers.SlugField(required=False, max_length=64, help_text="Its code.")


class IntervalsView(ForceView):
    serializer_class = IntervalReportSerializer
    pagination_class = None

    @extend_schema(
        operation_id="response_intervals", tags=["patrol"],
        summary="Queue, turnout, travel, response, on-scene intervals and units' time, against the targets",
        parameters=[IntervalsAskedSerializer], responses=IntervalReportSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(IntervalsAskedSerializer)
        rows: dict[str, Any] = {
            "agency": Agency.objects.filter(slug=asked.pop("agency", None)),
            "governorate": Zone.objects.level(Zone.Level.GOVERNORATE).filter(code=asked.pop("governorate", None)).order_by("-is_active"),
            "type": IncidentType.objects.filter(code=asked.pop("type", None)),
        }
        named = {name: found.first() for name, found in rows.items() if request.query_params.get(name)}
        if None in named.values():
            raise Http404
        return Response(IntervalReportSerializer(interval_report(viewer=self.viewer, **asked, **named)).data)
