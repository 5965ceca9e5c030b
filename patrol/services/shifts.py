"""Patterns become shifts: two instants for every day on the region's own clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Agency
from core import audit
from core.errors import Conflict, Invalid, NotFound
from geography.models import Zone
from patrol.models import Shift, ShiftPattern
from patrol.permissions import Actor, require

MOST_DAYS = 92


def instants_of(pattern: ShiftPattern, day: date, clock: ZoneInfo) -> tuple[datetime, datetime]:
    """When the shift of ``day`` begins and ends.

    Both ends are read off the clock, so that where summer time is kept the next crew arrives when this one leaves: the night on which
    the clock is put forward is an hour shorter, the other an hour longer (docs/decisions/0131). An hour the clock skips is the one
    after it.
    """
    begins = datetime.combine(day, pattern.begins_at)
    ends = begins + timedelta(minutes=pattern.length_minutes)
    return begins.replace(tzinfo=clock).astimezone(UTC), ends.replace(tzinfo=clock).astimezone(UTC)


@transaction.atomic
def make_shifts(
    *,
    governorate: Zone,
    agency: Agency,
    first_day: date,
    days: int,
    by: Actor | None,
    patterns: Iterable[ShiftPattern] | None = None,
    is_synthetic: bool = False,
) -> list[Shift]:
    """The shifts of ``days`` days from ``first_day`` on, one for each pattern in use, in order. Those that exist stay as they are."""
    require(by, "roster")
    require_place(by, governorate=governorate, agency=agency)
    if isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        raise Invalid(_("No such shifts can be made."), fields={"days": _("From 1 to %(most)d days.") % {"most": MOST_DAYS}})
    used = list(patterns) if patterns is not None else list(ShiftPattern.objects.filter(agency=agency, is_active=True))
    if not used:
        raise Conflict(_("%(agency)s has no shift pattern in use: add one in the command centre first.") % {"agency": agency.name})
    if any(pattern.agency_id != agency.pk for pattern in used):
        raise NotFound(_("There is no such shift pattern."))
    clock = governorate.region.zone_info
    wanted = []
    for number in range(days):
        for pattern in used:
            starts_at, ends_at = instants_of(pattern, first_day + timedelta(days=number), clock)
            wanted.append(
                Shift(
                    agency=agency,
                    governorate=governorate,
                    pattern=pattern,
                    starts_at=starts_at,
                    ends_at=ends_at,
                    is_synthetic=is_synthetic,
                )
            )
    here = Shift.objects.filter(governorate=governorate, pattern__in=used, starts_at__in={shift.starts_at for shift in wanted})
    before = here.count()
    Shift.objects.bulk_create(wanted, ignore_conflicts=True)
    made = list(here.select_related("pattern").order_by("starts_at", "pattern_id"))
    if len(made) > before:
        after = {"agency": agency.slug, "first_day": first_day.isoformat(), "days": days, "made": len(made) - before}
        audit.record("shifts.make", obj=governorate, by=by, after=after)
    return made


def require_place(by: Actor | None, *, governorate: Zone, agency: Agency) -> None:
    """Raise ``NotFound`` unless this is a governorate, and one of the actor's, and the agency too."""
    is_theirs = by is None or by.jurisdiction.admits(agency_id=agency.pk, governorate_id=governorate.pk)
    if governorate.level != Zone.Level.GOVERNORATE or not is_theirs:
        raise NotFound(_("There is no such governorate."))
