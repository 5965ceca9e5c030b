"""Calls for help, welfare timers, handover packs, a phone's acts. Keys read, without people's names; people act by their session."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from interop.api.patrol.force_kit import ForceView, PlaceAskedSerializer, of_place
from interop.api.serializers import PointSerializer
from patrol.models import ShiftPack, Sos, Unit, WelfareCheck
from patrol.services import field, welfare
from patrol.services import sos as calls

MOST_ACTIONS = 50
OPEN = OpenApiParameter("open", bool, description="Only those that are open.")


def is_asked(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in {"1", "true"}


# --- calls for help --------------------------------------------------------------------------------------------------


def believed(pressed_at: datetime | None) -> datetime:
    """A call for help is never refused for its clock: where that cannot be right, ours counts."""
    return pressed_at if pressed_at is not None and pressed_at.year >= 1970 else timezone.now()


class SosSerializer(serializers.Serializer[Sos]):
    id = serializers.IntegerField()
    unit = serializers.CharField(source="unit.call_sign", allow_null=True, default=None)
    agency = serializers.CharField(source="agency.slug", allow_null=True, default=None)
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    called_by = serializers.SerializerMethodField(help_text="Empty for a key.")
    pressed_at = serializers.DateTimeField(help_text="By the phone's clock.")
    received_at = serializers.DateTimeField()
    location = PointSerializer(allow_null=True)
    location_at = serializers.DateTimeField(allow_null=True, help_text="When the place was known: the phone's, else the unit's last.")
    accuracy_m = serializers.FloatField(allow_null=True)
    is_silent = serializers.BooleanField()
    is_duress = serializers.BooleanField(help_text="Withdrawn with the code that means: I am forced. It is open all the same.")
    wrong_codes = serializers.IntegerField()
    repeats = serializers.IntegerField(help_text="How often it was sent again.")
    answered_at = serializers.DateTimeField(source="acknowledged_at", allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.CharField(allow_blank=True)
    is_synthetic = serializers.BooleanField()

    @extend_schema_field(serializers.CharField())
    def get_called_by(self, sos: Sos) -> str:
        return str(sos.member or sos.user) if self.context.get("names") else ""


class EndRequestSerializer(serializers.Serializer[Any]):
    outcome = serializers.CharField(max_length=calls.MOST_OUTCOME)


class PressRequestSerializer(serializers.Serializer[Any]):
    key = serializers.UUIDField(help_text="Of the press: the same key is the same call, however often it is sent.")
    pressed_at = serializers.DateTimeField(required=False, help_text="By the phone's clock; before 1970 it is not believed.")
    lon = serializers.FloatField(required=False, allow_null=True)
    lat = serializers.FloatField(required=False, allow_null=True)
    accuracy_m = serializers.FloatField(required=False, allow_null=True)
    is_silent = serializers.BooleanField(required=False, default=False)


class SosView(ForceView):
    serializer_class = SosSerializer

    def get_throttles(self) -> list[Any]:
        """A call for help, its answer and its end are never held against anybody's limit."""
        return [] if self.request.method == "POST" else super().get_throttles()

    def rows(self) -> Any:
        rows = Sos.objects.visible_to(self.viewer).for_screen().select_related("governorate").defer("governorate__boundary")
        if self.is_key:
            return rows
        # What a caller must not give away is not on their own screen.
        return rows.exclude(user=self.viewer, is_silent=True, ended_at=None).exclude(user=self.viewer, is_duress=True, ended_at=None)

    def shown(self, sos: Sos, status: int = 200) -> Response:
        return Response(SosSerializer(sos, context={"names": not self.is_key}).data, status=status)


class SosList(SosView):
    @extend_schema(
        operation_id="list_sos", tags=["patrol"], summary="List calls for help, newest first", parameters=[OPEN, PlaceAskedSerializer],
        responses=SosSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = of_place(self.rows(), self.asked(PlaceAskedSerializer))
        page: Any = self.paginate_queryset(rows.open() if is_asked(request, "open") else rows)
        return self.get_paginated_response(SosSerializer(page, many=True, context={"names": not self.is_key}).data)

    @extend_schema(
        operation_id="raise_sos", tags=["patrol"], summary="Call for help, for oneself (people only); never debounced, never metered",
        request=PressRequestSerializer, responses={201: SosSerializer, 200: SosSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(PressRequestSerializer)
        raised = calls.raise_sos(
            key=told["key"], user=request.user, pressed_at=believed(told.get("pressed_at")),  # type: ignore[arg-type]
            location=calls.point_from(told.get("lon"), told.get("lat")), accuracy_m=calls.metres_from(told.get("accuracy_m")),
            is_silent=told["is_silent"],
        )  # fmt: skip
        found = Sos.objects.for_screen().select_related("governorate").defer("governorate__boundary").get(pk=raised.sos.pk)
        return self.shown(found, 201 if raised.is_new else 200)


class SosDetail(SosView):
    @extend_schema(operation_id="read_sos", tags=["patrol"], summary="Read one call for help", responses=SosSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return self.shown(self.found(self.rows(), pk))


class SosAnswer(SosView):
    @extend_schema(
        operation_id="answer_sos", tags=["patrol"], summary="Answer a call for help: it rings no more (people only)", request=None,
        responses=SosSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        calls.acknowledge_sos(sos=self.found(self.rows(), pk), by=request.user)  # type: ignore[arg-type]
        return self.shown(self.found(self.rows(), pk))


class SosEnd(SosView):
    @extend_schema(
        operation_id="end_sos", tags=["patrol"], summary="End a call for help with its outcome (people only)", request=EndRequestSerializer,
        responses=SosSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        outcome = self.told(EndRequestSerializer)["outcome"]
        calls.end_sos(sos=self.found(self.rows(), pk), by=request.user, outcome=outcome)  # type: ignore[arg-type]
        return self.shown(self.found(self.rows(), pk))


# --- welfare timers --------------------------------------------------------------------------------------------------


class WelfareSerializer(serializers.Serializer[WelfareCheck]):
    id = serializers.IntegerField()
    unit = serializers.CharField(source="unit.call_sign")
    unit_id = serializers.IntegerField()
    assignment = serializers.IntegerField(source="assignment_id", allow_null=True)
    minutes = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    warned_at = serializers.DateTimeField(allow_null=True)
    escalated_at = serializers.DateTimeField(allow_null=True, help_text="Help is told: nobody has answered.")
    answered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_because = serializers.CharField(allow_blank=True)


class WelfareStartSerializer(serializers.Serializer[Any]):
    unit = serializers.IntegerField(min_value=1, help_text="Its id.")
    minutes = serializers.IntegerField(
        required=False, allow_null=True, min_value=welfare.LEAST_MINUTES, max_value=welfare.MOST_MINUTES,
        help_text="Without it the unit's own, else twenty.",
    )  # fmt: skip


class WelfareEndSerializer(serializers.Serializer[Any]):
    because = serializers.CharField(max_length=200)


class WelfareView(ForceView):
    serializer_class = WelfareSerializer

    def rows(self) -> Any:
        return WelfareCheck.objects.visible_to(self.viewer).select_related("unit")


class WelfareList(WelfareView):
    @extend_schema(
        operation_id="list_welfare", tags=["patrol"], summary="List welfare timers, newest first", parameters=[OPEN],
        responses=WelfareSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.rows().running() if is_asked(request, "open") else self.rows())
        return self.get_paginated_response(WelfareSerializer(page, many=True).data)

    @extend_schema(
        operation_id="start_welfare", tags=["patrol"], summary="Start a unit's welfare timer (people only)", request=WelfareStartSerializer,
        responses={201: WelfareSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(WelfareStartSerializer)
        unit = self.found(Unit.objects.visible_to(self.viewer), told["unit"])
        made = welfare.start_welfare(unit=unit, by=request.user, minutes=told.get("minutes"))  # type: ignore[arg-type]
        return Response(WelfareSerializer(made).data, status=201)


class WelfareAnswer(WelfareView):
    @extend_schema(
        operation_id="answer_welfare", tags=["patrol"], summary="All is well: the timer runs anew (people only)", request=None,
        responses=WelfareSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        check = self.found(self.rows(), pk)
        return Response(WelfareSerializer(welfare.answer_welfare(check=check, by=request.user)).data)  # type: ignore[arg-type]


class WelfareEnd(WelfareView):
    @extend_schema(
        operation_id="end_welfare", tags=["patrol"], summary="End a welfare timer with a reason (people only)",
        request=WelfareEndSerializer, responses=WelfareSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        because, check = self.told(WelfareEndSerializer)["because"], self.found(self.rows(), pk)
        return Response(WelfareSerializer(welfare.end_welfare(check=check, by=request.user, because=because)).data)  # type: ignore[arg-type]


# --- handover packs --------------------------------------------------------------------------------------------------


class ShiftPackSerializer(serializers.Serializer[ShiftPack]):
    id = serializers.IntegerField()
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code")
    shift_from = serializers.DateTimeField()
    shift_to = serializers.DateTimeField()
    state = serializers.CharField(help_text="`draft`, `handed` (signed by the outgoing), `signed` (by both).")
    generated_at = serializers.DateTimeField()
    signed_out_at = serializers.DateTimeField(allow_null=True)
    signed_in_at = serializers.DateTimeField(allow_null=True)
    content_sha256 = serializers.CharField(allow_blank=True, help_text="Of what was signed.")
    is_synthetic = serializers.BooleanField()


class ShiftPackDetailSerializer(ShiftPackSerializer):
    facts = serializers.JSONField(help_text="Section by section; names as [English, Arabic].")
    notes = serializers.JSONField(help_text="What people added, by section.")


class PackView(ForceView):
    serializer_class = ShiftPackSerializer

    def rows(self) -> Any:
        return ShiftPack.objects.visible_to(self.viewer).select_related("agency", "governorate").defer("governorate__boundary")


class PackList(PackView):
    @extend_schema(
        operation_id="list_shift_packs", tags=["patrol"], summary="List shift handover packs, newest first",
        parameters=[PlaceAskedSerializer], responses=ShiftPackSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(of_place(self.rows().defer("facts", "notes"), self.asked(PlaceAskedSerializer)))
        return self.get_paginated_response(ShiftPackSerializer(page, many=True).data)


class PackDetail(PackView):
    @extend_schema(
        operation_id="read_shift_pack", tags=["patrol"], summary="Read one handover pack with its facts and notes",
        responses=ShiftPackDetailSerializer,
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        return Response(ShiftPackDetailSerializer(self.found(self.rows(), pk)).data)


# --- what a phone does -----------------------------------------------------------------------------------------------


class FieldActionSerializer(serializers.Serializer[Any]):
    key = serializers.UUIDField(help_text="Of the act: sent again it changes nothing and is answered as before.")
    verb = serializers.ChoiceField(choices=sorted(field.VERBS))
    at = serializers.DateTimeField(help_text="When it was done.")
    assignment = serializers.IntegerField(required=False, min_value=1, help_text="For `move`.")
    to = serializers.ChoiceField(required=False, choices=field.STEPS, help_text="For `move`.")
    stop = serializers.IntegerField(required=False, min_value=1, help_text="For `arrive` and `leave`: a stop of one's route.")
    check = serializers.IntegerField(required=False, min_value=1, help_text="For `welfare`.")
    unit = serializers.IntegerField(required=False, min_value=1, help_text="For `duty_on`.")


class FieldActionsSerializer(serializers.Serializer[Any]):
    actions = FieldActionSerializer(many=True, min_length=1, max_length=MOST_ACTIONS)  # type: ignore[call-arg]


class FieldAnswerSerializer(serializers.Serializer[Any]):
    key = serializers.UUIDField()
    result = serializers.ChoiceField(choices=["done", "already", "refused"])
    message = serializers.CharField(allow_blank=True)
    code = serializers.CharField(allow_blank=True)


class FieldAnswersSerializer(serializers.Serializer[Any]):
    answers = FieldAnswerSerializer(many=True)


class FieldActions(ForceView):
    pagination_class = None
    serializer_class = FieldActionsSerializer

    @extend_schema(
        operation_id="act_in_field", tags=["patrol"], summary="Send what an officer's phone did, in its order (people only)",
        description="Each act is answered by itself: `done`, `already` (sent before) or `refused` with a sentence.",
        request=FieldActionsSerializer, responses=FieldAnswersSerializer,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        answers = [
            field.act(key=one.pop("key"), user=request.user, verb=one.pop("verb"), at=one.pop("at"), **one)  # type: ignore[arg-type]
            for one in self.told(FieldActionsSerializer)["actions"]
        ]
        return Response(FieldAnswersSerializer({"answers": answers}).data)
