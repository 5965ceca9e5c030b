"""Escalation policies and what runs by them. A key reads both without people's names; people write policies by their session."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Agency
from accounts.roles import Role
from alerts.choices import Channel, Importance, Level
from alerts.models import Alert, EscalationPolicy, EscalationRun, PolicyStep
from alerts.services.escalation.checking import check
from alerts.services.escalation.foresight import Somewhere, foresee
from alerts.services.escalation.policies import write_policy
from alerts.services.escalation.snapshot import policy_of, step_of
from alerts.services.escalation.wording import endings, sentence
from core.api.fields import Moment
from geography.models import Zone
from interop.api.patrol.force_kit import MAX_PK, ForceView
from interop.models import Scope

_ID: dict[str, Any] = {"required": False, "allow_null": True, "min_value": 1, "max_value": MAX_PK}


class StepSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(max_length=10, help_text=", ".join(PolicyStep.Kind.values))
    wait_s = serializers.IntegerField(required=False, default=60, min_value=0, max_value=86_400, help_text="For somebody to acknowledge.")
    user = serializers.IntegerField(**_ID, help_text="Of a step that notifies a person. Empty for a key.")
    role = serializers.CharField(max_length=16, required=False, allow_blank=True, help_text=", ".join(Role.values))
    team = serializers.IntegerField(**_ID)
    schedule = serializers.IntegerField(**_ID)
    contact = serializers.IntegerField(**_ID)
    agency = serializers.IntegerField(**_ID, help_text="Of the role or operations room, where it is not the alert's own.")
    channels = serializers.ListField(
        child=serializers.CharField(max_length=8), required=False, max_length=9, help_text=", ".join(Channel.values)
    )
    importance = serializers.CharField(max_length=9, required=False, help_text=", ".join(Importance.values))
    also_off_duty = serializers.BooleanField(required=False)
    only_from = serializers.RegexField(r"^$|^\d\d:\d\d$", required=False, allow_blank=True, help_text="22:00, in Kuwait.")
    only_to = serializers.RegexField(r"^$|^\d\d:\d\d$", required=False, allow_blank=True)
    only_weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6), required=False, max_length=7, help_text="0 is Monday."
    )
    only_levels = serializers.ListField(child=serializers.CharField(max_length=8), required=False, max_length=4)
    repeat_times = serializers.IntegerField(required=False, min_value=0, max_value=10)
    webhook = serializers.SlugField(required=False, allow_blank=True, max_length=64)
    task_title = serializers.CharField(required=False, allow_blank=True, max_length=200)


class StepToldSerializer(StepSerializer):
    sentence = serializers.CharField(help_text="The step in words, in the caller's language. Without the person's name for a key.")


class PolicyRungSerializer(serializers.Serializer[Any]):
    channel = serializers.CharField(max_length=16, help_text=", ".join(Channel.values))
    wait_s = serializers.IntegerField(
        required=False, default=60, min_value=0, max_value=3600, help_text="Before the next channel is tried."
    )


class PolicySerializer(serializers.Serializer[Any]):
    code = serializers.SlugField(max_length=64)
    name_en = serializers.CharField(max_length=120)
    name_ar = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    agency = serializers.SlugField(required=False, allow_null=True, max_length=32, help_text="Its short name; empty: the whole ministry.")
    repeat_times = serializers.IntegerField(required=False, min_value=0, max_value=10)
    repeat_wait_s = serializers.IntegerField(required=False, min_value=0, max_value=86_400)
    remind_after_min = serializers.IntegerField(required=False, allow_null=True, min_value=5, max_value=10_080)
    fallback_user = serializers.IntegerField(**_ID, help_text="Empty for a key.")
    fallback_contact = serializers.IntegerField(**_ID)
    ladder = PolicyRungSerializer(
        many=True, required=False, help_text="Channels for whoever has chosen none, each once, ten at most. Empty: the usual order."
    )
    version = serializers.IntegerField(required=False, help_text="Send the one you read: a newer one is a conflict.")


class PolicyWrittenSerializer(PolicySerializer):
    steps = StepSerializer(many=True)


class PolicyToldSerializer(PolicySerializer):
    steps = StepToldSerializer(many=True)
    is_active = serializers.BooleanField()
    endings = serializers.ListField(child=serializers.CharField(), help_text="Ladder, repeats and fallback in words. Empty for a key.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What may go wrong with it as things stand. Empty for a key.")


class MomentSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    after_s = serializers.FloatField()
    what = serializers.CharField(allow_blank=True)
    outcome = serializers.ChoiceField(choices=["told", "nobody", "skipped", "waits", "other", "end"])
    loop = serializers.IntegerField()
    repeat = serializers.IntegerField()
    is_fallback = serializers.BooleanField()
    people = serializers.SerializerMethodField(help_text="Whom it would page. Empty for a key.")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_people(self, moment: Any) -> list[str]:
        return [target.name for target in moment.targets] if self.context.get("names") else []


class StoryAskedSerializer(serializers.Serializer[Any]):
    at = Moment(required=False, help_text="Now, if it is not said.")
    level = serializers.ChoiceField(choices=Level.values, required=False)
    governorate = serializers.CharField(required=False, max_length=32, help_text="Its code.")
    agency = serializers.SlugField(required=False, max_length=32)


class EscalationStepRunSerializer(serializers.Serializer[Any]):
    loop = serializers.IntegerField()
    step = serializers.IntegerField(source="step_no")
    repeat = serializers.IntegerField(source="repeat_no")
    kind = serializers.CharField()
    due_at = serializers.DateTimeField()
    ran_at = serializers.DateTimeField()
    outcome = serializers.CharField()
    reached = serializers.IntegerField()


class EscalationRunSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    alert = serializers.IntegerField(source="alert_id")
    number = serializers.IntegerField()
    policy = serializers.SerializerMethodField(help_text="Its code as it was.")
    policy_version = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=EscalationRun.State.values)
    loop = serializers.IntegerField()
    next_step = serializers.IntegerField(source="step_no")
    next_at = serializers.DateTimeField(allow_null=True)
    failures = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    steps = EscalationStepRunSerializer(many=True)

    @extend_schema_field(serializers.CharField())
    def get_policy(self, run: EscalationRun) -> str:
        return str(run.snapshot.get("code") or "")


class RunsAskedSerializer(serializers.Serializer[Any]):
    alert = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)
    state = serializers.ChoiceField(required=False, choices=EscalationRun.State.values)


class PolicyView(ForceView):
    scope = Scope.ALERTS_READ
    verb = "see_alerts"
    serializer_class: Any = PolicyToldSerializer

    def rows(self) -> Any:
        return EscalationPolicy.objects.visible_to(self.viewer).select_related("agency").prefetch_related("steps")

    def one(self, code: str) -> EscalationPolicy:
        policy: EscalationPolicy | None = self.rows().filter(code=code).first()
        if policy is None:
            raise Http404
        return policy

    def snapshot(self, policy: EscalationPolicy) -> dict[str, Any]:
        rows = policy.steps.select_related("user", "team", "schedule", "contact", "agency").order_by("position")
        steps = [step_of(row) for row in rows]
        if self.is_key:
            steps = [step | {"user": None, "user_name": ""} for step in steps]
        return policy_of(policy, steps)

    def told_of(self, policy: EscalationPolicy, *, checks: bool = False) -> dict[str, Any]:
        snapshot = self.snapshot(policy)
        return snapshot | {
            "description": policy.description,
            "agency": policy.agency.slug if policy.agency is not None else None,
            "fallback_user": None if self.is_key else policy.fallback_user_id,
            "is_active": policy.is_active,
            "steps": [step | {"sentence": sentence(step)} for step in snapshot["steps"]],
            "endings": [] if self.is_key else endings(snapshot),
            "warnings": check(snapshot).warnings if checks and not self.is_key else [],
        }

    def write(self, request: Request, policy: EscalationPolicy | None) -> dict[str, Any]:
        given = self.told(PolicyWrittenSerializer)
        steps = [_columns(step, ("user", "team", "schedule", "contact", "agency")) for step in given.pop("steps")]
        seen = given.pop("version", None)
        if "agency" in given:
            slug = given.pop("agency")
            agency = Agency.objects.filter(slug=slug).first() if slug else None
            if slug and agency is None:
                raise Http404
            given["agency_id"] = agency.pk if agency is not None else None
        values = _columns(given, ("fallback_user", "fallback_contact"))
        made = write_policy(by=self.viewer, policy=policy, values=values, steps=steps, seen_version=seen)
        return self.told_of(made, checks=True)


def _columns(given: dict[str, Any], ids: tuple[str, ...]) -> dict[str, Any]:
    return {f"{name}_id" if name in ids else name: value for name, value in given.items()}


class PolicyList(PolicyView):
    @extend_schema(
        operation_id="list_escalation_policies", tags=["alerts"], summary="List escalation policies",
        responses=PolicyToldSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.rows())
        return self.get_paginated_response(PolicyToldSerializer([self.told_of(policy) for policy in page], many=True).data)

    @extend_schema(
        operation_id="make_escalation_policy", tags=["alerts"], summary="Make a policy", request=PolicyWrittenSerializer,
        responses={201: PolicyToldSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        return Response(PolicyToldSerializer(self.write(request, None)).data, status=201)


class PolicyDetail(PolicyView):
    @extend_schema(operation_id="read_escalation_policy", tags=["alerts"], summary="Read a policy", responses=PolicyToldSerializer)
    def get(self, request: Request, code: str) -> Response:
        return Response(PolicyToldSerializer(self.told_of(self.one(code), checks=True)).data)

    @extend_schema(
        operation_id="write_escalation_policy", tags=["alerts"], summary="Write a policy anew as a whole; runs under way keep theirs",
        request=PolicyWrittenSerializer, responses=PolicyToldSerializer,
    )  # fmt: skip
    def put(self, request: Request, code: str) -> Response:
        return Response(PolicyToldSerializer(self.write(request, self.one(code))).data)


class PolicyStory(PolicyView):
    serializer_class: Any = MomentSerializer
    pagination_class = None

    @extend_schema(
        operation_id="foresee_escalation_policy", tags=["alerts"], summary="What a policy would do, moment by moment",
        parameters=[StoryAskedSerializer], responses=MomentSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        policy, asked = self.one(code), self.asked(StoryAskedSerializer)
        agency = Agency.objects.filter(slug=asked["agency"]).first() if "agency" in asked else policy.agency
        zone = (
            Zone.objects.filter(level="governorate", is_active=True, code=asked["governorate"]).first() if "governorate" in asked else None
        )
        if ("agency" in asked and agency is None) or ("governorate" in asked and zone is None):
            raise Http404
        where = Somewhere(agency.pk if agency else None, zone.pk if zone else None, asked.get("level") or Level.HIGH.value)
        rows = policy.steps.select_related("user", "team", "schedule", "contact", "agency").order_by("position")
        story = foresee(policy_of(policy, [step_of(row) for row in rows]), at=asked.get("at") or timezone.now(), alert=where)
        if self.is_key:
            story = [moment for moment in story if not moment.is_fallback]
        shown: Any = [_without_names(moment) if self.is_key else moment for moment in story]
        return Response(MomentSerializer(shown, many=True, context={"names": not self.is_key}).data)


def _without_names(moment: Any) -> dict[str, Any]:
    named = moment.what if not any(target.name and target.name in moment.what for target in moment.targets) else ""
    return {name: getattr(moment, name) for name in ("at", "after_s", "outcome", "loop", "repeat", "is_fallback")} | {
        "what": named, "targets": [],
    }  # fmt: skip


class RunView(ForceView):
    scope = Scope.ALERTS_READ
    verb = "see_alerts"
    serializer_class = EscalationRunSerializer

    def rows(self) -> Any:
        seen = Alert.objects.visible_to(self.viewer)
        return EscalationRun.objects.filter(alert__in=seen).prefetch_related("steps").order_by("-id")


class RunList(RunView):
    @extend_schema(
        operation_id="list_escalations", tags=["alerts"], summary="List what escalates, with the steps that ran",
        parameters=[RunsAskedSerializer], responses=EscalationRunSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked, rows = self.asked(RunsAskedSerializer), self.rows()
        if "alert" in asked:
            rows = rows.filter(alert_id=asked["alert"])
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(EscalationRunSerializer(page, many=True).data)


class RunDetail(RunView):
    @extend_schema(operation_id="read_escalation", tags=["alerts"], summary="Read one escalation", responses=EscalationRunSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(EscalationRunSerializer(self.found(self.rows(), pk)).data)
