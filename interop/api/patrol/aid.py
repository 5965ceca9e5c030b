"""Mutual aid for people's programs: agreements and requests; asking, answering, ending by their session."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from core.api.fields import Moment
from incidents.models import Incident
from interop.api.patrol.force_kit import ForceView
from interop.api.patrol.force_writes import Key
from patrol.models import AidRequest, MutualAid
from patrol.services import aid


class AgreementSerializer(serializers.Serializer[MutualAid]):
    id = serializers.IntegerField()
    lender = serializers.CharField(source="lender.slug")
    borrower = serializers.CharField(source="borrower.slug")
    unit_kinds = serializers.ListField(child=serializers.CharField(), help_text="Empty: any kind.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    lender_has_consented = serializers.SerializerMethodField()
    borrower_has_consented = serializers.SerializerMethodField()

    def get_lender_has_consented(self, row: MutualAid) -> bool:
        return row.lender_consent_by_id is not None

    def get_borrower_has_consented(self, row: MutualAid) -> bool:
        return row.borrower_consent_by_id is not None


class AidSerializer(serializers.Serializer[AidRequest]):
    id = serializers.IntegerField()
    agreement = serializers.IntegerField(source="agreement_id")
    lender = serializers.CharField(source="agreement.lender.slug")
    borrower = serializers.CharField(source="agreement.borrower.slug")
    incident = serializers.CharField(source="incident.ref")
    units_wanted = serializers.IntegerField()
    note = serializers.CharField()
    requested_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    is_granted = serializers.BooleanField(allow_null=True, help_text="Empty: not answered.")
    ends_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class AskForAidRequestSerializer(serializers.Serializer[Any]):
    agreement = Key()
    incident = serializers.CharField(max_length=40, help_text="Its reference.")
    units_wanted = serializers.IntegerField(min_value=1, max_value=aid.MOST_UNITS, default=1)
    note = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")
    ends_at = Moment(required=False, help_text="Six hours from now, or the agreement's end.")


class AnswerAidRequestSerializer(serializers.Serializer[Any]):
    is_granted = serializers.BooleanField()


class AgreementList(ForceView):
    serializer_class = AgreementSerializer

    @extend_schema(
        operation_id="list_aid_agreements",
        tags=["patrol"],
        summary="List the agreements of the caller's agencies",
        responses=AgreementSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(aid.agreements_of(self.viewer))
        return self.get_paginated_response(AgreementSerializer(page, many=True).data)


class AidRequests(ForceView):
    serializer_class = AidSerializer

    def rows(self) -> Any:
        """What was asked for on incidents the caller sees, and what their own agency is asked for while that runs."""
        viewer = self.viewer
        mine = aid.asked_by(viewer)
        if isinstance(viewer, User):
            incoming = aid.asked_of(viewer, at=timezone.now()).values("pk")
            mine = AidRequest.objects.filter(pk__in=mine.values("pk")) | AidRequest.objects.filter(pk__in=incoming)
        return mine.select_related("agreement__lender", "agreement__borrower", "incident__region")


class AidRequestList(AidRequests):
    @extend_schema(
        operation_id="list_aid_requests", tags=["patrol"], summary="List requests for aid, newest first", responses=AidSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(self.rows())
        return self.get_paginated_response(AidSerializer(page, many=True).data)

    @extend_schema(
        operation_id="ask_for_aid", tags=["patrol"], summary="Ask another agency for units for one incident (people only)",
        request=AskForAidRequestSerializer, responses={201: AidSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(AskForAidRequestSerializer)
        incident = Incident.objects.visible_to(self.viewer).by_ref(told.pop("incident")).select_related("region").first()
        agreement = aid.agreements_of(self.viewer).filter(pk=told.pop("agreement")).first()
        if incident is None or agreement is None:
            raise Http404
        made = aid.ask_for_aid(agreement=agreement, incident=incident, by=self.viewer, **told)
        return Response(AidSerializer(self.rows().get(pk=made.pk)).data, status=201)


class AidRequestAnswer(AidRequests):
    @extend_schema(
        operation_id="answer_aid", tags=["patrol"], summary="Grant or refuse what one's agency is asked for (people only)",
        request=AnswerAidRequestSerializer, responses=AidSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        row, told = self.found(self.rows(), pk), self.told(AnswerAidRequestSerializer)
        return Response(AidSerializer(aid.answer_aid(request=row, by=self.viewer, is_granted=told["is_granted"])).data)


class AidRequestEnd(AidRequests):
    @extend_schema(operation_id="end_aid", tags=["patrol"], summary="End a request or a grant (people only)", request=None)
    def post(self, request: Request, pk: int) -> Response:
        return Response(AidSerializer(aid.end_aid(request=self.found(self.rows(), pk), by=self.viewer)).data)
