"""CompStat for machines: counts of three periods, each beside the stretch before and the same days last year."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Day
from core.errors import Invalid
from incidents.models import Incident
from incidents.services.compare import AGAINST, Change, Comparison, Figures, PeriodFacts, Row, Span, compare, scope_of
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import Scope

VERDICTS = ("more", "fewer", "chance", "few")
TABLES = ("category", "type", "governorate", "area", "severity", "agency", "apart")


class AskedSerializer(serializers.Serializer[Any]):
    """What may be asked; each is optional."""

    region = serializers.SlugField(required=False, max_length=16)
    zone = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    category = serializers.SlugField(required=False, max_length=32)
    until = Day(required=False)


class SpanSerializer(serializers.Serializer[Span]):
    first = serializers.DateField()
    last = serializers.DateField(help_text="The last day, itself included.")


class ChangeSerializer(serializers.Serializer[Change]):
    difference = serializers.IntegerField()
    percent = serializers.FloatField(allow_null=True, help_text="A day, so that stretches of unequal length compare. Null: nothing before.")
    is_small_base = serializers.BooleanField(help_text="Fewer than 10 before: do not quote the percentage.")
    ratio = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the ratio's 95 % interval.")
    high = serializers.FloatField(allow_null=True)
    q = serializers.FloatField(help_text="False-discovery rate within the table.")
    verdict = serializers.ChoiceField(choices=VERDICTS, help_text="more, fewer: beyond chance. chance: could be. few: too few to say.")


class FiguresSerializer(serializers.Serializer[Figures]):
    period = serializers.CharField()
    now = serializers.IntegerField()
    before = serializers.IntegerField()
    last_year = serializers.IntegerField()
    against_before = ChangeSerializer(allow_null=True, help_text="Null: one of the two stretches lacks data.")
    against_last_year = ChangeSerializer(allow_null=True)


class RowSerializer(serializers.Serializer[Row]):
    code = serializers.CharField(allow_blank=True, help_text="Empty: the incidents have no such thing, as those without a place.")
    name_en = serializers.CharField(allow_blank=True)
    name_ar = serializers.CharField(allow_blank=True)
    follows_officers = serializers.BooleanField(help_text="Counts follow where officers are sent.")
    figures = FiguresSerializer(many=True)
    weeks = serializers.ListField(child=serializers.IntegerField(), help_text="53 weeks, oldest first, the last ending with `until`.")


class MissingSerializer(SpanSerializer):
    stretch = serializers.ChoiceField(choices=["now", *AGAINST])


class PeriodSerializer(serializers.Serializer[PeriodFacts]):
    period = serializers.CharField(help_text="7d, 28d or ytd.")
    now = SpanSerializer()
    before = SpanSerializer()
    last_year = SpanSerializer()
    missing = MissingSerializer(many=True, help_text="Days without data.")
    notes = serializers.ListField(child=serializers.CharField())


class TableSerializer(serializers.Serializer[Any]):
    by = serializers.ChoiceField(choices=TABLES)
    rows = RowSerializer(many=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    region = serializers.CharField()
    zone = serializers.IntegerField(allow_null=True)
    category = serializers.CharField(allow_blank=True)
    until = serializers.DateField(help_text="The last day counted, on the region's clock.")
    computed_at = serializers.DateTimeField()
    is_synthetic = serializers.BooleanField()
    newest = serializers.DateField(allow_null=True, help_text="The last day with any incident.")
    late_percent = serializers.FloatField(allow_null=True, help_text="Of the last 3 days, usually reported later. Null: not known.")
    periods = PeriodSerializer(many=True)
    total = RowSerializer()
    tables = TableSerializer(many=True)


class CompareView(GenericAPIView[Incident]):
    """The same figures as the page: everything the caller may see, what officers discovered included and shown apart."""

    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.INCIDENTS_READ
    people_may_read = True
    serializer_class = ComparisonSerializer
    queryset = Incident.objects.none()
    pagination_class = None

    @extend_schema(
        operation_id="compare",
        tags=["analysis"],
        summary="Counts beside those before",
        parameters=[
            OpenApiParameter("region", str, description="A region's code; the caller's first one if left out."),
            OpenApiParameter("zone", int, description="Only this governorate or area."),
            OpenApiParameter("category", str, description="Only this category."),
            OpenApiParameter("until", date, description="The last day of the periods; the last whole day if left out."),
        ],
        responses=ComparisonSerializer,
    )
    def get(self, request: Request) -> Response:
        asked = AskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        viewer = viewer_of(request)
        scope = scope_of(viewer=viewer, region=given.get("region", ""), zone=given.get("zone"), category=given.get("category", ""))
        try:
            found = compare(viewer=viewer, scope=scope, until=given.get("until"))
        except Invalid as refusal:
            raise ValidationError({name: [text] for name, text in refusal.fields.items()}) from refusal
        return Response(self.get_serializer(told(found)).data)


def told(found: Comparison) -> dict[str, Any]:
    """A comparison as the API says it."""
    return {
        "region": found.scope.region.code,
        "zone": found.scope.zone.pk if found.scope.zone else None,
        "category": found.scope.category,
        "until": found.until,
        "computed_at": found.computed_at,
        "is_synthetic": found.is_synthetic,
        "newest": found.newest,
        "late_percent": found.late.percent,
        "periods": [_period(facts) for facts in found.periods],
        "total": _row(found.total),
        "tables": [{"by": by, "rows": [_row(row) for row in rows]} for by, rows in found.tables.items()],
    }


def _period(facts: PeriodFacts) -> dict[str, Any]:
    missing = [{"stretch": name, "first": span.first, "last": span.last} for name, spans in facts.missing.items() for span in spans]
    notes = [f"{note.code}:{note.against}" for note in facts.notes]
    return {"period": facts.period.key, **facts.period.spans(), "missing": missing, "notes": notes}


def _row(row: Row) -> dict[str, Any]:
    figures = [
        {
            "period": key,
            "now": figures.now,
            "before": figures.before,
            "last_year": figures.last_year,
            "against_before": _change(figures.against_before),
            "against_last_year": _change(figures.against_last_year),
        }
        for key, figures in row.figures.items()
    ]
    return {**vars(row), "figures": figures}


def _change(change: Change | None) -> dict[str, Any] | None:
    """JSON knows no infinity: an interval without an upper end has none."""
    if change is None:
        return None
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in vars(change).items()}
