"""Plans of patrol for machines and people: the cells handed over, the routes, the versions and what is done with them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Moment
from incidents.models import Handover
from incidents.services.trust.handover import MOST_CELLS
from interop.api.handover import HandoverDetailSerializer
from interop.api.patrol.force_kit import ForceView, PlaceAskedSerializer, of_place
from patrol.models import Plan, Shift
from patrol.services import plans as planning
from patrol.services.acting import MAX_REASON
from patrol.services.plans.changing import KINDS
from patrol.services.plans.making import MOST_SEED
from patrol.services.plans.storing import routes_of

_HEAVY_SURFACE = [f"surface__{name}" for name in ("columns", "rows", "values", "classes", "governorate_ids", "area_ids", "parts")]


class PlanStopSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    sequence = serializers.IntegerField()
    visit = serializers.IntegerField(help_text="The how-manieth visit of its place in the shift.")
    place = serializers.CharField(help_text="Column and row of the cell, or person: and a number.")
    longitude = serializers.FloatField(source="location.x")
    latitude = serializers.FloatField(source="location.y")
    radius_m = serializers.IntegerField()
    area = serializers.CharField(source="area.code", allow_null=True, default=None)
    arrive_at = serializers.DateTimeField()
    leave_at = serializers.DateTimeField()
    travel_s = serializers.FloatField(help_text="Of the way to it.")
    weight = serializers.FloatField(help_text="Share of the list's expected incidents, in per cent.")
    reason = serializers.ChoiceField(choices=["risk", "explore", "person"])
    category = serializers.CharField()
    tactics = serializers.ListField(child=serializers.CharField(), help_text="Suggestions, none of them enforcement.")
    is_fixed = serializers.BooleanField()


class PlanRouteSerializer(serializers.Serializer[Any]):
    unit = serializers.IntegerField(source="unit_id")
    call_sign = serializers.CharField(source="unit.call_sign")
    start_station = serializers.CharField(source="start_station.code")
    end_station = serializers.CharField(source="end_station.code")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    break_from = serializers.DateTimeField(allow_null=True)
    break_to = serializers.DateTimeField(allow_null=True)
    distance_m = serializers.FloatField()
    drive_s = serializers.FloatField()
    dosage_s = serializers.FloatField()
    stops = PlanStopSerializer(many=True, source="planned")


class PlanSerializer(serializers.Serializer[Plan]):
    id = serializers.IntegerField()
    shift = serializers.IntegerField(source="shift_id")
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code")
    starts_at = serializers.DateTimeField(source="shift.starts_at")
    ends_at = serializers.DateTimeField(source="shift.ends_at")
    version = serializers.IntegerField()
    made_from = serializers.IntegerField(source="parent_id", allow_null=True, help_text="The plan it was made from.")
    state = serializers.CharField(help_text="draft, reviewed, published, superseded or discarded.")
    making = serializers.CharField(help_text="waiting, making, made or failed.")
    failure = serializers.CharField(help_text="Why it was not made.")
    edition = serializers.IntegerField(help_text="To be sent back with a change or a review.")
    seed = serializers.IntegerField()
    provider = serializers.CharField(help_text="Travel times from: straight, roads or server.")
    violations = serializers.SerializerMethodField(help_text="Of the independent checker.")
    is_synthetic = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)

    def get_violations(self, plan: Plan) -> int:
        return len(plan.verdict)


class ViolationSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    unit = serializers.IntegerField(allow_null=True)
    stop = serializers.CharField(allow_null=True, help_text="The key of its place.")
    at = serializers.DateTimeField(allow_null=True)
    by_s = serializers.IntegerField()


class PlanDetailSerializer(PlanSerializer):
    figures = serializers.JSONField(help_text="Presence by risk, kilometres, balance; `plain` is the list cut in pieces on the same input.")
    verdict = ViolationSerializer(many=True)
    unserved = serializers.JSONField(help_text="What was wanted and is not planned: code, unit, seconds short.")
    demand = serializers.JSONField(help_text="Areas by hours: each part, its weight, the mean, what is missing.")
    routes = serializers.SerializerMethodField()

    @extend_schema_field(PlanRouteSerializer(many=True))
    def get_routes(self, plan: Plan) -> Any:
        return PlanRouteSerializer(routes_of(plan), many=True).data


class PlanAskedSerializer(PlaceAskedSerializer):
    state = serializers.ChoiceField(choices=Plan.State.choices, required=False)
    shift = serializers.IntegerField(required=False, min_value=1, max_value=2**62)


class PlanRequestSerializer(serializers.Serializer[Any]):
    shift = serializers.IntegerField(min_value=1, max_value=2**62)
    units = serializers.IntegerField(min_value=1, max_value=500, required=False, allow_null=True, default=None)
    stops = serializers.IntegerField(min_value=1, max_value=MOST_CELLS, required=False, allow_null=True, default=None)
    seed = serializers.IntegerField(min_value=0, max_value=MOST_SEED, required=False, allow_null=True, default=None)


class ChangeRequestSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=list(KINDS))
    stop = serializers.IntegerField(required=False, min_value=1, max_value=2**62)
    unit = serializers.IntegerField(required=False, min_value=1, max_value=2**62)
    at = Moment(required=False)
    minutes = serializers.IntegerField(required=False, min_value=1, max_value=240)
    place = serializers.CharField(required=False, max_length=40)
    lon = serializers.FloatField(required=False, min_value=-180, max_value=180)
    lat = serializers.FloatField(required=False, min_value=-90, max_value=90)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON, help_text="Needed to keep it.")
    edition = serializers.IntegerField(required=False, min_value=1, help_text="Needed to keep it.")
    only_try = serializers.BooleanField(required=False, default=False, help_text="Only the checker's word; nothing is kept.")


class OutcomeSerializer(serializers.Serializer[Any]):
    violations = ViolationSerializer(many=True)
    figures = serializers.JSONField()


class ReviewRequestSerializer(serializers.Serializer[Any]):
    edition = serializers.IntegerField(min_value=1)
    urgent_reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)


class PlanReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=MAX_REASON)


class ReplanRequestSerializer(PlanReasonSerializer):
    without = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**62), required=False, default=list, max_length=500
    )
    seed = serializers.IntegerField(min_value=0, max_value=MOST_SEED, required=False, allow_null=True, default=None)


class DiffLineSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["moved", "retimed", "added", "removed"])
    place = serializers.CharField()
    area = serializers.CharField()
    unit = serializers.CharField()
    was_unit = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    was_at = serializers.DateTimeField(allow_null=True)


class Plans(ForceView):
    serializer_class = PlanSerializer

    def rows(self) -> Any:
        rows = Plan.objects.visible_to(self.viewer).select_related("shift", "agency", "governorate__region", "parent")
        return rows.defer("governorate__boundary")

    def plan(self, pk: int) -> Plan:
        found: Plan = self.found(self.rows(), pk)
        return found

    def answer(self, pk: int, status: int = 200) -> Response:
        return Response(PlanDetailSerializer(self.plan(pk)).data, status=status)


class PlanList(Plans):
    @extend_schema(
        operation_id="list_plans", tags=["patrol"], summary="List the plans of patrol, newest first", parameters=[PlanAskedSerializer],
        responses=PlanSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(PlanAskedSerializer)
        rows = of_place(self.rows(), asked)
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        if "shift" in asked:
            rows = rows.filter(shift=asked["shift"])
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(PlanSerializer(page, many=True).data)

    @extend_schema(
        operation_id="make_plan", tags=["patrol"], summary="Ask for a plan of a shift; a worker makes it (people only)",
        request=PlanRequestSerializer, responses={202: PlanSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(PlanRequestSerializer)
        shift = self.found(Shift.objects.visible_to(self.viewer), told.pop("shift"))
        made = planning.ask_for_plan(shift=shift, by=request.user, **told)  # type: ignore[arg-type]
        return Response(PlanSerializer(self.plan(made.pk)).data, status=202)


class PlanDetail(Plans):
    @extend_schema(operation_id="read_plan", tags=["patrol"], summary="Read one plan with its routes", responses=PlanDetailSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return self.answer(pk)


class PlanDiff(Plans):
    pagination_class = None

    @extend_schema(
        operation_id="compare_plans", tags=["patrol"], summary="What differs between two versions of a shift's plan",
        responses=DiffLineSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, pk: int, before: int) -> Response:
        plan = self.plan(pk)
        other: Plan = self.found(self.rows().filter(shift=plan.shift_id), before)
        return Response(DiffLineSerializer(planning.diff(other, plan).changes, many=True).data)


class PlanChangeView(Plans):
    @extend_schema(
        operation_id="change_plan", tags=["patrol"], summary="Change a plan, or hear what the checker would say of it (people only)",
        request=ChangeRequestSerializer, responses={200: PlanDetailSerializer, 202: OutcomeSerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        plan, told = self.plan(pk), self.told(ChangeRequestSerializer)
        reason, edition, only_try = told.pop("reason"), told.pop("edition", 0), told.pop("only_try")
        wish = planning.Wish(**told)
        by: Any = request.user
        if only_try:
            outcome = planning.try_change(plan=plan, by=by, wish=wish)
            return Response(OutcomeSerializer({"violations": outcome.verdict, "figures": outcome.figures}).data, status=202)
        return self.answer(planning.change_plan(plan=plan, by=by, wish=wish, reason=reason, edition=edition).pk)


class PlanReview(Plans):
    @extend_schema(
        operation_id="review_plan", tags=["patrol"], summary="Say that a draft is reviewed (people only; another than its maker)",
        request=ReviewRequestSerializer, responses=PlanDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        told = self.told(ReviewRequestSerializer)
        return self.answer(planning.review_plan(plan=self.plan(pk), by=request.user, **told).pk)  # type: ignore[arg-type]


class PlanPublish(Plans):
    @extend_schema(
        operation_id="publish_plan", tags=["patrol"], summary="Publish a reviewed plan: units get their stops (people only)",
        request=None, responses=PlanDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        return self.answer(planning.publish_plan(plan=self.plan(pk), by=request.user).pk)  # type: ignore[arg-type]


class PlanDiscard(Plans):
    @extend_schema(
        operation_id="discard_plan", tags=["patrol"], summary="Lay a draft or reviewed plan aside (people only)",
        request=PlanReasonSerializer, responses=PlanDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        told = self.told(PlanReasonSerializer)
        return self.answer(planning.discard_plan(plan=self.plan(pk), by=request.user, **told).pk)  # type: ignore[arg-type]


class PlanReplan(Plans):
    @extend_schema(
        operation_id="replan", tags=["patrol"], summary="Plan the rest of a running shift again, without units (people only)",
        request=ReplanRequestSerializer, responses={202: PlanSerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        told = self.told(ReplanRequestSerializer)
        made = planning.replan(plan=self.plan(pk), by=request.user, **told)  # type: ignore[arg-type]
        return Response(PlanSerializer(self.plan(made.pk)).data, status=202)


# --- the old system's names ------------------------------------------------------------------------------------------------------


class PredictedHotspots(ForceView):
    serializer_class = HandoverDetailSerializer
    pagination_class = None

    @extend_schema(
        operation_id="list_predicted_hotspots", tags=["patrol"], summary="The cells handed to patrol for the shift that runs or comes next",
        parameters=[PlaceAskedSerializer], responses=HandoverDetailSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(PlaceAskedSerializer)
        rows = Handover.objects.visible_to(self.viewer).filter(shift_to__gt=timezone.now()).select_related("surface", "governorate")
        if "governorate" in asked:
            rows = rows.filter(governorate__code=asked["governorate"])
        newest: dict[int | None, Handover] = {}
        for row in rows.defer("governorate__boundary", *_HEAVY_SURFACE).order_by("shift_from", "-pk")[:200]:
            newest.setdefault(row.governorate_id, row)
        return Response([HandoverDetailSerializer(row).data for row in newest.values()])


class RecommendedRoutes(Plans):
    serializer_class = PlanDetailSerializer
    pagination_class = None

    @extend_schema(
        operation_id="list_recommended_routes", tags=["patrol"],
        summary="Published plans of the shifts that run or come next, with their routes; where none is published, the newest sound draft",
        parameters=[PlaceAskedSerializer], responses=PlanDetailSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = of_place(self.rows(), self.asked(PlaceAskedSerializer)).filter(shift__ends_at__gt=timezone.now(), making=Plan.Making.MADE)
        rows = rows.filter(verdict=[], state__in=[Plan.State.PUBLISHED, Plan.State.REVIEWED, Plan.State.DRAFT])
        best: dict[tuple[int, int], Plan] = {}
        for plan in rows.order_by("shift__starts_at", "-pk")[:200]:
            key = (plan.agency_id, plan.governorate_id)
            known = best.get(key)
            better = known is not None and known.shift_id == plan.shift_id and known.state != "published" and plan.state == "published"
            if known is None or better:
                best[key] = plan
        return Response([PlanDetailSerializer(row).data for row in best.values()])
