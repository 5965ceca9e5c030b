"""Coverage for machines and people: gaps by zone and hour, studies, move-up, what if."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Agency
from core.api.fields import Moment
from geography.models import Zone
from interop.api.patrol.force_kit import ForceView, PlaceAskedSerializer, of_place
from interop.models import PartnerKey
from patrol.models import CoverageStudy
from patrol.services import coverage as covering
from patrol.services.coverage.studies import LIMITS_S, MOST_UNITS

LIMIT_MIN = (LIMITS_S[0] // 60, LIMITS_S[1] // 60)


class PlaceNeededSerializer(serializers.Serializer[Any]):
    agency = serializers.SlugField(max_length=32)
    governorate = serializers.CharField(max_length=32, help_text="Its code.")


class WindowNeededSerializer(PlaceNeededSerializer):
    start = Moment(required=False, help_text="By default this hour.")
    hours = serializers.IntegerField(required=False, default=8, min_value=1, max_value=48)
    minutes = serializers.IntegerField(
        required=False, min_value=LIMIT_MIN[0], max_value=LIMIT_MIN[1], help_text="In reach within so many; by default the agency's target."
    )


class GapSerializer(serializers.Serializer[Any]):
    area = serializers.CharField(allow_null=True, help_text="Its code; null: in no area.")
    at = serializers.DateTimeField(help_text="The hour's beginning.")
    expected = serializers.FloatField()
    covered_share = serializers.FloatField(allow_null=True)


class GapsSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    limit_s = serializers.IntegerField()
    made_from = serializers.CharField(help_text="live, plan, roster, none; joined by +.")
    travel = serializers.CharField()
    covered_share = serializers.FloatField(allow_null=True)
    units = serializers.ListField(child=serializers.IntegerField(), help_text="Hour by hour.")
    notes = serializers.JSONField(help_text="What is missing in the demand.")
    gaps = GapSerializer(many=True)


class StudySerializer(serializers.Serializer[CoverageStudy]):
    id = serializers.IntegerField()
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code")
    kind = serializers.CharField(help_text="cover, median, move_up or what_if.")
    name = serializers.CharField()
    at = serializers.DateTimeField()
    gap = serializers.FloatField(allow_null=True, help_text="Proven: 0.01 is at most 1 % below the best there is.")
    seconds = serializers.FloatField(allow_null=True)
    provider = serializers.CharField()
    inputs = serializers.JSONField()
    result = serializers.JSONField()
    is_synthetic = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class StudyRequestSerializer(WindowNeededSerializer):
    units = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=MOST_UNITS)
    method = serializers.ChoiceField(choices=["cover", "median"], default="cover")


class StationWishSerializer(serializers.Serializer[Any]):
    station = serializers.IntegerField(min_value=1, max_value=2**62)
    more = serializers.IntegerField(required=False, default=0, min_value=-MOST_UNITS, max_value=MOST_UNITS)
    longitude = serializers.FloatField(required=False, min_value=-180, max_value=180)
    latitude = serializers.FloatField(required=False, min_value=-90, max_value=90)


class WhatIfRequestSerializer(WindowNeededSerializer):
    name = serializers.CharField(required=False, allow_blank=True, default="", max_length=120)
    stations = serializers.ListField(child=StationWishSerializer(), max_length=20)


class MoveSerializer(serializers.Serializer[Any]):
    unit = serializers.CharField()
    to = serializers.CharField()
    way_s = serializers.FloatField()
    gains = serializers.FloatField()
    share_after = serializers.FloatField()


class MoveUpSerializer(serializers.Serializer[Any]):
    on_duty = serializers.IntegerField()
    free = serializers.IntegerField()
    emptied = serializers.ListField(child=serializers.CharField())
    before = serializers.FloatField()
    now = serializers.FloatField()
    after = serializers.FloatField()
    notes = serializers.ListField(child=serializers.CharField())
    moves = MoveSerializer(many=True)


class CoverageView(ForceView):
    pagination_class: Any = None

    def place(self, told: dict[str, Any]) -> dict[str, Any]:
        """The agency and governorate named, inside the caller's jurisdiction, and the caller; a key reads for the system."""
        zones = Zone.objects.level(Zone.Level.GOVERNORATE).filter(code=told["governorate"]).select_related("region")
        zone = zones.order_by("region_id").first()
        agency = Agency.objects.filter(slug=told["agency"]).first()
        if zone is None or agency is None or not self.viewer.jurisdiction.admits(agency_id=agency.pk, governorate_id=zone.pk):
            raise Http404
        by = None if isinstance(self.request.auth, PartnerKey) else self.request.user
        return {"governorate": zone, "agency": agency, "by": by}

    def window(self, told: dict[str, Any]) -> tuple[datetime, datetime]:
        start = told.get("start") or timezone.now().replace(minute=0, second=0, microsecond=0)
        return start, start + timedelta(hours=told["hours"])


class CoverageGaps(CoverageView):
    serializer_class = GapsSerializer

    @extend_schema(
        operation_id="read_coverage_gaps", tags=["patrol"], summary="Demand no unit reaches in time, by zone and hour",
        parameters=[WindowNeededSerializer], responses=GapsSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        told = self.asked(WindowNeededSerializer)
        start, end = self.window(told)
        gaps = covering.gaps_for(**self.place(told), start=start, end=end, limit_s=told["minutes"] * 60 if "minutes" in told else None)
        rows = [
            {"area": zone.code if zone else None, "at": hour, "expected": round(float(gaps.expected[row, column]), 4),
             "covered_share": round(float(gaps.shares[row, column]), 4) if math.isfinite(gaps.shares[row, column]) else None}
            for row, zone in enumerate(gaps.areas)
            for column, hour in enumerate(gaps.hours)
        ]  # fmt: skip
        shown = {
            "start": start, "end": end, "limit_s": gaps.limit_s, "made_from": gaps.source, "travel": gaps.travel["name"],
            "covered_share": gaps.covered_share, "units": gaps.units, "notes": gaps.demand.stored()["notes"], "gaps": rows,
        }  # fmt: skip
        return Response(GapsSerializer(shown).data)


class MoveUpView(CoverageView):
    serializer_class = MoveUpSerializer

    @extend_schema(
        operation_id="read_move_up", tags=["patrol"], summary="Whom to move where now, so that most demand stays in reach",
        parameters=[PlaceNeededSerializer], responses=MoveUpSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        advice = covering.advise_move_up(**self.place(self.asked(PlaceNeededSerializer)))
        if advice is None:
            nobody = {"on_duty": 0, "free": 0, "emptied": [], "before": 0, "now": 0, "after": 0, "notes": ["nobody_on_duty"], "moves": []}
            return Response(MoveUpSerializer(nobody).data)
        result = advice.result
        moves = [
            {"unit": unit.call_sign, "to": post.name, "way_s": move.way_s, "gains": move.gains, "share_after": move.share_after}
            for unit, post, move in advice.moves
        ]
        shown = {
            "on_duty": advice.on_duty,
            "free": advice.free,
            "emptied": [post.name for post in advice.emptied],
            "before": result.before,
            "now": result.now,
            "after": result.after,
            "notes": result.notes,
            "moves": moves,
        }
        return Response(MoveUpSerializer(shown).data)


class StudyList(ForceView):
    serializer_class = StudySerializer

    @extend_schema(
        operation_id="list_coverage_studies", tags=["patrol"], summary="List coverage studies and what-ifs, newest first",
        parameters=[PlaceAskedSerializer], responses=StudySerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = CoverageStudy.objects.visible_to(self.viewer).select_related("agency", "governorate").defer("governorate__boundary")
        page: Any = self.paginate_queryset(of_place(rows, self.asked(PlaceAskedSerializer)))
        return self.get_paginated_response(StudySerializer(page, many=True).data)


class StudyMake(CoverageView):
    serializer_class = StudySerializer

    @extend_schema(
        operation_id="study_coverage", tags=["patrol"], summary="Where so many units should stand, with the proven gap (people only)",
        request=StudyRequestSerializer, responses={201: StudySerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(StudyRequestSerializer)
        start, end = self.window(told)
        limit = told["minutes"] * 60 if "minutes" in told else None
        made = covering.study_coverage(**self.place(told), start=start, end=end, units=told["units"], method=told["method"], limit_s=limit)
        return Response(StudySerializer(made).data, status=201)


class WhatIfMake(CoverageView):
    serializer_class = StudySerializer

    @extend_schema(
        operation_id="ask_what_if", tags=["patrol"], summary="More or fewer units, stations elsewhere: beside today's (people only)",
        request=WhatIfRequestSerializer, responses={201: StudySerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(WhatIfRequestSerializer)
        start, end = self.window(told)
        made = covering.ask_what_if(
            **self.place(told),
            start=start,
            end=end,
            more={row["station"]: row["more"] for row in told["stations"] if row["more"]},
            moved={
                row["station"]: (row["longitude"], row["latitude"]) for row in told["stations"] if {"longitude", "latitude"} <= set(row)
            },
            limit_s=told["minutes"] * 60 if "minutes" in told else None,
            name=told["name"],
        )
        return Response(StudySerializer(made).data, status=201)


class StudyDetail(ForceView):
    serializer_class = StudySerializer

    @extend_schema(operation_id="read_coverage_study", tags=["patrol"], summary="Read one study or what-if", responses=StudySerializer)
    def get(self, request: Request, pk: int) -> Response:
        rows = CoverageStudy.objects.visible_to(self.viewer).select_related("agency", "governorate").defer("governorate__boundary")
        return Response(StudySerializer(self.found(rows, pk)).data)
