"""How many vehicles passed, by zone and hour and by camera and hour, as programs and people's tokens read it: numbers, and nothing else.

By key with `telemetry:read`, or by a person who may see devices; both see their jurisdiction's alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.paging import NewestFirst
from interop.api.iot.devices import WINDOW, Sees
from interop.api.iot.risk import LEVELS, SeesRisk
from interop.api.stretch import Problems, moments_of
from iot.models import PlateHour
from iot.services.plates import VEHICLES_READ, hours_of

MOST_DAYS = 366
MOST_DAYS_OF_CAMERA = 62


class PlateHourSerializer(serializers.Serializer[Any]):
    """One agency's plate counters in one zone, one hour. Not the sum of the areas: a vehicle may pass through several."""

    zone = serializers.CharField(source="zone.code")
    level = serializers.CharField(source="zone.level")
    name = serializers.CharField(source="zone.name", help_text="In the language of Accept-Language.")
    governorate = serializers.CharField(source="governorate.code")
    agency = serializers.CharField(source="agency.slug")
    hour = serializers.DateTimeField(help_text="When it began.")
    vehicles_distinct = serializers.IntegerField(help_text="Different vehicles, estimated by a sketch: about one per cent off.")
    counted_at = serializers.DateTimeField()


class CameraHourSerializer(serializers.Serializer[Any]):
    """What one camera read in one hour; null: it did not tell that."""

    hour = serializers.DateTimeField(help_text="When it began.")
    vehicles_read = serializers.IntegerField(allow_null=True, help_text="A vehicle that is read twice counts twice.")
    vehicles_distinct = serializers.IntegerField(allow_null=True, help_text="Different vehicles of the hour, estimated by a sketch.")


def window_of(request: Request, most_days: int) -> tuple[datetime, datetime]:
    """``from`` and ``to``; the last day where nothing is said. Raises ``ValidationError``."""
    problems: Problems = {}
    asked_from, asked_to = moments_of(request, problems)
    end = asked_to or timezone.now()
    start = asked_from or end - timedelta(days=1)
    if not problems and not timedelta() < end - start <= timedelta(days=most_days):
        problems["to"] = [_("It lies behind the beginning, at most %(days)d days.") % {"days": most_days}]
    if problems:
        raise ValidationError(problems)
    return start, end


class PlateZones(SeesRisk):
    serializer_class = PlateHourSerializer
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_vehicles_by_zone",
        tags=["sensors"],
        summary="How many different vehicles each zone had, hour by hour",
        description=f"Newest first; hours that begin within the window, at most {MOST_DAYS} days of it. No plate is kept, "
        "nor a hash of one.",
        parameters=[
            *WINDOW,
            OpenApiParameter("zone", str, description="The code of an area or a governorate."),
            OpenApiParameter("level", str, enum=list(LEVELS)),
            OpenApiParameter("agency", str, description="An agency's code."),
        ],
        responses=PlateHourSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        start, end = window_of(request, MOST_DAYS)
        rows: Any = PlateHour.objects.visible_to(self.viewer()).filter(hour__gte=start, hour__lt=end)
        zone, level, agency = (request.query_params.get(name, "") for name in ("zone", "level", "agency"))
        if level and level not in LEVELS:
            raise ValidationError({"level": [_("Choose of: %(states)s.") % {"states": ", ".join(LEVELS)}]})
        if not zone.isprintable() or not agency.isprintable():
            raise Http404
        rows = rows.filter(zone=self.zone(zone)) if zone else rows
        rows = rows.filter(zone__level=level) if level else rows
        rows = rows.filter(agency__slug=agency) if agency else rows
        rows = rows.select_related("zone", "governorate", "agency").defer("zone__boundary", "governorate__boundary")
        return self.get_paginated_response(PlateHourSerializer(self.paginate_queryset(rows), many=True).data)


class PlateCamera(Sees):
    serializer_class = CameraHourSerializer

    @extend_schema(
        operation_id="list_vehicles_of_camera",
        tags=["sensors"],
        summary="How many vehicles one camera read, hour by hour",
        description=f"Oldest first; hours that begin within the window, at most {MOST_DAYS_OF_CAMERA} days of it. A camera that counts no "
        "plates is not found. Hours in which it said nothing are left out.",
        parameters=WINDOW,
        responses=CameraHourSerializer(many=True),
    )
    def get(self, request: Request, code: str) -> Response:
        start, end = window_of(request, MOST_DAYS_OF_CAMERA)
        device = self.device(code)
        if not device.datastreams.filter(metric__code=VEHICLES_READ).exists():
            raise Http404
        return Response(CameraHourSerializer(hours_of(device, since=start, until=end), many=True).data)
