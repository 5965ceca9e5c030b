"""Rules for machines: what is heard of, its versions, its replays. Keys read; writing and switching on are for people, by their session."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alerts.models import AlertRule, RuleProposal, RuleReplay, RuleVersion
from alerts.services.rules import (
    activate_rule,
    change_rule,
    create_rule,
    drop_proposal,
    newest,
    send_back_rule,
    submit_rule,
    switch_off_rule,
)
from alerts.services.rules.checking import look_over
from alerts.services.rules.content import content_of
from alerts.services.rules.words import preview
from core.api.paging import NewestFirst
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.api.trust import WritingIsForPeople
from interop.models import PartnerKey, Scope


class SeesAlerts(BasePermission):
    """Of people those whose role sees alerts; keys are judged by their scope."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        self.message = _("Your role does not allow this.")
        self.code = "not_allowed"
        return isinstance(request.auth, PartnerKey) or bool(getattr(request.user, "can", lambda _verb: False)("see_alerts"))


class RuleSerializer(serializers.Serializer[AlertRule]):
    code = serializers.CharField()
    name_en = serializers.CharField()
    name_ar = serializers.CharField()
    source = serializers.ChoiceField(choices=AlertRule.Source.choices)  # type: ignore[assignment]
    state = serializers.ChoiceField(choices=AlertRule.State.choices)
    version = serializers.IntegerField(help_text="What runs, or would.")
    agency = serializers.SerializerMethodField()
    priority = serializers.IntegerField()
    changed_at = serializers.DateTimeField()
    proposed_version = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField(allow_null=True, help_text="Whose rule it is; null: of the whole ministry."))
    def get_agency(self, rule: AlertRule) -> str | None:
        return rule.agency.slug if rule.agency is not None else None

    @extend_schema_field(serializers.IntegerField(allow_null=True, help_text="A change that waits beside what runs."))
    def get_proposed_version(self, rule: AlertRule) -> int | None:
        if hasattr(rule, "proposed"):  # the list has read them all at once
            return rule.proposed
        return RuleProposal.objects.filter(rule=rule).values_list("number", flat=True).first()


class FindingSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["error", "blocker", "warning"])
    field = serializers.CharField()
    text = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    en = serializers.ListField(child=serializers.CharField())
    ar = serializers.ListField(child=serializers.CharField())


class RuleDetailSerializer(RuleSerializer):
    content = serializers.SerializerMethodField()
    proposal = serializers.SerializerMethodField()
    preview = serializers.SerializerMethodField()
    findings = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(help_text="What runs, in the words of the rules' file."))
    def get_content(self, rule: AlertRule) -> dict[str, Any]:
        return content_of(rule)

    @extend_schema_field(serializers.DictField(allow_null=True, help_text="What it is to say next, in the same words."))
    def get_proposal(self, rule: AlertRule) -> dict[str, Any] | None:
        said = newest(rule)
        return content_of(said) if said is not rule else None

    @extend_schema_field(PreviewSerializer(help_text="The newest version in plain words."))
    def get_preview(self, rule: AlertRule) -> dict[str, list[str]]:
        return preview(newest(rule))

    @extend_schema_field(FindingSerializer(many=True, help_text="What one should look at in the newest version."))
    def get_findings(self, rule: AlertRule) -> Any:
        return FindingSerializer(look_over(newest(rule)), many=True).data


class RuleContentSerializer(serializers.Serializer[Any]):
    """``content`` holds the words of the rules' file; ``docs/alerts.md`` lists them."""

    content = serializers.DictField()
    reason = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")


class RuleChangeSerializer(RuleContentSerializer):
    version = serializers.IntegerField(min_value=1, help_text="The newest version you know; 409 if somebody was quicker.")


class RuleStepSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1)
    reason = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")


class RuleOffSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400)


class RuleVersionSerializer(serializers.Serializer[RuleVersion]):
    number = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    reason = serializers.CharField()
    content = serializers.DictField()


class ReplayRequestSerializer(serializers.Serializer[Any]):
    days = serializers.ChoiceField(choices=[7, 30])


class ReplaySerializer(serializers.Serializer[RuleReplay]):
    id = serializers.IntegerField()
    version = serializers.IntegerField()
    days = serializers.IntegerField()
    until = serializers.DateTimeField()
    alert_count = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)
    result = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(help_text="By day, hour, level, zone and type; people for people only."))
    def get_result(self, kept: RuleReplay) -> dict[str, Any]:
        return {key: value for key, value in kept.result.items() if key != "people" or not self.context.get("is_key")}

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_words(self, kept: RuleReplay) -> list[str]:
        from alerts.services.rules.replay_words import in_words

        return in_words(kept, with_people=not self.context.get("is_key"))


class Rules(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, WritingIsForPeople, SeesAlerts]
    scope: str = Scope.ALERTS_READ
    people_may_read = True
    pagination_class: Any = None
    serializer_class: Any = RuleSerializer
    queryset = AlertRule.objects.none()

    def rows(self) -> Any:
        return AlertRule.objects.visible_to(viewer_of(self.request)).select_related("agency", "policy")

    def one(self, code: str) -> AlertRule:
        found: AlertRule | None = self.rows().filter(code=code).first()
        if found is None:
            raise Http404
        return found

    def asked(self, serializer: Any) -> Any:
        given = serializer(data=self.request.data)
        given.is_valid(raise_exception=True)
        return given.validated_data

    def answer(self, code: str, status: int = 200) -> Response:
        return Response(RuleDetailSerializer(self.one(code)).data, status=status)


class RuleList(Rules):
    pagination_class = NewestFirst

    @extend_schema(operation_id="list_alert_rules", tags=["alerts"], summary="List the alert rules", responses=RuleSerializer(many=True))
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.rows().order_by("-id"))
        proposed = dict(RuleProposal.objects.filter(rule__in=page).values_list("rule_id", "number"))
        for rule in page:
            rule.proposed = proposed.get(rule.pk)
        return self.get_paginated_response(RuleSerializer(page, many=True).data)

    @extend_schema(
        operation_id="create_alert_rule", tags=["alerts"], summary="Write a rule as a draft (people only)",
        request=RuleContentSerializer, responses={201: RuleDetailSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.asked(RuleContentSerializer)
        made = create_rule(data=given["content"], by=request.user, reason=given["reason"])  # type: ignore[arg-type]
        return self.answer(made.code, 201)


class RuleDetail(Rules):
    @extend_schema(
        operation_id="read_alert_rule",
        tags=["alerts"],
        summary="One rule: its words, its preview, what waits",
        responses=RuleDetailSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        return self.answer(code)

    @extend_schema(
        operation_id="change_alert_rule", tags=["alerts"],
        summary="Change a rule (people only); of one that runs, a change waits beside it",
        request=RuleChangeSerializer, responses=RuleDetailSerializer,
    )  # fmt: skip
    def put(self, request: Request, code: str) -> Response:
        given = self.asked(RuleChangeSerializer)
        change_rule(rule=self.one(code), data=given["content"], version=given["version"], by=request.user, reason=given["reason"])  # type: ignore[arg-type]
        return self.answer(code)


class RuleSubmit(Rules):
    @extend_schema(
        operation_id="submit_alert_rule", tags=["alerts"], summary="Hand the newest version to a second person (people only)",
        request=RuleStepSerializer, responses=RuleDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, code: str) -> Response:
        given = self.asked(RuleStepSerializer)
        submit_rule(rule=self.one(code), version=given["version"], by=request.user)  # type: ignore[arg-type]
        return self.answer(code)


class RuleActivate(Rules):
    @extend_schema(
        operation_id="activate_alert_rule", tags=["alerts"],
        summary="Switch on what another person submitted; it needs a replay of this version (people only)",
        request=RuleStepSerializer, responses=RuleDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, code: str) -> Response:
        given = self.asked(RuleStepSerializer)
        activate_rule(rule=self.one(code), version=given["version"], by=request.user)  # type: ignore[arg-type]
        return self.answer(code)


class RuleSendBack(Rules):
    @extend_schema(
        operation_id="send_back_alert_rule", tags=["alerts"], summary="Make a draft of what was submitted, with a reason (people only)",
        request=RuleStepSerializer, responses=RuleDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, code: str) -> Response:
        given = self.asked(RuleStepSerializer)
        send_back_rule(rule=self.one(code), version=given["version"], by=request.user, reason=given["reason"])  # type: ignore[arg-type]
        return self.answer(code)


class RuleDropChange(Rules):
    @extend_schema(
        operation_id="drop_alert_rule_change", tags=["alerts"], summary="Put a change away; what runs, runs on (people only)",
        request=RuleStepSerializer, responses=RuleDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, code: str) -> Response:
        given = self.asked(RuleStepSerializer)
        drop_proposal(rule=self.one(code), version=given["version"], by=request.user, reason=given["reason"])  # type: ignore[arg-type]
        return self.answer(code)


class RuleSwitchOff(Rules):
    @extend_schema(
        operation_id="switch_off_alert_rule", tags=["alerts"], summary="Switch a rule off at once (people only)",
        request=RuleOffSerializer, responses=RuleDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, code: str) -> Response:
        switch_off_rule(rule=self.one(code), by=request.user, reason=self.asked(RuleOffSerializer)["reason"])  # type: ignore[arg-type]
        return self.answer(code)


class RuleVersions(Rules):
    pagination_class = NewestFirst
    serializer_class = RuleVersionSerializer

    @extend_schema(
        operation_id="list_alert_rule_versions", tags=["alerts"], summary="What a rule said, version by version",
        responses=RuleVersionSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        page: Any = self.paginate_queryset(self.one(code).versions.order_by("-id"))
        return self.get_paginated_response(RuleVersionSerializer(page, many=True).data)


class RuleReplays(Rules):
    pagination_class = NewestFirst
    serializer_class = ReplaySerializer

    def context(self) -> dict[str, Any]:
        return {"is_key": isinstance(self.request.auth, PartnerKey)}

    @extend_schema(
        operation_id="list_alert_rule_replays", tags=["alerts"], summary="What a rule would have done, replay by replay",
        responses=ReplaySerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        page: Any = self.paginate_queryset(self.one(code).replays.order_by("-id"))
        return self.get_paginated_response(ReplaySerializer(page, many=True, context=self.context()).data)

    @extend_schema(
        operation_id="replay_alert_rule", tags=["alerts"], summary="Replay the newest version over the last 7 or 30 days (people only)",
        request=ReplayRequestSerializer, responses={201: ReplaySerializer},
    )  # fmt: skip
    def post(self, request: Request, code: str) -> Response:
        from alerts.services.rules.replay import replay

        made = replay(rule=self.one(code), days=int(self.asked(ReplayRequestSerializer)["days"]), by=request.user)  # type: ignore[arg-type]
        return Response(ReplaySerializer(made, context=self.context()).data, status=201)
