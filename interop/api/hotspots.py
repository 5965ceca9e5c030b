"""Hot spots for machines: what stands now, as JSON or as a map file; one of any run; the story of one place."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.paging import NewestFirst
from core.api.renderers import FastJSONRenderer, ProblemRenderer
from incidents.models import HotSpot, HotSpotTrack
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import Scope

MAX_PK = 2**63 - 1
MOST_FEATURES = 5_000
MOST_SIGHTINGS = 400
_DECIMALS = 6


class HotSpotsAskedSerializer(serializers.Serializer[Any]):
    """What may be asked; each is optional."""

    region = serializers.SlugField(required=False, max_length=16)
    category = serializers.SlugField(required=False, max_length=32)
    governorate = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)


class LeadingTypeSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    count = serializers.IntegerField()


class HotSpotSerializer(serializers.Serializer[HotSpot]):
    """A place where incidents crowd. Never changed once issued, but for `is_current`."""

    id = serializers.IntegerField()
    track = serializers.IntegerField(source="track_id", allow_null=True, help_text="The same place from run to run. Null: a look back.")
    change = serializers.ChoiceField(choices=HotSpot.Change.values, allow_blank=True, help_text="Since the run before.")
    is_current = serializers.BooleanField()
    run = serializers.IntegerField(source="run_id")
    region = serializers.CharField(source="region.code")
    category = serializers.CharField(allow_blank=True, help_text="Empty: all that may be modelled, together.")
    rank = serializers.IntegerField(help_text="Within region and category, by `severity_score`.")
    governorate = serializers.IntegerField(source="governorate_id", allow_null=True)
    area = serializers.IntegerField(source="area_id", allow_null=True)
    name_en = serializers.SerializerMethodField()
    name_ar = serializers.SerializerMethodField()
    longitude = serializers.FloatField(source="centre.x")
    latitude = serializers.FloatField(source="centre.y")
    window_from = serializers.DateTimeField()
    window_to = serializers.DateTimeField()
    incidents = serializers.IntegerField(source="incident_count")
    area_km2 = serializers.FloatField()
    incidents_per_km2 = serializers.FloatField(source="density_per_km2")
    severity_score = serializers.FloatField()
    previous_counts = serializers.ListField(
        child=serializers.IntegerField(allow_null=True),
        help_text="Incidents inside the outline in the equally long windows before, the latest first. Null: no data came in that window.",
    )
    rate_ratio = serializers.FloatField(
        allow_null=True,
        help_text="Today's rate over the past's, corrected for an outline drawn round today's crowd. Null: too little past.",
    )
    rate_ratio_low = serializers.FloatField(allow_null=True, help_text="Lower end of its 95 % interval.")
    rate_ratio_high = serializers.FloatField(allow_null=True)
    background_count = serializers.FloatField(allow_null=True, help_text="Incidents the surroundings would put inside the outline.")
    q_value = serializers.FloatField(allow_null=True, help_text="False-discovery rate of calling it more than its surroundings bring.")
    is_significant = serializers.SerializerMethodField(help_text=f"`q_value` is at most {HotSpot.SIGNIFICANT_Q:g}.")
    peak_hour = serializers.IntegerField(allow_null=True, help_text="Middle of the busiest three hours, local. Null: none stands out.")
    peak_weekday = serializers.IntegerField(allow_null=True, help_text="0 is Monday. Null: none stands out.")
    leading_types = serializers.SerializerMethodField()
    is_synthetic = serializers.BooleanField()
    hull = serializers.SerializerMethodField(help_text="A GeoJSON polygon.")

    def get_name_en(self, spot: HotSpot) -> str:
        place = spot.area or spot.governorate
        return place.name_en if place else ""

    def get_name_ar(self, spot: HotSpot) -> str:
        place = spot.area or spot.governorate
        return place.name_ar if place else ""

    def get_is_significant(self, spot: HotSpot) -> bool:
        return spot.q_value is not None and spot.q_value <= HotSpot.SIGNIFICANT_Q

    @extend_schema_field(LeadingTypeSerializer(many=True))
    def get_leading_types(self, spot: HotSpot) -> Any:
        return [{"code": code, "count": count} for code, count in spot.leading_types]

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_hull(self, spot: HotSpot) -> Any:
        return orjson.loads(spot.outline)  # type: ignore[attr-defined]


class TrackSerializer(serializers.Serializer[HotSpotTrack]):
    id = serializers.IntegerField()
    region = serializers.CharField(source="region.code")
    category = serializers.CharField(allow_blank=True)
    born_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    gone_at = serializers.DateTimeField(allow_null=True)
    merged_into = serializers.IntegerField(source="merged_into_id", allow_null=True)
    split_from = serializers.IntegerField(source="split_from_id", allow_null=True)
    sightings = serializers.SerializerMethodField(help_text="Newest first; those where the caller may look.")

    @extend_schema_field(HotSpotSerializer(many=True))
    def get_sightings(self, track: HotSpotTrack) -> Any:
        return HotSpotSerializer(self.context["sightings"], many=True).data


class ByRank(NewestFirst):
    """Stored in the order of their ranks, so that the key pages by rank."""

    ordering = "id"


class HotSpots(GenericAPIView[HotSpot]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.HOTSPOTS_READ
    people_may_read = True
    tells_places_exactly = True
    serializer_class = HotSpotSerializer
    queryset = HotSpot.objects.none()
    pagination_class: Any = None

    def visible(self) -> QuerySet[HotSpot]:
        rows = HotSpot.objects.shown().visible_to(viewer_of(self.request)).with_places()
        rows = rows.annotate(outline=AsGeoJSON("hull", precision=_DECIMALS))
        return rows.defer("hull", *(f"{zone}__{shape}" for zone in ("governorate", "area") for shape in ("boundary", "label_point")))

    def asked(self) -> QuerySet[HotSpot]:
        """What stands now, narrowed to what was asked; all categories together where none is named."""
        asked = HotSpotsAskedSerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        rows = self.visible().filter(is_current=True, category=given.get("category", ""))
        if "region" in given:
            rows = rows.filter(region__code=given["region"])
        if "governorate" in given:
            rows = rows.filter(governorate_id=given["governorate"])
        return rows


ASKED = [
    OpenApiParameter("region", str, description="A region's code."),
    OpenApiParameter("category", str, description="Hot spots of this category; of everything together if left out."),
    OpenApiParameter("governorate", int, description="Only in this governorate."),
]


class HotSpotList(HotSpots):
    pagination_class = ByRank

    @extend_schema(
        operation_id="list_hot_spots",
        tags=["analysis"],
        summary="List the hot spots that stand now, by rank",
        parameters=ASKED,
        responses=HotSpotSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.asked())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class GeoJSONRenderer(FastJSONRenderer):
    media_type = "application/geo+json"
    format = "geojson"


class HotSpotMap(HotSpots):
    """The same as GeoJSON features with their outlines."""

    renderer_classes = [GeoJSONRenderer, ProblemRenderer]

    @extend_schema(
        operation_id="map_hot_spots",
        tags=["analysis"],
        summary=f"The hot spots that stand now as GeoJSON (at most {MOST_FEATURES:,})",
        parameters=ASKED,
        responses={(200, "application/geo+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        rows = self.get_serializer(self.asked().order_by("region_id", "rank")[:MOST_FEATURES], many=True).data
        features = [{"type": "Feature", "id": row["id"], "geometry": row.pop("hull"), "properties": row} for row in rows]
        return Response({"type": "FeatureCollection", "features": features})


class HotSpotDetail(HotSpots):
    @extend_schema(operation_id="read_hot_spot", tags=["analysis"], summary="Read one hot spot, of any run", responses=HotSpotSerializer)
    def get(self, request: Request, pk: int) -> Response:
        spot = self.visible().filter(pk=min(pk, MAX_PK)).first()
        if spot is None:
            raise Http404
        return Response(self.get_serializer(spot).data)


class HotSpotTrackDetail(HotSpots):
    @extend_schema(
        operation_id="read_hot_spot_track",
        tags=["analysis"],
        summary="Read one place's story from run to run",
        responses=TrackSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        sightings = list(self.visible().filter(track=min(pk, MAX_PK)).order_by("-window_to", "-pk")[:MOST_SIGHTINGS])
        if not sightings or sightings[0].track is None:
            raise Http404
        return Response(TrackSerializer(sightings[0].track, context={"sightings": sightings}).data)
