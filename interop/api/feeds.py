"""How good each feed is: a partner's own, to its key; those of their agencies, to the people who look after the data."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import FieldErrorSerializer
from incidents.analytics.feed_quality import Counts, Part, Quality
from incidents.models import Source
from incidents.permissions import may_see_feeds
from incidents.services.feed_quality import FeedQuality, feed_quality
from incidents.services.feed_silences import silences
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import InboxMessage, Kind, PartnerKey, Scope

LAST_REFUSED = 20


class CountsSerializer(serializers.Serializer[Counts]):
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField(help_text="With those out of area; by when it came, whatever became of it since.")
    outside = serializers.IntegerField(help_text="Out of area.")
    located = serializers.IntegerField(help_text="Of the accepted: with a place.")
    worded = serializers.IntegerField(help_text="Of the accepted: with a description or an address.")
    unknown_type = serializers.IntegerField(help_text="Of the accepted: of a type nobody has looked at yet.")
    alike = serializers.IntegerField(help_text="Of the accepted: look like another incident of this feed.")
    live = serializers.IntegerField(help_text="Of the accepted: not out of a file, and say when they were reported.")
    timely = serializers.IntegerField(help_text="Of those: came within 15 minutes of being reported.")
    repeats = serializers.IntegerField(help_text="Sent again word for word.")
    notices = serializers.IntegerField(help_text="Warnings (CAP) taken: no incidents.")


class PartSerializer(serializers.Serializer[Part]):
    name = serializers.ChoiceField(choices=["validity", "completeness", "freshness", "known_types", "in_area", "uniqueness"])
    share = serializers.FloatField(allow_null=True, help_text="`good` of `of`, 0 to 1; null where `of` is below 20.")
    good = serializers.IntegerField()
    of = serializers.IntegerField()
    weight = serializers.IntegerField()


class QualitySerializer(serializers.Serializer[Quality]):
    score = serializers.FloatField(allow_null=True, help_text="0 to 100; null where there is too little to go by.")
    worst = serializers.SerializerMethodField(help_text="The part that costs the score most; empty where none costs a point.")
    parts = PartSerializer(many=True)
    counts = CountsSerializer()

    def get_worst(self, told: Quality) -> str:
        return told.worst.name if told.worst else ""


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField(help_text="In the site's time zone.")
    score = serializers.FloatField(source="quality.score", allow_null=True)
    accepted = serializers.IntegerField(source="quality.counts.accepted")
    refused = serializers.IntegerField(source="quality.counts.refused")


class FeedSerializer(serializers.Serializer[FeedQuality]):
    feed = serializers.CharField(source="source.slug")
    kind = serializers.ChoiceField(source="source.feed.kind", choices=Kind.choices)
    last_heard_at = serializers.DateTimeField(source="source.feed.last_heard_at", allow_null=True)
    is_silent = serializers.SerializerMethodField()
    week = QualitySerializer(help_text="The last 7 days, today being one of them.")
    week_change = serializers.FloatField(allow_null=True, help_text="Points more than in the 7 days before.")
    month = QualitySerializer(help_text="The last 30 days.")
    month_change = serializers.FloatField(allow_null=True)

    def get_is_silent(self, told: FeedQuality) -> bool:
        return bool(told.source.feed.silent_told_min)


class SilenceSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(help_text="When it was last heard before.")
    until = serializers.DateTimeField(allow_null=True, help_text="When it was heard again.")


class RefusedSerializer(serializers.Serializer[InboxMessage]):
    message_id = serializers.CharField()
    status = serializers.ChoiceField(choices=["rejected", "dead"])
    received_at = serializers.DateTimeField()
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]


class FeedDetailSerializer(FeedSerializer):
    days = DaySerializer(many=True, help_text="The last 30, oldest first; today is not over.")
    silences = serializers.SerializerMethodField()
    last_refused = serializers.SerializerMethodField(help_text="The newest that wait to be mended, at most 20.")

    @extend_schema_field(SilenceSerializer(many=True))
    def get_silences(self, told: FeedQuality) -> Any:
        return SilenceSerializer(silences(told.source.feed.pk), many=True).data

    @extend_schema_field(RefusedSerializer(many=True))
    def get_last_refused(self, told: FeedQuality) -> Any:
        rows = InboxMessage.objects.visible_to(self.context["viewer"]).refused().filter(source=told.source).defer("body")
        newest: Any = rows.order_by("-id")[:LAST_REFUSED]
        return RefusedSerializer(newest, many=True).data


class FeedListSerializer(serializers.Serializer[Any]):
    results = FeedSerializer(many=True)


class SeesFeeds(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        self.message = _("Your role does not allow this.")
        self.code = "not_allowed"
        return isinstance(request.auth, PartnerKey) or may_see_feeds(request.user)  # type: ignore[arg-type]


class Feeds(GenericAPIView[Source]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, SeesFeeds]
    scope = Scope.INCIDENTS_WRITE
    people_may_read = True
    pagination_class = None
    serializer_class = FeedSerializer  # type: ignore[assignment]
    queryset = Source.objects.none()

    def sources(self) -> QuerySet[Source]:
        found = Source.objects.filter(feed__isnull=False).select_related("feed").order_by("slug")
        viewer = viewer_of(self.request)
        return found.filter(feed__partner=viewer.partner_id) if isinstance(viewer, PartnerKey) else found.visible_to(viewer)

    def told(self, sources: QuerySet[Source]) -> list[FeedQuality]:
        return feed_quality(sources, viewer=viewer_of(self.request))


class FeedList(Feeds):
    @extend_schema(
        operation_id="list_feeds",
        tags=["ingest"],
        summary="List feeds with how good they are",
        description="Counted every five minutes. A key reads its own partner's.",
        responses=FeedListSerializer,
    )
    def get(self, request: Request) -> Response:
        told: Any = self.told(self.sources())
        return Response({"results": FeedSerializer(told, many=True).data})


class FeedDetail(Feeds):
    @extend_schema(
        operation_id="read_feed",
        tags=["ingest"],
        summary="Read how good a feed is, by day and by part, and when it was silent",
        responses=FeedDetailSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        told = self.told(self.sources().filter(slug=slug[:64]))
        if not told:
            raise Http404
        return Response(FeedDetailSerializer(told[0], context={"viewer": viewer_of(request)}).data)
