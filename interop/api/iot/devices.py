"""Devices and their readings, as programs and people's tokens read them; and readings that a partner's system brings for its devices.

By key with `telemetry:read` (`telemetry:write` to send), or by a person who may see devices; both see their jurisdiction's alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import QuerySet
from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.errors import problem_response
from core.api.paging import NewestFirst
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.api.external.answers import stream as stream_csv
from interop.api.iot.serializers import DeviceSerializer, HistorySerializer, LastValueSerializer
from interop.api.stretch import Problems, moments_of, points_of
from interop.models import PartnerKey, Scope
from iot.api.intake import EXAMPLES, MAX_BYTES, REQUEST, RESPONSES, NotedJSONParser, taken
from iot.models import Datastream, Device
from iot.permissions import may_see_devices
from iot.quality import names_of
from iot.services.history import MOST_DAYS, MOST_POINTS, every_reading, history
from iot.services.senders import Sender
from iot.services.speaking import allow

POINTS = 500
COLUMNS = ["metric", "unit", "at", "value", "quality", "received_at"]
WINDOW = [
    OpenApiParameter("from", {"type": "string", "format": "date-time"}, description="With its offset; a day ago where nothing is said."),
    OpenApiParameter("to", {"type": "string", "format": "date-time"}, description="Before it; now where nothing is said."),
]
METRIC = OpenApiParameter("metric", str, description="A code of the device's profile.")


class Sees(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.TELEMETRY_READ
    people_may_read = True
    tells_places_exactly = True
    serializer_class: Any = DeviceSerializer
    queryset = Device.objects.none()

    def devices(self) -> QuerySet[Any]:
        viewer = viewer_of(self.request)
        if not isinstance(viewer, PartnerKey) and not may_see_devices(viewer):
            raise PermissionDenied(_("Your role does not allow this."))
        return Device.objects.visible_to(viewer)

    def device(self, code: str) -> Device:
        found: Device | None = self.devices().for_list().filter(code=code).first()  # type: ignore[attr-defined]
        if found is None:
            raise Http404
        return found

    def stream(self, device: Device) -> Datastream:
        asked = self.request.query_params.get("metric", "")
        found = device.datastreams.select_related("metric").filter(metric__code=asked).first()
        if found is None:
            if device.profile.metrics.filter(code=asked).exists():
                raise Http404
            raise ValidationError({"metric": [_("The device's profile has no such metric.")]})
        return found


class ById(NewestFirst):
    ordering = "id"


class DeviceList(Sees):
    """The devices the caller may see."""

    pagination_class = ById

    @extend_schema(
        operation_id="list_devices",
        tags=["sensors"],
        summary="Devices",
        parameters=[
            OpenApiParameter("state", str, enum=Device.State.values),
            OpenApiParameter("status", str, enum=Device.Status.values),
            OpenApiParameter("profile", str, description="A profile's code."),
            OpenApiParameter("group", str, description="A group's code."),
        ],
        responses=DeviceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = self.devices().for_list()  # type: ignore[attr-defined]
        asked, problems = request.query_params, {}
        for name, values in (("state", Device.State.values), ("status", Device.Status.values)):
            if asked.get(name):
                if asked[name] not in values:
                    problems[name] = [_("Choose of: %(states)s.") % {"states": ", ".join(values)}]
                rows = rows.filter(**{name: asked[name]})
        if problems:
            raise ValidationError(problems)
        if asked.get("profile"):
            rows = rows.filter(profile__code=asked["profile"])
        if asked.get("group"):
            rows = rows.filter(groups__code=asked["group"]).distinct()
        page = self.paginate_queryset(rows.order_by("id"))
        return self.get_paginated_response(DeviceSerializer(page, many=True).data)


class DeviceDetail(Sees):
    @extend_schema(operation_id="read_device", tags=["sensors"], summary="One device", responses=DeviceSerializer)
    def get(self, request: Request, code: str) -> Response:
        return Response(DeviceSerializer(self.device(code)).data)


class DeviceLast(Sees):
    pagination_class = None  # as many as its profile has metrics

    @extend_schema(
        operation_id="read_last_values",
        tags=["sensors"],
        summary="The last value of each metric of a device",
        responses=LastValueSerializer(many=True),
    )
    def get(self, request: Request, code: str) -> Response:
        rows = self.device(code).datastreams.select_related("metric").order_by("metric__code")
        return Response(LastValueSerializer(rows, many=True).data)


class DeviceReadings(Sees):
    parser_classes = [NotedJSONParser]
    max_body_bytes = MAX_BYTES

    @property
    def scope(self) -> Scope:  # type: ignore[override]
        return Scope.TELEMETRY_WRITE if self.request.method == "POST" else Scope.TELEMETRY_READ

    @extend_schema(
        operation_id="read_history",
        tags=["sensors"],
        summary="A metric's history, in as many points as you can show",
        description="Readings as they came where there are no more of them than `points`; else stretches of minutes, hours or days with "
        "least, mean, most and last. Readings that are not believed (out of range) are in none of these, and counted.",
        parameters=[
            OpenApiParameter("metric", str, required=True, description="A code of the device's profile."),
            *WINDOW,
            OpenApiParameter("points", {"type": "integer", "minimum": 2, "maximum": MOST_POINTS, "default": POINTS}),
        ],
        responses=HistorySerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        device = self.device(code)
        start, end, points = _window(request)
        stream = self.stream(device)
        found = history(stream=stream, start=start, end=end, points=points)
        told: dict[str, Any] = {"device": device.code, "metric": stream.metric.code, "unit": stream.metric.unit, "step_s": found.step_s}
        if not found.step_s:
            told["at"], told["value"] = [row.at for row in found.readings], [row.value for row in found.readings]
            told["quality"] = [names_of(row.quality) for row in found.readings]
        else:
            for name in ("at", "n", "min", "mean", "max", "last", "bad_n"):
                told[name] = [getattr(point, name) for point in found.points]
        return Response(told)

    @extend_schema(
        operation_id="send_readings_of_device",
        tags=["sensors"],
        summary="Send readings of a device, as its agency's system",
        description="By a key with `telemetry:write`, for devices of the key's agency and governorates. Otherwise as `/iot/readings`.",
        request=REQUEST,
        examples=EXAMPLES,
        responses=RESPONSES,
    )
    def post(self, request: Request, code: str) -> Response:
        if not isinstance(request.auth, PartnerKey):
            raise PermissionDenied(_("This address is for partners' systems and their keys."))
        device = self.device(code)
        sender = Sender.of(device)
        if not sender.may_speak:
            sorry = _("This device is not in use: somebody has to approve it.")
            return problem_response(status=409, code="not_in_use", detail=sorry, request=request)
        allow(sender, readings=1, door="partner")
        return taken(request, sender, "partner")


class DeviceExport(Sees):
    """Every reading of a window, streamed."""

    parameters = [METRIC, *WINDOW]

    def pages(self, request: Request, code: str) -> Iterator[list[dict[str, Any]]]:
        device = self.device(code)
        start, end, _points = _window(request)
        streams = (
            [self.stream(device)]
            if request.query_params.get("metric")
            else list(device.datastreams.select_related("metric").order_by("metric__code"))
        )
        return every_reading(streams=streams, start=start, end=end)


class DeviceReadingsCsv(DeviceExport):
    @extend_schema(
        operation_id="export_readings_csv",
        tags=["sensors"],
        summary="Every reading of a device in a window, as CSV",
        parameters=DeviceExport.parameters,
        responses={(200, "text/csv"): OpenApiResponse(str, description=", ".join(COLUMNS))},
    )
    def get(self, request: Request, code: str) -> HttpResponseBase:
        pages = self.pages(request, code)
        return stream_csv(request._request, lambda: map(_worded, pages), COLUMNS, f"{code}.csv")


class DeviceReadingsJson(DeviceExport):
    @extend_schema(
        operation_id="export_readings_json",
        tags=["sensors"],
        summary="Every reading of a device in a window, one JSON object a line",
        parameters=DeviceExport.parameters,
        responses={(200, "application/x-ndjson"): OpenApiResponse(str, description=", ".join(COLUMNS))},
    )
    def get(self, request: Request, code: str) -> HttpResponseBase:
        pages = self.pages(request, code)
        lines = (b"".join(orjson.dumps(row) + b"\n" for row in page) for page in pages)
        response = StreamingHttpResponse(lines, content_type="application/x-ndjson")
        response.headers["Content-Disposition"] = f'attachment; filename="{code}.jsonl"'
        response.headers["Cache-Control"] = "private, no-store"
        return response


def _worded(page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "quality": " ".join(names_of(row["quality"]))} for row in page]


def _window(request: Request) -> tuple[datetime, datetime, int]:
    problems: Problems = {}
    asked_from, asked_to = moments_of(request, problems)
    points = points_of(request, problems, most=MOST_POINTS, otherwise=POINTS)
    end = asked_to or timezone.now()
    start = asked_from or end - timedelta(days=1)
    if not problems and not timedelta() < end - start <= timedelta(days=MOST_DAYS):
        problems["to"] = [_("It lies behind the beginning, at most %(days)d days.") % {"days": MOST_DAYS}]
    if problems:
        raise ValidationError(problems)
    return start, end, points
