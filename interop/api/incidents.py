"""What partners read back."""

from __future__ import annotations

import math
from typing import Any

from django.contrib.gis.geos import Polygon
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.paging import NewestFirst
from incidents.lifecycle import State
from incidents.models import Incident
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.api.reads import on_record
from interop.api.serializers import IncidentSerializer
from interop.messages.fields import Instant
from interop.models import Scope
from interop.precision import inside, precision_of

MAX_BBOX_DEGREES = 2.0
_LEVELS = ("governorate", "area", "block", "sector")
_SHAPES = [f"{level}__{shape}" for level in _LEVELS for shape in ("boundary", "label_point") if (level, shape) != ("area", "label_point")]


class ReadsIncidents(GenericAPIView[Incident]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.INCIDENTS_READ
    people_may_read = True
    serializer_class = IncidentSerializer
    queryset = Incident.objects.none()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "precision": precision_of(viewer_of(self.request))}

    def visible(self) -> QuerySet[Incident]:
        return (
            Incident.objects.visible_to(viewer_of(self.request))
            .select_related("region", "type", "agency", "source", *_LEVELS)
            .defer("search", *_SHAPES)
        )


class IncidentDetail(ReadsIncidents):
    """One incident by its reference."""

    pagination_class = None

    @extend_schema(operation_id="read_incident", tags=["incidents"], summary="Read one incident")
    def get(self, request: Request, ref: str) -> Response:
        incident = self.visible().by_ref(ref).first()  # type: ignore[attr-defined]
        if incident is None:
            raise Http404
        on_record(request, [incident], door="incidents")
        return Response(self.get_serializer(incident).data)


class IncidentList(ReadsIncidents):
    """Incidents, newest first."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_incidents",
        tags=["incidents"],
        summary="List incidents, newest first",
        parameters=[
            OpenApiParameter("state", str, many=True, enum=State.values, description="Only these states; may be given several times."),
            OpenApiParameter(
                "since",
                {"type": "string", "format": "date-time"},
                description="Only those that occurred at or after this time (with its offset).",
            ),
            OpenApiParameter(
                "bbox",
                str,
                description=f"Only those within west,south,east,north in degrees; at most {MAX_BBOX_DEGREES:g} degrees a side.",
            ),
        ],
        responses=IncidentSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self._filtered(request))
        on_record(request, page or [], door="incidents")
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def _filtered(self, request: Request) -> QuerySet[Incident]:
        rows = self.visible()
        problems: dict[str, Any] = {}
        asked = request.query_params
        states = [state for value in asked.getlist("state") for state in value.split(",")]
        if set(states) - set(State.values):
            problems["state"] = [_("Choose of: %(states)s.") % {"states": ", ".join(State.values)}]
        elif states:
            rows = rows.filter(state__in=states)
        if (since := asked.get("since")) is not None:
            try:
                # A plus sign that was not escaped arrives as a space.
                rows = rows.filter(occurred_at__gte=Instant().run_validation(since.replace(" ", "+")))
            except ValidationError as refusal:
                problems["since"] = refusal.detail
        if (bbox := asked.get("bbox")) is not None:
            box = _box(bbox)
            if box is None:
                problems["bbox"] = [
                    _("Write west,south,east,north in degrees, at most %(side)d degrees a side.") % {"side": int(MAX_BBOX_DEGREES)}
                ]
            else:
                rows = inside(rows, box, precision_of(viewer_of(request)))
        if problems:
            raise ValidationError(problems)
        return rows


def _box(text: str) -> Polygon | None:
    try:
        west, south, east, north = (float(part) for part in text.split(",", 4))
    except ValueError:
        return None
    sides = (east - west, north - south)
    if not all(map(math.isfinite, (west, south, east, north))) or not all(0 < side <= MAX_BBOX_DEGREES for side in sides):
        return None
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        return None
    box = Polygon.from_bbox((west, south, east, north))
    box.srid = 4326
    return box
