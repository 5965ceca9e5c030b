"""Whom to send: advice and what it was made from; run cards; units' states."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from incidents.models import Incident
from interop.api.patrol.force_kit import ForceView, PlaceAskedSerializer, of_place
from patrol.models import Recommendation, RunCard, Unit
from patrol.services.recommend import advise
from patrol.services.run_cards import ALARM_LEVELS
from patrol.services.units import UnitStatus, states_of


class RankedSerializer(serializers.Serializer[Any]):
    unit = serializers.IntegerField()
    score = serializers.FloatField(allow_null=True, help_text="Minutes: the parts together. Empty where it may not be sent.")
    parts = serializers.DictField(child=serializers.FloatField(), help_text="Minutes: eta, open_task, given_today, short_rest, overtime, …")
    why_not = serializers.CharField(help_text="off_duty, out_of_service, on_incident, no_position, stale_position, no_way, already_sent.")
    advised = serializers.BooleanField()
    need = serializers.IntegerField(allow_null=True)
    is_late = serializers.BooleanField(help_text="Advised, though later than the run card wants.")


class ShortfallSerializer(serializers.Serializer[Any]):
    need = serializers.IntegerField()
    kind = serializers.CharField()
    skill = serializers.CharField()
    within_s = serializers.FloatField(allow_null=True)
    nearest = serializers.IntegerField(allow_null=True, help_text="The unit that comes nearest to meeting it.")
    nearest_eta_s = serializers.FloatField(allow_null=True)
    nearest_why_not = serializers.CharField()


class RecommendationSerializer(serializers.Serializer[Recommendation]):
    id = serializers.IntegerField()
    incident = serializers.CharField(source="incident.ref")
    alarm_level = serializers.IntegerField()
    at = serializers.DateTimeField()
    provider = serializers.CharField(help_text="Where the travel times come from.")
    advised = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_advised(self, row: Recommendation) -> list[int]:
        return [it["unit"] for it in row.ranked if it["advised"]]


class RecommendationDetailSerializer(RecommendationSerializer):
    ranked = RankedSerializer(many=True, help_text="Those who may be sent, best first; then the others, nearest first.")
    shortfalls = ShortfallSerializer(many=True)
    inputs = serializers.SerializerMethodField(help_text="All it was made from: it can be made again from this alone. Empty for keys.")

    @extend_schema_field(serializers.DictField())
    def get_inputs(self, row: Recommendation) -> dict[str, Any]:
        return {} if self.context.get("is_key") else row.inputs


class AdviceRequestSerializer(serializers.Serializer[Any]):
    incident = serializers.CharField(max_length=40, help_text="Its reference.")
    alarm_level = serializers.IntegerField(min_value=ALARM_LEVELS[0], max_value=ALARM_LEVELS[-1], default=1)


class AdviceAskedSerializer(serializers.Serializer[Any]):
    incident = serializers.CharField(required=False, max_length=40, help_text="Its reference.")


class Recommendations(ForceView):
    serializer_class = RecommendationSerializer

    def rows(self) -> Any:
        return Recommendation.objects.visible_to(self.viewer).select_related("incident__region").defer("incident__search")

    def told_of(self, row: Recommendation, status: int = 200) -> Response:
        return Response(RecommendationDetailSerializer(row, context={"is_key": self.is_key}).data, status=status)


class RecommendationList(Recommendations):
    @extend_schema(
        operation_id="list_recommendations", tags=["patrol"], summary="List dispatch advice, newest first",
        parameters=[AdviceAskedSerializer], responses=RecommendationSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked, rows = self.asked(AdviceAskedSerializer), self.rows().defer("incident__search", "inputs")
        if "incident" in asked:
            rows = rows.filter(incident__in=Incident.objects.visible_to(self.viewer).by_ref(asked["incident"]))
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(RecommendationSerializer(page, many=True).data)

    @extend_schema(
        operation_id="advise", tags=["patrol"], summary="Ask whom to send to an incident (people only)",
        request=AdviceRequestSerializer, responses={201: RecommendationDetailSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(AdviceRequestSerializer)
        incident = Incident.objects.visible_to(self.viewer).by_ref(told["incident"]).select_related("region").first()
        if incident is None:
            raise Http404
        return self.told_of(advise(incident=incident, by=self.viewer, alarm_level=told["alarm_level"]), status=201)


class RecommendationDetail(Recommendations):
    @extend_schema(
        operation_id="read_recommendation", tags=["patrol"], summary="Read one piece of advice with its candidates and shortfalls",
        responses=RecommendationDetailSerializer,
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        return self.told_of(self.found(self.rows(), pk))


class RunCardLineSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    kind = serializers.CharField(help_text="Empty: any.")
    skill = serializers.CharField(source="skill.code", allow_null=True, default=None)
    within_minutes = serializers.IntegerField(allow_null=True)


class RunCardSerializer(serializers.Serializer[RunCard]):
    id = serializers.IntegerField()
    agency = serializers.CharField(source="agency.slug")
    type = serializers.CharField(source="type.code", allow_null=True, default=None, help_text="Empty: any type.")
    alarm_level = serializers.IntegerField()
    is_active = serializers.BooleanField()
    lines = RunCardLineSerializer(many=True)


class RunCardList(ForceView):
    serializer_class = RunCardSerializer

    @extend_schema(
        operation_id="list_run_cards",
        tags=["patrol"],
        summary="List run cards: what a type of incident calls for",
        responses=RunCardSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = RunCard.objects.visible_to(self.viewer).select_related("agency", "type").prefetch_related("lines__skill")
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(RunCardSerializer(page, many=True).data)


class UnitStateSerializer(serializers.Serializer[Any]):
    unit = serializers.IntegerField(source="unit_id")
    call_sign = serializers.CharField()
    state = serializers.ChoiceField(choices=UnitStatus.choices)
    since = serializers.DateTimeField(allow_null=True, help_text="Empty: no clock says when it began.")
    open_assignments = serializers.ListField(child=serializers.IntegerField(), help_text="What is planned for later included.")
    leading = serializers.IntegerField(allow_null=True, help_text="The assignment that names the state of a busy unit.")


class UnitStateList(ForceView):
    serializer_class = UnitStateSerializer

    @extend_schema(
        operation_id="list_unit_states", tags=["patrol"],
        summary="What each unit is doing: derived from duty and open assignments, never stored",
        parameters=[PlaceAskedSerializer], responses=UnitStateSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = of_place(Unit.objects.visible_to(self.viewer).active(), self.asked(PlaceAskedSerializer))
        page: Any = self.paginate_queryset(rows)
        states = states_of([unit.pk for unit in page])
        told = [{**vars(states[unit.pk]), "call_sign": unit.call_sign} for unit in page if unit.pk in states]
        return self.get_paginated_response(UnitStateSerializer(told, many=True).data)
