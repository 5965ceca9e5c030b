"""Stretches that cannot be driven for a time."""

from __future__ import annotations

from datetime import datetime

from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import publish
from geography.models import Region, Zone
from patrol import events
from patrol.analytics.roads import Closure
from patrol.models import RoadClosure
from patrol.permissions import Actor

LARGEST_M = 5_000


@transaction.atomic
def close_road(
    *,
    region: Region,
    name: str,
    centre: Point,
    radius_m: int,
    starts_at: datetime,
    ends_at: datetime,
    by: Actor | None,
    governorate: Zone | None = None,
    reason: str = "",
) -> RoadClosure:
    """Nothing drives through the circle from ``starts_at`` to ``ends_at``: plans made from now on go round it."""
    _may(by, governorate)
    if not name.strip():
        raise Invalid(_("Say what is closed."), fields={"name": _("Say what is closed.")})
    if ends_at <= starts_at:
        raise Invalid(_("It must end after it begins."), fields={"ends_at": _("It must end after it begins.")})
    if not 0 < radius_m <= LARGEST_M:
        too_large = _("A closure reaches from 1 to %(most)d metres.") % {"most": LARGEST_M}
        raise Invalid(too_large, fields={"radius_m": too_large})
    closure = RoadClosure.objects.create(
        region=region,
        governorate=governorate,
        name=name.strip(),
        centre=centre,
        radius_m=radius_m,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason,
        created_by_id=getattr(by, "pk", None),
    )
    publish(
        events.ROAD_CLOSED,
        subject=closure,
        data={"from": starts_at.isoformat(), "to": ends_at.isoformat()},
        governorate_id=governorate.pk if governorate else None,
    )
    return closure


@transaction.atomic
def reopen_road(*, closure: RoadClosure, by: Actor | None, at: datetime | None = None) -> RoadClosure:
    """End a closure before its time; one that has not begun is taken back."""
    _may(by, closure.governorate)
    now = at or timezone.now()
    if closure.starts_at >= now:
        gone = closure.pk
        if not RoadClosure.objects.filter(pk=gone, starts_at__gte=now).delete()[0]:
            raise Conflict(_("This closure has just changed."))
    elif not RoadClosure.objects.filter(pk=closure.pk, ends_at__gt=now).update(ends_at=now):
        raise Conflict(_("This road is open already."))
    publish(events.ROAD_OPENED, data={"closure": closure.pk}, governorate_id=closure.governorate_id)
    closure.ends_at = now
    return closure


def closures_between(region: Region, at: datetime | None = None, until: datetime | None = None) -> list[Closure]:
    """Closures in force at any moment from ``at`` (now) to ``until`` (the same moment): the whole time counts as closed."""
    begin = at or timezone.now()
    rows = RoadClosure.objects.filter(region=region, starts_at__lte=until or begin, ends_at__gt=begin).order_by("pk")
    return [Closure(row.centre.x, row.centre.y, row.radius_m) for row in rows.only("centre", "radius_m")]


def _may(by: Actor | None, governorate: Zone | None) -> None:
    """Those who run the force, each in their governorates; a closure of no governorate belongs to those who see all."""
    if by is None:
        return
    own = by.jurisdiction.governorate_ids
    if own is not None and (governorate is None or governorate.pk not in own):
        raise NotFound(_("There is no such governorate.")) if governorate is not None else NotAllowed(_("Choose your governorate."))
    if not by.can("manage_force"):
        raise NotAllowed(_("Your role does not allow this."))
