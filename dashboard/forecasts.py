"""What the forecast page and the map read: the seven days that stand now beside the days that were counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

import orjson
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.jurisdiction import jurisdiction_of
from dashboard.charts import Expected, ForecastChart, Observed, forecast_chart
from geography.models import Region, Zone
from geography.querysets import ZoneQuerySet
from incidents.models import Forecast, Incident, PipelineRun

HISTORY_DAYS = 28
STALE_AFTER = timedelta(hours=36)


@dataclass(frozen=True)
class Method:
    """A way of forecasting, named for somebody who must decide with it."""

    name: Any
    remark: Any


METHODS = {
    "prophet": Method(_("Prophet"), _("Trend, week and year learnt from the days counted, kept to whole counts.")),
    "weekday_counts": Method(
        _("Weekday counts"), _("Too few incidents for Prophet: how many there were lately, times what the weekday usually brings.")
    ),
}
LEVELS = [Zone.Level.COUNTRY, Zone.Level.GOVERNORATE, Zone.Level.AREA]


@dataclass(frozen=True)
class Series:
    """One zone's days: counted up to yesterday, expected from today on."""

    zone: Zone
    run: PipelineRun
    method: str
    interval: float
    history_days: int
    is_synthetic: bool
    history: tuple[Observed, ...]
    forecast: tuple[Expected, ...]

    @cached_property
    def expected_total(self) -> float:
        return sum(day.expected for day in self.forecast)

    @cached_property
    def counted_last_week(self) -> int:
        return sum(day.count for day in self.history[-7:])

    @cached_property
    def chart(self) -> ForecastChart:
        return forecast_chart(self.history, self.forecast)

    @cached_property
    def wide_chart(self) -> ForecastChart:
        return forecast_chart(self.history, self.forecast, width=760, height=220, margins=(10, 12, 24, 36))

    @property
    def method_name(self) -> str:
        known = METHODS.get(self.method)
        return str(known.name) if known else self.method

    @property
    def method_remark(self) -> str:
        known = METHODS.get(self.method)
        return str(known.remark) if known else ""

    @property
    def interval_percent(self) -> int:
        return round(self.interval * 100)

    def as_json(self) -> bytes:
        return orjson.dumps(
            {
                "zone": {"id": self.zone.pk, "code": self.zone.code, "level": self.zone.level, "name": self.zone.name},
                "method": self.method,
                "interval": self.interval,
                "history_days": self.history_days,
                "as_of": self.run.as_of,
                "is_synthetic": self.is_synthetic,
                "history": [{"day": day.day, "count": day.count} for day in self.history],
                "forecast": [
                    {"day": day.day, "expected": round(day.expected, 2), "low": round(day.low, 2), "high": round(day.high, 2)}
                    for day in self.forecast
                ],
            }
        )


def is_stale(run: PipelineRun) -> bool:
    return run.as_of < timezone.now() - STALE_AFTER


def zones_in_sight(viewer: object, level: str | None = None) -> ZoneQuerySet:
    """Country, governorates and areas of the viewer's jurisdiction, without their boundaries."""
    zones = Zone.objects.in_use().filter(level__in=LEVELS if level is None else [level])
    places = jurisdiction_of(viewer).governorate_ids
    if places is not None:
        zones = zones.filter(Q(pk__in=sorted(places)) | Q(parent_id__in=sorted(places)))
    name = "name_ar" if (get_language() or "").startswith("ar") else "name_en"
    return zones.defer("boundary").select_related("region").order_by("-region__is_default", "region__code", name)


def series_of_zone(viewer: object, zone_id: int, category: str = "") -> Series | None:
    """The zone's series, or ``None`` where nothing stands for it or the viewer may not see it."""
    found = series_of(viewer, zones_in_sight(viewer).filter(pk=zone_id), category)
    return found[0] if found else None


def categories_of(viewer: object) -> list[str]:
    """The categories that have forecasts of their own."""
    found = Forecast.objects.current().visible_to(viewer).exclude(category="").order_by("category")
    return list(found.values_list("category", flat=True).distinct())


def series_of(viewer: object, zones: Iterable[Zone], category: str = "") -> list[Series]:
    """The series of those of ``zones`` that have one the viewer may see, in the zones' order; a few queries however many."""
    by_id = {zone.pk: zone for zone in zones}
    rows: dict[int, list[Forecast]] = defaultdict(list)
    for row in (
        Forecast.objects.current()
        .visible_to(viewer)
        .filter(zone_id__in=list(by_id), category=category)
        .select_related("run")
        .order_by("day")
    ):
        rows[row.zone_id].append(row)
    counted = _counted([by_id[zone_id] for zone_id in rows], {zone_id: days[0].day for zone_id, days in rows.items()}, category)
    return [
        Series(
            zone=zone,
            run=rows[zone_id][0].run,
            method=rows[zone_id][0].method,
            interval=rows[zone_id][0].interval,
            history_days=rows[zone_id][0].history_days,
            is_synthetic=rows[zone_id][0].is_synthetic,
            history=counted[zone_id],
            forecast=tuple(Expected(row.day, row.expected, row.low, row.high) for row in rows[zone_id]),
        )
        for zone_id, zone in by_id.items()
        if zone_id in rows
    ]


def _counted(zones: list[Zone], first_days: dict[int, date], category: str) -> dict[int, tuple[Observed, ...]]:
    """Each zone's counts on the ``HISTORY_DAYS`` days before its first expected day, in its region's own days.

    These are sums over agencies, as the forecasts are: whoever may see the zone's forecast may see its sums, never a row.
    """
    found: dict[int, dict[date, int]] = defaultdict(dict)
    groups: dict[tuple[Region, str, date], list[int]] = defaultdict(list)
    for zone in zones:
        groups[zone.region, zone.level, first_days[zone.pk]].append(zone.pk)
    for (region, level, first_day), ids in groups.items():
        end = datetime.combine(first_day, time(), region.zone_info)
        start = datetime.combine(first_day - timedelta(days=HISTORY_DAYS), time(), region.zone_info)
        incidents = Incident.objects.modelled().filter(region=region).occurred_between(start, end)
        if category:
            incidents = incidents.filter(type__category=category)
        incidents = incidents.annotate(day=TruncDate("occurred_at", tzinfo=region.zone_info)).order_by()
        if level == Zone.Level.COUNTRY:
            rows = [(ids[0], day, count) for day, count in incidents.values_list("day").annotate(count=Count("pk"))]
        else:
            column = f"{level}_id"
            rows = list(incidents.filter(**{f"{column}__in": ids}).values_list(column, "day").annotate(count=Count("pk")))
        for zone_id, day, count in rows:
            found[zone_id][day] = count
    return {
        zone.pk: tuple(
            Observed(day, found[zone.pk].get(day, 0))
            for day in (first_days[zone.pk] - timedelta(days=back) for back in range(HISTORY_DAYS, 0, -1))
        )
        for zone in zones
    }
