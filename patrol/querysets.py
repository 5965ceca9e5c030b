"""Chainable reads. Every door starts from ``visible_to``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.jurisdiction import jurisdiction_of

OPEN_STATES = ("assigned", "accepted", "en_route", "on_scene")


class ScopedQuerySet(models.QuerySet[Any]):
    """Rows of one agency in one governorate; a row with no governorate is its agency's alone."""

    AGENCY = "agency_id"
    GOVERNORATE = "governorate_id"

    def visible_to(self, viewer: object) -> Self:
        return self.filter(jurisdiction_of(viewer).condition(agency=self.AGENCY, governorate=self.GOVERNORATE))

    def of_region(self, region_id: int) -> Self:
        return self.filter(governorate__region_id=region_id)


class AgencyQuerySet(ScopedQuerySet):
    """Rows of an agency that belong to no place: shift patterns, run cards."""

    def visible_to(self, viewer: object) -> Self:
        agencies = jurisdiction_of(viewer).agency_ids
        return self if agencies is None else self.filter(**{f"{self.AGENCY}__in": sorted(agencies)})


class ActiveQuerySet(ScopedQuerySet):
    """Rows that are taken out of use and never removed."""

    def active(self) -> Self:
        return self.filter(is_active=True)


class UnitQuerySet(ActiveQuerySet):
    def on_duty(self, *, at: datetime | None = None) -> Self:
        """Those with a duty open now (or that held one at ``at``)."""
        from patrol.models import Duty

        held = Duty.objects.filter(unit=models.OuterRef("pk"))
        held = held.filter(ended_at=None) if at is None else held.covering(at)
        return self.filter(is_active=True).filter(models.Exists(held))

    def for_board(self) -> Self:
        """With all that a unit's row shows."""
        return self.select_related("agency", "station", "governorate", "vehicle", "team", "last_position").defer("governorate__boundary")


class OfUnitQuerySet(ScopedQuerySet):
    """Rows that belong to a unit and are seen by whoever sees it."""

    AGENCY = "unit__agency_id"
    GOVERNORATE = "unit__governorate_id"


class OfMemberQuerySet(ScopedQuerySet):
    AGENCY = "member__agency_id"
    GOVERNORATE = "member__governorate_id"


class OfTeamQuerySet(ScopedQuerySet):
    AGENCY = "team__agency_id"
    GOVERNORATE = "team__governorate_id"


class DutyQuerySet(ScopedQuerySet):
    def open(self) -> Self:
        return self.filter(ended_at=None)

    def covering(self, at: datetime) -> Self:
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=at), started_at__lte=at)

    def overlapping(self, start: datetime, end: datetime) -> Self:
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=start), started_at__lt=end)


class RosterQuerySet(ScopedQuerySet):
    AGENCY = "shift__agency_id"
    GOVERNORATE = "shift__governorate_id"

    def standing(self) -> Self:
        return self.filter(is_cancelled=False)


class AssignmentQuerySet(ScopedQuerySet):
    """An assignment is seen by whoever sees its unit; who lent the unit and who borrowed it both see the assignment."""

    def visible_to(self, viewer: object) -> Self:
        mine = jurisdiction_of(viewer)
        of_unit = mine.condition(agency="unit__agency_id", governorate="unit__governorate_id")
        if not of_unit:
            return self.all()  # who sees everything has no condition, and none "or" another would be the other alone
        of_incident = Q(incident__isnull=False) & mine.condition(agency="agency_id", governorate="governorate_id")
        return self.filter(of_unit | of_incident)

    def open(self) -> Self:
        return self.filter(state__in=OPEN_STATES)

    def active(self, *, at: datetime | None = None) -> Self:
        """Open ones whose time has come: what is planned for later does not make a unit busy yet."""
        return self.open().filter(Q(active_from=None) | Q(active_from__lte=at or timezone.now()))

    def in_order(self) -> Self:
        return self.order_by(F("active_from").asc(nulls_first=True), "priority", "pk")


class PlanQuerySet(ScopedQuerySet):
    def published(self) -> Self:
        return self.filter(state="published")


class OfPlanQuerySet(ScopedQuerySet):
    AGENCY = "plan__agency_id"
    GOVERNORATE = "plan__governorate_id"


class OpenQuerySet(ScopedQuerySet):
    """Rows that stay open until a person ends them."""

    def open(self) -> Self:
        return self.filter(ended_at=None)


class DosageQuerySet(ScopedQuerySet):
    AGENCY = "stop__plan__agency_id"
    GOVERNORATE = "stop__plan__governorate_id"


class OfCellQuerySet(ScopedQuerySet):
    AGENCY = "cell__trial__agency_id"
    GOVERNORATE = "cell__trial__governorate_id"


class OfTrialQuerySet(ScopedQuerySet):
    AGENCY = "trial__agency_id"
    GOVERNORATE = "trial__governorate_id"


class SosQuerySet(OpenQuerySet):
    """A call is seen where its caller is, and where their unit belongs; one without a place is its whole agency's."""

    def visible_to(self, viewer: object) -> Self:
        mine = jurisdiction_of(viewer)
        here = mine.condition()
        if not here:
            return self.all()  # as above
        of_unit = mine.condition(agency="unit__agency_id", governorate="unit__governorate_id")
        return self.filter(here | (Q(unit__isnull=False) & of_unit))

    def unanswered(self) -> Self:
        return self.open().filter(acknowledged_at=None)

    def for_screen(self) -> Self:
        """With all that a command screen says of a call."""
        return self.select_related("agency", "unit", "member", "user", "acknowledged_by", "ended_by")


class WelfareQuerySet(OfUnitQuerySet):
    def running(self) -> Self:
        return self.filter(ended_at=None)

    def missed(self) -> Self:
        return self.running().exclude(escalated_at=None)

    def for_screen(self) -> Self:
        return self.select_related("unit", "unit__agency", "unit__last_position", "answered_by")
