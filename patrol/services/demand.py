"""How much to expect in a governorate by hour, area and cell: history, trend, forecast, risk surface and sensors side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from pyproj import Transformer

from accounts.jurisdiction import Jurisdiction
from accounts.models import Agency
from core.errors import Invalid
from geography.models import Zone
from incidents.models import Forecast, IncidentType, Surface
from incidents.services.pipeline.loading import Points, load_points
from incidents.services.standing_forecasts import standing_choices, with_stand_ins
from incidents.services.surfaces import sight
from incidents.services.trust.handover import surface_for
from patrol.analytics import demand as sums
from patrol.services.sensor_demand import sensor_lift

HISTORY_WEEKS = 26
LEAST_DAYS = 28
MOST_HOURS = 14 * 24
CELL_M = 250.0
ELSEWHERE = 0  # the row of what lies in no area

# Why a part is missing, or what the reader should know of it.
TOO_LITTLE_HISTORY = "too_little_history"
NO_FORECAST = "no_forecast"
NO_SURFACE = "no_surface"
NO_SENSORS = "no_sensors"
NOTHING_KNOWN = "nothing_known"

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class _Everybody:
    """Who may see a whole surface: demand is reckoned for a governorate, and shown to those who may see it."""

    jurisdiction = Jurisdiction.everything()


@dataclass(frozen=True)
class Note:
    code: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Demand:
    """Expected incidents of an agency in a governorate from ``start`` to ``end``.

    ``expected`` and each of ``parts`` have a row an area (``area_ids``; the last is 0, in no area) and a column an hour (``hours``: their
    beginnings; the first and last may be cut). ``shares`` say how an area's demand lies on its cells, ``places`` where these are.
    """

    governorate: Zone
    agency: Agency
    start: datetime
    end: datetime
    hours: tuple[datetime, ...]
    area_ids: tuple[int, ...]
    parts: dict[str, _Floats]
    weights: dict[str, float]
    expected: _Floats
    notes: tuple[Note, ...]
    columns: _Ints
    rows: _Ints
    groups: _Ints
    shares: _Floats
    places: _Floats
    cell_m: float
    surface: Surface | None
    provenance: dict[str, Any]
    is_synthetic: bool

    @property
    def total(self) -> float:
        return float(self.expected.sum())

    @property
    def unplaced(self) -> float:
        """Expected in areas of which no cell is known."""
        known = np.bincount(self.groups, minlength=len(self.area_ids)) > 0
        return float(self.expected.sum(axis=1)[~known].sum())

    def of_cells(self, hour: int | None = None) -> _Floats:
        """Expected in each cell, over all hours or in one."""
        rows = self.expected.sum(axis=1) if hour is None else self.expected[:, hour]
        return rows[self.groups] * self.shares

    def stored(self) -> dict[str, Any]:
        """As plain values, to be kept with what was made from it."""
        return {
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            "hours": [hour.isoformat() for hour in self.hours],
            "areas": list(self.area_ids),
            "weights": {name: round(weight, 4) for name, weight in self.weights.items()},
            "parts": {name: table.round(4).tolist() for name, table in self.parts.items()},
            "expected": self.expected.round(4).tolist(),
            "notes": [{"code": note.code, **note.facts} for note in self.notes],
            "provenance": self.provenance,
        }


def demand_for(*, governorate: Zone, agency: Agency, start: datetime, end: datetime, now: datetime | None = None) -> Demand:
    """The demand that is to be planned for. Nothing at or after ``now`` is read; what is missing is said, never made up."""
    if not start < end or end - start > timedelta(hours=MOST_HOURS):
        raise Invalid(_("Ask for a time of at most %(days)d days that begins before it ends.") % {"days": MOST_HOURS // 24})
    now = min(now or timezone.now(), start)
    clock = governorate.region.zone_info
    area_ids = _areas(governorate)
    hours, of_week, fractions, days, dates = _hours(start, end, clock)
    notes: list[Note] = []
    points = load_points(governorate.region, since=now - timedelta(weeks=HISTORY_WEEKS), until=now)
    here = points.where(points.governorate_id == governorate.pk)
    own = here.where(np.isin(here.type_id, _types_of(agency)))
    share = len(own) / len(here) if len(here) else 1.0
    parts: dict[str, _Floats] = {}
    profile, history = _history(own, area_ids, now, notes)
    if history is not None:
        parts[sums.HISTORY] = profile[:, of_week] * fractions
        parts[sums.TREND] = parts[sums.HISTORY] * history["ratio"][:, None]
    forecast, forecast_facts = _forecast(governorate, area_ids, dates, profile, share)
    if forecast is None:
        notes.append(Note(NO_FORECAST, {"from": str(dates[0]), "to": str(dates[-1])}))
    else:
        parts[sums.FORECAST] = sums.by_profile(forecast, profile, of_week, days) * fractions
    surface = surface_for(governorate.region, start=start)
    columns, rows, groups, values, places, side = _cells(surface, governorate, area_ids, own)
    if surface is None:
        notes.append(Note(NO_SURFACE, {"at": start.isoformat()}))
    else:
        level = np.bincount(groups, weights=values, minlength=len(area_ids)) * share
        parts[sums.RISK] = level[:, None] * _of_horizon(profile, surface, clock)[:, of_week] * fractions
    if not parts:
        notes.append(Note(NOTHING_KNOWN, {}))
        parts[sums.HISTORY] = np.zeros((len(area_ids), len(hours)))
    table = sums.blend(parts)
    sensors_weigh = max(float(settings.PATROL_SENSOR_WEIGHT), 0.0)
    lift = sensor_lift(governorate=governorate, agency=agency, area_ids=area_ids, hours=hours, now=now) if sensors_weigh else None
    if lift is not None:
        parts[sums.SENSORS] = table.expected * lift.times
        table = sums.blend(parts, weights={**sums.WEIGHTS, sums.SENSORS: sensors_weigh})
    elif sensors_weigh:
        notes.append(Note(NO_SENSORS, {}))
    return Demand(
        governorate=governorate,
        agency=agency,
        start=start,
        end=end,
        hours=hours,
        area_ids=area_ids,
        parts=table.parts,
        weights=table.weights,
        expected=table.expected,
        notes=tuple(notes),
        columns=columns,
        rows=rows,
        groups=groups,
        shares=sums.shares_within(values, groups, len(area_ids)),
        places=places,
        cell_m=side,
        surface=surface,
        provenance={
            "as_of": now.isoformat(),
            "incidents": len(own),
            "history_weeks": HISTORY_WEEKS,
            "history_days": history["days"] if history else _days(own, now),
            "agency_share": round(share, 4),
            "sensors": len(lift.scores) if lift else None,
            "surface": surface.pk if surface else None,
            "surface_model": surface.model if surface else "",
            **forecast_facts,
        },
        is_synthetic=bool(own.is_synthetic.any()) or bool(surface and surface.is_synthetic) or bool(lift and lift.is_synthetic),
    )


def _areas(governorate: Zone) -> tuple[int, ...]:
    found = Zone.objects.filter(parent=governorate, level=Zone.Level.AREA, is_active=True).order_by("code").values_list("pk", flat=True)
    return (*found, ELSEWHERE)


def _types_of(agency: Agency) -> list[int]:
    """Types this agency answers; those nobody in particular answers are everybody's."""
    return list(IncidentType.objects.filter(agency__in=[agency]).values_list("pk", flat=True)) + list(
        IncidentType.objects.filter(agency=None).values_list("pk", flat=True)
    )


def _hours(start: datetime, end: datetime, clock: Any) -> tuple[tuple[datetime, ...], _Ints, _Floats, _Ints, list[Any]]:
    """Hours by the local clock: their beginnings, hour of the week, how much of each is asked for, and on which local day."""
    hours, of_week, fractions, day_of = [], [], [], []
    dates: list[Any] = []
    at = start.astimezone(UTC)
    while at < end:
        local = at.astimezone(clock)
        until = min((at + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0), end.astimezone(UTC))
        hours.append(at)
        of_week.append(local.weekday() * 24 + local.hour)
        fractions.append((until - at).total_seconds() / 3600)
        if not dates or dates[-1] != local.date():
            dates.append(local.date())
        day_of.append(len(dates) - 1)
        at = until
    return tuple(hours), np.array(of_week, np.int64), np.array(fractions), np.array(day_of, np.int64), dates


def _days(own: Points, now: datetime) -> int:
    return int((now.timestamp() - float(own.at[0])) // 86_400) if len(own) else 0


def _rows_of(ids: _Ints, area_ids: tuple[int, ...]) -> _Ints:
    """Which row of the table each area stands in; those of no area of ours in the last."""
    place = {pk: row for row, pk in enumerate(area_ids)}
    known, back = np.unique(ids, return_inverse=True)
    last = len(area_ids) - 1
    return np.array([place.get(int(pk), last) for pk in known], np.int64)[back] if len(known) else np.empty(0, np.int64)


def _history(own: Points, area_ids: tuple[int, ...], now: datetime, notes: list[Note]) -> tuple[_Floats, dict[str, Any] | None]:
    """The week's rhythm by area, and how it moved lately; a flat week where there is too little to tell."""
    days = _days(own, now)
    if days < LEAST_DAYS:
        notes.append(Note(TOO_LITTLE_HISTORY, {"days": days, "needs": LEAST_DAYS}))
        return np.full((len(area_ids), sums.HOURS_OF_WEEK), 1 / sums.HOURS_OF_WEEK), None
    weeks = min(days, HISTORY_WEEKS * 7) // 7
    whole = own.where(own.at >= (now - timedelta(weeks=weeks)).timestamp())
    rows = _rows_of(whole.area_id, area_ids)
    counts = np.zeros((len(area_ids), sums.HOURS_OF_WEEK))
    np.add.at(counts, (rows, whole.weekday * 24 + whole.hour), 1.0)
    late = whole.at >= (now - timedelta(weeks=sums.RECENT_WEEKS)).timestamp()
    recent = np.bincount(rows[late], minlength=len(area_ids)).astype(float)
    ratio = sums.trend_ratio(recent, sums.RECENT_WEEKS, counts.sum(axis=1) / weeks)
    return sums.weekly_profile(counts, weeks), {"days": days, "weeks": weeks, "ratio": ratio}


def _forecast(
    governorate: Zone, area_ids: tuple[int, ...], dates: list[Any], profile: _Floats, share: float
) -> tuple[_Floats | None, dict[str, Any]]:
    """What is forecast for each area and day; an area without a forecast of its own takes its share of the governorate's."""
    wanted = [*(pk for pk in area_ids if pk), governorate.pk]
    rows = Forecast.objects.standing().filter(zone_id__in=wanted, day__in=dates, category="").select_related("zone", "run")
    shown = with_stand_ins(rows.defer("zone__boundary"), standing_choices([governorate.region_id]))
    if not shown:
        return None, {"forecast_run": None}
    table = np.full((len(area_ids), len(dates)), np.nan)
    whole = np.full(len(dates), np.nan)
    place = {pk: row for row, pk in enumerate(area_ids)}
    for row in shown:
        if row.zone_id == governorate.pk:
            whole[dates.index(row.day)] = row.expected
        else:
            table[place[row.zone_id], dates.index(row.day)] = row.expected
    weekly = profile.sum(axis=1)
    for day in range(len(dates)):
        known = np.isfinite(table[:, day])
        left = max(whole[day] - np.nansum(table[:, day]), 0.0) if np.isfinite(whole[day]) else np.nan
        if (~known).any() and np.isfinite(left):
            rest = weekly * ~known
            table[~known, day] = left * (rest / rest.sum() if rest.sum() else ~known / (~known).sum())[~known]
    facts = {"forecast_run": shown[0].run_id, "forecast_method": shown[0].method, "forecasts": len(shown)}
    return table * share, facts


def _of_horizon(profile: _Floats, surface: Surface, clock: Any) -> _Floats:
    """What one hour of the week is of the whole time a surface speaks of, by area."""
    start, end = surface.valid_from or surface.learnt_to, surface.valid_to
    hours = round((end - start).total_seconds() / 3600) if end else sums.HOURS_OF_WEEK
    local = start.astimezone(clock)
    first = local.weekday() * 24 + local.hour
    times = np.bincount((first + np.arange(max(hours, 1))) % sums.HOURS_OF_WEEK, minlength=sums.HOURS_OF_WEEK)
    in_all = (profile * times).sum(axis=1, keepdims=True)
    return np.where(in_all > 0, profile / np.where(in_all > 0, in_all, 1), 1 / max(hours, 1))


def _cells(
    surface: Surface | None, governorate: Zone, area_ids: tuple[int, ...], own: Points
) -> tuple[_Ints, _Ints, _Ints, _Floats, _Floats, float]:
    """The cells of the surface here; without one, those where something has happened."""
    if surface is not None:
        seen = sight(_Everybody(), Surface.objects.get(pk=surface.pk))
        here = np.flatnonzero(seen.governorate_ids == governorate.pk)
        columns, rows = seen.cells.columns[here], seen.cells.rows[here]
        return columns, rows, _rows_of(seen.area_ids[here], area_ids), seen.values[here], seen.centres(here), surface.cell_m
    at = np.floor(own.xy_m / CELL_M).astype(np.int64)
    cells, first, counts = np.unique(at, axis=0, return_index=True, return_counts=True)
    middles = (cells + 0.5) * CELL_M
    lon, lat = Transformer.from_crs(governorate.region.metric_srid, 4326, always_xy=True).transform(middles[:, 0], middles[:, 1])
    places = np.stack([np.asarray(lon, float), np.asarray(lat, float)], axis=1).round(6)
    return cells[:, 0], cells[:, 1], _rows_of(own.area_id[first], area_ids), counts.astype(np.float64), places, CELL_M
