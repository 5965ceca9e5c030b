"""`/api/v1/iot/readings`: devices send theirs by their own keys; programs and people ask for those of many as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from interop.api.iot.exports import PARAMETERS, REFUSALS, Readings
from iot.api.intake import ReadingsIn
from iot.services.querying import Selection

OF_THE_STREAM = ("device", "metric", "unit")  # said once a series, not at each point
EXAMPLE = {
    "from": "2026-03-02T09:00:00Z",
    "to": "2026-03-02T10:00:00Z",
    "step_s": 0,
    "columns": ["at", "value", "quality", "received_at"],
    "series": [
        {
            "device": "AIR-001",
            "metric": "temperature",
            "unit": "°C",
            "points": [["2026-03-02T09:00:05Z", 21.5, "", "2026-03-02T09:00:05.310Z"]],
        }
    ],
}


class SeriesSerializer(serializers.Serializer[Any]):
    """A metric of a device. A point has a value for each of `columns`."""

    device = serializers.CharField()
    metric = serializers.CharField()
    unit = serializers.CharField(allow_blank=True)
    points = serializers.ListField(child=serializers.ListField())


class ManyReadingsSerializer(serializers.Serializer[Any]):
    """Series by device and metric, points oldest first. `step_s` 0: readings as they came; else stretches of so many seconds."""

    to = serializers.DateTimeField()
    step_s = serializers.IntegerField()
    columns = serializers.ListField(child=serializers.CharField())
    series = SeriesSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": serializers.DateTimeField(), **super().get_fields()}


class ReadingsAtOnce(Readings):
    """The two that use this address are told apart by what they do: who sends is a device, who asks may see devices."""

    parser_classes = ReadingsIn.parser_classes
    max_body_bytes = ReadingsIn.max_body_bytes

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [one() for one in ReadingsIn.authentication_classes] if self._sends() else super().get_authenticators()

    def get_permissions(self) -> Any:
        return [one() for one in ReadingsIn.permission_classes] if self._sends() else super().get_permissions()

    def _sends(self) -> bool:
        return bool(getattr(self, "request", None)) and self.request.method == "POST"

    @extend_schema(
        operation_id="read_many_readings",
        tags=["sensors"],
        summary="Readings of many devices, as one JSON document",
        description="By device, group, kind, box and window; every reading, or with `points` gathered to what a chart can show. The same "
        "bounds as the files have. The document is told as it is read: one that ends early is no JSON.",
        parameters=PARAMETERS,
        responses={(200, "application/json"): OpenApiResponse(ManyReadingsSerializer), **REFUSALS},
        examples=[OpenApiExample("readings as they came", value=EXAMPLE, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> HttpResponseBase:
        answer = StreamingHttpResponse(document(self.selection(request)), content_type="application/json")
        answer.headers["Cache-Control"] = "private, no-store"
        return answer

    post = ReadingsIn.post


def document(chosen: Selection) -> Iterator[bytes]:
    """Page by page: what is in memory is one of them, whatever is asked for."""
    columns = chosen.columns[len(OF_THE_STREAM) :]
    head = {"from": chosen.start, "to": chosen.end, "step_s": chosen.step_s, "columns": columns}
    yield _json(head)[:-1] + b',"series":['
    series: tuple[Any, ...] = ()
    for page in chosen.pages():
        parts = []
        for row in page:
            named = tuple(row[name] for name in OF_THE_STREAM)
            if named != series:
                parts.append(b"]}," if series else b"")
                parts.append(_json(dict(zip(OF_THE_STREAM, named, strict=True)))[:-1] + b',"points":[')
                series = named
            else:
                parts.append(b",")
            parts.append(_json([row[name] for name in columns]))
        yield b"".join(parts)
    yield b"]}]}" if series else b"]}"


def _json(told: Any) -> bytes:
    return orjson.dumps(told, option=orjson.OPT_UTC_Z)
