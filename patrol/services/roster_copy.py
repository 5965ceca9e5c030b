"""A week's roster once more, in another week: by the calendar, judged like any other line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Agency
from core.errors import Conflict, Invalid
from geography.models import Zone
from patrol.models import RosterEntry, Shift
from patrol.permissions import Actor, require
from patrol.services.roster import Line, Rostered, put_many_on_roster
from patrol.services.shifts import make_shifts, require_place

DAYS = 7


@dataclass(frozen=True)
class Copied:
    """The lines that were tried, in order, and what became of them."""

    lines: list[Line]
    done: Rostered


@transaction.atomic
def copy_week(*, governorate: Zone, agency: Agency, from_day: date, to_day: date, by: Actor | None) -> Copied:
    """The seven days from ``from_day`` on become the seven from ``to_day`` on; shifts that are missing there are made.

    Hours of one's own keep their distance to the shift. What may not stand there (leave, rest, somebody retired) is left out and said;
    a reason given for too little rest is not copied: it was given for that night.
    """
    require(by, "roster")
    require_place(by, governorate=governorate, agency=agency)
    if from_day == to_day:
        raise Invalid(_("Choose another week."), fields={"to_day": _("The same week.")})
    clock = governorate.region.zone_info
    midnight = datetime.combine(from_day, time(), clock)
    last = datetime.combine(from_day + timedelta(days=DAYS), time(), clock)
    rows = RosterEntry.objects.standing().filter(shift__agency=agency, shift__governorate=governorate)
    rows = rows.filter(shift__starts_at__gte=midnight, shift__starts_at__lt=last)
    entries = list(rows.select_related("shift__pattern", "member", "unit").order_by("starts_at", "pk"))
    if not entries:
        raise Conflict(_("The week of %(day)s has an empty roster: there is nothing to copy.") % {"day": from_day.isoformat()})
    patterns = {entry.shift.pattern_id: entry.shift.pattern for entry in entries}
    made = make_shifts(governorate=governorate, agency=agency, first_day=to_day, days=DAYS, by=by, patterns=patterns.values())
    there: dict[tuple[int, date], Shift] = {}
    for shift in made:
        shift.governorate = governorate
        there[shift.pattern_id, shift.starts_at.astimezone(clock).date()] = shift
    lines = []
    for entry in entries:
        day = entry.shift.starts_at.astimezone(clock).date() + (to_day - from_day)
        # Not there where the hour it begins at does not exist that day and the shift fell on another.
        found = there.get((entry.shift.pattern_id, day))
        if found is None:
            continue
        starts_at = found.starts_at + (entry.starts_at - entry.shift.starts_at)
        ends_at = found.ends_at + (entry.ends_at - entry.shift.ends_at)
        lines.append(Line(found, entry.member, entry.unit, entry.part, starts_at, ends_at))
    return Copied(lines, put_many_on_roster(lines=lines, by=by))
