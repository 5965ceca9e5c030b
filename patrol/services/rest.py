"""Rest between one stretch of work and the next, from the roster and from duty as it was done."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from patrol.models import Duty, Leave, Member, RosterEntry, ShiftPattern

# Where no pattern says: eleven hours between two days of work (Directive 2003/88/EC, art. 3).
USUAL_REST = timedelta(hours=11)
# Off and on again within this time is one stretch of work, not two.
SAME_STRETCH = timedelta(minutes=90)
# No stretch of work is longer; a duty nobody ended is taken to be this long at most.
LONGEST_STRETCH = timedelta(hours=16)
# Somebody put on the roster today may have come a little before it said so.
EARLY = timedelta(hours=2)
LOOK_BACK = timedelta(days=3)


@dataclass(frozen=True, order=True, slots=True)
class Work:
    """A person is to work, or did. ``rest`` is what must lie before it; of duty done nothing more is asked."""

    start: datetime
    end: datetime
    rest: timedelta = timedelta(0)
    entry_id: int = 0


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Rest that falls short: between ``until`` and ``start``, where ``needed`` is the rule."""

    until: datetime
    start: datetime
    needed: timedelta

    @property
    def had(self) -> timedelta:
        return max(self.start - self.until, timedelta(0))


class Calendar:
    """What some people do in some weeks: roster, duty and leave, read once and kept in step with what is added."""

    def __init__(self, member_ids: Collection[int], *, start: datetime, end: datetime) -> None:
        self._planned: dict[int, list[Work]] = defaultdict(list)
        self._done: dict[int, list[Work]] = defaultdict(list)
        self._leave: dict[int, list[Leave]] = defaultdict(list)
        ids = sorted(set(member_ids))
        since, until = start - LOOK_BACK, end + LOOK_BACK
        rows = RosterEntry.objects.standing().filter(member_id__in=ids, starts_at__lt=until, ends_at__gt=since)
        for pk, member, begins, ends, minutes in rows.values_list(
            "pk", "member_id", "starts_at", "ends_at", "shift__pattern__minimum_rest_minutes"
        ):
            self._planned[member].append(Work(begins, ends, timedelta(minutes=minutes), pk))
        held = Duty.objects.filter(member_id__in=ids, started_at__lt=until).filter(Q(ended_at=None) | Q(ended_at__gt=since))
        for member, begins, ends, expected in held.values_list("member_id", "started_at", "ended_at", "expected_until"):
            self._done[member or 0].append(Work(begins, ends or expected or begins + LONGEST_STRETCH))
        for row in Leave.objects.filter(member_id__in=ids, is_cancelled=False, starts_at__lt=until, ends_at__gt=since):
            self._leave[row.member_id].append(row)
        for works in (self._planned, self._done):
            for work in works.values():
                work.sort()

    def leave_during(self, member_id: int, start: datetime, end: datetime) -> Leave | None:
        return next((row for row in self._leave.get(member_id, ()) if row.starts_at < end and row.ends_at > start), None)

    def clash(self, member_id: int, start: datetime, end: datetime) -> Work | None:
        """What is planned for this person at that time already."""
        works = self._planned.get(member_id, [])
        at = bisect_left(works, end, key=lambda work: work.start)
        before = works[at - 1] if at else None
        return before if before is not None and before.end > start else None

    def too_little_rest(self, member_id: int, start: datetime, end: datetime, rest: timedelta) -> TooLittle | None:
        """The worse of what lies before this work and what it leaves before the next."""
        found: list[TooLittle] = []
        works = self._planned.get(member_id, [])
        at = bisect_right(works, start, key=lambda work: work.start)
        ends = [works[at - 1].end] if at else []
        ends += [work.end for work in self._done.get(member_id, ()) if work.start < start - EARLY]
        last = max(ends, default=None)
        if last is not None and start - last < rest:
            found.append(TooLittle(last, start, rest))
        if at < len(works) and works[at].start - end < works[at].rest:
            found.append(TooLittle(end, works[at].start, works[at].rest))
        return max(found, key=lambda few: few.needed - few.had, default=None)

    def add(self, member_id: int, work: Work) -> None:
        insort(self._planned[member_id], work)


def rest_before_duty(member: Member, *, at: datetime, needed: timedelta | None = None) -> TooLittle | None:
    """Rest between the last duty done and going on duty at ``at``. Off and on again is one stretch, as long as it stays under
    ``LONGEST_STRETCH``; the rest that counts then is the one before the stretch, which was judged when it began."""
    needed = needed if needed is not None else rest_rule(member)
    rows = Duty.objects.filter(member=member, ended_at__isnull=False, ended_at__gt=at - LOOK_BACK, started_at__lte=at)
    spans = sorted(rows.values_list("started_at", "ended_at"), reverse=True)
    if not spans:
        return None
    began, last = spans[0][0], max(span[1] for span in spans)
    for start, end in spans[1:]:
        if began - end > SAME_STRETCH:
            break
        began = start
    if at - last <= SAME_STRETCH and at - began < LONGEST_STRETCH - timedelta(hours=1):
        return None
    return TooLittle(last, at, needed) if at - last < needed else None


def rest_rule(member: Member) -> timedelta:
    """The longest rest any pattern of their agency asks for."""
    minutes = (
        ShiftPattern.objects.filter(agency_id=member.agency_id, is_active=True)
        .order_by("-minimum_rest_minutes")
        .values_list("minimum_rest_minutes", flat=True)
        .first()
    )
    return timedelta(minutes=minutes) if minutes is not None else USUAL_REST
