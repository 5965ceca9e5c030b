"""Partners' keys by API: for people who manage keys, and for keys with the scope ``admin`` within their own agency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.jurisdiction import jurisdiction_of
from accounts.models import User
from core.api.fields import Moment
from core.api.paging import NewestFirst
from core.errors import Invalid
from geography.models import Zone
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import KeyUsage, Partner, PartnerKey, Precision, Scope
from interop.services import issue_key, revoke_key, rotate_key
from interop.services.keys import MOST_NETWORKS, MOST_OVERLAP_H, OVERLAP_H

SECRET = {"Cache-Control": "no-store", "Pragma": "no-cache"}
MAX_PK = 2**63 - 1


class PartnerKeySerializer(serializers.Serializer[PartnerKey]):
    id = serializers.IntegerField()
    partner = serializers.CharField(source="partner.slug")
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="What the key begins with: to find it by.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.values))
    governorates = serializers.SerializerMethodField(help_text="Codes; null: every governorate.")
    precision = serializers.ChoiceField(choices=Precision.choices)
    networks = serializers.ListField(child=serializers.CharField(), help_text="Empty: from everywhere.")
    is_usable = serializers.BooleanField(help_text="Neither revoked nor expired, and its partner is in use.")
    created_at = serializers.DateTimeField(source="created")
    expires_at = serializers.DateTimeField(source="expiry_date", allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    revoked_at = serializers.DateTimeField(allow_null=True)
    replaces = serializers.IntegerField(source="replaces_id", allow_null=True, help_text="The key it was rotated from.")

    def get_governorates(self, key: PartnerKey) -> list[str] | None:
        return None if key.all_governorates else sorted(zone.code for zone in key.governorates.all())


class NewKeySerializer(serializers.Serializer[Any]):
    partner = serializers.CharField(max_length=24, help_text="Its short name.")
    name = serializers.CharField(max_length=50)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.values), min_length=1, max_length=len(Scope.values))
    governorates = serializers.ListField(child=serializers.CharField(max_length=32), default=list, max_length=50, help_text="Codes.")
    all_governorates = serializers.BooleanField(default=False)
    precision = serializers.ChoiceField(choices=Precision.choices, default=Precision.EXACT)
    networks = serializers.ListField(
        child=serializers.CharField(max_length=43), default=list, max_length=MOST_NETWORKS, help_text="CIDR; empty: from everywhere."
    )
    expires_at = Moment(required=False, allow_null=True, default=None)


class RotationSerializer(serializers.Serializer[Any]):
    overlap_h = serializers.FloatField(
        min_value=0, max_value=MOST_OVERLAP_H, default=OVERLAP_H, help_text="Hours the old key goes on; 0 ends it now."
    )
    expires_at = Moment(required=False, allow_null=True, default=None)


class RevokeSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=2_000, required=False, allow_blank=True, default="")


class MadeKeySerializer(PartnerKeySerializer):
    secret = serializers.CharField(help_text="The key itself: shown this once, kept nowhere.")


class MayManageKeys(BasePermission):
    """A person whose role manages keys, or a key with the scope ``admin``."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, PartnerKey):
            return True  # HasScope looked
        self.message = _("Your role does not allow this.")
        return isinstance(request.user, User) and request.user.can("manage_keys")


class Keys(GenericAPIView[PartnerKey]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, MayManageKeys]
    scope = Scope.ADMIN
    people_may_read = True
    pagination_class: Any = None
    serializer_class: Any = PartnerKeySerializer
    queryset = PartnerKey.objects.none()

    @property
    def by(self) -> Any:
        return viewer_of(self.request)

    def rows(self) -> Any:
        return PartnerKey.objects.visible_to(self.by).select_related("partner").prefetch_related("governorates")

    def key(self, pk: int) -> PartnerKey:
        found = self.rows().filter(pk=min(pk, MAX_PK)).first()
        if found is None:
            raise Http404
        return found

    def told(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        given = kind(data=self.request.data)
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    def made(self, key: PartnerKey, secret: str) -> Response:
        shown = PartnerKeySerializer(self.rows().get(pk=key.pk)).data
        return Response({**shown, "secret": secret}, status=201, headers=SECRET)


class KeyList(Keys):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_api_keys", tags=["access"], summary="List keys, newest first", responses=PartnerKeySerializer(many=True),
        parameters=[OpenApiParameter("partner", str, description="Only this partner's, by its short name.")],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = self.rows()
        if slug := request.query_params.get("partner"):
            rows = rows.filter(partner__slug=slug[:24])
        page: Any = self.paginate_queryset(rows.order_by("-id"))
        return self.get_paginated_response(PartnerKeySerializer(page, many=True).data)

    @extend_schema(
        operation_id="make_api_key", tags=["access"], summary="Make a key; its secret is shown this once", request=NewKeySerializer,
        responses={201: MadeKeySerializer},
        description="A key that manages keys gives nothing it has not itself: no other agency, no further governorate, no finer places, no "
        "longer life, and never the scope `admin`.",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(NewKeySerializer)
        slug, codes = told.pop("partner"), told.pop("governorates")
        agencies = jurisdiction_of(self.by).agency_ids
        partners = Partner.objects.filter(slug=slug) if agencies is None else Partner.objects.filter(slug=slug, agency_id__in=agencies)
        partner = partners.select_related("region").first()
        if partner is None:
            raise Invalid(_("The key cannot be made so."), fields={"partner": _("There is no such partner.")})
        zones = list(
            Zone.objects.level(Zone.Level.GOVERNORATE).filter(code__in=codes, region=partner.region, is_active=True).defer("boundary")
        )
        if {zone.code for zone in zones} != set(codes):
            raise Invalid(_("The key cannot be made so."), fields={"governorates": _("There is no such governorate.")})
        return self.made(*issue_key(partner=partner, governorates=zones, by=self.by, **told))


class KeyDetail(Keys):
    @extend_schema(operation_id="read_api_key", tags=["access"], summary="Read one key", responses=PartnerKeySerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(PartnerKeySerializer(self.key(pk)).data)


class KeyRotation(Keys):
    @extend_schema(
        operation_id="rotate_api_key", tags=["access"], summary="A new key with the same rights; the old one goes on for a while",
        request=RotationSerializer, responses={201: MadeKeySerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        return self.made(*rotate_key(key=self.key(pk), by=self.by, **self.told(RotationSerializer)))


class KeyRevocation(Keys):
    @extend_schema(
        operation_id="revoke_api_key", tags=["access"], summary="End a key, at once and for good", request=RevokeSerializer,
        responses=PartnerKeySerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        revoke_key(key=self.key(pk), by=self.by, **self.told(RevokeSerializer))
        return Response(PartnerKeySerializer(self.key(pk)).data)


class KeyUsageSerializer(serializers.Serializer[KeyUsage]):
    day = serializers.DateField(help_text="In the site's time zone.")
    calls = serializers.IntegerField()
    refused = serializers.IntegerField(help_text="Answered 4xx, those over the limit among them.")
    limited = serializers.IntegerField(help_text="Answered 429.")
    failed = serializers.IntegerField(help_text="Answered 5xx.")
    p50_ms = serializers.FloatField()
    p95_ms = serializers.FloatField()
    bytes_in = serializers.IntegerField(help_text="As announced by Content-Length.")
    bytes_out = serializers.IntegerField()
    last_at = serializers.DateTimeField()
    counted_at = serializers.DateTimeField(help_text="Counted from the log every five minutes.")


MOST_DAYS = 400


class KeyUse(Keys):
    serializer_class = KeyUsageSerializer

    @extend_schema(
        operation_id="read_api_key_usage", tags=["access"], summary="What a key did, by day, newest first",
        parameters=[OpenApiParameter("days", {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": 30})],
        responses=KeyUsageSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        asked = request.query_params.get("days", "30")
        if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:6]) <= MOST_DAYS):
            raise serializers.ValidationError({"days": _("1 to %(limit)d.") % {"limit": MOST_DAYS}})
        since = timezone.localdate() - timedelta(days=int(asked) - 1)
        rows = self.key(pk).usage.filter(day__gte=since).order_by("-day")
        return Response(KeyUsageSerializer(rows, many=True).data)  # type: ignore[arg-type]
