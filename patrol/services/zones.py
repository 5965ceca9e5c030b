"""Which team answers for which zone, from when to when."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.events import publish
from geography.models import Zone
from patrol import events
from patrol.models import Team, ZoneAssignment
from patrol.permissions import Actor, require, sees
from patrol.querysets import OfTeamQuerySet
from patrol.services.acting import person_id, reasoned
from patrol.services.words import clock

LONGEST = timedelta(days=92)
LEVELS = frozenset({Zone.Level.GOVERNORATE, Zone.Level.AREA, Zone.Level.BLOCK, Zone.Level.SECTOR})


@transaction.atomic
def assign_zone(
    *, team: Team, zone: Zone, starts_at: datetime, ends_at: datetime, by: Actor | None, reason: str = "", now: datetime | None = None
) -> ZoneAssignment:
    """The team answers for the zone from ``starts_at`` to ``ends_at``. Several teams may share a zone; the same team has it once."""
    require(by, "manage_force")
    if not sees(by, team):
        raise NotFound(_("There is no such team."))
    reason = reasoned(reason, is_needed=False)
    now = now or timezone.now()
    team = Team.objects.select_for_update(no_key=True, of=("self",)).select_related("governorate__region").get(pk=team.pk)
    if not team.is_active:
        raise Conflict(_("%(team)s is out of use.") % {"team": team})
    if zone.level not in LEVELS or not zone.is_active or not _lies_in(zone, team.governorate_id):
        raise NotFound(_("There is no such zone in the team's governorate."))
    problems: dict[str, str] = {}
    if ends_at <= starts_at:
        problems["ends_at"] = _("It must end after it begins.")
    elif ends_at <= now and by is not None:
        problems["ends_at"] = _("This is over already.")
    elif ends_at - starts_at > LONGEST:
        problems["ends_at"] = _("At most %(days)d days.") % {"days": LONGEST.days}
    if problems:
        raise Invalid(_("The zone cannot be assigned like this."), fields=problems)
    other = standing_zones().filter(team=team, zone=zone, starts_at__lt=ends_at, ends_at__gt=starts_at).first()
    if other is not None:
        region = team.governorate.region
        span = {"team": team, "zone": zone, "from": clock(other.starts_at, region), "to": clock(other.ends_at, region)}
        raise Conflict(_("%(team)s has %(zone)s already, from %(from)s to %(to)s.") % span)
    made = ZoneAssignment.objects.create(
        team=team, zone=zone, starts_at=starts_at, ends_at=ends_at, reason=reason, assigned_by_id=person_id(by)
    )
    after = {"team": team.pk, "zone": zone.pk, "starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    audit.record("team.assign_zone", obj=made, by=by, after=after, reason=reason)
    _announce(events.ZONE_ASSIGNED, made)
    return made


@transaction.atomic
def withdraw_zone(*, assignment: ZoneAssignment, by: Actor | None, reason: str) -> ZoneAssignment:
    require(by, "manage_force")
    if not sees(by, assignment.team):
        raise NotFound(_("There is no such assignment."))
    reason = reasoned(reason)
    now = timezone.now()
    if not standing_zones().filter(pk=assignment.pk, ends_at__gt=now).update(cancelled_at=now):
        raise Conflict(_("It has ended already."))
    assignment.refresh_from_db()
    audit.record("team.withdraw_zone", obj=assignment, by=by, after={"cancelled_at": now.isoformat()}, reason=reason)
    _announce(events.ZONE_WITHDRAWN, assignment)
    return assignment


def standing_zones() -> OfTeamQuerySet:
    """Those not withdrawn."""
    rows: OfTeamQuerySet = ZoneAssignment.objects.filter(cancelled_at=None)
    return rows


def _lies_in(zone: Zone, governorate_id: int) -> bool:
    if zone.pk == governorate_id or zone.parent_id == governorate_id:
        return True
    return zone.parent is not None and zone.parent.parent_id == governorate_id


def _announce(type: str, row: ZoneAssignment) -> None:
    publish(
        type,
        subject=row,
        data={"team": row.team_id, "zone": row.zone_id, "from": row.starts_at.isoformat(), "to": row.ends_at.isoformat()},
        agency_id=row.team.agency_id,
        governorate_id=row.team.governorate_id,
    )
