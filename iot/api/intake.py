"""Readings come in from the devices themselves. What is answered with a 2xx is on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import CONTENT_TYPE, ProblemSerializer, problem_response
from core.api.parsers import StrictJSONParser
from iot.api.authentication import DeviceAuthentication, IsDeviceInUse
from iot.services.senders import Sender
from iot.services.speaking import MOST_ROWS, Read, Wrong, allow, note_unreadable, take_in

MAX_BYTES = 2**18
MAX_PROBLEMS = 100

ONE = {"metric": "temperature", "value": 21.5, "at": "2026-03-02T09:00:05Z"}
SEVERAL = {"at": "2026-03-02T09:00:05Z", "values": {"temperature": 21.5, "humidity": 40}, "battery_pct": 81}
BATCH = {"readings": [ONE, {"metric": "temperature", "value": 21.7, "at": 1772442065}], "firmware": "1.4.2"}


class ReadingInSerializer(serializers.Serializer[Any]):
    """One reading, or several of one instant as `values`."""

    metric = serializers.CharField(required=False, max_length=48, help_text="A code of the device's profile.")
    value = serializers.FloatField(required=False)
    values = serializers.DictField(child=serializers.FloatField(), required=False, help_text="Metric to value, of one instant.")
    at = serializers.CharField(
        required=False, help_text="ISO 8601 with its offset, or seconds since 1970. Left out: the moment we received it."
    )
    device = serializers.CharField(required=False, max_length=64, help_text="The device's own code; any other is 404.")
    battery_pct = serializers.FloatField(required=False, min_value=0, max_value=100)
    signal_dbm = serializers.FloatField(required=False)
    firmware = serializers.CharField(required=False, max_length=48)


class ReadingBatchSerializer(serializers.Serializer[Any]):
    readings = ReadingInSerializer(many=True, help_text=f"1 to {MOST_ROWS:,}.")


class ReadingFateSerializer(serializers.Serializer[Any]):
    """A reading that was refused."""

    index = serializers.IntegerField(help_text="From 0.")
    code = serializers.ChoiceField(choices=Wrong.values)
    detail = serializers.CharField()


class ReadingReceiptSerializer(serializers.Serializer[Any]):
    """`accepted` are on the disk and will be rows in a moment; repeated ones are counted among them."""

    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = ReadingFateSerializer(many=True, help_text="Those refused, the first hundred.")


class ReadingProblemSerializer(ProblemSerializer):
    """Nothing of it was taken. The counts are there where the body held rows to look at."""

    accepted = serializers.IntegerField(required=False)
    refused = serializers.IntegerField(required=False)
    results = ReadingFateSerializer(many=True, required=False, help_text="Those refused, the first hundred.")


REQUEST = PolymorphicProxySerializer(
    component_name="ReadingsIn", serializers=[ReadingInSerializer, ReadingBatchSerializer], resource_type_field_name=None
)
EXAMPLES = [
    OpenApiExample("one", value=ONE, request_only=True),
    OpenApiExample("several of one instant", value=SEVERAL, request_only=True),
    OpenApiExample("a batch", value=BATCH, request_only=True),
]
RESPONSES: dict[Any, Any] = {
    202: OpenApiResponse(ReadingReceiptSerializer, description="On the disk."),
    (422, CONTENT_TYPE): OpenApiResponse(ReadingProblemSerializer, description="None was taken: why, row by row."),
    (429, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description="More than the device's profile allows; see Retry-After."),
    (503, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description="More waits than can be written; send it again after Retry-After."),
}


class NotedJSONParser(StrictJSONParser):
    """What cannot be read is counted among the dead readings of its device."""

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except ParseError:
            request = (parser_context or {}).get("request")
            device_id = getattr(getattr(request, "auth", None), "device_id", None)
            note_unreadable(
                b"", device_id=device_id, door="http", now=timezone.now(), detail="not JSON"
            )  # what is wrong may be told with the words of it
            raise


class ReadingsIn(APIView):
    """A device speaks for itself."""

    authentication_classes = [DeviceAuthentication]
    permission_classes = [IsDeviceInUse]
    parser_classes = [NotedJSONParser]
    max_body_bytes = MAX_BYTES

    @extend_schema(
        operation_id="send_readings",
        tags=["sensors"],
        summary="Send readings: one, several of one instant, or up to 1,000",
        description="By the device's own key. Readings may come late, out of order and twice: each instant of a metric is kept once, the "
        "first value of it. The body may be compressed with gzip. A body of nothing but `battery_pct`, `signal_dbm` and `firmware` says "
        "that the device is there.",
        request=REQUEST,
        examples=EXAMPLES,
        responses=RESPONSES,
    )
    def post(self, request: Request) -> Response:
        sender: Any = request.auth
        allow(sender, readings=1, door="http")  # before the body is read: a flood of broken ones is a flood
        return taken(request, sender, "http")


def taken(request: Request, sender: Sender, door: str) -> Response:
    """Take the request's body in for ``sender``, and say what became of it."""
    body = request.data
    rows = body.get("readings", [body]) if isinstance(body, Mapping) else body
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ROWS:
        sorry = _("Send 1 to %(limit)d readings.") % {"limit": MOST_ROWS}
        return problem_response(status=422, detail=sorry, errors=[{"field": "", "code": "not_a_batch", "detail": sorry}], request=request)
    return _answer(take_in(body, sender=sender, door=door, now=timezone.now()), request)


def _answer(read: Read, request: Request) -> Response:
    results = [{"index": place, "code": wrong.value, "detail": str(wrong.label)} for place, wrong, _row in read.wrong[:MAX_PROBLEMS]]
    counts: dict[str, Any] = {"accepted": len(read.measurements), "refused": len(read.wrong), "results": results}
    if read.wrong and not read.measurements:
        errors = [{"field": str(row["index"]), "code": row["code"], "detail": row["detail"]} for row in results]
        return problem_response(status=422, detail=_("No reading was taken."), errors=errors, request=request, **counts)
    return Response(counts, status=202)
