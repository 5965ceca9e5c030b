"""Where and at what hour demand is out of reach of every unit, as planned or as it is now; and whom to move when a station empties."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.utils import timezone
from numpy.typing import NDArray

from accounts.models import Agency
from geography.models import Zone
from patrol.analytics.move_up import Move, MoveUp, UnitAt, advise
from patrol.models import CoverageStudy, RosterEntry, Unit
from patrol.permissions import Actor
from patrol.services.coverage.ground import Ground, Post, ground_of, limit_for, published_plans, station_post, stations_of
from patrol.services.coverage.studies import require_here
from patrol.services.demand import Demand, demand_for
from patrol.services.plans.crews import PATROLS
from patrol.services.plans.storing import routes_of
from patrol.services.units import states_of

LOOKS_MIN = (10, 30, 50)  # minutes of each hour at which it is looked where units are
AT_STATION_M = 1500.0

Place = tuple[float, float]


@dataclass(frozen=True)
class Gap:
    """Of one area and hour: what is expected, and the share of it that no unit reaches in time."""

    area: Zone | None
    at: datetime
    expected: float
    open_share: float

    @property
    def missed(self) -> float:
        return self.expected * self.open_share


@dataclass(frozen=True)
class Gaps:
    """``shares`` and ``expected`` have a row an area and a column an hour; a share is undefined where nothing is expected."""

    demand: Demand
    areas: tuple[Zone | None, ...]
    hours: tuple[datetime, ...]
    expected: NDArray[np.float64]
    shares: NDArray[np.float64]
    units: tuple[int, ...]
    limit_s: int
    source: str
    travel: dict[str, Any]

    @property
    def covered_share(self) -> float | None:
        known = np.isfinite(self.shares)
        total = float(self.expected[known].sum())
        return float((self.expected * np.nan_to_num(self.shares))[known].sum()) / total if total else None

    def worst(self, most: int = 20) -> list[Gap]:
        found = [
            Gap(self.areas[row], self.hours[hour], float(self.expected[row, hour]), 1 - float(self.shares[row, hour]))
            for row in range(len(self.areas))
            for hour in range(len(self.hours))
            if math.isfinite(self.shares[row, hour]) and self.shares[row, hour] < 0.995
        ]
        return sorted(found, key=lambda gap: -gap.missed)[:most]


def gaps_for(*, governorate: Zone, agency: Agency, start: datetime, end: datetime, by: Actor | None, limit_s: int | None = None) -> Gaps:
    """Units where the published plan has them, hour by hour; without a plan, those of the roster at their stations. The hour that runs is
    looked at as it is, by where units are and whether they are free."""
    require_here(by, governorate, agency)
    limit = limit_s or limit_for(agency)
    demand = demand_for(governorate=governorate, agency=agency, start=start, end=end)
    now = timezone.now()
    looks: list[list[list[Place]]] = []
    sources = set()
    live: list[Place] | None = None
    for at in demand.hours:
        if at <= now < at + timedelta(hours=1):
            live = [place for _unit, place, is_free in whereabouts(governorate, agency, now) if is_free]
            looks.append([live])
            sources.add("live")
            continue
        planned, source = _planned(governorate, agency, at)
        looks.append(planned)
        sources |= source
    spots = sorted({place for hour in looks for look in hour for place in look})
    ground = ground_of(demand, [Post("unit", "", lon, lat) for lon, lat in spots], at=start)
    column = {place: index for index, place in enumerate(spots)}
    areas = _zones(demand)
    expected, shares = np.zeros((len(areas), len(demand.hours))), np.full((len(areas), len(demand.hours)), np.nan)
    for hour in range(len(demand.hours)):
        weights = ground.of_hour(demand, hour)
        held = _held(ground, looks[hour], column, limit)
        expected[:, hour] = np.bincount(ground.groups, weights=weights, minlength=len(areas))
        covered = np.bincount(ground.groups, weights=weights * held, minlength=len(areas))
        with np.errstate(invalid="ignore", divide="ignore"):
            shares[:, hour] = np.where(expected[:, hour] > 0, covered / expected[:, hour], np.nan)
    units = tuple(max((len(look) for look in hour), default=0) for hour in looks)
    return Gaps(demand, areas, demand.hours, expected, shares, units, limit, "+".join(sorted(sources)) or "none", ground.travel)


def _zones(demand: Demand) -> tuple[Zone | None, ...]:
    zones = Zone.objects.defer("boundary").in_bulk([pk for pk in demand.area_ids if pk])
    return tuple(zones.get(pk) for pk in demand.area_ids)


def _held(ground: Ground, looks: list[list[Place]], column: dict[Place, int], limit: int) -> NDArray[np.float64]:
    """The share of the looks at which each cell had a unit in reach."""
    if not looks:
        return np.zeros(len(ground.demand))
    seen = [
        (ground.seconds[:, [column[place] for place in look]] <= limit).any(axis=1) if look else np.zeros(len(ground.demand), bool)
        for look in looks
    ]
    return np.mean(np.stack(seen), axis=0)


def _planned(governorate: Zone, agency: Agency, hour: datetime) -> tuple[list[list[Place]], set[str]]:
    """Where units are meant to be at each look into the hour."""
    end = hour + timedelta(hours=1)
    plans = published_plans(governorate, agency, hour, end)
    routes = [route for plan in plans for route in routes_of(plan)]
    with_route = {route.unit_id for route in routes}
    entries = RosterEntry.objects.standing().filter(starts_at__lt=end, ends_at__gt=hour, unit__governorate=governorate, unit__agency=agency)
    rows = entries.filter(unit__kind__in=PATROLS, unit__is_active=True).exclude(unit__in=with_route).select_related("unit__station")
    looks = []
    for minute in LOOKS_MIN:
        at = hour + timedelta(minutes=minute)
        places = {}
        for route in routes:
            if route.starts_at <= at < route.ends_at:
                begun = [stop for stop in route.planned if stop.arrive_at <= at]  # type: ignore[attr-defined]
                point = begun[-1].location if begun and begun[-1] != route.planned[-1] else route.start_station.location  # type: ignore[attr-defined]
                if begun and begun[-1].leave_at > at:
                    point = begun[-1].location
                places[route.unit_id] = (round(point.x, 6), round(point.y, 6))
        for entry in rows:
            assert entry.unit is not None
            if entry.starts_at <= at < entry.ends_at:
                point = entry.unit.station.location
                places.setdefault(entry.unit_id, (round(point.x, 6), round(point.y, 6)))
        looks.append(list(places.values()))
    return looks, ({"plan"} if routes else set()) | ({"roster"} if rows else set())


def whereabouts(governorate: Zone, agency: Agency, now: datetime) -> list[tuple[Unit, Place, bool]]:
    """The patrol units on duty now: where each is (by a fresh position, else its station), and whether it is free."""
    units = list(
        Unit.objects.on_duty().filter(governorate=governorate, agency=agency, kind__in=PATROLS).select_related("station", "last_position")
    )
    states = states_of([unit.pk for unit in units])
    fresh = now - timedelta(seconds=settings.POSITION_STALE_S)
    found = []
    for unit in units:
        last = getattr(unit, "last_position", None)
        point = last.location if last is not None and last.at >= fresh else unit.station.location
        found.append((unit, (round(point.x, 6), round(point.y, 6)), states[unit.pk].is_available))
    return found


# --- move-up ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Advice:
    """``emptied`` are stations with units on duty of which none is free there."""

    result: MoveUp
    emptied: tuple[Post, ...]
    moves: tuple[tuple[Unit, Post, Move], ...]
    free: int
    on_duty: int
    limit_s: int
    travel: dict[str, Any]


def advise_move_up(*, governorate: Zone, agency: Agency, by: Actor | None, limit_s: int | None = None, hours: int = 2) -> Advice | None:
    """Whom to move where now, so that the most of the next hours' demand stays in reach. ``None`` where nobody is on duty."""
    require_here(by, governorate, agency)
    limit = limit_s or limit_for(agency)
    now = timezone.now()
    here = whereabouts(governorate, agency, now)
    stations = stations_of(governorate, agency)
    if not here or not stations:
        return None
    demand = demand_for(governorate=governorate, agency=agency, start=now, end=now + timedelta(hours=hours))
    posts = [station_post(station) for station in stations]
    own = [Post("unit", unit.call_sign, *place) for unit, place, _free in here]
    ground = ground_of(demand, [*posts, *own], at=now)
    home = {station.pk: column for column, station in enumerate(stations)}
    units, manned = [], set()
    for index, (unit, place, is_free) in enumerate(here):
        column = len(posts) + index
        near = min(range(len(posts)), key=lambda one: _metres(place, (posts[one].lon, posts[one].lat)))
        if _metres(place, (posts[near].lon, posts[near].lat)) <= AT_STATION_M:
            column = near
        if is_free and column < len(posts):
            manned.add(column)
        units.append(UnitAt(unit.pk, column, is_free=is_free, covers=is_free))
    has_units = {home[unit.station_id] for unit, _place, _free in here if unit.station_id in home}
    # Units are moved to stations only: the places where others stand are no posts for anybody else.
    seconds = ground.between.copy()
    for column in range(len(posts), len(posts) + len(own)):
        seconds[:, column] = np.inf
        seconds[column, column] = 0.0
    result = advise(ground.demand, ground.seconds, units, seconds, limit_s=limit, before=sorted(has_units))
    by_id = {unit.pk: unit for unit, _place, _free in here}
    return Advice(
        result=result,
        emptied=tuple(posts[column] for column in sorted(has_units - manned)),
        moves=tuple((by_id[int(str(move.unit))], posts[move.to_post], move) for move in result.moves if move.to_post < len(posts)),
        free=sum(1 for _unit, _place, is_free in here if is_free),
        on_duty=len(here),
        limit_s=limit,
        travel=ground.travel,
    )


def _metres(a: Place, b: Place) -> float:
    return math.hypot((a[0] - b[0]) * math.cos(math.radians(a[1])), a[1] - b[1]) * 111_320


def keep_advice(*, governorate: Zone, agency: Agency, by: Actor | None, advice: Advice, demand_note: str = "") -> CoverageStudy:
    """The advice as it was given, so that it can be looked at later."""
    return CoverageStudy.objects.create(
        agency=agency, governorate=governorate, kind=CoverageStudy.Kind.MOVE_UP, at=timezone.now(),
        inputs={"limit_s": advice.limit_s, "on_duty": advice.on_duty, "free": advice.free, "travel": advice.travel},
        result={
            "before": advice.result.before, "now": advice.result.now, "after": advice.result.after, "notes": list(advice.result.notes),
            "emptied": [post.told() for post in advice.emptied],
            "moves": [{"unit": unit.call_sign, "to": post.told(), "way_s": round(move.way_s), "gains": round(move.gains, 4)}
                      for unit, post, move in advice.moves],
        },
        gap=advice.result.gap, seconds=round(advice.result.seconds, 3), provider=advice.travel["name"],
        created_by_id=by.pk if getattr(by, "audit_kind", "") == "user" else None,  # type: ignore[union-attr]
    )  # fmt: skip
