"""Forecasts for machines: the days ahead that stand now, each with both intervals and what counting alone says; and why this model."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Day
from core.api.paging import NewestFirst
from geography.models import Zone
from incidents.models import Forecast, ModelChoice
from incidents.models.trust import Predicts
from incidents.services.compare import regions_of
from incidents.services.standing_forecasts import standing_choices, with_stand_ins
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import Scope

LEVELS = (Zone.Level.COUNTRY, Zone.Level.GOVERNORATE, Zone.Level.AREA)


class ForecastsAskedSerializer(serializers.Serializer[Any]):
    """What may be asked; each is optional."""

    region = serializers.SlugField(required=False, max_length=16)
    zone = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    level = serializers.ChoiceField(required=False, choices=[str(level) for level in LEVELS])
    category = serializers.SlugField(required=False, max_length=32, allow_blank=True)
    day = Day(required=False)


class CountedSerializer(serializers.Serializer[Any]):
    mean = serializers.FloatField()
    dispersion = serializers.FloatField()


class ForecastSerializer(serializers.Serializer[Forecast]):
    """One zone, one day. Where its model has been switched off since, a baseline stands in and `model` says so."""

    id = serializers.IntegerField()
    run = serializers.IntegerField(source="run_id")
    as_of = serializers.DateTimeField(source="run.as_of", help_text="Nothing at or after it was read.")
    region = serializers.CharField(source="zone.region.code")
    zone = serializers.IntegerField(source="zone_id")
    zone_code = serializers.CharField(source="zone.code")
    level = serializers.ChoiceField(choices=[str(level) for level in LEVELS], source="zone.level")
    name_en = serializers.CharField(source="zone.name_en")
    name_ar = serializers.CharField(source="zone.name_ar")
    category = serializers.CharField(allow_blank=True, help_text="Empty: all that may be modelled, together.")
    day = serializers.DateField(help_text="On the region's clock.")
    expected = serializers.FloatField(help_text="Incidents; areas add up to their governorate, governorates to the country.")
    low = serializers.FloatField(help_text="The count is meant to lie from `low` to `high` with probability `interval`.")
    high = serializers.FloatField()
    interval = serializers.FloatField()
    low_95 = serializers.FloatField(allow_null=True)
    high_95 = serializers.FloatField(allow_null=True)
    dispersion = serializers.FloatField(help_text="Variance over mean of the negative binomial; 1 is Poisson.")
    model = serializers.CharField(source="method")
    baselines = serializers.DictField(child=CountedSerializer(), help_text="What counting alone says, by name; frozen with the forecast.")
    history_days = serializers.IntegerField()
    is_synthetic = serializers.BooleanField()


class ForecastChoiceSerializer(serializers.Serializer[ModelChoice]):
    """The gate: which model is published for a level, decided by a walk-forward backtest."""

    run = serializers.IntegerField(source="run_id")
    as_of = serializers.DateTimeField(source="run.as_of")
    region = serializers.CharField(source="region.code")
    level = serializers.CharField()
    category = serializers.CharField(allow_blank=True, help_text="Empty: all incidents together. `*`: each category.")
    champion = serializers.CharField()
    best_baseline = serializers.CharField()
    published = serializers.CharField(help_text="The champion, or the baseline that stands in.")
    beats_baseline = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.JSONField(), help_text="Each a code with its figures.")
    scores = serializers.DictField(help_text="By model and metric: value, lower and upper end (95 %, whole weeks drawn anew).")
    origins = serializers.IntegerField(help_text="Weeks walked forward over.")
    is_synthetic = serializers.BooleanField()


class ReadsForecasts(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.FORECASTS_READ
    people_may_read = True
    queryset = Forecast.objects.none()


class ForecastList(ReadsForecasts):
    serializer_class = ForecastSerializer
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_forecasts",
        tags=["analysis"],
        summary="List the forecasts that stand now, a row a zone and day",
        parameters=[
            OpenApiParameter("region", str, description="Only this region, by its code."),
            OpenApiParameter("zone", int, description="Only this zone, by its id."),
            OpenApiParameter("level", str, enum=[str(level) for level in LEVELS], description="Only zones of this level."),
            OpenApiParameter("category", str, description="Only this category; empty: all together. Omitted: both."),
            OpenApiParameter("day", {"type": "string", "format": "date"}, description="Only this day."),
        ],
        responses=ForecastSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        asked = ForecastsAskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        names = {"region": "zone__region__code", "zone": "zone_id", "level": "zone__level", "category": "category", "day": "day"}
        rows = (
            Forecast.objects.standing()
            .visible_to(viewer_of(request))
            .filter(**{names[name]: value for name, value in asked.validated_data.items()})
            .select_related("run", "zone__region")
            .defer("zone__boundary", "zone__label_point")
        )
        page = self.paginate_queryset(rows) or []
        shown = with_stand_ins(page, standing_choices(row.region_id for row in page))
        return self.get_paginated_response(self.get_serializer(shown, many=True).data)


class ForecastChoices(ReadsForecasts):
    serializer_class = ForecastChoiceSerializer
    pagination_class = None

    @extend_schema(
        operation_id="list_forecast_choices",
        tags=["analysis"],
        summary="Which model is published for each level, and why",
        responses=ForecastChoiceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = (
            ModelChoice.objects.filter(predicts=Predicts.FORECAST, is_current=True, region__in=regions_of(viewer_of(request)))
            .select_related("run", "region")
            .order_by("-region__is_default", "region__code", "level", "category")
        )
        return Response(self.get_serializer(rows, many=True).data)
