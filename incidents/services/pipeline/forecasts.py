"""The next days of one region: the whole, each governorate, each area with enough history."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from django.contrib.postgres.aggregates import BoolOr
from django.db.models import Count, Min
from django.db.models.functions import TruncDate
from numpy.typing import NDArray

from geography.models import Region, Zone
from incidents.analytics.forecast import Answer, History, forecast, silent_days
from incidents.models import Forecast, Incident
from incidents.services.pipeline.steps import Outcome, Task, newest_incident

STALE_AFTER_DAYS = 14
NONE = 0


@dataclass(frozen=True)
class _Days:
    """Incidents a day by governorate, area and category: columns of equal length, and the stretch of days they lie in."""

    first_day: date
    length: int
    day: NDArray[np.int64]
    governorate: NDArray[np.int64]
    area: NDArray[np.int64]
    category: NDArray[np.str_]
    count: NDArray[np.int64]
    is_synthetic: NDArray[np.bool_]

    def series(self, chosen: NDArray[np.bool_] | slice) -> NDArray[np.float64]:
        return np.bincount(self.day[chosen], weights=self.count[chosen], minlength=self.length).astype(np.float64)


def forecasts(task: Task) -> Outcome:
    """Forecast this region's days from the day under way on, learning from whole days before it.

    A region whose newest incident is more than two weeks old gets none: its feed has stopped, and a forecast would pretend
    otherwise. A series without enough history gets none either; the counts say how many and why.
    """
    region, settings = task.region, task.parameters
    today = task.moment.day_in(region)
    newest = newest_incident(region, before=_midnight(region, today))
    counts: dict[str, object] = {"forecasts": 0, "series": 0, "first_day": today.isoformat()}
    newest_day = newest.astimezone(region.zone_info).date() if newest else None
    counts["newest_incident"] = newest_day.isoformat() if newest_day else None
    if newest_day is None or (today - newest_day).days > STALE_AFTER_DAYS:
        counts["empty_because"] = "no incidents for two weeks" if newest_day else "no incidents yet"
        return Outcome([], counts)
    days = _load(region, today, settings.history_days)
    task.beat()
    is_silent = silent_days(days.series(slice(None)))
    rows: list[Forecast] = []
    methods: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for zone, category, chosen in _wanted(region, days):
        series = days.series(chosen)
        series[is_silent] = np.nan
        answer = forecast(History(days.first_day, series), horizon=settings.horizon_days, interval=settings.interval)
        task.beat()
        _count_refusals(refusals, answer)
        if answer.predicted is None:
            continue
        methods[answer.predicted.method] += 1
        rows += [
            Forecast(
                zone=zone,
                category=category,
                day=today + timedelta(days=ahead),
                expected=float(answer.predicted.expected[ahead]),
                low=float(answer.predicted.low[ahead]),
                high=float(answer.predicted.high[ahead]),
                interval=settings.interval,
                method=answer.predicted.method,
                history_days=days.length,
                is_synthetic=bool(days.is_synthetic[chosen].any()),
            )
            for ahead in range(settings.horizon_days)
        ]
    counts |= {
        "forecasts": len(rows),
        "series": sum(methods.values()),
        "methods": dict(methods),
        "passed_over": dict(refusals),
        "silent_days": int(is_silent.sum()),
        "incidents": int(days.count.sum()),
        "from": days.first_day.isoformat(),
        "to": today.isoformat(),
    }
    return Outcome(rows, counts)


def _wanted(region: Region, days: _Days) -> list[tuple[Zone, str, NDArray[np.bool_]]]:
    """The country and each governorate, in all and by category; each area in all. Only series that have incidents."""
    zones = Zone.objects.in_use().filter(region=region).defer("boundary")
    everything = np.ones(len(days.day), dtype=bool)
    wanted = [(zone, everything) for zone in zones.filter(level=Zone.Level.COUNTRY)]
    wanted += [(zone, days.governorate == zone.pk) for zone in zones.filter(level=Zone.Level.GOVERNORATE)]
    result = []
    for zone, here in wanted:
        result.append((zone, "", here))
        result += [(zone, str(category), here & (days.category == category)) for category in np.unique(days.category[here])]
    result += [(zone, "", days.area == zone.pk) for zone in zones.filter(level=Zone.Level.AREA)]
    return [(zone, category, chosen) for zone, category, chosen in result if chosen.any()]


def _count_refusals(refusals: Counter[str], answer: Answer) -> None:
    for method, why in answer.refused:
        if answer.predicted is None:
            refusals["too little history"] += 1
            return
        if why.startswith("The answer"):
            refusals[f"{method}: nonsense"] += 1


def _load(region: Region, today: date, history_days: int) -> _Days:
    """Counts from the region's first incident (at most ``history_days`` back) to yesterday."""
    usable = Incident.objects.modelled().filter(region=region)
    first = usable.aggregate(at=Min("occurred_at"))["at"]
    first_day = max(first.astimezone(region.zone_info).date(), today - timedelta(days=history_days))
    rows = list(
        usable.occurred_between(_midnight(region, first_day), _midnight(region, today))
        .annotate(day=TruncDate("occurred_at", tzinfo=region.zone_info))
        .values_list("day", "governorate_id", "area_id", "type__category")
        .annotate(count=Count("id"), synthetic=BoolOr("is_synthetic"))
        .order_by()
        .iterator(chunk_size=20_000)
    )
    column = list(zip(*rows, strict=True)) if rows else [()] * 6
    start = first_day.toordinal()
    return _Days(
        first_day=first_day,
        length=(today - first_day).days,
        day=np.array([day.toordinal() - start for day in column[0]], dtype=np.int64),
        governorate=np.array([zone_id or NONE for zone_id in column[1]], dtype=np.int64),
        area=np.array([zone_id or NONE for zone_id in column[2]], dtype=np.int64),
        category=np.array(column[3], dtype=np.str_),
        count=np.array(column[4], dtype=np.int64),
        is_synthetic=np.array(column[5], dtype=bool),
    )


def _midnight(region: Region, day: date) -> datetime:
    return datetime.combine(day, time.min, region.zone_info)
