"""Chainable reads. Every door starts from ``visible_to``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.jurisdiction import jurisdiction_of
from patrol.querysets import ScopedQuerySet


class OwnedQuerySet(models.QuerySet[Any]):
    """Rows of an agency, or of the whole ministry where there is none: those are seen by everybody who works here."""

    AGENCY = "agency_id"

    def visible_to(self, viewer: object) -> Self:
        agencies = jurisdiction_of(viewer).agency_ids
        if agencies is None:
            return self
        if not agencies:
            return self.none()
        return self.filter(Q(**{f"{self.AGENCY}__in": sorted(agencies)}) | Q(**{f"{self.AGENCY}__isnull": True}))


class RuleQuerySet(OwnedQuerySet):
    def active(self) -> Self:
        return self.filter(state="active")


class PolicyQuerySet(OwnedQuerySet):
    def active(self) -> Self:
        return self.filter(is_active=True)


class SilenceQuerySet(ScopedQuerySet):
    def in_force(self, *, at: datetime | None = None) -> Self:
        at = at or timezone.now()
        return self.filter(starts_at__lte=at, ends_at__gt=at)


class ScheduleQuerySet(ScopedQuerySet):
    def active(self) -> Self:
        return self.filter(is_active=True)


class OfScheduleQuerySet(ScopedQuerySet):
    AGENCY = "schedule__agency_id"
    GOVERNORATE = "schedule__governorate_id"


def is_quiet(at: datetime | None = None) -> Q:
    at = at or timezone.now()
    return Q(snoozed_until__gt=at) | Q(muted_until__gt=at) | Q(silenced_by__isnull=False) | Q(inhibited_by__isnull=False)


def paging(user_id: int | None) -> Exists:
    """The condition: this person was paged for the alert."""
    from alerts.models import Page

    return Exists(Page.objects.filter(alert=OuterRef("pk"), user_id=user_id or 0))


class AlertQuerySet(ScopedQuerySet):
    def visible_to(self, viewer: object) -> Self:
        """Those of the viewer's jurisdiction, and those they were paged for. What is of a place and of no agency (a hot
        spot, a forecast: sums over all of them) is every agency's there."""
        mine = jurisdiction_of(viewer)
        inside = mine.condition(or_shared=True)
        if not inside:  # everything
            return self
        user_id = getattr(viewer, "pk", None) if getattr(viewer, "audit_kind", "") == "user" and mine.agency_ids != frozenset() else None
        if user_id is None:
            return self.filter(inside)
        return self.filter(inside | Q(paging(user_id)))

    def shown_to(self, viewer: object) -> Self:
        """Of a person who works with alerts, and of a partner's key: all they may see. Of anybody else: those they were paged for."""
        rows = self.visible_to(viewer)
        if getattr(viewer, "audit_kind", "") != "user" or getattr(viewer, "can", lambda _verb: False)("see_alerts"):
            return rows
        return rows.filter(paging(getattr(viewer, "pk", None)))

    def open(self) -> Self:
        return self.exclude(state="resolved")

    def firing(self) -> Self:
        return self.filter(state="firing")

    def quiet(self, *, at: datetime | None = None) -> Self:
        """Open, but paging nobody for now: snoozed, muted, silenced or inhibited."""
        return self.open().filter(is_quiet(at))

    def loud(self, *, at: datetime | None = None) -> Self:
        """Firing, and paging whom it may."""
        return self.firing().exclude(is_quiet(at))

    def for_card(self) -> Self:
        """With all that an alert's card shows."""
        return self.select_related(
            "rule", "agency", "governorate", "zone", "incident", "acknowledged_by", "acknowledged_by_contact", "silenced_by", "inhibited_by"
        ).defer("governorate__boundary", "zone__boundary")


class OfAlertQuerySet(ScopedQuerySet):
    AGENCY = "alert__agency_id"
    GOVERNORATE = "alert__governorate_id"

    def visible_to(self, viewer: object) -> Self:
        return self.filter(jurisdiction_of(viewer).condition(agency=self.AGENCY, governorate=self.GOVERNORATE, or_shared=True))


class EscalationRunQuerySet(OfAlertQuerySet):
    def due(self, *, at: datetime | None = None) -> Self:
        at = at or timezone.now()
        return self.filter(state="running", next_at__lte=at).filter(Q(lease_until=None) | Q(lease_until__lt=at))


class PageQuerySet(OfAlertQuerySet):
    def going(self) -> Self:
        return self.filter(state__in=["running", "held"])


class DeliveryQuerySet(OfAlertQuerySet):
    def going(self) -> Self:
        return self.filter(state__in=["pending", "sending", "sent"])

    def undelivered(self, *, at: datetime) -> Self:
        """Failed for good, or taken by the provider with no receipt in time."""
        return self.filter(Q(state="failed") | Q(state="sent", receipt_due_at__lt=at))
