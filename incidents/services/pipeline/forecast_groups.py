"""What is forecast together: the series of one level, side by side, and how the levels add up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from django.contrib.postgres.aggregates import BoolOr
from django.db.models import Count, Min
from django.db.models.functions import TruncDate
from numpy.typing import NDArray

from geography.models import Region, Zone
from incidents.models import Incident
from incidents.services.standing_forecasts import EACH

NONE = 0
ZONES, CATEGORIES = "zones", "categories"


@dataclass(frozen=True)
class Days:
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


@dataclass(frozen=True)
class Series:
    zone: Zone
    category: str
    chosen: NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """The series of one level: one panel, one backtest, one choice of a model."""

    level: str
    category: str  # "" for all incidents, EACH for one series a category
    series: list[Series]


def groups_of(region: Region, days: Days, part: str) -> list[Group]:
    """The country and each governorate, in all or by category; each area in all. Only series that have incidents."""
    zones = Zone.objects.in_use().filter(region=region).defer("boundary").order_by("code", "pk")
    everything = np.ones(len(days.day), dtype=bool)
    country = [(zone, everything) for zone in zones.filter(level=Zone.Level.COUNTRY)]
    governorates = [(zone, days.governorate == zone.pk) for zone in zones.filter(level=Zone.Level.GOVERNORATE)]
    if part == CATEGORIES:
        found = [
            Group(
                level,
                EACH,
                [Series(zone, str(name), here & (days.category == name)) for zone, here in of for name in np.unique(days.category)],
            )
            for level, of in ((Zone.Level.COUNTRY, country), (Zone.Level.GOVERNORATE, governorates))
        ]
    else:
        areas = [(zone, days.area == zone.pk) for zone in zones.filter(level=Zone.Level.AREA)]
        levels = ((Zone.Level.COUNTRY, country), (Zone.Level.GOVERNORATE, governorates), (Zone.Level.AREA, areas))
        found = [Group(level, "", [Series(zone, "", here) for zone, here in of]) for level, of in levels]
    kept = [Group(group.level, group.category, [series for series in group.series if series.chosen.any()]) for group in found]
    return [group for group in kept if group.series]


def wholes(series: list[Series]) -> Iterator[tuple[int, list[int]]]:
    """Which rows are the sum of which: a zone of the zones inside it, within one category."""
    for row, whole in enumerate(series):
        parts = [k for k, part in enumerate(series) if part.category == whole.category and _is_inside(part.zone, whole.zone)]
        if parts:
            yield row, parts


def _is_inside(part: Zone, whole: Zone) -> bool:
    if whole.level == Zone.Level.COUNTRY:
        return bool(part.level == Zone.Level.GOVERNORATE)
    return bool(whole.level == Zone.Level.GOVERNORATE and part.level == Zone.Level.AREA and part.parent_id == whole.pk)


def load_days(region: Region, today: date, history_days: int) -> Days:
    """Counts from the region's first incident (at most ``history_days`` back) to yesterday."""
    usable = Incident.objects.modelled().filter(region=region)
    first = usable.aggregate(at=Min("occurred_at"))["at"]
    first_day = max(first.astimezone(region.zone_info).date(), today - timedelta(days=history_days))
    rows = list(
        usable.occurred_between(midnight(region, first_day), midnight(region, today))
        .annotate(day=TruncDate("occurred_at", tzinfo=region.zone_info))
        .values_list("day", "governorate_id", "area_id", "type__category")
        .annotate(count=Count("id"), synthetic=BoolOr("is_synthetic"))
        .order_by()
        .iterator(chunk_size=20_000)
    )
    column = list(zip(*rows, strict=True)) if rows else [()] * 6
    start = first_day.toordinal()
    return Days(
        first_day=first_day,
        length=(today - first_day).days,
        day=np.array([day.toordinal() - start for day in column[0]], dtype=np.int64),
        governorate=np.array([zone_id or NONE for zone_id in column[1]], dtype=np.int64),
        area=np.array([zone_id or NONE for zone_id in column[2]], dtype=np.int64),
        category=np.array(column[3], dtype=np.str_),
        count=np.array(column[4], dtype=np.int64),
        is_synthetic=np.array(column[5], dtype=bool),
    )


def midnight(region: Region, day: date) -> datetime:
    return datetime.combine(day, time.min, region.zone_info)
