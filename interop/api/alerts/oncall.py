"""Who is on call, for machines. Keys read without people's names; people act by their session, each as far as the services let them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from alerts.models import OnCallLayer, OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.services import oncall
from alerts.services.oncall.reading import with_people
from alerts.services.oncall.rights import MAX_REASON
from alerts.services.oncall.schedules import MOST_PEOPLE
from core.api.fields import Day, Moment
from interop.api.authentication import HasScope
from interop.api.patrol.force_kit import MAX_PK, ForceView
from interop.api.trust import WritingIsForPeople
from interop.models import Scope

DEFAULT_DAYS = 14


class Key(serializers.IntegerField):
    def __init__(self, **more: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_PK, **more)


class PersonSerializer(serializers.Serializer[User]):
    id = serializers.IntegerField()
    name = serializers.SerializerMethodField(help_text="Empty for a key.")

    def get_name(self, user: User) -> str:
        return "" if self.context.get("is_key", True) else str(user)


class LayerSerializer(serializers.Serializer[Any]):
    """Times are of the schedule's clock on the wall. Layers come lowest first; a higher one goes before a lower one."""

    name = serializers.CharField(required=False, allow_blank=True, default="", max_length=80)
    rotation = serializers.ChoiceField(choices=OnCallLayer.Rotation.values, required=False, default="weekly")
    every = serializers.IntegerField(min_value=1, max_value=366, required=False, default=1)
    starts_on = Day()
    ends_on = Day(required=False, allow_null=True, default=None)
    handover_at = serializers.TimeField()
    only_from = serializers.TimeField(required=False, allow_null=True, default=None)
    only_to = serializers.TimeField(required=False, allow_null=True, default=None)
    only_weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6), required=False, default=list, max_length=7
    )
    people = serializers.ListField(child=Key(), max_length=MOST_PEOPLE, help_text="Ids of accounts, in their order.")

    def to_representation(self, layer: Any) -> dict[str, Any]:
        people = [member.user_id for member in layer.members.all()]
        fields = ("name", "rotation", "every", "starts_on", "ends_on", "handover_at", "only_from", "only_to", "only_weekdays")
        shown = {
            name: self.fields[name].to_representation(value) if (value := getattr(layer, name)) is not None else None for name in fields
        }
        return {**shown, "people": people}


class CallProblemSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["gap", "empty_layer", "closed_account", "no_channel", "no_fallback"])
    text = serializers.CharField()
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)


class ScheduleSerializer(serializers.Serializer[OnCallSchedule]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    name_en = serializers.CharField()
    name_ar = serializers.CharField()
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    time_zone = serializers.CharField()
    version = serializers.IntegerField()
    is_active = serializers.BooleanField()
    is_synthetic = serializers.BooleanField()


class WholeScheduleSerializer(ScheduleSerializer):
    layers = serializers.SerializerMethodField()
    problems = serializers.SerializerMethodField(help_text="What is wrong in the next fourteen days.")

    @extend_schema_field(LayerSerializer(many=True))
    def get_layers(self, schedule: OnCallSchedule) -> Any:
        return LayerSerializer(with_people(schedule), many=True).data

    @extend_schema_field(CallProblemSerializer(many=True))
    def get_problems(self, schedule: OnCallSchedule) -> Any:
        found = oncall.problems(schedule=schedule, with_names=not self.context.get("is_key", True))
        return CallProblemSerializer(found, many=True).data


class MakeScheduleSerializer(serializers.Serializer[Any]):
    code = serializers.SlugField(max_length=64)
    name_en = serializers.CharField(max_length=120)
    name_ar = serializers.CharField(max_length=120)
    agency = serializers.SlugField(max_length=32)
    governorate = serializers.CharField(max_length=32, required=False, allow_null=True, default=None, help_text="Its code.")
    time_zone = serializers.CharField(max_length=64, required=False, default="Asia/Kuwait")
    layers = LayerSerializer(many=True, required=False, default=list)


class ChangeScheduleSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text="The one that was looked at; another since then is a conflict.")
    name_en = serializers.CharField(max_length=120, required=False)
    name_ar = serializers.CharField(max_length=120, required=False)
    time_zone = serializers.CharField(max_length=64, required=False)
    is_active = serializers.BooleanField(required=False)
    layers = LayerSerializer(many=True, required=False)


class WindowSerializer(serializers.Serializer[Any]):
    start = Moment(required=False, help_text="Now without it.")
    end = Moment(required=False, help_text="Fourteen days after the start without it; at most 400.")


class CallSpanSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    person = PersonSerializer(allow_null=True, help_text="Null: nobody, by an override.")
    layer = serializers.IntegerField(allow_null=True)
    override = serializers.IntegerField(allow_null=True)


class CallGapSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class NowSerializer(serializers.Serializer[Any]):
    schedule = ScheduleSerializer()
    people = PersonSerializer(many=True)


class OverrideSerializer(serializers.Serializer[OnCallOverride]):
    id = serializers.IntegerField()
    schedule = serializers.IntegerField(source="schedule_id")
    person = PersonSerializer(source="user", allow_null=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    reason = serializers.CharField()
    swap = serializers.IntegerField(source="swap_id", allow_null=True)
    is_cancelled = serializers.BooleanField()


class MakeOverrideSerializer(serializers.Serializer[Any]):
    person = Key(allow_null=True, help_text="Null: nobody, on purpose; needs a reason.")
    starts_at = Moment()
    ends_at = Moment()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)
    over_others = serializers.BooleanField(required=False, default=False, help_text="Said where another override stands in the span.")


class CallSwapSerializer(serializers.Serializer[ShiftSwap]):
    id = serializers.IntegerField()
    schedule = serializers.IntegerField(source="schedule_id")
    asked_by = PersonSerializer()
    asked_of = PersonSerializer(allow_null=True)
    taken_by = PersonSerializer(allow_null=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    reason = serializers.CharField()
    state = serializers.CharField()
    answer = serializers.CharField(help_text="What whoever declined said.")


class DeclineSwapSerializer(serializers.Serializer[Any]):
    answer = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)


class AskSwapSerializer(serializers.Serializer[Any]):
    starts_at = Moment()
    ends_at = Moment()
    asked_of = Key(required=False, allow_null=True, default=None, help_text="Null: anybody on the schedule.")
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)


class OnCallView(ForceView):
    permission_classes = [HasScope, WritingIsForPeople]
    scope = Scope.ALERTS_READ
    serializer_class: Any = ScheduleSerializer

    def schedules(self) -> Any:
        rows = oncall.seen_by(self.viewer).select_related("agency", "governorate")
        return rows.defer("governorate__boundary")

    def of_schedules(self, model: Any) -> Any:
        return model.objects.filter(schedule__in=oncall.seen_by(self.viewer)).select_related("schedule")

    @property
    def names(self) -> dict[str, Any]:
        return {"is_key": self.is_key}

    def person(self, schedule: OnCallSchedule, pk: int | None) -> User | None:
        return None if pk is None else self.found(oncall.candidates(schedule), pk)

    def window(self) -> tuple[datetime, datetime]:
        asked = self.asked(WindowSerializer)
        start = asked.get("start") or timezone.now()
        return start, asked.get("end") or start + timedelta(days=DEFAULT_DAYS)


def _layers(given: list[dict[str, Any]]) -> list[oncall.LayerGiven]:
    return [
        oncall.LayerGiven(**{**layer, "people": tuple(layer["people"]), "only_weekdays": tuple(layer["only_weekdays"])}) for layer in given
    ]


class ScheduleList(OnCallView):
    @extend_schema(
        operation_id="list_oncall_schedules", tags=["alerts"], summary="List on-call schedules", responses=ScheduleSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.schedules())
        return self.get_paginated_response(ScheduleSerializer(page, many=True).data)

    @extend_schema(
        operation_id="make_oncall_schedule", tags=["alerts"], summary="Make an on-call schedule with its layers (people only)",
        request=MakeScheduleSerializer, responses={201: WholeScheduleSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(MakeScheduleSerializer)
        agency, governorate = self.owner(told.pop("agency"), told.pop("governorate"))
        layers = _layers(told.pop("layers"))
        made = oncall.make_schedule(by=self.viewer, agency=agency, governorate=governorate, layers=layers, **told)
        return Response(WholeScheduleSerializer(made, context=self.names).data, status=201)


class ScheduleDetail(OnCallView):
    serializer_class = WholeScheduleSerializer

    @extend_schema(
        operation_id="read_oncall_schedule", tags=["alerts"], summary="Read a schedule, its layers and what is wrong with it",
        responses=WholeScheduleSerializer,
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        return Response(WholeScheduleSerializer(self.found(self.schedules(), pk), context=self.names).data)

    @extend_schema(
        operation_id="change_oncall_schedule", tags=["alerts"], summary="Change a schedule; its layers are replaced whole (people only)",
        request=ChangeScheduleSerializer, responses=WholeScheduleSerializer,
    )  # fmt: skip
    def patch(self, request: Request, pk: int) -> Response:
        schedule = self.found(self.schedules(), pk)
        told = self.told(ChangeScheduleSerializer)
        layers = _layers(told.pop("layers")) if "layers" in told else None
        done = oncall.change_schedule(schedule=schedule, by=self.viewer, layers=layers, **told)
        return Response(WholeScheduleSerializer(done, context=self.names).data)


class Spans(OnCallView):
    serializer_class = CallSpanSerializer
    pagination_class = None

    @extend_schema(
        operation_id="list_oncall_spans", tags=["alerts"], summary="Who is on call when, after layers and overrides",
        parameters=[WindowSerializer], responses=CallSpanSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        schedule = self.found(self.schedules(), pk)
        start, end = self.window()
        found = oncall.spans(schedule=schedule, start=start, end=end)
        people = User.objects.in_bulk({span.user_id for span in found if span.user_id is not None})
        rows = [
            {
                "start": span.start,
                "end": span.end,
                "person": people.get(span.user_id or 0),
                "layer": span.layer,
                "override": span.override_id,
            }
            for span in found
        ]
        return Response(CallSpanSerializer(rows, many=True, context=self.names).data)


class Gaps(OnCallView):
    serializer_class = CallGapSerializer
    pagination_class = None

    @extend_schema(
        operation_id="list_oncall_gaps", tags=["alerts"], summary="When nobody is on call", parameters=[WindowSerializer],
        responses=CallGapSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        schedule = self.found(self.schedules(), pk)
        start, end = self.window()
        holes = oncall.gaps(schedule=schedule, start=start, end=end)
        return Response(CallGapSerializer([{"start": begins, "end": ends} for begins, ends in holes], many=True).data)


class Now(OnCallView):
    serializer_class = NowSerializer

    @extend_schema(
        operation_id="list_oncall_now", tags=["alerts"], summary="Who is on call now, by schedule", responses=NowSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        schedules: Any = self.paginate_queryset(self.schedules().active())
        ids = {schedule.pk: oncall.on_call_now(schedule_id=schedule.pk) for schedule in schedules}
        people = User.objects.in_bulk({user_id for each in ids.values() for user_id in each})
        rows = [{"schedule": one, "people": [people[user_id] for user_id in ids[one.pk] if user_id in people]} for one in schedules]
        return self.get_paginated_response(NowSerializer(rows, many=True, context=self.names).data)


class OverrideList(OnCallView):
    serializer_class = OverrideSerializer

    @extend_schema(
        operation_id="list_oncall_overrides", tags=["alerts"], summary="List a schedule's overrides, newest first",
        responses=OverrideSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        rows = OnCallOverride.objects.filter(schedule=self.found(self.schedules(), pk)).select_related("user")
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(OverrideSerializer(page, many=True, context=self.names).data)

    @extend_schema(
        operation_id="make_oncall_override", tags=["alerts"], summary="Put somebody on call for a span (people only)",
        request=MakeOverrideSerializer, responses={201: OverrideSerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        schedule = self.found(self.schedules(), pk)
        told = self.told(MakeOverrideSerializer)
        user = self.person(schedule, told.pop("person"))
        made = oncall.make_override(schedule=schedule, by=self.viewer, user=user, **told)
        return Response(OverrideSerializer(made, context=self.names).data, status=201)


class OverrideCancel(OnCallView):
    serializer_class = OverrideSerializer

    @extend_schema(
        operation_id="cancel_oncall_override", tags=["alerts"], summary="End an override (people only)", request=None,
        responses=OverrideSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        row = self.found(self.of_schedules(OnCallOverride).select_related("user"), pk)
        return Response(OverrideSerializer(oncall.cancel_override(override=row, by=self.viewer), context=self.names).data)


class SwapList(OnCallView):
    serializer_class = CallSwapSerializer

    @extend_schema(
        operation_id="list_oncall_swaps", tags=["alerts"], summary="List a schedule's swaps, newest first",
        responses=CallSwapSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        rows = ShiftSwap.objects.filter(schedule=self.found(self.schedules(), pk)).select_related("asked_by", "asked_of", "taken_by")
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(CallSwapSerializer(page, many=True, context=self.names).data)

    @extend_schema(
        operation_id="ask_oncall_swap", tags=["alerts"], summary="Ask to be relieved of a span in which one is on call (people only)",
        request=AskSwapSerializer, responses={201: CallSwapSerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        schedule = self.found(self.schedules(), pk)
        told = self.told(AskSwapSerializer)
        asked_of = self.person(schedule, told.pop("asked_of"))
        made = oncall.ask_swap(schedule=schedule, by=self.viewer, asked_of=asked_of, **told)
        return Response(CallSwapSerializer(made, context=self.names).data, status=201)


class SwapAct(OnCallView):
    serializer_class = CallSwapSerializer

    def row(self, pk: int) -> ShiftSwap:
        found: ShiftSwap = self.found(self.of_schedules(ShiftSwap).select_related("schedule", "asked_by", "asked_of", "taken_by"), pk)
        return found

    def shown(self, swap: ShiftSwap) -> Response:
        return Response(CallSwapSerializer(swap, context=self.names).data)


class SwapTake(SwapAct):
    @extend_schema(
        operation_id="take_oncall_swap", tags=["alerts"], summary="Take a swap: one is on call for it (people only)", request=None,
        responses=CallSwapSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        swap = self.row(pk)
        oncall.take_swap(swap=swap, by=self.viewer)
        return self.shown(swap)


class SwapDecline(SwapAct):
    @extend_schema(
        operation_id="decline_oncall_swap", tags=["alerts"], summary="Say no to a swap one was asked for (people only)",
        request=DeclineSwapSerializer, responses=CallSwapSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        return self.shown(oncall.decline_swap(swap=self.row(pk), by=self.viewer, answer=self.told(DeclineSwapSerializer)["answer"]))


class SwapWithdraw(SwapAct):
    @extend_schema(
        operation_id="withdraw_oncall_swap", tags=["alerts"], summary="Ask no longer (people only)", request=None,
        responses=CallSwapSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        return self.shown(oncall.withdraw_swap(swap=self.row(pk), by=self.viewer))
