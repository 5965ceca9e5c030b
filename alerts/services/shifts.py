"""In which shift of its agency an alert fired."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from patrol.models import Shift, ShiftPattern

DAY_MIN = 24 * 60
LONGEST = timedelta(minutes=DAY_MIN)  # no pattern is longer: see its constraint


class Shifts:
    """Planned shifts of the alert's agency and governorate, where there were any at that moment; else the agency's patterns in use, by the
    clock on the wall; else none. Of several that overlap, the one that began last: whoever came on last is who is being measured."""

    def __init__(self, *, start: datetime, end: datetime, agency_ids: Iterable[int], clock: tzinfo) -> None:
        ids = sorted(set(agency_ids))
        self.clock = clock
        self.patterns = {row.pk: row for row in ShiftPattern.objects.filter(agency_id__in=ids).select_related("agency").order_by("pk")}
        self.in_use: dict[int, list[ShiftPattern]] = defaultdict(list)
        for pattern in self.patterns.values():
            if pattern.is_active:
                self.in_use[pattern.agency_id].append(pattern)
        self.planned: dict[tuple[int, int], list[tuple[datetime, datetime, int]]] = defaultdict(list)
        rows = Shift.objects.filter(agency_id__in=ids, starts_at__lt=end, ends_at__gt=start).order_by("starts_at", "-pk")
        for row in rows.values("agency_id", "governorate_id", "starts_at", "ends_at", "pattern_id"):
            self.planned[row["agency_id"], row["governorate_id"]].append((row["starts_at"], row["ends_at"], row["pattern_id"]))

    def of(self, *, agency_id: int | None, governorate_id: int | None, at: datetime) -> ShiftPattern | None:
        if agency_id is None:
            return None
        planned = self.planned.get((agency_id, governorate_id or 0), [])
        for position in range(bisect_right(planned, at, key=lambda one: one[0]) - 1, -1, -1):
            starts_at, ends_at, pattern_id = planned[position]
            if at - starts_at > LONGEST:
                break
            if at < ends_at:
                return self.patterns[pattern_id]
        return self._by_clock(agency_id, at)

    def _by_clock(self, agency_id: int, at: datetime) -> ShiftPattern | None:
        here = at.astimezone(self.clock)
        minute = here.hour * 60 + here.minute
        into = {row: (minute - row.begins_at.hour * 60 - row.begins_at.minute) % DAY_MIN for row in self.in_use.get(agency_id, ())}
        running = [row for row, minutes in into.items() if minutes < row.length_minutes]
        return min(running, key=lambda row: (into[row], row.pk), default=None)


def name_of(pattern: ShiftPattern) -> str:
    """ "Police: Night, 22:00–06:00" """
    begins = timedelta(hours=pattern.begins_at.hour, minutes=pattern.begins_at.minute)
    minutes = (int(begins.total_seconds()) // 60 + pattern.length_minutes) % DAY_MIN
    return f"{pattern.agency.name}: {pattern.name}, {pattern.begins_at:%H:%M}–{minutes // 60:02d}:{minutes % 60:02d}"
