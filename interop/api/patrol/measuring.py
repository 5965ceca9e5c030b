"""Dosage of planned stops, and the patrol report. Keys and those who may watch units read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency
from core.api.fields import Day
from geography.models import Zone
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import PartnerKey, Scope
from patrol.models import PlanStop
from patrol.services.dosage.sums import BY, Line, Sums, lines, stop_lines, stops_of, total
from patrol.services.report import Window, window

MOST_STOPS = 5_000


class WatchesUnits(BasePermission):
    """Of people those whose role watches units; keys are judged by their scope."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        self.message = _("Your role does not allow this.")
        self.code = "not_allowed"
        return isinstance(request.auth, PartnerKey) or bool(getattr(request.user, "can", lambda _verb: False)("watch_units"))


class Measuring(GenericAPIView[Any]):
    """Of one agency in one governorate of the caller's."""

    authentication_classes = CALLERS
    permission_classes = [HasScope, WatchesUnits]
    scope: str = Scope.PATROL_READ
    people_may_read = True
    pagination_class: Any = None
    serializer_class: Any = serializers.Serializer
    queryset = PlanStop.objects.none()

    def agency(self) -> Agency:
        mine = jurisdiction_of(viewer_of(self.request))
        rows = Agency.objects.order_by("slug")
        if mine.agency_ids is not None:
            rows = rows.filter(pk__in=sorted(mine.agency_ids))
        slug = self.request.query_params.get("agency", "")[:64].replace("\x00", "")
        found = rows.filter(slug=slug).first() if slug else rows.filter(slug="police").first() or rows.first()
        if found is None:
            raise Http404
        return found

    def governorate(self) -> Zone:
        mine = jurisdiction_of(viewer_of(self.request))
        rows = Zone.objects.level(Zone.Level.GOVERNORATE).filter(is_active=True).defer("boundary").select_related("region")
        if mine.governorate_ids is not None:
            rows = rows.filter(pk__in=sorted(mine.governorate_ids))
        code = self.request.query_params.get("governorate", "")[:32].replace("\x00", "")
        rows = rows.order_by("-region__is_default", "code")
        found = rows.filter(code=code).first() if code else rows.first()
        if found is None:
            raise Http404
        return found

    def window(self, governorate: Zone, now: datetime) -> Window:
        given = {name: self.request.query_params[name] for name in ("from", "to") if self.request.query_params.get(name)}
        asked = WindowSerializer(data=given)
        asked.is_valid(raise_exception=True)
        return window(governorate.region, now=now, first=asked.validated_data.get("from"), last=asked.validated_data.get("to"))


class WindowSerializer(serializers.Serializer[Any]):
    to = Day(required=False)

    def get_fields(self) -> dict[str, Any]:
        return {"from": Day(required=False), **super().get_fields()}


WHERE = [
    OpenApiParameter("agency", str, description="An agency's slug; the caller's own, else the police, without it."),
    OpenApiParameter("governorate", str, description="A governorate's code; the caller's first one without it."),
    OpenApiParameter("from", str, description="First day, YYYY-MM-DD on the region's clock; six days before `to` without it."),
    OpenApiParameter("to", str, description="Last day; today without it. At most 92 days."),
]


class DosageSumsSerializer(serializers.Serializer[Any]):
    stops = serializers.IntegerField(help_text="Planned.")
    measured = serializers.IntegerField(help_text="Those that have ended and were measured.")
    provisional = serializers.IntegerField(help_text="Of the measured: their shift is not over.")
    visited = serializers.IntegerField()
    at_another_time = serializers.IntegerField()
    not_visited = serializers.IntegerField()
    not_known = serializers.IntegerField()
    planned_s = serializers.FloatField(help_text="Of the measured stops: delivered + absent + unknown.")
    delivered_s = serializers.FloatField()
    absent_s = serializers.FloatField()
    unknown_s = serializers.FloatField(help_text="No position says either.")
    beyond_s = serializers.FloatField(help_text="Inside the fence, outside the planned minutes.")


class DosageLineSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="The id of the area, shift, unit or stop; a cell's column:row.")
    name = serializers.CharField(allow_blank=True)
    area = serializers.CharField(allow_blank=True)
    starts_at = serializers.SerializerMethodField()
    sums = DosageSumsSerializer()

    def get_starts_at(self, line: Line) -> datetime | None:
        """Of stops and shifts."""
        return line.stop.arrive_at if line.stop is not None else line.shift.starts_at if line.shift is not None else None


class DosageSerializer(serializers.Serializer[Any]):
    agency = serializers.CharField()
    governorate = serializers.CharField()
    first = serializers.DateField()
    last = serializers.DateField()
    by = serializers.ChoiceField(choices=BY)
    total = DosageSumsSerializer()
    is_cut = serializers.BooleanField(help_text="By stop: the first 5,000 of more.")
    lines = DosageLineSerializer(many=True)


class DosageView(Measuring):
    serializer_class = DosageSerializer

    @extend_schema(
        operation_id="read_dosage",
        tags=["patrol"],
        summary="Minutes planned, delivered, absent and unknown at planned stops",
        parameters=[*WHERE, OpenApiParameter("by", str, enum=list(BY), description="What the lines are of; areas without it.")],
        responses=DosageSerializer,
    )
    def get(self, request: Request) -> Response:
        by = request.query_params.get("by", "area")
        if by not in BY:
            raise serializers.ValidationError({"by": _("One of %(list)s.") % {"list": ", ".join(BY)}})
        agency, governorate = self.agency(), self.governorate()
        days = self.window(governorate, timezone.now())
        stops = stops_of(agency=agency, governorate=governorate, start=days.start, end=days.end)
        whole: Sums = total(stops)
        if by == "stop":
            stops = stops.filter(pk__in=stops.order_by("arrive_at", "pk").values("pk")[:MOST_STOPS])
        found = list(stop_lines(stops)) if by == "stop" else lines(stops, by)
        told = {
            "agency": agency.slug,
            "governorate": governorate.code,
            "first": days.first,
            "last": days.last,
            "by": by,
            "total": whole,
            "is_cut": by == "stop" and whole.stops > MOST_STOPS,
            "lines": found,
        }
        return Response(self.get_serializer(told).data)
