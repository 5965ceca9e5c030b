"""Positions come in: one, many, or as a Traccar server forwards them. What is answered with a 2xx is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import CONTENT_TYPE, ProblemSerializer, problem_response
from interop.api.authentication import CALLERS, HasScope
from interop.models import PartnerKey, Scope
from patrol.models import Doubt, PositionSource
from patrol.services.positions import (
    Gatherer,
    Named,
    Recorded,
    Refused,
    Sender,
    Taken,
    own_form,
    receive_positions,
    record_positions,
    traccar_form,
)

MAX_BYTES = 2**20
MAX_ROWS = 2_000
together = Gatherer()  # single positions of this process

EXAMPLE = {
    "tracker": "356307042441013",
    "at": "2026-03-02T09:00:05Z",
    "lon": 47.978,
    "lat": 29.3697,
    "accuracy_m": 6,
    "speed_kmh": 42,
    "heading_deg": 270,
}


class PositionSerializer(serializers.Serializer[Any]):
    """Where one unit was. It is named by `unit` (its call sign or id) or by `tracker`; a person on duty with a unit leaves both out."""

    unit = serializers.CharField(required=False, max_length=64, help_text="The unit's call sign, or its id as a number.")
    tracker = serializers.CharField(required=False, max_length=64, help_text="The name its GPS device reports under.")
    at = serializers.DateTimeField(help_text="When the fix was taken, with its offset; or seconds since 1970.")
    lon = serializers.FloatField(min_value=-180, max_value=180)
    lat = serializers.FloatField(min_value=-90, max_value=90)
    accuracy_m = serializers.FloatField(required=False, allow_null=True, help_text="The receiver's radius of error. 0: unknown.")
    speed_kmh = serializers.FloatField(required=False, allow_null=True)
    heading_deg = serializers.FloatField(required=False, allow_null=True, help_text="From north, clockwise.")


class PositionReceiptSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(choices=["accepted", "duplicate"])
    doubt = serializers.ChoiceField(choices=Doubt.choices, allow_blank=True, help_text="Kept, and not believed: why. Empty: believed.")


class PositionFateSerializer(serializers.Serializer[Any]):
    """What there is to say of one row of a batch."""

    index = serializers.IntegerField(help_text="From 0.")
    outcome = serializers.ChoiceField(choices=["accepted", "duplicate", "refused"])
    code = serializers.ChoiceField(choices=Refused.values, allow_blank=True, help_text="Why it was refused.")
    detail = serializers.CharField(allow_blank=True)
    doubt = serializers.ChoiceField(choices=Doubt.choices, allow_blank=True)


class PositionBatchReceiptSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = PositionFateSerializer(many=True, help_text="Rows with something to say: refused, known already or doubted.")


class PositionBatchProblemSerializer(ProblemSerializer):
    """What is wrong; with a batch of which no row was taken, row by row."""

    accepted = serializers.IntegerField(required=False)
    duplicate = serializers.IntegerField(required=False)
    refused = serializers.IntegerField(required=False)
    results = PositionFateSerializer(many=True, required=False)


class PositionIntake(APIView):
    """One position, or up to two thousand."""

    authentication_classes = CALLERS
    permission_classes = [HasScope]
    scope = Scope.TELEMETRY_WRITE
    people_may_read = True  # who is signed in may report for the unit they are on duty with, and for no other
    max_body_bytes = MAX_BYTES
    source: ClassVar[str] = PositionSource.HTTP
    forms: ClassVar[tuple[Callable[[Any], Named | Refused]]] = (own_form,)

    @extend_schema(
        operation_id="send_positions",
        tags=["patrol"],
        summary="Send positions: one, or up to 2,000",
        description='A JSON object is one position; a list (or `{"positions": […]}`) is a batch, of which each row stands for itself. '
        "By key, for units of the key's agency and governorates; by session, for the unit the person is on duty with. Positions may come "
        "out of order and twice. A doubted one (a jump, a poor fix, an old one) is kept in the track and moves nothing.",
        request=PositionSerializer,
        examples=[OpenApiExample("position", value=EXAMPLE, request_only=True)],
        responses={
            201: OpenApiResponse(PositionReceiptSerializer, description="Kept. A batch is answered with its counts."),
            200: OpenApiResponse(PositionBatchReceiptSerializer, description="A batch was taken, or nothing was new."),
            (422, CONTENT_TYPE): OpenApiResponse(PositionBatchProblemSerializer, description="Not taken: why, row by row."),
        },
    )
    def post(self, request: Request) -> Response:
        body = request.data
        rows = body.get("positions") if isinstance(body, dict) and "positions" in body else body
        is_batch = isinstance(rows, list) or rows is not body
        if is_batch and not (isinstance(rows, list) and 1 <= len(rows) <= MAX_ROWS):
            sorry = _("A batch is a list of 1 to %(limit)d positions.") % {"limit": MAX_ROWS}
            return problem_response(
                status=422, detail=sorry, errors=[{"field": "", "code": "not_a_batch", "detail": sorry}], request=request
            )
        (read,) = self.forms
        named = [read(row) for row in (rows if isinstance(rows, list) else [body])]
        record = record_positions if is_batch else together.record
        recorded = receive_positions(named, sender=_sender(request), source=self._source(request), now=timezone.now(), record=record)
        return _batch_answer(recorded, request) if is_batch else _single_answer(recorded.results[0], request)

    def _source(self, request: Request) -> str:
        if isinstance(request.auth, PartnerKey):
            return PositionSource.SIMULATOR if request.auth.partner.is_synthetic else self.source
        return PositionSource.PHONE


class TraccarIntake(PositionIntake):
    """What a Traccar server forwards, as it forwards it."""

    source = PositionSource.TRACCAR
    forms = (traccar_form,)

    @extend_schema(
        operation_id="send_positions_traccar",
        tags=["patrol"],
        summary="Send positions as Traccar forwards them",
        description="Set in Traccar: `forward.enable=true`, `forward.type=json`, `forward.url=…/api/v1/patrol/positions/traccar` and "
        "`forward.header=X-API-Key: <key>`. The device's `uniqueId` is the unit's tracker; knots become km/h.",
        request={"application/json": {"type": "object", "properties": {"position": {"type": "object"}, "device": {"type": "object"}}}},
        responses={
            201: OpenApiResponse(PositionReceiptSerializer, description="Kept."),
            200: OpenApiResponse(PositionReceiptSerializer, description="Known already."),
        },
    )
    def post(self, request: Request) -> Response:
        return super().post(request)


def _sender(request: Request) -> Sender:
    return Sender.of_key(request.auth) if isinstance(request.auth, PartnerKey) else Sender.of_person(request.user)


def _single_answer(taken: Taken, request: Request) -> Response:
    if taken.refused is not None:
        sorry = str(taken.refused.label)
        errors = [{"field": "", "code": taken.refused.value, "detail": sorry}]
        return problem_response(status=422, detail=sorry, errors=errors, request=request)
    return Response({"outcome": taken.outcome, "doubt": taken.doubt}, status=201 if taken.outcome == "accepted" else 200)


def _batch_answer(recorded: Recorded, request: Request) -> Response:
    told = [_fate(index, taken) for index, taken in enumerate(recorded.results) if taken.outcome != "accepted" or taken.doubt]
    counts: dict[str, Any] = recorded.counts
    if counts["refused"] == len(recorded.results):
        errors = [{"field": str(row["index"]), "code": row["code"], "detail": row["detail"]} for row in told]
        sorry = _("No position of the batch was taken.")
        return problem_response(status=422, detail=sorry, errors=errors, request=request, **counts, results=told)
    return Response({**counts, "results": told}, status=200)


def _fate(index: int, taken: Taken) -> dict[str, Any]:
    refused = taken.refused
    return {
        "index": index,
        "outcome": taken.outcome,
        "code": refused.value if refused is not None else "",
        "detail": str(refused.label) if refused is not None else "",
        "doubt": taken.doubt,
    }
