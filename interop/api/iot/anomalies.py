"""Anomalies: what the detectors found, as programs and people's tokens read it; people answer."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.paging import NewestFirst
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import PartnerKey, Scope
from iot.models import Anomaly, AnomalySeverity, Detector
from iot.permissions import may_see_devices
from iot.querysets import AnomalyQuerySet
from iot.services.anomalies import acknowledge_anomaly, judge_anomaly, resolve_anomaly
from iot.services.anomalies.words import why

WORDS = {severity.word: severity.value for severity in AnomalySeverity}
MAX_PK = 2**63 - 1


class AnomalySerializer(serializers.Serializer[Any]):
    """A finding of one detector: what, since when, how bad, and the numbers that make it believable."""

    id = serializers.IntegerField()
    device = serializers.CharField(source="device.code")
    metric = serializers.CharField(source="datastream.metric.code", allow_null=True, default=None)
    detector = serializers.ChoiceField(choices=Detector.choices)
    severity = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=Anomaly.State.choices)
    began_at = serializers.DateTimeField()
    raised_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField(help_text="Of its last bad reading.")
    ended_at = serializers.DateTimeField(allow_null=True)
    because = serializers.ChoiceField(choices=Anomaly.Because.choices, allow_blank=True, help_text="Why it is over.")
    score = serializers.FloatField(help_text="How far out at its worst: 1 is the limit.")
    count = serializers.IntegerField()
    evidence = serializers.DictField(help_text="value, expected, limit, low, high, unit and more, as the detector has them.")
    why = serializers.SerializerMethodField(help_text="In the language of Accept-Language.")
    feedback = serializers.ChoiceField(choices=Anomaly.Feedback.choices, allow_blank=True)
    is_synthetic = serializers.BooleanField(source="device.is_synthetic")

    def get_severity(self, anomaly: Anomaly) -> str:
        return AnomalySeverity(anomaly.severity).word

    def get_why(self, anomaly: Anomaly) -> str:
        return why(anomaly)


class FeedbackSerializer(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=Anomaly.Feedback.choices)
    note = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class NoteSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class Anomalies(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.TELEMETRY_READ
    people_may_read = True
    tells_places_exactly = False
    serializer_class: Any = AnomalySerializer
    queryset = Anomaly.objects.none()

    def anomalies(self) -> AnomalyQuerySet:
        viewer = viewer_of(self.request)
        if not isinstance(viewer, PartnerKey) and not may_see_devices(viewer):
            raise PermissionDenied(_("Your role does not allow this."))
        found: AnomalyQuerySet = Anomaly.objects.visible_to(viewer).for_list()
        return found

    def found(self, pk: int) -> Anomaly:
        anomaly: Anomaly | None = self.anomalies().filter(pk=min(pk, MAX_PK)).first()
        if anomaly is None:
            raise Http404
        return anomaly

    def person(self) -> Any:
        if isinstance(self.request.auth, PartnerKey):
            raise PermissionDenied(_("Anomalies are answered by people, not by keys."), code="person_needed")
        return self.request.user


class AnomalyList(Anomalies):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_anomalies",
        tags=["sensors"],
        summary="Anomalies, newest first",
        parameters=[
            OpenApiParameter("state", str, enum=["open", "acknowledged", "resolved"]),
            OpenApiParameter("detector", str, enum=Detector.values),
            OpenApiParameter("severity", str, enum=list(WORDS), description="This or worse."),
            OpenApiParameter("device", str, description="A device's code."),
        ],
        responses=AnomalySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        asked, problems, rows = request.query_params, {}, self.anomalies()
        for name, values in (("state", Anomaly.State.values), ("detector", Detector.values), ("severity", list(WORDS))):
            if asked.get(name):
                if asked[name] not in values:
                    problems[name] = [_("Choose of: %(states)s.") % {"states": ", ".join(values)}]
                elif name == "severity":
                    rows = rows.filter(severity__gte=WORDS[asked[name]])
                else:
                    rows = rows.filter(**{name: asked[name]})
        if problems:
            raise ValidationError(problems)
        if asked.get("device"):
            rows = rows.filter(device__code=asked["device"])
        page = self.paginate_queryset(rows.order_by("-id"))
        return self.get_paginated_response(AnomalySerializer(page, many=True).data)


class AnomalyDetail(Anomalies):
    @extend_schema(operation_id="read_anomaly", tags=["sensors"], summary="One anomaly with its evidence", responses=AnomalySerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(AnomalySerializer(self.found(pk)).data)


class AnomalyAcknowledge(Anomalies):
    @extend_schema(
        operation_id="acknowledge_anomaly", tags=["sensors"], summary="Take notice of an anomaly (people only)", request=None,
        responses=AnomalySerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        person = self.person()
        return Response(AnomalySerializer(acknowledge_anomaly(anomaly=self.found(pk), by=person)).data)


class AnomalyResolve(Anomalies):
    @extend_schema(
        operation_id="resolve_anomaly", tags=["sensors"], summary="Say that an anomaly is over (people only)", request=NoteSerializer,
        responses=AnomalySerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        person, given = self.person(), NoteSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(AnomalySerializer(resolve_anomaly(anomaly=self.found(pk), by=person, **given.validated_data)).data)


class AnomalyFeedback(Anomalies):
    @extend_schema(
        operation_id="judge_anomaly", tags=["sensors"], summary="Say whether an anomaly was useful or noise (people only)",
        request=FeedbackSerializer, responses=AnomalySerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        person, given = self.person(), FeedbackSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(AnomalySerializer(judge_anomaly(anomaly=self.found(pk), by=person, **given.validated_data)).data)
