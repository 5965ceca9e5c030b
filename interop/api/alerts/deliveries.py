"""Deliveries: what was sent to whom by which channel and what became of it. A key reads them without people's names and addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.models import Channel, Delivery, DeliveryState
from alerts.services.delivery import channel_figures, retry
from alerts.services.people import masked
from core.api.fields import Moment
from core.errors import Invalid
from interop.api.patrol.force_kit import MAX_PK, ForceView
from interop.models import Scope

MOST_DAYS = 92


class AttemptSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Empty for good where the sending process died in the middle.")
    outcome = serializers.CharField(help_text="unknown, accepted, heals, refused")
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)


class DeliverySerializer(serializers.Serializer[Delivery]):
    id = serializers.IntegerField()
    key = serializers.UUIDField(help_text="What the provider is given, the same on every attempt.")
    alert = serializers.IntegerField(source="alert_id", allow_null=True)
    page = serializers.IntegerField(source="page_id", allow_null=True)
    person = serializers.SerializerMethodField(help_text="Whom it tells. Empty for a key.")
    address = serializers.SerializerMethodField(help_text="Masked. Empty for a key.")
    channel = serializers.CharField()
    rung = serializers.IntegerField(source="rung_no", help_text="From 100 on: sent again by hand.")
    state = serializers.CharField(help_text="pending, sending, sent, delivered, read, failed, cancelled: it only moves up.")
    is_critical = serializers.BooleanField()
    held_by_limit = serializers.BooleanField()
    attempts = serializers.IntegerField()
    parts = serializers.IntegerField(help_text="SMS parts; 0 where none are counted.")
    next_at = serializers.DateTimeField(allow_null=True)
    receipt_due_at = serializers.DateTimeField(allow_null=True)
    provider = serializers.CharField(allow_blank=True)
    error_code = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.CharField())
    def get_person(self, delivery: Delivery) -> str:
        page = delivery.page
        return str(page.user or page.contact) if page is not None and self.context.get("names") else ""

    @extend_schema_field(serializers.CharField())
    def get_address(self, delivery: Delivery) -> str:
        return masked(delivery.channel, delivery.address) if delivery.address and self.context.get("names") else ""


class DeliveryDetailSerializer(DeliverySerializer):
    tries = AttemptSerializer(many=True)


class DeliveriesAskedSerializer(serializers.Serializer[Any]):
    alert = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)
    channel = serializers.ChoiceField(required=False, choices=Channel.values)
    state = serializers.ChoiceField(required=False, choices=DeliveryState.values)
    undelivered = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Failed, or taken by the provider with no receipt in time."
    )


class SpanAskedSerializer(serializers.Serializer[Any]):
    start = Moment(required=False, help_text="A day ago, if it is not said.")
    end = Moment(required=False)


class ChannelFigureSerializer(serializers.Serializer[Any]):
    channel = serializers.CharField()
    deliveries = serializers.IntegerField()
    sent = serializers.IntegerField()
    delivered = serializers.IntegerField()
    read = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    under_way = serializers.IntegerField()
    without_receipt = serializers.IntegerField()
    held = serializers.IntegerField()
    attempts = serializers.IntegerField()
    parts = serializers.IntegerField()
    handed_p50_s = serializers.FloatField(allow_null=True)
    handed_p95_s = serializers.FloatField(allow_null=True)
    arrived_p50_s = serializers.FloatField(allow_null=True)
    arrived_p95_s = serializers.FloatField(allow_null=True)


class DeliveryView(ForceView):
    scope = Scope.ALERTS_READ
    verb = "see_alerts"
    serializer_class = DeliverySerializer

    def rows(self) -> Any:
        return Delivery.objects.visible_to(self.viewer).filter(is_test=False).select_related("page__user", "page__contact")

    @property
    def names(self) -> dict[str, Any]:
        return {"names": not self.is_key}


class DeliveryList(DeliveryView):
    @extend_schema(
        operation_id="list_deliveries", tags=["alerts"], summary="List deliveries, newest first", parameters=[DeliveriesAskedSerializer],
        responses=DeliverySerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked, rows = self.asked(DeliveriesAskedSerializer), self.rows()
        for name, field in (("alert", "alert_id"), ("channel", "channel"), ("state", "state")):
            if name in asked:
                rows = rows.filter(**{field: asked[name]})
        if asked.get("undelivered"):
            rows = rows.undelivered(at=timezone.now())
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(DeliverySerializer(page, many=True, context=self.names).data)


class DeliveryDetail(DeliveryView):
    @extend_schema(
        operation_id="read_delivery", tags=["alerts"], summary="Read one delivery with its attempts", responses=DeliveryDetailSerializer
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        return Response(DeliveryDetailSerializer(self.found(self.rows().prefetch_related("tries"), pk), context=self.names).data)


class DeliveryRetry(DeliveryView):
    @extend_schema(
        operation_id="retry_delivery", tags=["alerts"], summary="Send a failed one again, as a delivery of its own (people only)",
        request=None, responses={201: DeliverySerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        made = retry(delivery=self.found(self.rows().select_related("alert", "page"), pk), by=request.user)  # type: ignore[arg-type]
        return Response(DeliverySerializer(made, context=self.names).data, status=201)


class DeliveryFigures(DeliveryView):
    pagination_class = None

    @extend_schema(
        operation_id="read_channel_figures", tags=["alerts"], summary="How each channel did in a span", parameters=[SpanAskedSerializer],
        responses=ChannelFigureSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked, now = self.asked(SpanAskedSerializer), timezone.now()
        end = asked.get("end", now)
        start = asked.get("start", end - timedelta(days=1))
        if not timedelta(0) < end - start <= timedelta(days=MOST_DAYS):
            problem = _("At most %(days)d days, and the end after the start.") % {"days": MOST_DAYS}
            raise Invalid(problem, fields={"start": problem})
        return Response(ChannelFigureSerializer(channel_figures(self.viewer, start, end), many=True).data)
