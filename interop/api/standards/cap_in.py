"""CAP 1.2 in: warnings pushed by partners, as XML (or as the same names and values in JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from alerts.choices import Level
from alerts.models import Alert, AlertState
from core.api.errors import PayloadTooLarge, problem_response
from core.api.parsers import UnsupportedEncoding, inflate
from interop.api.intake import SINGLE_MAX_BYTES, Intake, idempotency_key_of
from interop.api.serializers import MessageStateSerializer
from interop.api.standards.envelopes import ENVELOPES
from interop.messages import MESSAGES
from interop.models import CapMessage, Kind, PartnerKey
from interop.services import Outcome, Receipt, receive_message
from interop.services.warnings import alerts_of
from interop.standards import cap_in


class CapParser(BaseParser):
    media_type = "application/cap+xml"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        context = parser_context or {}
        request = context.get("request")
        limit = getattr(context.get("view"), "max_body_bytes", SINGLE_MAX_BYTES)
        encoding = (request.META.get("HTTP_CONTENT_ENCODING", "") if request is not None else "").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            raise UnsupportedEncoding(media_type or "", detail=_("A body comes as it is or compressed with gzip, in no other way."))
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge(limit)
        return cap_in.read(inflate(raw, limit) if encoding == "gzip" else raw)


class CapAlertStateSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    url = serializers.CharField(help_text="Its address, for keys with the scope alerts:read.")
    state = serializers.ChoiceField(choices=AlertState.choices)
    level = serializers.ChoiceField(choices=Level.choices)
    governorate = serializers.CharField(allow_blank=True, help_text="Its code; empty where nobody knows where.")


class CapReceiptSerializer(serializers.Serializer[Any]):
    """What became of a warning."""

    outcome = serializers.ChoiceField(choices=["taken", "repeated", "kept"])
    effect = serializers.ChoiceField(choices=[*CapMessage.Effect.values, ""], help_text="What it did; empty while it waits (202).")
    alerts = CapAlertStateSerializer(many=True, help_text="Those of its chain, as they stand now.")
    message = MessageStateSerializer()


class CapIntake(Intake):
    """One CAP message."""

    parser_classes = [CapParser, *ENVELOPES]
    kind = Kind.CAP_ALERT

    @extend_schema(
        operation_id="send_cap_alert",
        tags=["ingest"],
        summary="Send a warning in CAP 1.2",
        description="A CAP 1.2 message as XML (`application/cap+xml`), or the same names and values as JSON. The partner's senders are "
        "named in the command centre; others are refused and kept. An Alert opens an alert in each governorate its area lies in, an "
        "Update replaces what it refers to, a Cancel ends it; they may come in any order. Only what is Actual does anything. A repeat "
        "(the same sender, identifier and sent, the same content) is answered with what it did. A document type or entities are refused.",
        request={("application/cap+xml"): OpenApiTypes.STR, "application/json": MESSAGES[Kind.CAP_ALERT]},
        examples=[OpenApiExample("cap-alert", value=MESSAGES[Kind.CAP_ALERT].example, request_only=True, media_type="application/json")],
        responses={
            201: OpenApiResponse(CapReceiptSerializer, description="Alerts were opened."),
            200: OpenApiResponse(CapReceiptSerializer, description="It was taken in, or we have it already."),
            202: OpenApiResponse(CapReceiptSerializer, description="Kept safely; something failed on our side."),
        },
    )
    def post(self, request: Request) -> Response:
        assert isinstance(request.auth, PartnerKey)
        body = request.data
        receipt = receive_message(key=request.auth, kind=self.kind, body=body, idempotency_key=idempotency_key_of(request))
        if receipt.outcome == Outcome.REJECTED:
            return problem_response(
                status=422, detail=_("The message was not taken: some fields are not right."), errors=receipt.errors, request=request
            )
        said = described(receipt, request)
        opened = said["outcome"] == "taken" and said["effect"] == CapMessage.Effect.OPENED
        return Response(said, status=202 if receipt.outcome == Outcome.KEPT else 201 if opened else 200)


def described(receipt: Receipt, request: Request) -> dict[str, Any]:
    message = receipt.message
    assert message is not None
    row = CapMessage.objects.filter(message=message).first()
    word = {Outcome.OPENED: "taken", Outcome.REPEATED: "repeated"}.get(receipt.outcome, "kept")
    return {
        "outcome": word,
        "effect": row.effect if row is not None else "",
        "alerts": [_alert(alert, request) for alert in alerts_of(row)],
        "message": {"id": message.pk, "message_id": message.message_id, "status": message.status},
    }


def _alert(alert: Alert, request: Request) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "url": reverse("api-alert", kwargs={"pk": alert.pk}, request=request),
        "state": alert.state,
        "level": alert.level,
        "governorate": alert.governorate.code if alert.governorate else "",
    }
