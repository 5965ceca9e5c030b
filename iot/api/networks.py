"""LoRaWAN servers and providers of text messages, by the token of their network. What is answered with a 2xx is on the disk."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import audit
from core.api.errors import CONTENT_TYPE, ProblemSerializer, problem_response
from core.models import AuditEntry
from iot.api.intake import MAX_BYTES
from iot.api.silent import SilentJSONParser
from iot.decoders import chirpstack_v4
from iot.decoders.errors import Undecodable
from iot.models import DeviceNetwork
from iot.services.lorawan import take_message
from iot.services.networks import Outcome, network_that_shows
from iot.services.texts import hear_text

WORDS = ["taken", "repeated", "replayed", "stranger", "not_in_use", "refused", "news"]


class NetworkAuthentication(BaseAuthentication):
    """``Authorization: Network …`` or ``X-Network-Token: …``."""

    def authenticate(self, request: Request) -> tuple[Any, DeviceNetwork] | None:
        by_header = request.META.get("HTTP_X_NETWORK_TOKEN")
        scheme, _space, shown = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        secret = by_header if by_header is not None else shown if scheme.lower() == "network" else None
        if secret is None:
            return None
        network = network_that_shows(secret.strip())
        if network is None:
            raise AuthenticationFailed(_("This key is unknown, expired or revoked."), code="invalid_key")
        audit.become(actor_kind=AuditEntry.Actor.SYSTEM, actor_id=None, actor_name=network.name)
        return AnonymousUser(), network

    def authenticate_header(self, request: Request) -> str:
        return 'Network realm="khareetaty"'


class NetworkScheme(OpenApiAuthenticationExtension):
    target_class = NetworkAuthentication
    name = ["X-Network-Token", "Network"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "header", "name": "X-Network-Token", "description": "The network's token."},
            {"type": "apiKey", "in": "header", "name": "Authorization", "description": "The network's token, as `Network <token>`."},
        ]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        return [{"X-Network-Token": []}, {"Network": []}]


class IsNetworkOfKind(BasePermission):
    """A network comes by the door of its kind."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        self.message = _("This network has another address.")
        self.code = "wrong_network"
        return isinstance(request.auth, DeviceNetwork) and request.auth.kind == view.kind  # type: ignore[attr-defined]


class NetworkOutcomeSerializer(serializers.Serializer[Any]):
    """What became of the message. `taken` readings are on the disk. A message told again is answered as calmly as a new one."""

    outcome = serializers.ChoiceField(choices=WORDS)
    taken = serializers.IntegerField()
    refused = serializers.IntegerField()


ANSWERS: dict[Any, Any] = {
    202: NetworkOutcomeSerializer,
    (422, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description="No message of this server."),
    (429, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description="More than the device's profile allows; see Retry-After."),
    (503, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description="Send it again after Retry-After."),
}


class NetworkIn(APIView):
    authentication_classes = [NetworkAuthentication]
    permission_classes = [IsNetworkOfKind]
    parser_classes = [SilentJSONParser]
    max_body_bytes = MAX_BYTES
    kind: str

    def take(self, request: Request, event: str = "") -> Response:
        network: Any = request.auth
        try:
            found = take_message(network=network, body=request.data, event=event, now=timezone.now())
        except Undecodable as refusal:
            errors = [{"field": "", "code": "unreadable", "detail": refusal.reason}]
            return problem_response(status=422, detail=_("The message cannot be read."), errors=errors, request=request)
        return told(found)


def told(found: Outcome) -> Response:
    return Response({"outcome": found.word, "taken": found.taken, "refused": found.refused}, status=202)


class ChirpStackIn(NetworkIn):
    kind = DeviceNetwork.Kind.CHIRPSTACK

    @extend_schema(
        operation_id="chirpstack_event",
        tags=["sensors"],
        summary="An event of ChirpStack v4 (HTTP integration, JSON)",
        description="Frames are taken once for all gateways, and never backwards: a counter that does not climb is refused until the "
        "device joins anew. An unknown DevEUI waits in quarantine where the network has a profile for new devices.",
        parameters=[OpenApiParameter("event", str, required=True, enum=list(chirpstack_v4.EVENTS))],
        request={"application/json": {"type": "object", "description": "As ChirpStack sends it."}},
        responses=ANSWERS,
    )
    def post(self, request: Request) -> Response:
        return self.take(request, request.query_params.get("event", ""))


class TtnIn(NetworkIn):
    kind = DeviceNetwork.Kind.TTN

    @extend_schema(
        operation_id="ttn_message",
        tags=["sensors"],
        summary="A message of The Things Stack v3 (webhook, JSON)",
        description="Uplinks, join accepts and what became of downlinks; otherwise as for ChirpStack.",
        request={"application/json": {"type": "object", "description": "As The Things Stack sends it."}},
        responses=ANSWERS,
    )
    def post(self, request: Request) -> Response:
        return self.take(request)


class TextIn(serializers.Serializer[Any]):
    """A text message of a device."""

    id = serializers.CharField(max_length=128, help_text="The provider's own id of the message: one that comes twice counts once.")
    sender = serializers.CharField(max_length=32, help_text="The number it came from, with its country.")
    text = serializers.CharField(max_length=1_600, trim_whitespace=False)
    at = serializers.CharField(required=False, max_length=40, help_text="ISO 8601 with its offset; left out: now.")


class SmsIn(APIView):
    authentication_classes = [NetworkAuthentication]
    permission_classes = [IsNetworkOfKind]
    parser_classes = [SilentJSONParser]
    max_body_bytes = 2**14
    kind = DeviceNetwork.Kind.SMS

    @extend_schema(
        operation_id="send_sms",
        tags=["sensors"],
        summary="A device's text message, from its provider",
        description="`LEVEL 3.2 BAT 81`, read as the device's profile says. The device is found by its number alone, and a number can be "
        "forged: what comes by this door is worth no more than that. A stranger's number is counted and not announced.",
        request=TextIn,
        responses=ANSWERS,
    )
    def post(self, request: Request) -> Response:
        network: Any = request.auth
        reader = TextIn(data=request.data)
        if not reader.is_valid():
            fields = [{"field": name, "code": "invalid", "detail": _("This is not right.")} for name in reader.errors]
            return problem_response(status=422, detail=_("The message cannot be read."), errors=fields, request=request)
        given = reader.validated_data
        found = hear_text(
            provider=f"n{network.pk}", message_id=given["id"], number=given["sender"], text=given["text"], at=given.get("at"),
            network=network, now=timezone.now(),
        )  # fmt: skip
        return told(found)
