"""What the doors of the force share: who may ask, and how rows are found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Agency, User
from core.api.fields import Moment
from core.api.paging import NewestFirst
from geography.models import Zone
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.api.trust import WritingIsForPeople
from interop.models import PartnerKey, Scope
from patrol.models import Unit

MAX_PK = 2**63 - 1


class PeopleWhoMay(BasePermission):
    """A person needs the verb the view names for reading; what they write, the services judge."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method not in ("GET", "HEAD", "OPTIONS") or not isinstance(request.user, User):
            return True
        self.message = _("Your role does not allow this.")
        return request.user.can(getattr(view, "verb", "watch_units"))


class ForceView(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, WritingIsForPeople, PeopleWhoMay]
    scope = Scope.PATROL_READ
    people_may_read = True
    verb = "watch_units"
    pagination_class: Any = NewestFirst
    serializer_class: Any = serializers.Serializer
    queryset = Unit.objects.none()

    @property
    def viewer(self) -> Any:
        return viewer_of(self.request)

    @property
    def is_key(self) -> bool:
        return isinstance(self.request.auth, PartnerKey)

    def found(self, rows: Any, pk: object) -> Any:
        """The row of this id among those the caller sees; another id is as if it were not there."""
        number = pk if isinstance(pk, int) else 0
        row = rows.filter(pk=number).first() if 0 < number <= MAX_PK else None
        if row is None:
            raise Http404
        return row

    def asked(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The query, judged; what is not understood is a problem and no wider answer."""
        given = kind(data=self.request.query_params)
        given.is_valid(raise_exception=True)
        return {name: value for name, value in given.validated_data.items() if value is not None and value != ""}

    def owner(self, agency: str, governorate: str | None) -> tuple[Agency, Zone | None]:
        """The agency and the governorate (none where none is named) of these codes, inside the caller's jurisdiction."""
        whose = Agency.objects.filter(slug=agency).first()
        where = None
        if governorate is not None:
            zones = Zone.objects.level(Zone.Level.GOVERNORATE).among(self.viewer.jurisdiction.governorate_ids)
            where = zones.filter(code=governorate).select_related("region").order_by("-region__is_default").first()
        if whose is None or (governorate is not None and where is None):
            raise Http404
        return whose, where

    def told(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        given = kind(data=self.request.data)
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)


class PlaceAskedSerializer(serializers.Serializer[Any]):
    agency = serializers.SlugField(required=False, max_length=32, help_text="Its short name.")
    governorate = serializers.CharField(required=False, max_length=32, help_text="Its code.")


class WindowAskedSerializer(PlaceAskedSerializer):
    start = Moment(required=False, help_text="What ends after it.")
    end = Moment(required=False, help_text="What begins before it.")


def of_place(rows: Any, asked: dict[str, Any], *, prefix: str = "") -> Any:
    if "agency" in asked:
        rows = rows.filter(**{f"{prefix}agency__slug": asked["agency"]})
    if "governorate" in asked:
        rows = rows.filter(**{f"{prefix}governorate__code": asked["governorate"]})
    return rows


def in_window(rows: Any, asked: dict[str, Any], *, begins: str = "starts_at", ends: str = "ends_at") -> Any:
    start: datetime | None = asked.get("start")
    end: datetime | None = asked.get("end")
    if start is not None:
        rows = rows.filter(**{f"{ends}__gt": start})
    return rows.filter(**{f"{begins}__lt": end}) if end is not None else rows
