"""The lists handed to patrol, and the places people hold back from them. Keys read; writing is for people, by their session."""

from __future__ import annotations

from typing import Any

from django.contrib.gis.geos import Point
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.paging import NewestFirst
from geography.models import Region
from incidents.models import Handover, Suppression
from incidents.services.trust import handover as handing
from incidents.services.trust import suppressions as holding
from incidents.services.trust.boxes import boxes_of
from interop.api.authentication import viewer_of
from interop.api.serializers import PointSerializer
from interop.api.trust import Trust
from interop.models import Scope

MAX_PK = 2**63 - 1


# --- places held back ----------------------------------------------------------------------------------------------------------------


class SuppressionSerializer(serializers.Serializer[Suppression]):
    id = serializers.IntegerField()
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    category = serializers.CharField(help_text="Empty: all.")
    centre = PointSerializer()
    radius_m = serializers.FloatField()
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    lifted_at = serializers.DateTimeField(allow_null=True)


class SuppressionRequestSerializer(serializers.Serializer[Any]):
    longitude = serializers.FloatField(min_value=-180, max_value=180)
    latitude = serializers.FloatField(min_value=-90, max_value=90)
    radius_m = serializers.FloatField(min_value=holding.LEAST_RADIUS_M, max_value=holding.MOST_RADIUS_M)
    days = serializers.IntegerField(min_value=1, max_value=holding.MOST_DAYS)
    category = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")
    reason = serializers.CharField(max_length=holding.MAX_REASON)


class LiftRequestSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=holding.MAX_REASON)


class Suppressions(Trust):
    scope = Scope.HOTSPOTS_READ
    serializer_class = SuppressionSerializer

    def rows(self) -> Any:
        rows = Suppression.objects.visible_to(viewer_of(self.request)).select_related("governorate")
        return rows.defer("governorate__boundary")


class SuppressionList(Suppressions):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_suppressions", tags=["analysis"], summary="List the places held back from patrol's lists, newest first",
        parameters=[OpenApiParameter("all", bool, description="Those that have ended too.")], responses=SuppressionSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = self.rows() if request.query_params.get("all") in {"1", "true"} else self.rows().in_force()
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(SuppressionSerializer(page, many=True).data)

    @extend_schema(
        operation_id="suppress_place", tags=["analysis"], summary="Hold a place back from patrol's lists (people only)",
        request=SuppressionRequestSerializer, responses={201: SuppressionSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = SuppressionRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        told = dict(given.validated_data)
        centre = Point(told.pop("longitude"), told.pop("latitude"), srid=4326)
        made = holding.suppress_place(centre=centre, by=request.user, **told)  # type: ignore[arg-type]
        return Response(SuppressionSerializer(made).data, status=201)


class SuppressionLift(Suppressions):
    @extend_schema(
        operation_id="lift_suppression", tags=["analysis"], summary="End a suppression before its time (people only)",
        request=LiftRequestSerializer, responses=SuppressionSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        found = self.rows().filter(pk=min(pk, MAX_PK)).first()
        if found is None:
            raise Http404
        given = LiftRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        done = holding.lift_suppression(suppression=found, by=request.user, reason=given.validated_data["reason"])  # type: ignore[arg-type]
        return Response(SuppressionSerializer(done).data)


# --- lists for patrol ----------------------------------------------------------------------------------------------------------------


class BoxSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    area = serializers.CharField(source="area.code", allow_null=True, default=None)
    longitude = serializers.FloatField(help_text="Of the centre.")
    latitude = serializers.FloatField()
    corners = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()), help_text="Longitude, latitude; closed.")
    reason = serializers.ChoiceField(choices=["risk", "explore"])
    probability = serializers.FloatField(help_text="How likely this cell was to be listed before the draw.")
    category = serializers.CharField(help_text="What leads here; empty where unknown.")
    tactics = serializers.ListField(child=serializers.CharField(), help_text="Suggestions, none of them enforcement.")


class HandoverSerializer(serializers.Serializer[Handover]):
    id = serializers.IntegerField()
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    shift_from = serializers.DateTimeField()
    shift_to = serializers.DateTimeField()
    category = serializers.CharField(source="surface.category")
    model = serializers.CharField(source="surface.model")
    seed = serializers.IntegerField()
    capped = serializers.IntegerField(help_text="Risky cells left out by the exposure cap.")
    suppressed = serializers.IntegerField(help_text="Risky cells left out by people.")
    is_synthetic = serializers.BooleanField(source="surface.is_synthetic")
    created_at = serializers.DateTimeField()


class HandoverDetailSerializer(HandoverSerializer):
    rule = serializers.SerializerMethodField()
    cells = serializers.SerializerMethodField()

    @extend_schema_field({"type": "object", "additionalProperties": {"type": ["number", "null"]}})
    def get_rule(self, made: Handover) -> dict[str, Any]:
        return {name: made.parameters.get(name) for name in ("cells", "cap", "of_last", "explore_share")}

    @extend_schema_field(BoxSerializer(many=True))
    def get_cells(self, made: Handover) -> Any:
        return BoxSerializer(boxes_of(made), many=True).data


class HandoverRequestSerializer(serializers.Serializer[Any]):
    governorate = serializers.CharField(max_length=32, help_text="Its code.")
    region = serializers.CharField(max_length=16, required=False)
    category = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")
    cells = serializers.IntegerField(min_value=1, max_value=handing.MOST_CELLS, required=False, default=handing.RULE.cells)


class Handovers(Trust):
    scope = Scope.HOTSPOTS_READ
    serializer_class = HandoverSerializer

    def rows(self) -> Any:
        heavy = [f"surface__{name}" for name in ("columns", "rows", "values", "classes", "governorate_ids", "area_ids", "parts")]
        rows = Handover.objects.visible_to(viewer_of(self.request)).select_related("surface", "governorate")
        return rows.defer("governorate__boundary", *heavy)


class HandoverList(Handovers):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_handovers", tags=["analysis"], summary="List the lists handed to patrol, newest first",
        responses=HandoverSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.rows())
        return self.get_paginated_response(HandoverSerializer(page, many=True).data)

    @extend_schema(
        operation_id="hand_over", tags=["analysis"], summary="Draw up the next shift's list, or get the one drawn up already (people only)",
        request=HandoverRequestSerializer, responses=HandoverDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = HandoverRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        told = given.validated_data
        region = None
        if "region" in told:
            region = Region.objects.filter(code=told["region"]).first()
            if region is None:
                raise Http404
        zone = self.governorate(region, told["governorate"])
        made = handing.hand_over(governorate=zone, by=request.user, category=told["category"], cells=told["cells"])  # type: ignore[arg-type]
        return Response(HandoverDetailSerializer(self.rows().get(pk=made.pk)).data)


class HandoverDetail(Handovers):
    @extend_schema(
        operation_id="read_handover", tags=["analysis"], summary="Read one list with its cells", responses=HandoverDetailSerializer
    )
    def get(self, request: Request, pk: int) -> Response:
        found = self.rows().filter(pk=min(pk, MAX_PK)).first()
        if found is None:
            raise Http404
        return Response(HandoverDetailSerializer(found).data)
