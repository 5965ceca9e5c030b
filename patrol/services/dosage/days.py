"""Each unit's day, and the presence in the cells of running trials, read from the positions before these are dropped."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef

from geography.models import Region
from incidents.analytics.grid import Cells, columns_and_rows
from patrol.analytics.dosage import Fixes, presence, ride
from patrol.models import Duty, Position, Trial, TrialCell, TrialPresence, Unit, UnitDay
from patrol.services.dosage.reading import fixes_of, ms

SETTLES = timedelta(hours=3)  # after midnight: positions sent late
DAYS_BACK = 7


def measure_days(*, now: datetime) -> int:
    """Write the days that are not final yet, of every region; how many rows. Safe to run twice."""
    written = 0
    for region in Region.objects.filter(zones__level="governorate").distinct():
        today = now.astimezone(region.zone_info).date()
        for back in range(DAYS_BACK, -1, -1):
            day = today - timedelta(days=back)
            if back <= 1 or not _is_final(region, day):
                written += measure_day(region=region, day=day, now=now)
    return written


def bounds(region: Region, day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), region.zone_info)
    return start, datetime.combine(day + timedelta(days=1), time(), region.zone_info)


def _units(region: Region, start: datetime, end: datetime) -> Any:
    """Those with a duty or a position in the day."""
    duty = Duty.objects.filter(unit=OuterRef("pk")).overlapping(start, end)
    position = Position.objects.filter(unit=OuterRef("pk"), at__gte=start, at__lt=end)
    return Unit.objects.filter(governorate__region=region).filter(Exists(duty) | Exists(position))


def _is_final(region: Region, day: date) -> bool:
    """Whether every unit that was out has its last word. A day on which nobody was out has none to say."""
    start, end = bounds(region, day)
    last = UnitDay.objects.filter(unit=OuterRef("pk"), day=day, is_final=True)
    return not _units(region, start, end).exclude(Exists(last)).exists()


@transaction.atomic
def measure_day(*, region: Region, day: date, now: datetime) -> int:
    """Measure one day of every unit that was out, and how long units were in the cells of the trials that run."""
    start, end = bounds(region, day)
    if start >= now:
        return 0
    until = min(end, now)
    is_final = now >= end + SETTLES
    trials = _Trials(region, start, end)
    rows = []
    for unit in _units(region, start, end).order_by("pk"):
        if UnitDay.objects.filter(unit=unit, day=day, is_final=True).exists() and not trials.touches(unit):
            continue
        fixes, doubted = fixes_of(unit.pk, start, until, region)
        duties = _duties(unit, start, until)
        known = sum(ride(fixes, first, last).known_ms for first, last in duties)
        whole = ride(fixes, ms(start), ms(until))
        rows.append(
            UnitDay(
                unit=unit,
                day=day,
                duty_s=sum(last - first for first, last in duties) / 1000,
                known_s=known / 1000,
                metres=whole.metres,
                positions=whole.positions,
                doubted=doubted,
                measured_at=now,
                is_final=is_final,
            )
        )
        trials.add(unit, fixes, ms(start), ms(until))
    written = ["duty_s", "known_s", "metres", "positions", "doubted", "measured_at", "is_final"]
    UnitDay.objects.bulk_create(rows, update_conflicts=True, unique_fields=["unit", "day"], update_fields=written)
    trials.write(day)
    return len(rows)


def _duties(unit: Unit, start: datetime, until: datetime) -> list[tuple[int, int]]:
    """Stretches somebody or something was on duty with this unit, laid together: two people are no two hours."""
    found: list[tuple[int, int]] = []
    for began, ended in (
        Duty.objects.filter(unit=unit).overlapping(start, until).order_by("started_at").values_list("started_at", "ended_at")
    ):
        first, last = ms(max(began, start)), ms(min(ended or until, until))
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        elif last > first:
            found.append((first, last))
    return found


class _Trials:
    """The cells of the trials that run on a day, with the milliseconds units spent in each."""

    def __init__(self, region: Region, start: datetime, end: datetime) -> None:
        self._start, self._end = start, end
        running = Trial.objects.filter(region=region, sealed_at__isnull=False, stopped_at=None, starts_at__lt=end, ends_at__gt=start)
        self._trials = [(trial, *self._cells(trial)) for trial in running]

    @staticmethod
    def _cells(trial: Trial) -> tuple[Cells, list[int], np.ndarray]:
        rows = list(TrialCell.objects.filter(trial=trial).order_by("column", "row").values_list("pk", "column", "row"))
        cells = Cells(np.array([row[1] for row in rows], np.int64), np.array([row[2] for row in rows], np.int64), trial.cell_m)
        return cells, [row[0] for row in rows], np.zeros(len(rows), np.int64)

    def touches(self, unit: Unit) -> bool:
        return any(trial.agency_id == unit.agency_id for trial, *_rest in self._trials)

    def add(self, unit: Unit, fixes: Fixes, start_ms: int, until_ms: int) -> None:
        for trial, cells, _pks, sums in self._trials:
            if trial.agency_id != unit.agency_id or not len(fixes):
                continue
            columns, rows = columns_and_rows(fixes.xy_m - np.array([trial.origin_x_m, trial.origin_y_m]), trial.cell_m)
            first, last = max(start_ms, ms(trial.starts_at)), min(until_ms, ms(trial.ends_at))
            spent = presence(fixes, cells.find(columns, rows), len(cells), first, last, most_m=trial.cell_m / 2)
            np.add(sums, spent, out=sums)

    def write(self, day: date) -> None:
        rows = [
            TrialPresence(cell_id=pk, day=day, seconds=value / 1000)
            for _trial, _cells, pks, sums in self._trials
            for pk, value in zip(pks, sums.tolist(), strict=True)
        ]
        TrialPresence.objects.bulk_create(rows, update_conflicts=True, unique_fields=["cell", "day"], update_fields=["seconds"])
