"""A partner manages its own webhooks with its key (scope ``webhooks:manage``)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Moment
from core.api.paging import NewestFirst
from geography.models import Zone
from interop.api.authentication import HasScope, KeyAuthentication
from interop.models import ErrorClass, PartnerKey, Scope, WebhookDelivery, WebhookSecret, WebhookSubscription
from interop.services import webhooks
from interop.services.webhooks.payload import example
from interop.services.webhooks.secrets import MOST_OVERLAP_H, OVERLAP_H, living

TAG = ["webhooks"]
State = WebhookSubscription.State


class WebhookSecretSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    ends_with = serializers.CharField(source="hint", help_text="Its last characters; the secret itself was shown once.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True, help_text="It signs until then, beside the one that replaced it.")


class WebhookSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    url = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField())
    governorates = serializers.SerializerMethodField(help_text="Their codes; empty: all that the key may see.")
    contact_email = serializers.CharField()
    concurrency = serializers.IntegerField()
    state = serializers.ChoiceField(choices=State.choices)
    state_because = serializers.CharField()
    state_since = serializers.DateTimeField()
    last_success_at = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(
        source="first_failure_at", allow_null=True, help_text="The first failure since its last success."
    )
    last_error = serializers.CharField()
    secrets = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_governorates(self, webhook: WebhookSubscription) -> list[str]:
        return sorted(zone.code for zone in webhook.governorates.all())

    @extend_schema_field(WebhookSecretSerializer(many=True))
    def get_secrets(self, webhook: WebhookSubscription) -> Any:
        now = self.context["now"]
        return WebhookSecretSerializer(
            [one for one in webhook.secrets.all() if one.expires_at is None or one.expires_at > now], many=True
        ).data


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="Shown this once. `whsec_…`, as Standard Webhooks writes it.")


class GivenWebhookSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=1000, help_text="https, port 443 or 8443, not inside a private network.")
    types = serializers.ListField(
        child=serializers.CharField(max_length=64), min_length=1, max_length=100, help_text="`incident.opened`, `incident.*` or `*`."
    )
    name = serializers.CharField(max_length=80, required=False, allow_blank=True)
    governorates = serializers.ListField(
        child=serializers.CharField(max_length=32), max_length=50, required=False, help_text="Codes; none: all that the key may see."
    )
    contact_email = serializers.CharField(max_length=254, required=False, allow_blank=True)
    concurrency = serializers.IntegerField(min_value=1, max_value=50, required=False)


class ChangedWebhookSerializer(GivenWebhookSerializer):
    url = serializers.CharField(max_length=1000, required=False)
    types = serializers.ListField(child=serializers.CharField(max_length=64), min_length=1, max_length=100, required=False)


class NewWebhookSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown this once.")
    secrets = WebhookSecretSerializer(many=True)


class RotateWebhookSecretSerializer(serializers.Serializer[Any]):
    overlap_hours = serializers.FloatField(
        min_value=0, max_value=MOST_OVERLAP_H, default=OVERLAP_H, help_text="How long the former secret signs beside the new one."
    )


class WebhookAttemptSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    trigger = serializers.ChoiceField(choices=WebhookDelivery.Trigger.choices)
    started_at = serializers.DateTimeField()
    ms = serializers.IntegerField()
    code = serializers.IntegerField(allow_null=True)
    error = serializers.ChoiceField(choices=ErrorClass.choices, allow_blank=True)
    detail = serializers.CharField()
    excerpt = serializers.CharField(help_text="The beginning of what was answered.")


class WebhookDeliverySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    webhook_id = serializers.CharField(help_text="The `webhook-id` it is sent with, each time.")
    event = serializers.SerializerMethodField(help_text="The event's id, as in the body.")
    sequence = serializers.IntegerField(source="seq", allow_null=True)
    type = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=WebhookDelivery.State.choices)
    trigger = serializers.ChoiceField(choices=WebhookDelivery.Trigger.choices)
    attempts = serializers.IntegerField(source="tries")
    next_attempt_at = serializers.SerializerMethodField()
    done_at = serializers.DateTimeField(allow_null=True)
    code = serializers.IntegerField(source="last_code", allow_null=True)
    ms = serializers.IntegerField(source="last_ms", allow_null=True)
    error = serializers.ChoiceField(source="last_error", choices=ErrorClass.choices, allow_blank=True)

    @extend_schema_field(serializers.CharField())
    def get_event(self, row: WebhookDelivery) -> str:
        return f"evt_{row.event_id}"

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_attempt_at(self, row: WebhookDelivery) -> Any:
        return row.next_at if row.state == WebhookDelivery.State.PENDING else None


class WebhookDeliveryDetailSerializer(WebhookDeliverySerializer):
    attempts_made = serializers.SerializerMethodField()

    @extend_schema_field(WebhookAttemptSerializer(many=True))
    def get_attempts_made(self, row: WebhookDelivery) -> Any:
        return WebhookAttemptSerializer(row.attempts.order_by("-id")[:100], many=True).data


class ReplayWebhookSerializer(serializers.Serializer[Any]):
    what = serializers.ChoiceField(choices=["failed", "since"], help_text="All that failed; or all since a sequence or a time.")
    from_sequence = serializers.IntegerField(min_value=0, max_value=2**63 - 1, required=False, help_text="Events behind this sequence.")
    from_time = Moment(required=False)
    also_delivered = serializers.BooleanField(default=False)


class WebhookReplayedSerializer(serializers.Serializer[Any]):
    queued = serializers.IntegerField()
    more = serializers.BooleanField(help_text="The limit of a call was reached: call again to go on.")
    last_sequence = serializers.IntegerField(allow_null=True)


class WebhookEventTypeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    about = serializers.CharField()
    scope = serializers.ChoiceField(choices=Scope.choices, help_text="What the key must have.")
    is_yours = serializers.BooleanField(help_text="Whether your key has it.")
    values = serializers.ListField(child=serializers.CharField())
    example = serializers.DictField(help_text="A body as it is sent.")


class WebhooksView(GenericAPIView[Any]):
    """For keys alone: people have the command centre."""

    authentication_classes = [KeyAuthentication]
    permission_classes = [HasScope]
    scope = Scope.WEBHOOKS_MANAGE
    serializer_class: Any = WebhookSerializer
    queryset = WebhookSubscription.objects.none()
    pagination_class: Any = None

    @property
    def key(self) -> PartnerKey:
        if not isinstance(self.request.auth, PartnerKey):
            raise Http404
        return self.request.auth

    def mine(self) -> QuerySet[WebhookSubscription]:
        return WebhookSubscription.objects.visible_to(self.key).prefetch_related("governorates", "secrets").order_by("-id")

    def webhook(self, uid: UUID) -> WebhookSubscription:
        found = self.mine().select_related("key__partner", "partner").filter(uid=uid).first()
        if found is None:
            raise Http404
        return found

    def told(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        given = kind(data=self.request.data)
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    def get_serializer_context(self) -> dict[str, Any]:
        from django.utils import timezone

        return {**super().get_serializer_context(), "now": timezone.now()}

    def shown(self, uid: UUID, *, status: int = 200, secret: str = "", location: str = "") -> Response:
        body = dict(WebhookSerializer(self.webhook(uid), context=self.get_serializer_context()).data)
        if secret:
            body["secret"] = secret
        return Response(body, status=status, headers={"Cache-Control": "no-store", **({"Location": location} if location else {})})

    def places(self, given: dict[str, Any]) -> dict[str, Any]:
        if "governorates" not in given:
            return given
        codes = list(dict.fromkeys(given["governorates"]))
        rows = Zone.objects.filter(region=self.key.partner.region_id, level=Zone.Level.GOVERNORATE, is_active=True, code__in=codes)
        found = {zone.code: zone for zone in rows.defer("boundary", "label_point")}
        missing = [code for code in codes if code not in found]
        if missing:
            raise ValidationError({"governorates": [f"There is no governorate {missing[0]}."]})
        return {**given, "governorates": [found[code] for code in codes]}


class WebhookList(WebhooksView):
    pagination_class = NewestFirst

    @extend_schema(operation_id="list_webhooks", tags=TAG, summary="Your webhooks", responses=WebhookSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.mine())
        return self.get_paginated_response(WebhookSerializer(page, many=True, context=self.get_serializer_context()).data)

    @extend_schema(
        operation_id="make_webhook", tags=TAG, summary="Make a webhook; its secret is shown this once", request=GivenWebhookSerializer,
        responses={201: NewWebhookSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.places(self.told(GivenWebhookSerializer))
        made, secret = webhooks.make_webhook(key=self.key, by=self.key, **given)
        return self.shown(made.uid, status=201, secret=secret, location=f"{request.path}/{made.uid}")


class WebhookTypes(WebhooksView):
    @extend_schema(
        operation_id="list_webhook_types",
        tags=TAG,
        summary="The events a webhook can be told of",
        responses=WebhookEventTypeSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = [
            {"name": one.name, "about": str(one.about), "scope": one.scope, "is_yours": self.key.has_scope(one.scope),
             "values": list(one.values), "example": example(one)}
            for one in webhooks.CATALOGUE.values()
        ]  # fmt: skip
        return Response(WebhookEventTypeSerializer(rows, many=True).data)


class WebhookDetail(WebhooksView):
    @extend_schema(operation_id="read_webhook", tags=TAG, summary="One webhook and its health", responses=WebhookSerializer)
    def get(self, request: Request, uid: UUID) -> Response:
        return self.shown(uid)

    @extend_schema(
        operation_id="change_webhook",
        tags=TAG,
        summary="Change what is named",
        request=ChangedWebhookSerializer,
        responses=WebhookSerializer,
    )
    def patch(self, request: Request, uid: UUID) -> Response:
        webhook = self.webhook(uid)
        webhooks.change_webhook(webhook=webhook, by=self.key, changes=self.places(self.told(ChangedWebhookSerializer)))
        return self.shown(uid)

    @extend_schema(operation_id="remove_webhook", tags=TAG, summary="Remove it for good", responses={204: None})
    def delete(self, request: Request, uid: UUID) -> Response:
        webhooks.remove_webhook(webhook=self.webhook(uid), by=self.key)
        return Response(status=204)


class WebhookPause(WebhooksView):
    @extend_schema(operation_id="pause_webhook", tags=TAG, summary="Send nothing for now", request=None, responses=WebhookSerializer)
    def post(self, request: Request, uid: UUID) -> Response:
        webhooks.pause_webhook(webhook=self.webhook(uid), by=self.key)
        return self.shown(uid)


class WebhookResume(WebhooksView):
    @extend_schema(operation_id="resume_webhook", tags=TAG, summary="Send again", request=None, responses=WebhookSerializer)
    def post(self, request: Request, uid: UUID) -> Response:
        webhooks.resume_webhook(webhook=self.webhook(uid), by=self.key)
        return self.shown(uid)


class WebhookTest(WebhooksView):
    @extend_schema(
        operation_id="test_webhook", tags=TAG, summary="Send a webhook.test to it", request=None, responses={202: WebhookDeliverySerializer}
    )
    def post(self, request: Request, uid: UUID) -> Response:
        row = webhooks.send_test(webhook=self.webhook(uid), by=self.key)
        return Response(WebhookDeliverySerializer(row).data, status=202)


class WebhookSecrets(WebhooksView):
    @extend_schema(
        operation_id="rotate_webhook_secret", tags=TAG, summary="A new secret; the former signs beside it for a while",
        request=RotateWebhookSecretSerializer, responses={201: NewWebhookSecretSerializer},
    )  # fmt: skip
    def post(self, request: Request, uid: UUID) -> Response:
        webhook = self.webhook(uid)
        secret = webhooks.rotate_secret(webhook=webhook, by=self.key, overlap_h=self.told(RotateWebhookSecretSerializer)["overlap_hours"])
        live = WebhookSecret.objects.filter(living(at=self.get_serializer_context()["now"]), subscription=webhook)
        shown = {"secret": secret, "secrets": live}
        return Response(NewWebhookSecretSerializer(shown).data, status=201, headers={"Cache-Control": "no-store"})


class WebhookSecretDetail(WebhooksView):
    @extend_schema(operation_id="revoke_webhook_secret", tags=TAG, summary="End a secret now", responses={204: None})
    def delete(self, request: Request, uid: UUID, pk: int) -> Response:
        webhooks.revoke_secret(webhook=self.webhook(uid), secret_id=pk if pk < 2**63 else -1, by=self.key)
        return Response(status=204)


class WebhookReplay(WebhooksView):
    @extend_schema(
        operation_id="replay_webhook", tags=TAG, summary="Send again what failed, or all since a sequence or a time",
        request=ReplayWebhookSerializer, responses={202: WebhookReplayedSerializer},
    )  # fmt: skip
    def post(self, request: Request, uid: UUID) -> Response:
        webhook, asked = self.webhook(uid), self.told(ReplayWebhookSerializer)
        if asked["what"] == "failed":
            done = webhooks.replay_failed(webhook=webhook, by=self.key)
        else:
            done = webhooks.replay_since(
                webhook=webhook, by=self.key, sequence=asked.get("from_sequence"), at=asked.get("from_time"),
                also_delivered=asked["also_delivered"],
            )  # fmt: skip
        return Response(WebhookReplayedSerializer(done).data, status=202)


class DeliveryList(WebhooksView):
    serializer_class = WebhookDeliverySerializer
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_webhook_deliveries", tags=TAG, summary="What was sent, newest first",
        parameters=[
            OpenApiParameter("state", str, enum=WebhookDelivery.State.values),
            OpenApiParameter("type", str, description="Only of this event type."),
            OpenApiParameter("since", {"type": "string", "format": "date-time"}, description="Only of events at or after this time."),
        ],
        responses=WebhookDeliverySerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, uid: UUID) -> Response:
        rows = WebhookDelivery.objects.filter(subscription=self.webhook(uid)).order_by("-id")
        state, kind, since = (request.query_params.get(name) for name in ("state", "type", "since"))
        if state is not None:
            if state not in WebhookDelivery.State.values:
                raise ValidationError({"state": "Not one of the states."})
            rows = rows.filter(state=state)
        if kind is not None:
            rows = rows.filter(type=kind[:64].replace("\x00", ""))
        if since is not None:
            rows = rows.filter(occurred_at__gte=_instant(since))
        return self.get_paginated_response(WebhookDeliverySerializer(self.paginate_queryset(rows), many=True).data)


class DeliveryView(WebhooksView):
    serializer_class = WebhookDeliveryDetailSerializer

    def delivery(self, uid: UUID, pk: int) -> WebhookDelivery:
        rows = WebhookDelivery.objects.filter(subscription=self.webhook(uid)).select_related("subscription__partner")
        found = rows.filter(pk=pk).first() if pk < 2**63 else None
        if found is None:
            raise Http404
        return found


class DeliveryDetail(DeliveryView):
    @extend_schema(
        operation_id="read_webhook_delivery", tags=TAG, summary="One delivery and each attempt", responses=WebhookDeliveryDetailSerializer
    )
    def get(self, request: Request, uid: UUID, pk: int) -> Response:
        return Response(WebhookDeliveryDetailSerializer(self.delivery(uid, pk)).data)


class DeliveryReplay(DeliveryView):
    @extend_schema(
        operation_id="replay_webhook_delivery", tags=TAG, summary="Send one again", request=None, responses={202: WebhookDeliverySerializer}
    )
    def post(self, request: Request, uid: UUID, pk: int) -> Response:
        row = webhooks.replay_delivery(delivery=self.delivery(uid, pk), by=self.key)
        return Response(WebhookDeliverySerializer(row).data, status=202)


def _instant(text: str) -> datetime:
    return serializers.DateTimeField().to_internal_value(text)
