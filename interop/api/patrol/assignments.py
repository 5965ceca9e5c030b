"""What units are sent to: lists and single ones for keys and people; giving out, moving, taking back and handing over for people."""

from __future__ import annotations

from typing import Any

from django.contrib.gis.geos import Point
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Moment
from incidents.models import Incident
from interop.api.patrol.force_kit import ForceView, PlaceAskedSerializer, of_place
from interop.api.patrol.force_writes import Key, ReasonRequestSerializer
from interop.api.serializers import PointSerializer
from patrol.lifecycle import OPEN, WAY
from patrol.models import AidRequest, Assignment, AssignmentState, Recommendation, Team, Unit
from patrol.services.assignments import assign, cancel_assignment, hand_over_assignments, move_assignment, reassign
from patrol.services.assignments.keeping import MAX_REASON
from patrol.services.assignments.making import MAX_TITLE, RADIUS_M
from patrol.services.recommend.gathering import units_for
from patrol.services.tasks import give_task

MOST_SEEN = 100


class AssignmentSerializer(serializers.Serializer[Assignment]):
    """The first time of each step; one nobody told of is empty, never invented."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Assignment.Kind.choices)
    state = serializers.ChoiceField(choices=AssignmentState.choices)
    is_open = serializers.BooleanField()
    unit = serializers.IntegerField(source="unit_id")
    call_sign = serializers.CharField(source="unit.call_sign")
    agency = serializers.CharField(source="agency.slug", help_text="Whose task it is; a lent unit is of another.")
    incident = serializers.CharField(source="incident.ref", allow_null=True, default=None, help_text="Its reference.")
    plan_stop = serializers.IntegerField(source="plan_stop_id", allow_null=True)
    title = serializers.CharField()
    note = serializers.CharField()
    location = PointSerializer(allow_null=True)
    radius_m = serializers.IntegerField()
    priority = serializers.IntegerField()
    active_from = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    closes_at = serializers.DateTimeField(allow_null=True)
    assigned_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    en_route_at = serializers.DateTimeField(allow_null=True)
    on_scene_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    override_reason = serializers.CharField(help_text="Why another unit than the advised.")
    outcome = serializers.CharField()
    is_synthetic = serializers.BooleanField()


class StepOfAssignmentSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="When it happened.")
    recorded_at = serializers.DateTimeField(help_text="When we heard of it.")
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    by = serializers.CharField(source="author_kind", help_text="user, key or system.")
    reason = serializers.CharField()
    late = serializers.SerializerMethodField(help_text="Told after the state had moved on.")
    doubt = serializers.SerializerMethodField(help_text="before_assignment or out_of_order: the time contradicts the others.")

    def get_late(self, row: Any) -> bool:
        return bool(row.facts.get("late"))

    def get_doubt(self, row: Any) -> str:
        return str(row.facts.get("doubt", ""))


class AssignmentDetailSerializer(AssignmentSerializer):
    log = serializers.SerializerMethodField()

    @extend_schema_field(StepOfAssignmentSerializer(many=True))
    def get_log(self, row: Assignment) -> Any:
        return StepOfAssignmentSerializer(row.log.all(), many=True).data


class AssignmentsAskedSerializer(PlaceAskedSerializer):
    state = serializers.ChoiceField(choices=AssignmentState.choices, required=False)
    kind = serializers.ChoiceField(choices=Assignment.Kind.choices, required=False)
    is_open = serializers.BooleanField(required=False, allow_null=True, default=None)
    unit = Key(required=False)
    incident = serializers.CharField(required=False, max_length=40, help_text="Its reference.")


class GiveOutRequestSerializer(serializers.Serializer[Any]):
    """A unit to an incident, or a task to a unit or to every unit on duty of a team."""

    unit = Key(required=False)
    team = Key(required=False, help_text="Tasks only: one for each of its units on duty.")
    incident = serializers.CharField(required=False, max_length=40, help_text="Its reference; without it, a task.")
    title = serializers.CharField(required=False, allow_blank=True, max_length=MAX_TITLE, default="")
    note = serializers.CharField(required=False, max_length=2000, allow_blank=True, default="")
    longitude = serializers.FloatField(required=False, min_value=-180, max_value=180)
    latitude = serializers.FloatField(required=False, min_value=-90, max_value=90)
    radius_m = serializers.IntegerField(required=False, min_value=RADIUS_M[0], max_value=RADIUS_M[1], default=100)
    priority = serializers.IntegerField(required=False, min_value=1, max_value=5, default=3)
    active_from = Moment(required=False)
    due_at = Moment(required=False)
    closes_at = Moment(required=False)
    recommendation = Key(required=False, help_text="The advice this follows, or not.")
    override_reason = serializers.CharField(required=False, max_length=MAX_REASON, allow_blank=True, default="")
    seen = serializers.ListField(
        child=Key(), required=False, max_length=MOST_SEEN,
        help_text="The unit's open assignments that the caller saw; what it was given since is a conflict.",
    )  # fmt: skip
    although_busy = serializers.CharField(
        required=False, max_length=MAX_REASON, allow_blank=True, default="", help_text="A reason: put it in the unit's queue all the same."
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("unit" in given) == ("team" in given):
            raise serializers.ValidationError({"unit": "Give a unit or a team."})
        if "team" in given and "incident" in given:
            raise serializers.ValidationError({"team": "A team is given tasks; an incident is given units."})
        if ("longitude" in given) != ("latitude" in given):
            raise serializers.ValidationError({"longitude": "Give both, or neither."})
        return given


class MoveAssignmentRequestSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=[(step.value, step.label) for step in WAY[1:]])
    at = Moment(required=False, help_text="When it happened, if not now: a step told late keeps its own time.")
    expected = serializers.ChoiceField(choices=AssignmentState.choices, required=False, help_text="The state the caller saw.")
    reason = serializers.CharField(required=False, max_length=MAX_REASON, allow_blank=True, default="")


class ReassignRequestSerializer(ReasonRequestSerializer):
    unit = Key()


class HandOverAssignmentsRequestSerializer(ReasonRequestSerializer):
    from_unit = Key()
    to_unit = Key()


class Assignments(ForceView):
    serializer_class = AssignmentSerializer

    def rows(self) -> Any:
        rows = Assignment.objects.visible_to(self.viewer)
        return rows.select_related("unit", "agency", "incident__region").defer("incident__search")

    def unit(self, pk: int) -> Unit:
        found: Unit = self.found(Unit.objects.visible_to(self.viewer).active(), pk)
        return found

    def told_of(self, row: Assignment, status: int = 200) -> Response:
        return Response(AssignmentDetailSerializer(self.rows().get(pk=row.pk)).data, status=status)


class AssignmentList(Assignments):
    @extend_schema(
        operation_id="list_assignments", tags=["patrol"], summary="List what units were sent to, newest first",
        parameters=[AssignmentsAskedSerializer], responses=AssignmentSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(AssignmentsAskedSerializer)
        rows = of_place(self.rows(), asked)
        for name in ("state", "kind", "unit"):
            rows = rows.filter(**{name: asked[name]}) if name in asked else rows
        if "is_open" in asked:
            rows = rows.open() if asked["is_open"] else rows.exclude(state__in=OPEN)
        if "incident" in asked:
            rows = rows.filter(incident__in=Incident.objects.visible_to(self.viewer).by_ref(asked["incident"]))
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(AssignmentSerializer(page, many=True).data)

    @extend_schema(
        operation_id="give_out", tags=["patrol"], summary="Send a unit to an incident, or give a task (people only)",
        request=GiveOutRequestSerializer, responses={201: AssignmentDetailSerializer(many=True)},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(GiveOutRequestSerializer)
        unit_id, team_id, ref = told.pop("unit", None), told.pop("team", None), told.pop("incident", None)
        longitude, latitude = told.pop("longitude", None), told.pop("latitude", None)
        location = Point(longitude, latitude, srid=4326) if longitude is not None and latitude is not None else None
        advice, user = told.pop("recommendation", None), self.viewer
        if ref is None:
            for name in ("seen", "although_busy", "override_reason"):
                told.pop(name, None)
            team = self.found(Team.objects.visible_to(user).active(), team_id) if team_id is not None else None
            made = give_task(by=user, unit=self.unit(unit_id) if unit_id is not None else None, team=team, location=location, **told)
        else:
            incident = self._incident(ref)
            found: Unit = self.found(self._units(incident), unit_id)
            told["recommendation"] = self.found(Recommendation.objects.visible_to(user), advice) if advice is not None else None
            told.pop("priority")
            made = [assign(unit=found, incident=incident, kind=Assignment.Kind.INCIDENT, by=user, location=location, **told)]
        rows = self.rows().filter(pk__in=[row.pk for row in made]).order_by("pk")
        return Response(AssignmentDetailSerializer(rows, many=True).data, status=201)

    def _incident(self, ref: str) -> Incident:
        """Seen by the caller, or shared with their agency by a grant that runs."""
        incident = Incident.objects.visible_to(self.viewer).by_ref(ref).select_related("region").first()
        if incident is None:
            shared = AidRequest.objects.filter(agreement__lender=getattr(self.viewer, "agency_id", None), is_granted=True, ended_at=None)
            rows = Incident.objects.filter(pk__in=shared.values("incident")).by_ref(ref)
            incident = rows.select_related("region").first()
        if incident is None:
            raise Http404
        return incident

    def _units(self, incident: Incident) -> Any:
        return units_for(incident, by=self.viewer) | Unit.objects.filter(pk__in=Unit.objects.visible_to(self.viewer).active().values("pk"))


class AssignmentDetail(Assignments):
    @extend_schema(
        operation_id="read_assignment", tags=["patrol"], summary="Read one assignment with its log", responses=AssignmentDetailSerializer
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(AssignmentDetailSerializer(self.found(self.rows(), pk)).data)


class AssignmentMove(Assignments):
    @extend_schema(
        operation_id="move_assignment", tags=["patrol"], summary="Take it a step on; told late, the step keeps its own time (people only)",
        request=MoveAssignmentRequestSerializer, responses=AssignmentDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        row, told = self.found(self.rows(), pk), self.told(MoveAssignmentRequestSerializer)
        return self.told_of(move_assignment(assignment=row, to=told.pop("state"), by=self.viewer, **told))


class AssignmentCancel(Assignments):
    @extend_schema(
        operation_id="cancel_assignment", tags=["patrol"], summary="Take work back (people only)",
        request=ReasonRequestSerializer, responses=AssignmentDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        row, told = self.found(self.rows(), pk), self.told(ReasonRequestSerializer)
        return self.told_of(cancel_assignment(assignment=row, by=self.viewer, reason=told["reason"]))


class AssignmentReassign(Assignments):
    @extend_schema(
        operation_id="reassign", tags=["patrol"], summary="Give work to another unit, on a clock of its own (people only)",
        request=ReassignRequestSerializer, responses={201: AssignmentDetailSerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        row, told = self.found(self.rows(), pk), self.told(ReassignRequestSerializer)
        return self.told_of(reassign(assignment=row, to_unit=self.unit(told["unit"]), by=self.viewer, reason=told["reason"]), status=201)


class AssignmentsHandOver(Assignments):
    @extend_schema(
        operation_id="hand_over_assignments", tags=["patrol"], summary="Give all of a unit's open work to another (people only)",
        request=HandOverAssignmentsRequestSerializer, responses=AssignmentSerializer(many=True),
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(HandOverAssignmentsRequestSerializer)
        start, end = self.unit(told["from_unit"]), self.unit(told["to_unit"])
        made = hand_over_assignments(from_unit=start, to_unit=end, by=self.viewer, reason=told["reason"])
        rows = self.rows().filter(pk__in=[row.pk for row in made]).order_by("pk")
        return Response(AssignmentSerializer(rows, many=True).data)
