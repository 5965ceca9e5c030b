"""Insights and the health of cameras, as programs and people's tokens read them. A person dismisses an insight; a key cannot."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from interop.api.iot.devices import ById
from interop.api.iot.risk import SeesRisk
from interop.models import PartnerKey
from iot.models import Device, DeviceOutage, Insight
from iot.models.profiles import DeviceKind
from iot.services.cameras import Health, health_of
from iot.services.insights import dismiss_insight
from iot.words import sentence_of

STATES = ("standing", "dismissed", "over")


class InsightSerializer(serializers.Serializer[Any]):
    """Something a person should know of. `code` and `params` say it to programs, `text` to people."""

    id = serializers.IntegerField()
    code = serializers.ChoiceField(choices=Insight.Code.choices)
    text = serializers.SerializerMethodField(help_text="In the language of Accept-Language.")
    weight = serializers.ChoiceField(choices=Insight.Weight.choices)
    params = serializers.DictField()
    evidence = serializers.ListField(child=serializers.DictField(), help_text="Devices, readings with their window, incidents of a zone …")
    zone = serializers.CharField(source="zone.code", allow_null=True, default=None)
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    device = serializers.CharField(source="device.code", allow_null=True, default=None)
    agency = serializers.CharField(source="agency.slug")
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Over by itself, unless it is found again before.")
    ended_at = serializers.DateTimeField(allow_null=True)
    dismissed_at = serializers.DateTimeField(allow_null=True)
    is_synthetic = serializers.BooleanField()

    def get_text(self, row: Insight) -> str:
        return sentence_of(row.code, row.params)


class DismissSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


class CameraSerializer(serializers.Serializer[Any]):
    """How a camera stands: `working`, `away` (nothing heard), `blind` (it says that it sees nothing), `unheard`, `in_maintenance`."""

    code = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    area = serializers.CharField(source="area.code", allow_null=True, default=None)
    lon = serializers.FloatField(source="location.x", allow_null=True, default=None)
    lat = serializers.FloatField(source="location.y", allow_null=True, default=None)
    health = serializers.SerializerMethodField()
    last_seen_at = serializers.DateTimeField(allow_null=True)
    status_since = serializers.DateTimeField(allow_null=True)
    is_synthetic = serializers.BooleanField()

    def get_health(self, camera: Device) -> Health:
        return self.context["health"][camera.pk]


class InsightList(SeesRisk):
    serializer_class = InsightSerializer
    pagination_class = ById

    @extend_schema(
        operation_id="list_insights",
        tags=["sensors"],
        summary="What sensors say that a person should know of",
        parameters=[
            OpenApiParameter("state", str, enum=STATES, description="`standing` where nothing is said."),
            OpenApiParameter("code", str, enum=Insight.Code.values),
        ],
        responses=InsightSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = Insight.objects.visible_to(self.viewer()).for_list()
        state, code = request.query_params.get("state", "standing"), request.query_params.get("code", "")
        problems = {}
        if state not in STATES:
            problems["state"] = [_("Choose of: %(states)s.") % {"states": ", ".join(STATES)}]
        if code and code not in Insight.Code.values:
            problems["code"] = [_("Choose of: %(states)s.") % {"states": ", ".join(Insight.Code.values)}]
        if problems:
            raise ValidationError(problems)
        if state == "standing":
            rows = rows.standing()
        else:
            rows = rows.filter(ended_at__isnull=False) if state == "over" else rows.filter(dismissed_at__isnull=False)
        rows = rows.filter(code=code) if code else rows
        return self.get_paginated_response(InsightSerializer(self.paginate_queryset(rows.order_by("id")), many=True).data)


class InsightDismiss(SeesRisk):
    serializer_class = InsightSerializer

    @extend_schema(
        operation_id="dismiss_insight",
        tags=["sensors"],
        summary="Dismiss an insight: it is not shown again while the same thing goes on",
        request=DismissSerializer,
        responses=InsightSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        viewer = self.viewer()
        if isinstance(viewer, PartnerKey):
            raise PermissionDenied(_("This is for people: sign in."))
        asked = DismissSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = Insight.objects.visible_to(viewer).for_list().filter(pk=pk).first()
        if found is None:
            raise Http404
        done = dismiss_insight(insight=found, by=viewer, reason=asked.validated_data.get("reason", ""))
        return Response(InsightSerializer(done).data)


class CameraList(SeesRisk):
    serializer_class = CameraSerializer
    pagination_class = ById

    @extend_schema(
        operation_id="list_cameras",
        tags=["sensors"],
        summary="Cameras in use and how they stand",
        parameters=[OpenApiParameter("away", {"type": "boolean"}, description="Only those with an outage that goes on.")],
        responses=CameraSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = Device.objects.visible_to(self.viewer()).in_use().filter(profile__kind=DeviceKind.CAMERA).for_list()
        away = request.query_params.get("away", "")
        if away not in ("", "true", "false"):
            raise ValidationError({"away": [_("Choose of: %(states)s.") % {"states": "true, false"}]})
        if away:
            gone = Exists(DeviceOutage.objects.filter(device=OuterRef("pk"), ended_at=None))
            rows = rows.filter(gone) if away == "true" else rows.filter(~gone)
        page = self.paginate_queryset(rows.order_by("id")) or []
        context = {"health": health_of(page)}
        return self.get_paginated_response(CameraSerializer(page, many=True, context=context).data)
