"""Plate readers' messages in, numbers out. A plate is read, hashed under the salt of the hour and forgotten before anything is written:
no table, no stream, no log, no dead letter and no answer ever holds one (tested by looking through all of them)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.errors import problem_response
from interop.api.iot.metadata import ANSWERS, AT, DEVICE, NOT_IN_USE, UNREADABLE, MetadataIn, answer, door_of, senders_of
from interop.api.iot.plate_form import PlateFormParser
from iot.api.silent import SilentJSONParser
from iot.decoders.errors import Undecodable
from iot.decoders.lpr import Sighting, sightings
from iot.services.metadata import by_device, take_in_all
from iot.services.plates import measured, salt_at
from iot.services.senders import Sender
from iot.services.speaking import allow, note_unreadable


class PlateIn(serializers.Serializer[Any]):
    """One vehicle. The plate is forgotten before anything is stored."""

    plate = serializers.CharField(max_length=32, write_only=True)
    at = serializers.JSONField(required=False, help_text="ISO 8601 with its offset, or seconds since 1970.")
    confidence = serializers.FloatField(required=False, min_value=0, max_value=1)
    device = serializers.CharField(required=False, max_length=64, help_text="With a partner's key: the device that read it.")


class PlatesIn(serializers.Serializer[Any]):
    """Several vehicles, up to 200."""

    hits = PlateIn(many=True)
    device = serializers.CharField(required=False, max_length=64)


class PlateReaderMessage(serializers.Serializer[Any]):
    """A webhook as Plate Recognizer Stream, OpenALPR/Rekor Scout or Verkada send it, as JSON. It is known by its keys."""

    camera_id = serializers.JSONField(required=False)


class PlateReaderForm(serializers.Serializer[Any]):
    """As Plate Recognizer Stream sends it. Parts with other names are not looked at."""

    json = serializers.CharField(help_text="The message, as JSON.")
    upload = serializers.FileField(required=False, help_text="A picture: neither kept nor looked at.")


BODY = PolymorphicProxySerializer(
    component_name="LprHitsBody", serializers=[PlateIn, PlatesIn, PlateReaderMessage], resource_type_field_name=None
)


class LprHitsDoor(MetadataIn):
    parser_classes: Sequence[type[BaseParser]] = [SilentJSONParser, PlateFormParser]

    @extend_schema(
        operation_id="send_lpr_hits",
        tags=["sensors"],
        summary="Send what a plate reader read; numbers are kept, plates are not",
        description="Ends as `vehicles_read`, `vehicles_distinct` (in the message) and `vehicles_distinct_hour` (since the full hour, "
        "estimated). A plate is hashed under a salt that is thrown away each hour; neither the plate nor the hash is stored, and no answer "
        "repeats a part of the body. Plate Recognizer Stream sends a form: its part `json` is read, its picture let go; 5 MiB at most. "
        "With a partner's key the device is named by `device` in the address or the body, or it is the camera the message names.",
        parameters=[DEVICE],
        request={"application/json": BODY, "multipart/form-data": PlateReaderForm},
        examples=[
            OpenApiExample("one", value={"plate": "…", "at": AT, "confidence": 0.94}, request_only=True),
            OpenApiExample("several", value={"hits": [{"plate": "…", "at": AT}, {"plate": "…", "at": AT}]}, request_only=True),
        ],
        responses=ANSWERS,
    )
    def post(self, request: Request) -> Response:
        caller: Any = request.auth
        now = timezone.now()
        if isinstance(caller, Sender):
            allow(caller, readings=1, door="http")
        body = request.data
        found: list[Sighting] = []
        reason = ""
        try:
            found = sightings(body, salt=salt_at(now))
        except Undecodable as refusal:
            reason = refusal.reason
        named = request.query_params.get("device") or (body.get("device") if isinstance(body, Mapping) else None)
        if named is None and not isinstance(caller, Sender):
            named = found[0].camera if found else ""
        senders = senders_of(caller, [named])
        sender = senders.get(named if isinstance(named, str) else None)
        if reason or sender is None:
            device_id = sender.device_id if sender is not None else None
            note_unreadable(b"", device_id=device_id, door=door_of(caller), now=now, detail=reason or "no device named")
            return answer(request, 0, [(0, UNREADABLE, reason or _("There is no such device."))], taken=False)
        if not sender.may_speak:
            sorry = _("This device is not in use: somebody has to approve it.")
            return problem_response(status=409, code=NOT_IN_USE, detail=sorry, request=request)
        by_instant: dict[Any, dict[str, float]] = {}
        for one in measured(found, device_id=sender.device_id, now=now):
            if one.metric in sender.metrics or one.metric == "vehicles_read":
                by_instant.setdefault(one.at, {})[one.metric] = one.value
        rows = [{"at": at and at.isoformat(), "values": values} for at, values in by_instant.items()]
        told = by_device((0, sender, row, {}) for row in rows)
        take_in_all(told, door=door_of(caller), now=now, counted=1 if isinstance(caller, Sender) else 0)
        if told and told[0].too_many is not None:
            raise told[0].too_many
        fates = [(0, wrong.value, str(wrong.label)) for one in told for _place, wrong, _row in one.read.wrong]
        accepted = sum(len(one.read.measurements) for one in told)
        return answer(request, accepted, fates, taken=accepted > 0 or not fates)
