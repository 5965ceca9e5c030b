"""The registry of external systems and whether they answer. For people; changed in the command centre."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from core.api.paging import NewestFirst
from interop.api.authentication import PEOPLE
from interop.api.people import IsPerson
from interop.models import ExternalSystem, SystemProbe
from interop.services.systems import trends

MAX_PK = 2**63 - 1


class ExternalSystemSerializer(serializers.Serializer[ExternalSystem]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    agency = serializers.CharField(source="agency.slug")
    kind = serializers.ChoiceField(choices=ExternalSystem.Kind.choices)
    base_url = serializers.CharField()
    contact = serializers.CharField()
    probe = serializers.ChoiceField(choices=ExternalSystem.Probe.choices)
    every_s = serializers.IntegerField()
    is_active = serializers.BooleanField()
    is_synthetic = serializers.BooleanField()
    state = serializers.ChoiceField(choices=ExternalSystem.State.choices)
    state_since = serializers.DateTimeField(allow_null=True)
    failures = serializers.IntegerField(help_text="In a row, up to now.")
    last_error = serializers.CharField(help_text="Empty while it answers.")
    last_probe_at = serializers.DateTimeField(allow_null=True)
    last_up_at = serializers.DateTimeField(allow_null=True)
    answered_share = serializers.FloatField(allow_null=True, help_text="Of the probes of the last day; null: none.")
    median_ms = serializers.FloatField(allow_null=True, help_text="Of those answered in the last day.")
    earlier_share = serializers.FloatField(allow_null=True, help_text="Of the probes of the week before.")
    earlier_ms = serializers.FloatField(allow_null=True)


class ProbeSerializer(serializers.Serializer[SystemProbe]):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    is_ok = serializers.BooleanField()
    ms = serializers.FloatField(allow_null=True)
    code = serializers.IntegerField(allow_null=True)
    error = serializers.ChoiceField(choices=SystemProbe.Error.choices, allow_blank=True)
    detail = serializers.CharField()


class Systems(GenericAPIView[Any]):
    authentication_classes = PEOPLE
    permission_classes = [IsPerson]
    serializer_class: Any = ExternalSystemSerializer
    queryset = ExternalSystem.objects.none()

    def rows(self) -> Any:
        person = self.request.user
        assert isinstance(person, User)
        if not (person.can("mend_messages") or person.can("read_records")):
            return ExternalSystem.objects.none()
        return ExternalSystem.objects.visible_to(person).select_related("agency")

    def with_trend(self, rows: list[ExternalSystem]) -> list[ExternalSystem]:
        known = trends([row.pk for row in rows])
        for row in rows:
            for name in ("answered_share", "median_ms", "earlier_share", "earlier_ms"):
                setattr(row, name, getattr(known[row.pk], name))
        return rows

    def found(self, pk: int) -> ExternalSystem:
        system: ExternalSystem | None = self.rows().filter(pk=min(pk, MAX_PK)).first()
        if system is None:
            raise Http404
        return system


class SystemList(Systems):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_systems",
        tags=["systems"],
        summary="External systems and whether they answer (people only)",
        responses=ExternalSystemSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.rows())
        return self.get_paginated_response(self.get_serializer(self.with_trend(list(page or [])), many=True).data)


class SystemDetail(Systems):
    pagination_class = None

    @extend_schema(operation_id="read_system", tags=["systems"], summary="One external system (people only)")
    def get(self, request: Request, pk: int) -> Response:
        return Response(self.get_serializer(self.with_trend([self.found(pk)])[0]).data)


class SystemProbes(Systems):
    serializer_class = ProbeSerializer
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_probes",
        tags=["systems"],
        summary="Its probes, the newest first (people only)",
        responses=ProbeSerializer(many=True),
    )
    def get(self, request: Request, pk: int) -> Response:
        page = self.paginate_queryset(self.found(pk).probes.all())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
