"""What the forecast page and the map read: the days ahead that stand now beside those counted, and what was said of the last ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property

import orjson
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from accounts.jurisdiction import jurisdiction_of
from dashboard.charts import Expected, ForecastChart, Observed, forecast_chart
from dashboard.words import model_name
from geography.models import Region, Zone
from geography.querysets import ZoneQuerySet
from incidents.models import Forecast, Incident, ModelChoice, PipelineRun
from incidents.services.standing_forecasts import choice_key, standing_choices, with_stand_ins

HISTORY_DAYS = 56
STALE_AFTER = timedelta(hours=36)
DEFAULT_BASELINE = "mean_28"

REMARKS = {
    "calendar_counts": _(
        "How many there were lately, times what the calendar usually does: weekday, season, holidays and, in Kuwait, Ramadan and the Eids; "
        "learnt over all zones together."
    ),
    "weekday_counts": _("How many there were lately, times what the weekday usually brings."),
    "prophet": _("Trend, week and year learnt from the days counted, kept to whole counts."),
    "ets": _("A level and a week that are carried forward, the newest days counting most."),
    "theta": _("Half a trend and half a level carried forward, with the week put back in."),
    "mean_28": _("Every day ahead is the mean of the last 28 days."),
    "same_weekday": _("Every day ahead is the mean of that weekday in the last eight weeks."),
    "last_week": _("Every day ahead is the same weekday of last week."),
}
LEVELS = [Zone.Level.COUNTRY, Zone.Level.GOVERNORATE, Zone.Level.AREA]


@dataclass(frozen=True)
class LastWeek:
    """What was said a week ago of the days since counted."""

    days: tuple[Expected, ...]
    counted: tuple[int, ...]

    @property
    def expected(self) -> float:
        return sum(day.expected for day in self.days)

    @property
    def happened(self) -> int:
        return sum(self.counted)

    @property
    def inside(self) -> int:
        return sum(day.low <= count <= day.high for day, count in zip(self.days, self.counted, strict=True))

    @property
    def error(self) -> float:
        """A day, on average."""
        return sum(abs(day.expected - count) for day, count in zip(self.days, self.counted, strict=True)) / len(self.days)

    @property
    def baseline_error(self) -> float | None:
        pairs = [(day.baseline, count) for day, count in zip(self.days, self.counted, strict=True) if day.baseline is not None]
        return sum(abs(said - count) for said, count in pairs) / len(pairs) if len(pairs) == len(self.days) else None


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
    baseline: str = DEFAULT_BASELINE
    choice: ModelChoice | None = None
    last_week: LastWeek | None = None

    @cached_property
    def expected_total(self) -> float:
        return sum(day.expected for day in self.forecast)

    @cached_property
    def counted_last_week(self) -> int:
        return sum(day.count for day in self.history[-7:])

    @cached_property
    def chart(self) -> ForecastChart:
        return forecast_chart(self.history[-35:], self.forecast, said=self._said)

    @cached_property
    def wide_chart(self) -> ForecastChart:
        return forecast_chart(self.history, self.forecast, said=self._said, width=760, height=240, margins=(10, 12, 24, 36))

    @property
    def _said(self) -> tuple[Expected, ...]:
        return self.last_week.days if self.last_week else ()

    @property
    def method_name(self) -> str:
        return model_name(self.method)

    @property
    def method_remark(self) -> str:
        return str(REMARKS.get(self.method, ""))

    @property
    def baseline_name(self) -> str:
        return model_name(self.baseline)

    @property
    def is_baseline(self) -> bool:
        return self.method == self.baseline

    @property
    def has_wide(self) -> bool:
        return all(day.low_95 is not None for day in self.forecast)

    @property
    def why(self) -> str:
        return why(self.choice, self.method) if self.choice else ""

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
                "history": [{"day": day.day, "count": day.count} for day in self.history[-28:]],
                "forecast": [
                    {"day": day.day, "expected": round(day.expected, 2), "low": round(day.low, 2), "high": round(day.high, 2)}
                    for day in self.forecast
                ],
            }
        )


def why(choice: ModelChoice, method: str) -> str:
    """Why this method speaks, in one sentence: the gate's reasons in words."""
    facts = dict(choice.reasons)
    names = {"model": model_name(choice.champion), "baseline": model_name(choice.best_baseline), "weeks": choice.origins}
    if method not in (choice.published, choice.champion, choice.best_baseline):
        return gettext("The chosen model has no sound answer for this series; this one has.")
    if method != choice.published:
        return gettext("%(baseline)s stands in: the model has been switched off.") % names
    if method == choice.champion and choice.beats_baseline:
        code = "beats_baseline" if "beats_baseline" in facts else "ahead_within_chance"
        ratio = (facts.get(code) or {}).get("crps_ratio") or [1.0]
        given = names | {"gain": f"{100 * (1 - float(ratio[0])):.1f} %", "weeks": (facts.get(code) or {}).get("origins", choice.origins)}
        if code == "beats_baseline":
            return gettext("In a backtest over %(weeks)s weeks its error (CRPS) was %(gain)s below that of: %(baseline)s.") % given
        text = gettext("In a backtest over %(weeks)s weeks its error (CRPS) was %(gain)s below that of: %(baseline)s; that may be chance.")
        return text % given
    if "loses_to_baseline" in facts:
        return gettext("It stands in because the best model (%(model)s) was not ahead of it in a backtest over %(weeks)s weeks.") % names
    if "switched_off" in facts:
        return gettext("%(baseline)s stands in: the model has been switched off.") % names
    return gettext("It stands in because there are too few weeks to put a model to the test.")


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
    found = Forecast.objects.standing().visible_to(viewer).exclude(category="").order_by("category")
    return list(found.values_list("category", flat=True).distinct())


def series_of(viewer: object, zones: Iterable[Zone], category: str = "", *, with_last_week: bool = False) -> list[Series]:
    """The series of those of ``zones`` that have one the viewer may see, in the zones' order; a few queries however many."""
    by_id = {zone.pk: zone for zone in zones}
    found = list(
        Forecast.objects.standing()
        .visible_to(viewer)
        .filter(zone_id__in=list(by_id), category=category)
        .select_related("run", "zone")
        .defer("zone__boundary")
        .order_by("day")
    )
    choices = standing_choices(row.region_id for row in found)
    rows: dict[int, list[Forecast]] = defaultdict(list)
    for row in with_stand_ins(found, choices):
        rows[row.zone_id].append(row)
    first_days = {zone_id: days[0].day for zone_id, days in rows.items()}
    shown = [by_id[zone_id] for zone_id in rows]
    counted = _counted(shown, first_days, category)
    said = _said_last_week(viewer, shown, first_days, category) if with_last_week else {}
    series = []
    for zone_id, zone in by_id.items():
        if zone_id not in rows:
            continue
        first, choice = rows[zone_id][0], choices.get(choice_key(rows[zone_id][0]))
        baseline = choice.best_baseline if choice else DEFAULT_BASELINE
        past = said.get(zone_id)
        series.append(
            Series(
                zone=zone,
                run=first.run,
                method=first.method,
                interval=first.interval,
                history_days=first.history_days,
                is_synthetic=first.is_synthetic,
                history=counted[zone_id],
                forecast=tuple(_expected(row, baseline) for row in rows[zone_id]),
                baseline=baseline,
                choice=choice,
                last_week=LastWeek(
                    tuple(_expected(row, baseline) for row in past), tuple(day.count for day in counted[zone_id][-len(past) :])
                )
                if past
                else None,
            )
        )
    return series


def _expected(row: Forecast, baseline: str) -> Expected:
    beside = row.baselines.get(baseline) or row.baselines.get(DEFAULT_BASELINE) or {}
    return Expected(row.day, row.expected, row.low, row.high, row.low_95, row.high_95, beside.get("mean"))


def _said_last_week(viewer: object, zones: list[Zone], first_days: dict[int, date], category: str) -> dict[int, list[Forecast]]:
    """What people were shown seven days before the forecast that stands: the rows of the seven days since counted, where all are there."""
    said: dict[int, list[Forecast]] = {}
    groups: dict[tuple[Region, date], list[int]] = defaultdict(list)
    for zone in zones:
        groups[zone.region, first_days[zone.pk]].append(zone.pk)
    for (region, first_day), ids in groups.items():
        begin = first_day - timedelta(days=7)
        issued = datetime.combine(begin, time(), region.zone_info)
        rows = (
            Forecast.objects.visible_to(viewer)
            .filter(zone_id__in=ids, category=category, is_published=True, day__gte=begin, day__lt=first_day)
            .filter(run__as_of__gte=issued, run__as_of__lt=issued + timedelta(days=1))
            .order_by("run__as_of", "run_id", "day")
        )
        by_run: dict[tuple[int, int], list[Forecast]] = defaultdict(list)
        for row in rows:
            by_run[row.zone_id, row.run_id].append(row)
        said |= {zone_id: days for (zone_id, _run), days in by_run.items() if len(days) == 7}  # the latest run of that day stands
    return said


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
