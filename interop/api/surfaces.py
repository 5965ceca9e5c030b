"""Surfaces (risk, significance, density, change) and near-repeat tests, as programs read them: the cells of the caller's governorates."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from incidents.models import NearRepeat, Surface
from incidents.services.surface_files import as_csv, as_geojson, cell_rows, facts, short
from incidents.services.surfaces import Sight, sight_of, surfaces_for, why
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.api.serializers import NamedSerializer
from interop.models import Scope


class SurfaceSerializer(serializers.Serializer[Any]):
    """What a surface says of itself; its cells come with the surface alone."""

    id = serializers.IntegerField()
    region = serializers.CharField()
    kind = serializers.ChoiceField(choices=Surface.Kind.choices)
    category = serializers.CharField(help_text="Empty: everything that may be modelled.")
    horizon = serializers.ChoiceField(choices=Surface.Horizon.choices, allow_blank=True, help_text="Of risk surfaces; else empty.")
    role = serializers.ChoiceField(
        choices=Surface.Role.choices, help_text="`baseline`: a baseline stands in for a model that is off.", read_only=True
    )
    model = serializers.CharField()
    as_of = serializers.DateTimeField(help_text="Nothing at or after it was read.")
    run = serializers.IntegerField()
    code_version = serializers.CharField()
    learnt_from = serializers.DateTimeField()
    learnt_to = serializers.DateTimeField()
    valid_from = serializers.DateTimeField(allow_null=True)
    valid_to = serializers.DateTimeField(allow_null=True)
    cell_m = serializers.FloatField(help_text="Side of a cell in metres.")
    srid = serializers.IntegerField(help_text="The projection whose multiples of `cell_m` the columns and rows count.")
    part_names = serializers.ListField(child=serializers.CharField())
    parameters = serializers.DictField()
    is_synthetic = serializers.BooleanField()


class CellSerializer(serializers.Serializer[Any]):
    column = serializers.IntegerField()
    row = serializers.IntegerField()
    longitude = serializers.FloatField(help_text="Of its centre.")
    latitude = serializers.FloatField()
    value = serializers.FloatField(help_text="Risk: expected incidents; Gi*: z; density: per km²; change: difference per km².")
    governorate = serializers.CharField(help_text="Its code; empty where it lies in none.")
    area = serializers.CharField()
    parts = serializers.DictField(
        child=serializers.FloatField(allow_null=True), help_text="What went into the value; null where nothing could be tested."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        classes = serializers.IntegerField(help_text="Risk and density 1 to 5; Gi* -3 to 3 and change -2 to 2, where 0 is not significant.")
        return {**super().get_fields(), "class": classes}


class SurfaceDetailSerializer(SurfaceSerializer):
    cells = CellSerializer(many=True, help_text="Those the caller may see, the highest value first.")


class ReasonsSerializer(serializers.Serializer[Any]):
    """Why one cell has its value."""

    surface = SurfaceSerializer()
    column = serializers.IntegerField()
    row = serializers.IntegerField()
    longitude = serializers.FloatField()
    latitude = serializers.FloatField()
    value = serializers.FloatField()
    rank = serializers.IntegerField(help_text="1 is the highest of the cells the caller may see.")
    of = serializers.IntegerField()
    parts = serializers.DictField(child=serializers.FloatField(allow_null=True))
    baselines = serializers.DictField(child=serializers.FloatField(allow_null=True), help_text="What counting alone says of this cell.")


class BandSerializer(serializers.Serializer[Any]):
    from_m = serializers.FloatField()
    to_m = serializers.FloatField()
    from_days = serializers.FloatField()
    to_days = serializers.FloatField()
    observed = serializers.IntegerField()
    expected = serializers.FloatField()
    ratio = serializers.FloatField(allow_null=True)
    p = serializers.FloatField()


class NearRepeatSerializer(serializers.Serializer[NearRepeat]):
    """Knox's test of one category in one governorate, or in a whole region."""

    id = serializers.IntegerField()
    region = serializers.CharField(source="region.code")
    governorate = NamedSerializer(allow_null=True)
    category = serializers.CharField()
    within_m = serializers.FloatField()
    within_days = serializers.FloatField()
    incidents = serializers.IntegerField(source="incident_count", help_text="Taken into the test.")
    observed_pairs = serializers.IntegerField()
    expected_pairs = serializers.FloatField(help_text="The mean over the permutations.")
    ratio = serializers.FloatField(allow_null=True)
    p_value = serializers.FloatField(allow_null=True)
    q_value = serializers.FloatField(allow_null=True, help_text="Corrected over all tests of the run.")
    is_significant = serializers.BooleanField()
    permutations = serializers.IntegerField()
    seed = serializers.IntegerField()
    bands = serializers.SerializerMethodField()
    learnt_from = serializers.DateTimeField()
    learnt_to = serializers.DateTimeField()
    run = serializers.IntegerField(source="run_id")
    is_synthetic = serializers.BooleanField()

    @extend_schema_field(BandSerializer(many=True))
    def get_bands(self, test: NearRepeat) -> Any:
        return BandSerializer(test.bands, many=True).data


class Surfaces(GenericAPIView[Surface]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.HOTSPOTS_READ
    people_may_read = True
    pagination_class = None
    serializer_class: Any = SurfaceSerializer
    queryset = Surface.objects.none()

    def sight(self, pk: int) -> Sight:
        return sight_of(viewer_of(self.request), pk)


class SurfaceList(Surfaces):
    @extend_schema(
        operation_id="list_surfaces",
        tags=["analysis"],
        summary="List the surfaces that stand now",
        parameters=[
            OpenApiParameter("kind", str, enum=Surface.Kind.values),
            OpenApiParameter("category", {"type": "string", "maxLength": 32}, description="Empty: everything together."),
            OpenApiParameter("horizon", str, enum=Surface.Horizon.values),
        ],
        responses=SurfaceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = surfaces_for(viewer_of(request)).order_by("region", "kind", "category", "horizon", "pk")
        problems = {}
        for name, allowed in (("kind", Surface.Kind.values), ("horizon", Surface.Horizon.values), ("category", None)):
            given = request.query_params.get(name)
            if given is None:
                continue
            if (allowed is not None and given not in allowed) or len(given) > 32 or "\x00" in given:
                problems[name] = (
                    [_("Choose of: %(states)s.") % {"states": ", ".join(allowed)}] if allowed else [_("There is no such category.")]
                )
            else:
                rows = rows.filter(**{name: given})
        if problems:
            raise ValidationError(problems)
        return Response([facts(surface) for surface in rows])


class SurfaceDetail(Surfaces):
    @extend_schema(
        operation_id="read_surface", tags=["analysis"], summary="Read one surface with its cells", responses=SurfaceDetailSerializer
    )
    def get(self, request: Request, pk: int) -> Response:
        seen = self.sight(pk)
        return Response({**facts(seen.surface), "cells": cell_rows(seen)})


class SurfaceGeoJson(Surfaces):
    @extend_schema(
        operation_id="read_surface_geojson",
        tags=["analysis"],
        summary="Read one surface as GeoJSON squares",
        responses={(200, "application/geo+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        return HttpResponse(as_geojson(self.sight(pk)), content_type="application/geo+json")


class SurfaceCsv(Surfaces):
    @extend_schema(
        operation_id="read_surface_csv",
        tags=["analysis"],
        summary="Read one surface as CSV",
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        return HttpResponse(as_csv(self.sight(pk)), content_type="text/csv; charset=utf-8")


class SurfaceCell(Surfaces):
    @extend_schema(
        operation_id="explain_surface_cell",
        tags=["analysis"],
        summary="Why one cell has its value",
        parameters=[
            OpenApiParameter("column", int, OpenApiParameter.PATH),
            OpenApiParameter("row", int, OpenApiParameter.PATH),
        ],
        responses=ReasonsSerializer,
    )
    def get(self, request: Request, pk: int, column: str, row: str) -> Response:
        reasons = why(viewer_of(request), pk, column=int(column), row=int(row))
        return Response(
            {
                "surface": facts(reasons.surface),
                "column": reasons.column,
                "row": reasons.row,
                "longitude": reasons.longitude,
                "latitude": reasons.latitude,
                "value": short(reasons.value),
                "rank": reasons.rank,
                "of": reasons.of,
                "parts": {part.name: part.value for part in reasons.parts},
                "baselines": dict(reasons.baselines),
            }
        )


class NearRepeatList(Surfaces):
    serializer_class = NearRepeatSerializer

    @extend_schema(
        operation_id="list_near_repeat_tests",
        tags=["analysis"],
        summary="List the near-repeat tests that stand now",
        responses=NearRepeatSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = NearRepeat.objects.current().visible_to(viewer_of(request)).select_related("region", "governorate")
        rows = rows.defer("governorate__boundary", "governorate__label_point").order_by(
            "region_id", "category", F("governorate_id").asc(nulls_first=True), "pk"
        )
        return Response(self.get_serializer(rows, many=True).data)
