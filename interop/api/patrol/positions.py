"""Where units are and were, as programs read it: last positions, tracks, fences and visits.

By key with `patrol:read`, or by session: those who may watch units see their jurisdiction's, anybody else the unit they are on duty with.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.paging import NewestFirst
from core.api.renderers import FastJSONRenderer, ProblemRenderer
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.api.stretch import Problems, moments_of, points_of
from interop.models import PartnerKey, Scope
from patrol.models import Doubt, Duty, FenceVisit, Geofence, PositionSource, Unit, UnitPosition
from patrol.services.positions import track

MAX_PK = 2**63 - 1
MOST_HOURS = 24
MOST_POINTS = 5_000
MOST_FEATURES = 5_000
_DECIMALS = 6


class LastPositionSerializer(serializers.Serializer[Any]):
    """The last believed position of a unit."""

    unit = serializers.IntegerField(source="unit_id")
    call_sign = serializers.CharField(source="unit.call_sign")
    kind = serializers.CharField(source="unit.kind", help_text="patrol, motorcycle, ambulance …")
    at = serializers.DateTimeField(help_text="When the fix was taken.")
    received_at = serializers.DateTimeField()
    age_s = serializers.SerializerMethodField()
    is_stale = serializers.SerializerMethodField(help_text="Older than the limit: never recommended.")
    lon = serializers.FloatField(source="location.x")
    lat = serializers.FloatField(source="location.y")
    accuracy_m = serializers.FloatField(allow_null=True)
    speed_kmh = serializers.FloatField(allow_null=True)
    heading_deg = serializers.FloatField(allow_null=True)
    source = serializers.ChoiceField(choices=PositionSource.choices)  # type: ignore[assignment]
    is_synthetic = serializers.BooleanField(source="unit.is_synthetic")

    def get_age_s(self, position: UnitPosition) -> int:
        return max(0, round((self.context["now"] - position.at).total_seconds()))

    def get_is_stale(self, position: UnitPosition) -> bool:
        return self.get_age_s(position) > settings.POSITION_STALE_S


class UnitTrackSerializer(serializers.Serializer[Any]):
    """A unit's track as columns of equal length, oldest first."""

    unit = serializers.IntegerField()
    total = serializers.IntegerField(help_text="Positions in the window; more than are listed where they were thinned.")
    at = serializers.ListField(child=serializers.FloatField(), help_text="Seconds since 1970.")
    lon = serializers.ListField(child=serializers.FloatField())
    lat = serializers.ListField(child=serializers.FloatField())
    accuracy_m = serializers.ListField(child=serializers.FloatField(allow_null=True))
    speed_kmh = serializers.ListField(child=serializers.FloatField(allow_null=True))
    doubt = serializers.ListField(child=serializers.ChoiceField(choices=Doubt.choices, allow_blank=True))
    is_believed = serializers.ListField(child=serializers.BooleanField(), help_text="Usable as where the unit was.")


class GeofenceSerializer(serializers.Serializer[Any]):
    """A fence somebody watches."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.IntegerField(source="governorate_id")
    station = serializers.IntegerField(source="station_id", allow_null=True)
    lon = serializers.FloatField(source="centre.x", allow_null=True, default=None)
    lat = serializers.FloatField(source="centre.y", allow_null=True, default=None)
    radius_m = serializers.IntegerField(allow_null=True)
    shape = serializers.SerializerMethodField(help_text="GeoJSON of its polygon. Null: a circle.")
    margin_m = serializers.IntegerField()
    dwell_s = serializers.IntegerField()
    active_from = serializers.TimeField(allow_null=True, help_text="On the region's clock.")
    active_to = serializers.TimeField(allow_null=True)
    is_active = serializers.BooleanField()

    def get_shape(self, fence: Geofence) -> dict[str, Any] | None:
        shape: dict[str, Any] | None = orjson.loads(fence.shape.geojson) if fence.shape is not None else None
        return shape


class VisitSerializer(serializers.Serializer[Any]):
    """A unit was inside a fence, or at the place of one of its assignments."""

    id = serializers.IntegerField()
    unit = serializers.IntegerField(source="unit_id")
    call_sign = serializers.CharField(source="unit.call_sign")
    fence = serializers.IntegerField(source="fence_id", allow_null=True)
    assignment = serializers.IntegerField(source="assignment_id", allow_null=True)
    entered_at = serializers.DateTimeField()
    dwelt_at = serializers.DateTimeField(allow_null=True)
    last_inside_at = serializers.DateTimeField()
    left_at = serializers.DateTimeField(allow_null=True, help_text="Null: still inside, as far as is known.")


class Watches(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.PATROL_READ
    people_may_read = True
    serializer_class: Any = LastPositionSerializer
    queryset = UnitPosition.objects.none()

    def units(self) -> QuerySet[Unit]:
        """The units the caller may see the places of."""
        viewer = viewer_of(self.request)
        seen: QuerySet[Unit] = Unit.objects.active().visible_to(viewer)
        if isinstance(viewer, PartnerKey) or viewer.can("watch_units"):
            return seen
        own = Duty.objects.open().filter(member__user_id=viewer.pk, unit__isnull=False)
        return seen.filter(pk__in=own.values("unit_id"))

    def unit(self, pk: int) -> Unit:
        found = self.units().filter(pk=min(pk, MAX_PK)).first()
        if found is None:
            raise Http404
        return found


class ByUnit(NewestFirst):
    ordering = "unit_id"


def last_positions(view: Watches) -> QuerySet[UnitPosition]:
    rows = UnitPosition.objects.filter(unit__in=view.units()).select_related("unit").order_by("unit_id")
    fresh = view.request.query_params.get("fresh")
    if fresh not in (None, "", "0", "1"):
        raise ValidationError({"fresh": _("0 or 1.")})
    if fresh == "1":
        rows = rows.filter(at__gte=timezone.now() - timedelta(seconds=settings.POSITION_STALE_S))
    return rows


_FRESH = OpenApiParameter("fresh", {"type": "integer", "enum": [0, 1]}, description="1: only those younger than the limit.")


class LastPositions(Watches):
    """The last position of each unit."""

    pagination_class = ByUnit

    @extend_schema(
        operation_id="list_last_positions",
        tags=["patrol"],
        summary="The last position of each unit",
        parameters=[_FRESH],
        responses=LastPositionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(last_positions(self))
        return self.get_paginated_response(LastPositionSerializer(page, many=True, context={"now": timezone.now()}).data)


class GeoJsonRenderer(FastJSONRenderer):
    media_type = "application/geo+json"
    format = "geojson"


class LastPositionsMap(Watches):
    """The same as a map file."""

    renderer_classes = [GeoJsonRenderer, FastJSONRenderer, ProblemRenderer]

    @extend_schema(
        operation_id="map_last_positions",
        tags=["patrol"],
        summary="The last position of each unit, as GeoJSON",
        parameters=[_FRESH],
        responses={(200, "application/geo+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        now = timezone.now()
        rows = list(last_positions(self)[:MOST_FEATURES])
        features = []
        for row, told in zip(rows, LastPositionSerializer(rows, many=True, context={"now": now}).data, strict=True):
            place = {"type": "Point", "coordinates": [round(row.location.x, _DECIMALS), round(row.location.y, _DECIMALS)]}
            facts = {name: value for name, value in told.items() if name not in ("lon", "lat")}
            features.append({"type": "Feature", "id": row.unit_id, "geometry": place, "properties": facts})
        return Response({"type": "FeatureCollection", "features": features}, content_type="application/geo+json")


class UnitTrack(Watches):
    """One unit's track."""

    @extend_schema(
        operation_id="read_track",
        tags=["patrol"],
        summary="A unit's track",
        description=f"At most {MOST_HOURS} hours at a time, the last hour where nothing is said. Doubtful points are listed and marked; "
        "more points than asked for are thinned evenly.",
        parameters=[
            OpenApiParameter("from", {"type": "string", "format": "date-time"}),
            OpenApiParameter("to", {"type": "string", "format": "date-time"}),
            OpenApiParameter("points", {"type": "integer", "minimum": 2, "maximum": MOST_POINTS, "default": MOST_POINTS}),
        ],
        responses=UnitTrackSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        unit = self.unit(pk)
        start, end, points = _window(request)
        whole = track(unit.pk, start, end)
        found = whole.thinned(points)
        said = {name: getattr(found, name).tolist() for name in ("accuracy_m", "speed_kmh")}
        columns = {name: [None if math.isnan(value) else value for value in values] for name, values in said.items()}
        return Response(
            {
                "unit": unit.pk,
                "total": len(whole),
                "at": found.at_s.tolist(),
                "lon": found.lon.round(_DECIMALS).tolist(),
                "lat": found.lat.round(_DECIMALS).tolist(),
                **columns,
                "doubt": found.doubt.tolist(),
                "is_believed": found.is_believed.tolist(),
            }
        )


def _window(request: Request) -> tuple[datetime, datetime, int]:
    problems: Problems = {}
    asked_from, asked_to = moments_of(request, problems)
    points = points_of(request, problems, most=MOST_POINTS, otherwise=MOST_POINTS)
    end = asked_to or (asked_from + timedelta(hours=1) if asked_from else timezone.now() + timedelta(minutes=1))
    start = asked_from or end - timedelta(hours=1)
    if not problems and not timedelta(0) < end - start <= timedelta(hours=MOST_HOURS, minutes=1):
        problems["to"] = [_("At most %(most)d hours after “from”.") % {"most": MOST_HOURS}]
    if problems:
        raise ValidationError(problems)
    return start, end, points


class GeofenceList(Watches):
    """The fences of the caller's jurisdiction."""

    serializer_class = GeofenceSerializer
    pagination_class = NewestFirst

    @extend_schema(operation_id="list_geofences", tags=["patrol"], summary="Geofences", responses=GeofenceSerializer(many=True))
    def get(self, request: Request) -> Response:
        viewer = viewer_of(request)
        rows = Geofence.objects.visible_to(viewer).select_related("agency")
        if not isinstance(viewer, PartnerKey) and not viewer.can("watch_units"):
            rows = rows.none()
        return self.get_paginated_response(GeofenceSerializer(self.paginate_queryset(rows), many=True).data)


class VisitList(Watches):
    """Visits to fences and to the places of assignments, newest first."""

    serializer_class = VisitSerializer
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_visits",
        tags=["patrol"],
        summary="Visits, newest first",
        parameters=[
            OpenApiParameter("unit", {"type": "integer", "minimum": 1}),
            OpenApiParameter("fence", {"type": "integer", "minimum": 1}),
            OpenApiParameter("open", {"type": "integer", "enum": [0, 1]}, description="1: only those not ended."),
        ],
        responses=VisitSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = FenceVisit.objects.filter(unit__in=self.units()).select_related("unit")
        problems = {}
        for name in ("unit", "fence"):
            value = request.query_params.get(name)
            if value is not None:
                if value.isascii() and value.isdigit() and len(value) <= 18:
                    rows = rows.filter(**{f"{name}_id": int(value)})
                else:
                    problems[name] = [_("A number.")]
        wanted = request.query_params.get("open", "")
        if wanted not in ("", "0", "1"):
            problems["open"] = [_("0 or 1.")]
        if problems:
            raise ValidationError(problems)
        if wanted:
            rows = rows.filter(left_at__isnull=wanted == "1")
        return self.get_paginated_response(VisitSerializer(self.paginate_queryset(rows), many=True).data)
