"""The risk of zones by their sensors, and whether incidents follow crowds, as programs and people's tokens read it.

By key with `telemetry:read`, or by a person who may see devices; both see their jurisdiction's alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from geography.models import Zone
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.api.iot.devices import ById
from interop.api.iot.risk_shapes import CrowdCorrelationSerializer, RiskSerializer, RiskShortSerializer
from interop.models import PartnerKey, Scope
from iot.models import CrowdResult, ZoneRisk
from iot.permissions import may_see_devices
from iot.services.risk.naming import Named, names_of_evidence

LEVELS = (Zone.Level.AREA, Zone.Level.GOVERNORATE)
MOST_HOURS = 7 * 24
MOST_MOMENTS = 2_100  # seven days, each five minutes, and some
AGENCY = OpenApiParameter("agency", str, description="An agency's code; without it, that with the highest score.")


class SeesRisk(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.TELEMETRY_READ
    people_may_read = True
    tells_places_exactly = True
    serializer_class: Any = RiskShortSerializer
    queryset = ZoneRisk.objects.none()

    def viewer(self) -> Any:
        viewer = viewer_of(self.request)
        if not isinstance(viewer, PartnerKey) and not may_see_devices(viewer):
            raise PermissionDenied(_("Your role does not allow this."))
        return viewer

    def zone(self, code: str) -> Zone:
        """By its code: an area, else a governorate, of the viewer's."""
        places = self.viewer().jurisdiction.governorate_ids
        found = [
            zone
            for zone in Zone.objects.filter(code=code, level__in=LEVELS, is_active=True).defer("boundary").order_by("level", "pk")
            if places is None or (zone.pk if zone.level == Zone.Level.GOVERNORATE else zone.parent_id) in places
        ]
        if not found:
            raise Http404
        return found[0]


class RiskList(SeesRisk):
    """Every zone with sensors the caller may see."""

    pagination_class = ById

    @extend_schema(
        operation_id="list_risk_scores",
        tags=["sensors"],
        summary="The risk of zones by their sensors",
        description="A score from 0 to 100 for each zone and agency with sensors there, a sum of named parts. It is a judgement of what "
        "sensors say now, not a probability. A zone that is not in the list has no sensors, which is not a risk of 0.",
        parameters=[OpenApiParameter("level", str, enum=list(LEVELS)), AGENCY],
        responses=RiskShortSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = ZoneRisk.objects.visible_to(self.viewer()).current().for_list()
        level, agency = request.query_params.get("level", ""), request.query_params.get("agency", "")
        if level and level not in LEVELS:
            raise ValidationError({"level": [_("Choose of: %(states)s.") % {"states": ", ".join(LEVELS)}]})
        if not agency.isprintable():
            raise ValidationError({"agency": [_("There is no such agency.")]})
        rows = rows.filter(zone__level=level) if level else rows
        rows = rows.filter(agency__slug=agency) if agency else rows
        return self.get_paginated_response(RiskShortSerializer(self.paginate_queryset(rows.order_by("id")), many=True).data)


class RiskDetail(SeesRisk):
    serializer_class = RiskSerializer

    @extend_schema(
        operation_id="read_risk_score",
        tags=["sensors"],
        summary="The risk of one zone, taken apart, with its history",
        parameters=[
            AGENCY,
            OpenApiParameter("hours", {"type": "integer", "minimum": 1, "maximum": MOST_HOURS, "default": 24}, description="Of history."),
        ],
        responses=RiskSerializer,
    )
    def get(self, request: Request, zone: str) -> Response:
        hours = _hours(request)
        place = self.zone(zone)
        visible = ZoneRisk.objects.visible_to(self.viewer()).of_zone(place.pk)
        rows: list[ZoneRisk] = list(
            visible.current().with_names().select_related("making").order_by(F("score").desc(nulls_last=True), "pk")
        )
        agency = request.query_params.get("agency", "")
        mine = [row for row in rows if row.agency.slug == agency] if agency else rows
        if not mine:
            raise Http404
        row = mine[0]
        return Response(RiskSerializer(_told(row, [one for one in rows if one is not row], visible, hours)).data)


def _told(row: ZoneRisk, others: list[ZoneRisk], visible: QuerySet[Any], hours: int) -> dict[str, Any]:
    names = names_of_evidence([row])
    since = timezone.now() - timedelta(hours=hours)
    moments = visible.filter(agency=row.agency_id, at__gte=since).order_by("-at").values("at", "score", "points")[:MOST_MOMENTS]
    plain = ("at", "checked_at", "score", "points", "devices", "heard", "notes", "is_synthetic", "spread", "digest")
    told = {name: getattr(row, name) for name in plain}
    return told | {
        "zone": row.zone,
        "governorate": row.governorate,
        "agency": row.agency,
        "making": row.making,
        "parts": [
            {**part, "evidence": [_line(line, names.get(line["key"], Named())) for line in part["evidence"]], "more": part["more"]["count"]}
            for part in row.parts
        ],
        "others": others,
        "history": list(reversed(moments)),
    }


def _line(line: dict[str, Any], named: Named) -> dict[str, Any]:
    return {
        "device": named.device,
        "metric": named.metric,
        "anomaly": named.anomaly_id,
        "began_at": datetime.fromtimestamp(line["at"], UTC),
        "ended_at": None if line["until"] is None else datetime.fromtimestamp(line["until"], UTC),
        "amount": line["amount"],
        "points": line["points"],
    }


class CrowdCorrelation(SeesRisk):
    serializer_class = CrowdCorrelationSerializer

    @extend_schema(
        operation_id="read_crowd_correlation",
        tags=["sensors"],
        summary="Whether incidents follow crowds in a zone",
        description="Judged each night, type by type: the rate of incidents in the hours after an unusual crowd over that in other hours "
        "of the same name and season, with its interval. Many pairs are looked at, so evidence must also hold its false-discovery rate.",
        responses=CrowdCorrelationSerializer,
    )
    def get(self, request: Request, zone: str) -> Response:
        place = self.zone(zone)
        rows = CrowdResult.objects.visible_to(self.viewer()).filter(zone=place).newest()
        found = list(rows.select_related("run", "zone", "agency", "type").defer("zone__boundary").order_by("agency", "type__code"))
        told = {"zone": place.code, "name": place.name, "run": found[0].run if found else None, "results": found}
        return Response(CrowdCorrelationSerializer(told).data)


def _hours(request: Request) -> int:
    text = request.query_params.get("hours", "24")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_HOURS):
        raise ValidationError({"hours": [_("1 to %(most)d.") % {"most": MOST_HOURS}]})
    return int(text[:4])
