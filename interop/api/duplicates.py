"""Incidents that may be one event, for programs and people; people decide."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from core.api.paging import NewestFirst
from incidents import services
from incidents.models import DuplicateCandidate, Incident
from incidents.services.lifecycle import MAX_REASON
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.api.runs import ByPeople
from interop.api.serializers import incident_url
from interop.models import Scope

MAX_PK = 2**63 - 1


class OneOfTwoSerializer(serializers.Serializer[Incident]):
    ref = serializers.CharField()
    url = serializers.SerializerMethodField()
    state = serializers.CharField()
    type = serializers.CharField(source="type.code")
    agency = serializers.CharField(source="agency.slug")
    source = serializers.CharField(source="source.slug")  # type: ignore[assignment]
    occurred_at = serializers.DateTimeField()
    is_synthetic = serializers.BooleanField()

    def get_url(self, incident: Incident) -> str:
        return incident_url(incident, self.context.get("request"))


class LikenessSerializer(serializers.Serializer[Any]):
    """Each 0 to 1; null where nothing can be said."""

    near = serializers.FloatField(help_text="Place.")
    soon = serializers.FloatField(help_text="Time.")
    kin = serializers.FloatField(help_text="Type.")
    words = serializers.FloatField(allow_null=True, help_text="Text; null where one is too short or they are in two scripts.")


class DuplicateSerializer(serializers.Serializer[DuplicateCandidate]):
    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=DuplicateCandidate.State.choices)
    score = serializers.FloatField(help_text="0 to 1: a rank, no probability.")
    parts = LikenessSerializer()
    distance_m = serializers.FloatField()
    minutes = serializers.FloatField()
    first = OneOfTwoSerializer()
    second = OneOfTwoSerializer()
    kept = serializers.SerializerMethodField(help_text="The reference of the incident that goes on; empty where none was merged.")
    found_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)

    def get_kept(self, row: DuplicateCandidate) -> str:
        return {row.first_id: row.first.ref, row.second_id: row.second.ref}.get(row.kept_id or 0, "")


class DecisionSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=MAX_REASON, default="")
    keep = serializers.CharField(
        required=False, max_length=64, help_text="To merge: the reference of the incident that goes on; without it the first."
    )


class Duplicates(GenericAPIView[DuplicateCandidate]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, ByPeople]
    scope = Scope.INCIDENTS_READ
    people_may_read = True
    serializer_class = DuplicateSerializer
    queryset = DuplicateCandidate.objects.none()

    def found(self, pk: int) -> DuplicateCandidate:
        row = DuplicateCandidate.objects.visible_to(viewer_of(self.request)).with_incidents().filter(pk=min(pk, MAX_PK)).first()
        if row is None:
            raise Http404
        return row


class DuplicateList(Duplicates):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_duplicates",
        tags=["incidents"],
        summary="List pairs of incidents that may be one event, newest first",
        parameters=[OpenApiParameter("state", str, enum=DuplicateCandidate.State.values, description="Only pairs in this state.")],
        responses=DuplicateSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = DuplicateCandidate.objects.visible_to(viewer_of(request)).with_incidents()
        if (state := request.query_params.get("state")) is not None:
            if state not in DuplicateCandidate.State.values:
                raise ValidationError({"state": DuplicateCandidate.State.values})
            rows = rows.filter(state=state)
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(rows), many=True).data)


class DuplicateDetail(Duplicates):
    pagination_class = None

    @extend_schema(operation_id="read_duplicate", tags=["incidents"], summary="Read one pair", responses=DuplicateSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(self.get_serializer(self.found(pk)).data)


class DuplicateVerb(Duplicates):
    pagination_class = None

    @extend_schema(
        operation_id="decide_duplicate",
        tags=["incidents"],
        summary="Merge, link, dismiss, or take that back (people only)",
        description="`merge` closes one as a repeat of the other; `link` says that both cases go on; `dismiss` that they are not the same; "
        "`undo` takes the decision back and reopens what was merged. 409 where somebody has decided meanwhile.",
        parameters=[
            OpenApiParameter("verb", str, OpenApiParameter.PATH, enum=["merge", "link", "dismiss", "undo"]),
        ],
        request=DecisionSerializer,
        responses=DuplicateSerializer,
    )
    def post(self, request: Request, pk: str, verb: str) -> Response:
        given = DecisionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row, reason, by = self.found(int(pk)), given.validated_data["reason"], request.user
        assert isinstance(by, User)
        if verb == "merge":
            services.merge_duplicates(candidate=row, keep=_kept(row, given.validated_data.get("keep", "")), by=by, reason=reason)
        elif verb == "link":
            services.link_duplicates(candidate=row, by=by, reason=reason)
        elif verb == "dismiss":
            services.dismiss_duplicates(candidate=row, by=by, reason=reason)
        else:
            services.undo_duplicates(candidate=row, by=by, reason=reason)
        return Response(self.get_serializer(self.found(int(pk))).data)


def _kept(row: DuplicateCandidate, ref: str) -> Incident:
    two = {row.first.ref: row.first, row.second.ref: row.second}
    if ref and ref not in two:
        raise ValidationError({"keep": " / ".join(two)})
    return two[ref] if ref else row.first
