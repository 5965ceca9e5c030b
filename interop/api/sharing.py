"""Sharing between agencies: agreements, signatures, and who read what. People write and sign; a key reads what holds for it."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Agency, User
from core.api.fields import Moment
from core.api.paging import NewestFirst
from geography.models import Zone
from incidents.models import Incident, IncidentType
from interop.api.authentication import CALLERS, PEOPLE, HasScope, viewer_of
from interop.models import Part, Partner, PartnerKey, Precision, Scope, SharingAgreement, Signature, Standing
from interop.services.sharing import AgreementTerms, change_agreement, propose_agreement, records, revoke_agreement, sign_agreement
from interop.services.sharing.agreements import MAX_REASON, terms_of

MAX_PK = 2**63 - 1


class SignatureSerializer(serializers.Serializer[Signature]):
    side = serializers.ChoiceField(choices=Signature.Side.choices)
    by = serializers.SerializerMethodField(help_text="Who signed; not told to keys.")
    at = serializers.DateTimeField()

    def get_by(self, signature: Signature) -> str:
        return "" if self.context.get("for_key") else str(signature.by)


class SharingAgreementSerializer(serializers.Serializer[SharingAgreement]):
    id = serializers.IntegerField()
    code = serializers.CharField(help_text="As it stands on each incident that is told through it: its number and version.")
    title = serializers.CharField()
    purpose = serializers.CharField()
    giver = serializers.CharField(source="giver.slug")
    receiver = serializers.CharField(source="receiver.slug")
    partner = serializers.CharField(source="partner.slug", allow_null=True, default=None, help_text="The one system; null: each.")
    types = serializers.SerializerMethodField(help_text="Codes; null: every type.")
    categories = serializers.SerializerMethodField(help_text="Null: every type.")
    governorates = serializers.SerializerMethodField(help_text="Codes; null: every governorate.")
    parts = serializers.ListField(child=serializers.ChoiceField(choices=Part.choices), help_text="What is told besides what and when.")
    precision = serializers.ChoiceField(choices=Precision.choices)
    occurred_from = serializers.DateTimeField(allow_null=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    state = serializers.ChoiceField(choices=SharingAgreement.State.choices)
    stands = serializers.ChoiceField(
        choices=Standing.values, source="standing", help_text="What the state means now: `holds` alone lets anything be read."
    )
    signatures = serializers.SerializerMethodField(help_text="Of this version.")
    changed_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_because = serializers.CharField()

    def get_types(self, agreement: SharingAgreement) -> list[str] | None:
        return None if agreement.all_types else sorted(kind.code for kind in agreement.types.all())

    def get_categories(self, agreement: SharingAgreement) -> list[str] | None:
        return None if agreement.all_types else agreement.categories

    def get_governorates(self, agreement: SharingAgreement) -> list[str] | None:
        return None if agreement.all_governorates else sorted(zone.code for zone in agreement.governorates.all())

    @extend_schema_field(SignatureSerializer(many=True))
    def get_signatures(self, agreement: SharingAgreement) -> list[dict[str, Any]]:
        of_this = [one for one in agreement.signatures.all() if one.version == agreement.version]
        return list(SignatureSerializer(of_this, many=True, context=self.context).data)  # type: ignore[arg-type]


class SharingTermsSerializer(serializers.Serializer[Any]):
    """The terms. Types and governorates are named, or `all_types`, `all_governorates` say that every one is meant."""

    title = serializers.CharField(max_length=120)
    purpose = serializers.CharField(max_length=2_000)
    giver = serializers.CharField(max_length=32, help_text="The agency whose incidents are told.")
    receiver = serializers.CharField(max_length=32, help_text="The agency whose systems are told.")
    partner = serializers.CharField(max_length=24, required=False, allow_null=True, help_text="Only this system of it.")
    all_types = serializers.BooleanField(default=False)
    types = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=500)
    categories = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=500)
    all_governorates = serializers.BooleanField(default=False)
    governorates = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=500)
    parts = serializers.ListField(child=serializers.ChoiceField(choices=Part.choices), required=False)
    precision = serializers.ChoiceField(choices=Precision.choices, default=Precision.AREA)
    occurred_from = Moment(required=False, allow_null=True)
    starts_at = Moment()
    ends_at = Moment(help_text="Within 366 days of its beginning.")

    def terms(self, agreement: SharingAgreement | None = None) -> AgreementTerms:
        """The terms asked for; for a change, what is not said stays as it is."""
        given = dict(self.validated_data)
        if agreement is not None:
            held = terms_of(agreement)
            given = {**{name: getattr(held, name) for name in AgreementTerms.__dataclass_fields__}, **given}
        for name, model, column in (("giver", Agency, "slug"), ("receiver", Agency, "slug"), ("partner", Partner, "slug")):
            if isinstance(given.get(name), str):
                given[name] = _one(model, column, given[name], name)
        given["types"] = _many(IncidentType.objects.all(), given.get("types", ()), "types")
        places = Zone.objects.level(Zone.Level.GOVERNORATE).in_use()
        given["governorates"] = _many(places, given.get("governorates", ()), "governorates")
        return AgreementTerms(**given)


class SharingChangeSerializer(SharingTermsSerializer):
    """What is not said stays as it is."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name, one in fields.items():
            one.required = False
            one.default = serializers.empty
            if name in {"giver", "receiver"}:
                one.help_text = "This never changes."
        return fields


class SignRequestSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="The version you have read.")


class RevokeRequestSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=MAX_REASON)


def _one(model: Any, column: str, value: str, field: str) -> Any:
    found = model.objects.filter(**{column: value}).first()
    if found is None:
        raise ValidationError({field: [_("There is no %(code)s.") % {"code": value}]})
    return found


def _many(rows: Any, values: Any, field: str) -> list[Any]:
    codes = [value for value in values if isinstance(value, str)]
    if not codes:
        return list(values)
    found = {row.code: row for row in rows.filter(code__in=codes)}
    missing = sorted(set(codes) - set(found))
    if missing:
        raise ValidationError({field: [_("There is no %(code)s.") % {"code": code} for code in missing]})
    return [found[code] for code in dict.fromkeys(codes)]


class PeopleWrite(BasePermission):
    """Reading is a key's too; writing is for people."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        self.message = _("People do this, signed in by name.")
        self.code = "person_needed"
        return request.method in {"GET", "HEAD", "OPTIONS"} or not isinstance(request.auth, PartnerKey)


class Agreements(GenericAPIView[SharingAgreement]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, PeopleWrite]
    scope = Scope.INCIDENTS_READ
    people_may_read = True
    serializer_class = SharingAgreementSerializer
    queryset = SharingAgreement.objects.none()

    @property
    def person(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user

    def rows(self) -> Any:
        viewer = viewer_of(self.request)
        if isinstance(viewer, User) and not (viewer.can("share") or viewer.can("read_records")):
            return SharingAgreement.objects.none()
        rows = SharingAgreement.objects.visible_to(viewer).with_sides()
        return rows.prefetch_related("types", "governorates", "signatures__by")

    def found(self, pk: int) -> SharingAgreement:
        agreement: SharingAgreement | None = self.rows().filter(pk=min(pk, MAX_PK)).first()
        if agreement is None:
            raise Http404
        return agreement

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "for_key": isinstance(self.request.auth, PartnerKey)}

    def told(self, pk: int, status: int = 200) -> Response:
        return Response(self.get_serializer(self.found(pk)).data, status=status)


class AgreementList(Agreements):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_agreements",
        tags=["sharing"],
        summary="Sharing agreements, newest first",
        responses=SharingAgreementSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.rows())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="propose_agreement",
        tags=["sharing"],
        summary="Propose an agreement (people only)",
        request=SharingTermsSerializer,
        responses={201: SharingAgreementSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = SharingTermsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.told(propose_agreement(terms=asked.terms(), by=self.person).pk, status=201)


class AgreementDetail(Agreements):
    pagination_class = None

    @extend_schema(operation_id="read_agreement", tags=["sharing"], summary="One sharing agreement")
    def get(self, request: Request, pk: int) -> Response:
        return self.told(pk)

    @extend_schema(
        operation_id="change_agreement",
        tags=["sharing"],
        summary="Change its terms (people only): both sides sign again, and nothing is read through it until they have",
        request=SharingChangeSerializer,
    )
    def patch(self, request: Request, pk: int) -> Response:
        agreement = self.found(pk)
        asked = SharingChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.told(change_agreement(agreement=agreement, terms=asked.terms(agreement), by=self.person).pk)


class AgreementSign(Agreements):
    pagination_class = None

    @extend_schema(
        operation_id="sign_agreement",
        tags=["sharing"],
        summary="Sign for your agency (people only): with both signatures it is in force",
        request=SignRequestSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        asked = SignRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.told(sign_agreement(agreement=self.found(pk), version=asked.validated_data["version"], by=self.person).pk)


class AgreementRevoke(Agreements):
    pagination_class = None

    @extend_schema(
        operation_id="revoke_agreement",
        tags=["sharing"],
        summary="Revoke (people only): either side alone, at once and for good",
        request=RevokeRequestSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        asked = RevokeRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.told(revoke_agreement(agreement=self.found(pk), by=self.person, reason=asked.validated_data["reason"]).pk)


# --- what was read ---------------------------------------------------------------------------------------------------------------------


class IncidentReaderSerializer(serializers.Serializer[Any]):
    """One key's reads of the incident by one right."""

    reader = serializers.CharField(help_text="The system and its key.")
    agreement = serializers.CharField(source="right", help_text="And its version; empty: the reader's own right.")
    precision = serializers.ChoiceField(choices=Precision.choices)
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    times = serializers.IntegerField()


class IncidentReadersSerializer(serializers.Serializer[Any]):
    incident = serializers.CharField()
    results = IncidentReaderSerializer(many=True)


class PartnerReadSerializer(serializers.Serializer[Any]):
    """One incident as the partner read it."""

    incident = serializers.CharField(source="incident.ref")
    agreements = serializers.ListField(child=serializers.CharField(), source="rights", help_text="An empty one: its own right.")
    precisions = serializers.ListField(child=serializers.ChoiceField(choices=Precision.choices))
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    times = serializers.IntegerField()


class PartnerReadsSerializer(serializers.Serializer[Any]):
    partner = serializers.CharField()
    results = PartnerReadSerializer(many=True)


class ReadsQuerySerializer(serializers.Serializer[Any]):
    since = Moment(required=False, help_text=f"By default the last {records.DAYS} days.")
    until = Moment(required=False)


class Reads(APIView):
    authentication_classes = PEOPLE

    def person(self) -> User:
        assert isinstance(self.request.user, User)
        records.require_reader(self.request.user)
        return self.request.user


class ReadsOfIncident(Reads):
    @extend_schema(
        operation_id="read_readers",
        tags=["sharing"],
        summary="Which partners were told an incident: when, by which right, how precisely (people only)",
        responses=IncidentReadersSerializer,
    )
    def get(self, request: Request, ref: str) -> Response:
        by = self.person()
        incident = Incident.objects.visible_to(by).by_ref(ref).first()
        if incident is None:
            raise Http404
        found = records.readers_of(incident=incident, by=by)
        return Response({"incident": incident.ref, "results": IncidentReaderSerializer(found, many=True).data})


class ReadsOfPartner(Reads):
    @extend_schema(
        operation_id="read_partner_reads",
        tags=["sharing"],
        summary="Which incidents a partner was told, of those you may see (people only)",
        parameters=[ReadsQuerySerializer],
        responses=PartnerReadsSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        by = self.person()
        partner = records.partners_for(by).filter(slug=slug).first()
        if partner is None:
            raise Http404
        asked = ReadsQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = records.seen_by(partner=partner, by=by, **asked.validated_data)
        return Response({"partner": partner.slug, "results": PartnerReadSerializer(found, many=True).data})
