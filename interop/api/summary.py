"""The executive summary for machines: the page's sentences in both languages, each with the rows it rests on."""

from __future__ import annotations

from typing import Any

from django.utils import translation
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from incidents.models import Incident
from incidents.services.summary import SECTIONS, Statement, Summary, sentence, summarise, summary_scope
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import Scope

_PLAIN = dict.fromkeys((0x2066, 0x2068, 0x2069))  # direction isolates are for screens


class SummaryAskedSerializer(serializers.Serializer[Any]):
    region = serializers.SlugField(required=False, max_length=16)
    zone = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class EvidenceSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="comparison, hot_spot, near_repeat, forecast (ids: zones), run, source, zone, choice, score.")
    ids = serializers.ListField(child=serializers.IntegerField())
    run = serializers.IntegerField(allow_null=True, help_text="The run that made it.")


class StatementSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="Unique within this answer.")
    code = serializers.CharField(help_text="What kind of statement it is.")
    text_en = serializers.CharField()
    text_ar = serializers.CharField()
    because = serializers.CharField(allow_blank=True, help_text="For a suggestion: the key of the statement it follows from.")
    evidence = EvidenceSerializer(allow_null=True)


class SectionSerializer(serializers.Serializer[Any]):
    section = serializers.ChoiceField(choices=SECTIONS)
    statements = StatementSerializer(many=True)


class SummarySerializer(serializers.Serializer[Any]):
    region = serializers.CharField()
    zone = serializers.IntegerField(allow_null=True)
    until = serializers.DateField(help_text="The last day counted.")
    computed_at = serializers.DateTimeField()
    is_synthetic = serializers.BooleanField()
    sections = SectionSerializer(many=True)


class HasEveryScope(HasScope):
    """A key needs all of the view's ``scopes``: the summary tells of incidents, hot spots and forecasts."""

    def has_permission(self, request: Request, view: Any) -> bool:
        for scope in view.scopes:
            view.scope = scope
            if not super().has_permission(request, view):
                return False
        return True


class SummaryView(GenericAPIView[Incident]):
    """What, why, suggested, data freshness, known limits. Suggestions are for a person to decide; nothing acts on them."""

    authentication_classes = CALLERS
    permission_classes = [HasEveryScope]
    scopes = (Scope.INCIDENTS_READ, Scope.HOTSPOTS_READ, Scope.FORECASTS_READ)
    scope: str = Scope.INCIDENTS_READ
    people_may_read = True
    serializer_class = SummarySerializer
    queryset = Incident.objects.none()
    pagination_class = None

    @extend_schema(
        operation_id="read_summary",
        tags=["analysis"],
        summary="The executive summary of a region or a governorate",
        parameters=[
            OpenApiParameter("region", str, description="A region's code; the caller's first one if left out."),
            OpenApiParameter("zone", int, description="A governorate."),
        ],
        responses=SummarySerializer,
    )
    def get(self, request: Request) -> Response:
        asked = SummaryAskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        viewer = viewer_of(request)
        scope = summary_scope(viewer=viewer, region=asked.validated_data.get("region", ""), zone=asked.validated_data.get("zone"))
        return Response(self.get_serializer(told(summarise(viewer=viewer, scope=scope))).data)


def told(summary: Summary) -> dict[str, Any]:
    return {
        "region": summary.scope.region.code,
        "zone": summary.scope.zone.pk if summary.scope.zone else None,
        "until": summary.until,
        "computed_at": summary.computed_at,
        "is_synthetic": summary.is_synthetic,
        "sections": [{"section": name, "statements": [_statement(one) for one in summary.sections[name]]} for name in SECTIONS],
    }


def _statement(one: Statement) -> dict[str, Any]:
    texts = {}
    for language in ("en", "ar"):
        with translation.override(language):
            texts[f"text_{language}"] = sentence(one).translate(_PLAIN)
    return {"key": one.key, "code": one.code, **texts, "because": one.because, "evidence": vars(one.evidence) if one.evidence else None}
