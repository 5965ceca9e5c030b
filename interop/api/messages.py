"""Dead letters: what could not go in, why, mended and tried again. For people whose role allows it."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from core.api.errors import FieldErrorSerializer
from core.api.fields import Moment
from core.api.paging import NewestFirst
from interop.api.authentication import CALLERS, HasScope
from interop.api.serializers import incident_url
from interop.models import InboxMessage, Kind, PartnerKey, Scope
from interop.services import correct_message, replay_matching
from interop.services.corrections import AT_ONCE, MAX_REASON, Asked
from interop.services.letters import Receipt

MAX_PK = 2**63 - 1


class LetterSerializer(serializers.Serializer[InboxMessage]):
    id = serializers.IntegerField()
    message_id = serializers.CharField(help_text="The source's id of it, or the one it was given.")
    kind = serializers.ChoiceField(choices=Kind.choices)
    source = serializers.CharField(source="source.slug")  # type: ignore[assignment]
    status = serializers.ChoiceField(choices=InboxMessage.Status.choices)
    attempts = serializers.IntegerField()
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]
    received_at = serializers.DateTimeField()
    incident = serializers.SerializerMethodField(help_text="The address of the incident it has become; empty until then.")

    def get_incident(self, message: InboxMessage) -> str:
        return incident_url(message.incident, self.context.get("request")) if message.incident else ""


class CorrectionSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    author = serializers.CharField(source="author_name")
    reason = serializers.CharField()
    before = serializers.JSONField(help_text="The first one's is what the partner sent.")


class LetterDetailSerializer(LetterSerializer):
    body = serializers.JSONField(help_text="As it stands now.")
    corrections = CorrectionSerializer(many=True)


class AskedSerializer(serializers.Serializer[Any]):
    """Which messages. Without a status: rejected and dead ones."""

    status = serializers.ChoiceField(choices=InboxMessage.Status.choices, required=False)
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    source = serializers.CharField(max_length=64, required=False, help_text="The source's short name.")  # type: ignore[assignment]
    code = serializers.CharField(max_length=64, required=False, help_text="One of its errors has this code.")
    since = Moment(required=False, help_text="Received at or after.")
    until = Moment(required=False, help_text="Received before.")


class MessageReplaySerializer(AskedSerializer):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MAX_PK), required=False, allow_empty=False, max_length=AT_ONCE,
        help_text="Only these of them.",
    )  # fmt: skip
    limit = serializers.IntegerField(required=False, default=AT_ONCE, min_value=1, max_value=AT_ONCE)


class ReplayedSerializer(serializers.Serializer[Any]):
    tried = serializers.IntegerField()
    opened = serializers.IntegerField()
    repeated = serializers.IntegerField()
    rejected = serializers.IntegerField()
    failed = serializers.IntegerField()
    left = serializers.IntegerField(help_text="Of those asked for, how many stand behind the last one tried: ask again.")


class CorrectSerializer(serializers.Serializer[Any]):
    body = serializers.DictField(help_text="The whole message, corrected.")
    reason = serializers.CharField(max_length=MAX_REASON)


class TriedSerializer(serializers.Serializer[Any]):
    outcome = serializers.CharField(help_text="opened, repeated, rejected or kept.")
    message = LetterDetailSerializer()


class Menders(BasePermission):
    """People who may mend messages: super administrators and supervisors."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        self.message = _("Your role does not allow this.")
        self.code = "not_allowed"
        return isinstance(request.user, User) and not isinstance(request.auth, PartnerKey) and request.user.can("mend_messages")


class Letters(GenericAPIView[InboxMessage]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, Menders]
    scope = Scope.INCIDENTS_WRITE
    people_may_read = True
    serializer_class = LetterSerializer
    queryset = InboxMessage.objects.none()

    @property
    def person(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user

    def found(self, pk: int) -> InboxMessage:
        rows = InboxMessage.objects.visible_to(self.person).select_related("source", "incident__region")
        message = rows.filter(pk=min(pk, MAX_PK)).first()
        if message is None:
            raise Http404
        return message

    def told(self, receipt: Receipt, pk: int) -> Response:
        message = LetterDetailSerializer(self.found(pk), context={"request": self.request}).data
        return Response({"outcome": str(receipt.outcome), "message": message})


class LetterList(Letters):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_messages",
        tags=["messages"],
        summary="List messages of the inbox, newest first (people only)",
        parameters=[AskedSerializer],
        responses=LetterSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        asked = AskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        rows = Asked(**asked.validated_data).of(InboxMessage.objects.visible_to(self.person))
        page = self.paginate_queryset(rows.select_related("source", "incident__region").defer("body", "incident__search"))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class LetterDetail(Letters):
    pagination_class = None

    @extend_schema(
        operation_id="read_message",
        tags=["messages"],
        summary="Read one message: as it came, why it was refused, what was changed (people only)",
        responses=LetterDetailSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(LetterDetailSerializer(self.found(pk), context={"request": request}).data)


class LetterCorrect(Letters):
    pagination_class = None

    @extend_schema(
        operation_id="correct_message",
        tags=["messages"],
        summary="Correct a message and try it again (people only)",
        description="What the partner sent is kept; the audit trail says who changed it and why. 409 where it has gone in already.",
        request=CorrectSerializer,
        responses=TriedSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        given = CorrectSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        receipt = correct_message(message=self.found(pk), by=self.person, **given.validated_data)
        return self.told(receipt, pk)


class LetterReplay(Letters):
    pagination_class = None

    @extend_schema(
        operation_id="replay_messages",
        tags=["messages"],
        summary="Try messages again: one, some, or all that a filter finds (people only)",
        description=f"Oldest first, at most {AT_ONCE} at a time; `left` says whether to ask again.",
        request=MessageReplaySerializer,
        responses=ReplayedSerializer,
    )
    def post(self, request: Request) -> Response:
        given = MessageReplaySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = dict(given.validated_data)
        limit, ids = asked.pop("limit"), asked.pop("ids", None)
        return Response(replay_matching(asked=Asked(**asked), by=self.person, limit=limit, ids=ids).counts())
