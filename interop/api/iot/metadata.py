"""What cameras and counters tell of what they saw, without a picture: motion, crowds, vehicles, their own health; and the air around.

By a device's own key, or by a partner's with `telemetry:write` for devices of its agency and governorates, named row by row. Each row ends
as readings of its device's metrics, by the same way and under the same limits as `/iot/readings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import CONTENT_TYPE, ProblemSerializer, problem_response
from core.errors import NotFound
from interop.api.authentication import HasScope, KeyAuthentication
from interop.api.iot.metadata_rows import CameraStatusIn, CrowdDensityIn, EnvironmentalIn, MotionIn, Row, batch_of
from interop.models import PartnerKey, Scope
from iot.api.authentication import DeviceAuthentication, IsDeviceInUse
from iot.api.intake import MAX_BYTES, MAX_PROBLEMS, RESPONSES, NotedJSONParser
from iot.models import Device
from iot.services.metadata import by_device, take_in_all
from iot.services.senders import Sender
from iot.services.speaking import MOST_ROWS, Wrong, allow

NO_SUCH_DEVICE, NOT_IN_USE, TOO_MANY, INVALID, UNREADABLE = "no_such_device", "not_in_use", "too_many", "invalid", "unreadable"


class FateSerializer(serializers.Serializer[Any]):
    """A row that was refused, or a value of it."""

    index = serializers.IntegerField(help_text="From 0.")
    code = serializers.ChoiceField(choices=[*Wrong.values, NO_SUCH_DEVICE, NOT_IN_USE, TOO_MANY, INVALID, UNREADABLE])
    detail = serializers.CharField()


class MetadataReceiptSerializer(serializers.Serializer[Any]):
    """`accepted` readings (a row may hold several) are on the disk and will be rows in a moment."""

    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = FateSerializer(many=True, help_text="Those refused, the first hundred.")


class MetadataProblemSerializer(ProblemSerializer):
    """Nothing of it was taken. The counts are there where the body held rows to look at."""

    accepted = serializers.IntegerField(required=False)
    refused = serializers.IntegerField(required=False)
    results = FateSerializer(many=True, required=False, help_text="Those refused, the first hundred.")


ANSWERS: dict[Any, Any] = {
    **{status: answer for status, answer in RESPONSES.items() if status not in (202, (422, CONTENT_TYPE))},
    202: MetadataReceiptSerializer,
    (422, CONTENT_TYPE): MetadataProblemSerializer,
}
DESCRIPTION = (
    "One row, a list of rows, or `rows` with up to 1,000. A device's key speaks for itself; with a partner's key (`telemetry:write`) "
    "each row names its `device`. What the device's profile does not measure is refused row by row, and the rest taken."
)


class SpeaksForDevices(BasePermission):
    """A device in use for itself; a partner by its scope."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        judge: BasePermission = IsDeviceInUse() if isinstance(request.auth, Sender) else HasScope()
        allowed = judge.has_permission(request, view)
        self.message, self.code = getattr(judge, "message", ""), getattr(judge, "code", "")
        return allowed


class MetadataIn(APIView):
    authentication_classes = [DeviceAuthentication, KeyAuthentication]
    permission_classes = [SpeaksForDevices]
    parser_classes: Sequence[type[BaseParser]] = [NotedJSONParser]
    scope = Scope.TELEMETRY_WRITE
    max_body_bytes = MAX_BYTES
    row: type[Row]

    def post(self, request: Request) -> Response:
        caller: Any = request.auth
        if isinstance(caller, Sender):
            allow(caller, readings=1, door="http")  # before the body is read: a flood of broken ones is a flood
        body = request.data
        rows = body["rows"] if isinstance(body, Mapping) and "rows" in body else body if isinstance(body, list) else [body]
        if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ROWS:
            sorry = _("Send 1 to %(limit)d readings.") % {"limit": MOST_ROWS}
            return problem_response(
                status=422, detail=sorry, errors=[{"field": "", "code": "not_a_batch", "detail": sorry}], request=request
            )
        refused: dict[int, tuple[str, str]] = {}
        senders = senders_of(caller, [row.get("device") if isinstance(row, Mapping) else None for row in rows])
        told = by_device(self._read(rows, senders, refused))
        take_in_all(told, door=door_of(caller), now=timezone.now(), counted=1 if isinstance(caller, Sender) else 0)
        accepted = sum(len(one.read.measurements) for one in told if one.too_many is None)
        fates = [(place, code, detail) for place, (code, detail) in refused.items()]
        for one in told:
            if one.too_many is not None:
                if isinstance(caller, Sender):
                    raise one.too_many
                fates += [(place, TOO_MANY, one.too_many.message) for place in one.places]
            else:
                fates += [(one.places[place], wrong.value, str(wrong.label)) for place, wrong, _row in one.read.wrong]
        heard = any(one.read.facts for one in told if one.too_many is None)
        return answer(request, accepted, sorted(fates), taken=accepted > 0 or heard)

    def _read(self, rows: list[Any], senders: Mapping[Any, Sender], refused: dict[int, tuple[str, str]]) -> Iterator[Any]:
        """(place, sender, row in our own form, facts) of those that can be read."""
        for place, row in enumerate(rows):
            if not isinstance(row, Mapping):
                refused[place] = (Wrong.NOT_AN_OBJECT.value, str(Wrong.NOT_AN_OBJECT.label))
                continue
            named = row.get("device")
            sender = senders.get(named if isinstance(named, str) else None)
            if sender is None:
                refused[place] = (NO_SUCH_DEVICE, _("There is no such device."))
            elif not sender.may_speak:
                refused[place] = (NOT_IN_USE, _("This device is not in use: somebody has to approve it."))
            else:
                reader = self.row(data=row)
                if reader.is_valid():
                    yield (place, sender, *reader.told())
                else:
                    refused[place] = (INVALID, reader.complaint())


def door_of(caller: Any) -> str:
    return "http" if isinstance(caller, Sender) else "partner"


def senders_of(caller: Any, codes: list[Any]) -> Mapping[Any, Sender]:
    """By the code a row names; a device's own under ``None`` too. ``NotFound``: a device names another, or a partner none of its own."""
    if isinstance(caller, Sender):
        if any(code not in (None, caller.code) for code in codes):
            raise NotFound(_("There is no such device."))
        return {None: caller, caller.code: caller}
    assert isinstance(caller, PartnerKey)
    named = {code for code in codes if isinstance(code, str) and len(code) <= 64}
    rows = Device.objects.visible_to(caller).filter(code__in=named).select_related("profile").defer("location")
    found = {sender.code: sender for sender in Sender.of_each(rows)}
    if named and not found:
        raise NotFound(_("There is no such device."))
    return found


def answer(request: Request, accepted: int, fates: list[tuple[int, str, str]], *, taken: bool) -> Response:
    results = [{"index": place, "code": code, "detail": detail} for place, code, detail in fates[:MAX_PROBLEMS]]
    counts: dict[str, Any] = {"accepted": accepted, "refused": len(fates), "results": results}
    if fates and not taken:
        errors = [{"field": str(row["index"]), "code": row["code"], "detail": row["detail"]} for row in results]
        return problem_response(status=422, detail=_("No reading was taken."), errors=errors, request=request, **counts)
    return Response(counts, status=202)


def described(kind: str, row: type[Row], summary: str, example: dict[str, Any], more: str = "") -> Any:
    """The document of one address."""
    name = row.__name__.removesuffix("In")
    body = PolymorphicProxySerializer(component_name=f"{name}Body", serializers=[row, batch_of(row)], resource_type_field_name=None)
    return extend_schema(
        operation_id=f"send_{kind}",
        tags=["sensors"],
        summary=summary,
        description=f"{DESCRIPTION}{more}",
        request=body,
        examples=[
            OpenApiExample("one", value=example, request_only=True),
            OpenApiExample("several of a partner's", value={"rows": [{"device": "CAM-0417", **example}]}, request_only=True),
        ],
        responses=ANSWERS,
    )


AT = "2026-03-02T09:00:05Z"


class MotionDoor(MetadataIn):
    row = MotionIn

    @described("motion", MotionIn, "Send motion", {"at": AT, "detected": True, "events": 4, "level": 62})
    def post(self, request: Request) -> Response:
        return super().post(request)


class CrowdDensityDoor(MetadataIn):
    row = CrowdDensityIn

    @described("crowd_density", CrowdDensityIn, "Send crowd density", {"at": AT, "people": 340, "density": 1.8})
    def post(self, request: Request) -> Response:
        return super().post(request)


class CameraStatusDoor(MetadataIn):
    row = CameraStatusIn

    @described(
        "camera_status", CameraStatusIn, "Send a camera's status", {"at": AT, "status": "offline"},
        " A camera that is reported offline is offline, although its report came.",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        return super().post(request)


class EnvironmentalDoor(MetadataIn):
    row = EnvironmentalIn

    @described("environmental", EnvironmentalIn, "Send air, weather, smoke, heat or water", {"at": AT, "temperature": 46.2, "pm10": 310})
    def post(self, request: Request) -> Response:
        return super().post(request)


DEVICE = OpenApiParameter("device", str, description="With a partner's key: the device that read them, where the body does not name it.")
