"""Rules about readings, as programs and people's tokens read them. They are written in the command centre."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.paging import NewestFirst
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import PartnerKey, Scope
from iot.models import AnomalySeverity, RuleAction, TelemetryRule
from iot.permissions import may_see_devices

MAX_PK = 2**63 - 1


class SensorRuleSerializer(serializers.Serializer[Any]):
    """When `condition` holds for a device of its agency, `actions` follow."""

    id = serializers.IntegerField()
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    name_en = serializers.CharField()
    name_ar = serializers.CharField()
    condition = serializers.DictField()
    severity = serializers.SerializerMethodField()
    actions = serializers.ListField(child=serializers.ChoiceField(choices=RuleAction.choices))
    cooldown_s = serializers.IntegerField()
    is_active = serializers.BooleanField()

    def get_severity(self, rule: TelemetryRule) -> str:
        return AnomalySeverity(rule.severity).word


class SensorRules(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.TELEMETRY_READ
    people_may_read = True
    serializer_class: Any = SensorRuleSerializer
    queryset = TelemetryRule.objects.none()

    def rules(self) -> QuerySet[Any]:
        viewer = viewer_of(self.request)
        if not isinstance(viewer, PartnerKey) and not may_see_devices(viewer):
            raise PermissionDenied(_("Your role does not allow this."))
        return TelemetryRule.objects.visible_to(viewer).select_related("agency", "governorate").defer("governorate__boundary")


class SensorRuleList(SensorRules):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_sensor_rules", tags=["sensors"], summary="Rules about readings", responses=SensorRuleSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.rules().order_by("-id"))
        return self.get_paginated_response(SensorRuleSerializer(page, many=True).data)


class SensorRuleDetail(SensorRules):
    @extend_schema(operation_id="read_sensor_rule", tags=["sensors"], summary="One rule about readings", responses=SensorRuleSerializer)
    def get(self, request: Request, pk: int) -> Response:
        rule = self.rules().filter(pk=min(pk, MAX_PK)).first()
        if rule is None:
            raise Http404
        return Response(SensorRuleSerializer(rule).data)
