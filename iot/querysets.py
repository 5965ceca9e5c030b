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

    def for_list(self) -> Self:
        return self.select_related("profile", "agency", "governorate", "area").defer("governorate__boundary", "area__boundary")


class NetworkQuerySet(ScopedQuerySet):
    def let_in_by_broker(self) -> Self:
        """Those in use that have an account at the broker."""
        return self.filter(is_active=True).exclude(broker_digest="")


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


class ZoneRiskQuerySet(ScopedQuerySet):
    def current(self) -> Self:
        return self.filter(is_current=True)

    def of_zone(self, zone_id: int) -> Self:
        return self.filter(zone=zone_id)

    def with_names(self) -> Self:
        """And without shapes."""
        return self.select_related("zone", "agency", "governorate").defer("zone__boundary", "governorate__boundary")

    def for_list(self) -> Self:
        """Without what gave the points, thing by thing."""
        return self.with_names().defer("parts")


class OfRunQuerySet(ScopedQuerySet):
    def newest(self) -> Self:
        """Those of the newest run that looked at anything."""
        return self.filter(run=self.model.objects.order_by("-run").values("run")[:1])


class InsightQuerySet(ScopedQuerySet):
    def standing(self) -> Self:
        """What goes on and nobody has dismissed."""
        return self.filter(ended_at=None, dismissed_at=None)

    def for_list(self) -> Self:
        return self.select_related("agency", "governorate", "zone", "device", "dismissed_by").defer(
            "governorate__boundary", "zone__boundary"
        )


class AnomalyQuerySet(OfDeviceQuerySet):
    def open(self) -> Self:
        return self.exclude(state="resolved")

    def for_list(self) -> Self:
        return self.select_related("device__profile", "device__governorate", "device__area", "datastream__metric").defer(
            "device__governorate__boundary", "device__area__boundary"
        )


class FiringQuerySet(OfDeviceQuerySet):
    def waiting(self) -> Self:
        """Drafts of incidents that nobody has decided on."""
        return self.filter(draft="waiting")

    def for_list(self) -> Self:
        return self.select_related("rule__incident_type", "device__area", "device__governorate").defer(
            "device__area__boundary", "device__governorate__boundary"
        )


class FitQuerySet(models.QuerySet[Any]):
    """Of profiles, which are everybody's: no jurisdiction narrows them."""

    def current(self) -> Self:
        return self.filter(is_current=True)

    def fitted(self) -> Self:
        return self.filter(state="fitted")

    def for_list(self) -> Self:
        return self.select_related("profile").defer("model")
