"""Chainable reads. Every door starts from ``visible_to``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Q

from accounts.jurisdiction import jurisdiction_of


class ScopedQuerySet(models.QuerySet[Any]):
    """Rows of one agency in one governorate; a row with no governorate is its agency's alone."""

    AGENCY = "agency_id"
    GOVERNORATE = "governorate_id"

    def visible_to(self, viewer: object) -> Self:
        return self.filter(jurisdiction_of(viewer).condition(agency=self.AGENCY, governorate=self.GOVERNORATE))


class DeviceQuerySet(ScopedQuerySet):
    def in_use(self) -> Self:
        return self.filter(state="active")

    def missed(self, now: datetime) -> Self:
        """In use and not in maintenance: those whose silence means something."""
        return self.in_use().filter(Q(maintenance_until=None) | Q(maintenance_until__lte=now))

    def for_list(self) -> Self:
        return self.select_related("profile", "agency", "governorate", "area").defer("governorate__boundary", "area__boundary")


class OfDeviceQuerySet(ScopedQuerySet):
    """Rows that belong to a device and are seen by whoever sees it."""

    AGENCY = "device__agency_id"
    GOVERNORATE = "device__governorate_id"


class OfStreamQuerySet(ScopedQuerySet):
    AGENCY = "datastream__device__agency_id"
    GOVERNORATE = "datastream__device__governorate_id"


class CredentialQuerySet(OfDeviceQuerySet):
    def usable(self, now: datetime) -> Self:
        return self.filter(Q(not_after=None) | Q(not_after__gt=now), revoked_at=None)


class DeadReadingQuerySet(OfDeviceQuerySet):
    def visible_to(self, viewer: object) -> Self:
        """A device's by whoever sees it; what nobody can be told to have sent, by those who see everything."""
        jurisdiction = jurisdiction_of(viewer)
        own = jurisdiction.condition(agency=self.AGENCY, governorate=self.GOVERNORATE) & Q(device__isnull=False)
        sees_all = jurisdiction.agency_ids is None and jurisdiction.governorate_ids is None
        return self.all() if sees_all else self.filter(own)
