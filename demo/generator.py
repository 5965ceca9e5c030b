"""Draws synthetic incidents with the structure real ones have. Pure: numpy in, columns out, one seed one history.

The structure, each part of it planted on purpose so that the analytics have something true to find:

* a few places stay hot for years (anchors with heavy-tailed weights, tens of metres wide), the rest is spread over the areas;
* burglaries and vehicle thefts repeat nearby: one in four has a follower within about 150 m and two weeks;
* each kind has its own hours, weekdays (the weekend is Friday and Saturday) and season;
* in Ramadan the day is quieter and the night after the fast is busier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METRES_PER_DEGREE = 111_320.0

# First day and last day of fasting, as observed in Kuwait.
RAMADAN = (
    (date(2023, 3, 23), date(2023, 4, 20)),
    (date(2024, 3, 11), date(2024, 4, 9)),
    (date(2025, 3, 1), date(2025, 3, 29)),
    (date(2026, 2, 18), date(2026, 3, 19)),
    (date(2027, 2, 8), date(2027, 3, 9)),
    (date(2028, 1, 28), date(2028, 2, 25)),
)


@dataclass(frozen=True)
class Kind:
    """How one type of incident behaves. ``peak_hours`` are local; ``season`` is the month of its yearly height, or 0."""

    code: str
    share: float
    peak_hours: tuple[float, ...]
    concentration: float
    weekend: float = 1.0
    season: int = 0
    swing: float = 0.0
    ramadan: float = 1.0
    near_repeat: float = 0.0
    discovered: float = 0.0

    @property
    def family(self) -> str:
        """Kinds of one family share their hot places."""
        return FAMILY.get(self.code, "homes")


KINDS: tuple[Kind, ...] = (
    Kind("theft", 0.115, (13, 20), 0.55, 1.15, near_repeat=0.10),
    Kind("vehicle-theft", 0.055, (3, 23), 0.50, 1.10, near_repeat=0.25),
    Kind("burglary", 0.060, (2, 11), 0.22, 0.95, season=8, swing=0.35, near_repeat=0.27),
    Kind("robbery", 0.012, (22,), 0.55, 1.2),
    Kind("assault", 0.060, (22, 1), 0.50, 1.35, ramadan=0.8),
    Kind("domestic-violence", 0.022, (21,), 0.25, 1.2),
    Kind("vandalism", 0.030, (1, 20), 0.35, 1.3),
    Kind("fraud", 0.016, (11,), 0.30, 0.6),
    Kind("drug-offence", 0.025, (23,), 0.65, 1.2, discovered=0.85),
    Kind("public-order", 0.030, (23,), 0.55, 1.4, discovered=0.5),
    Kind("noise", 0.045, (0, 22), 0.30, 1.6, ramadan=1.2),
    Kind("suspicious-activity", 0.040, (2, 21), 0.30),
    Kind("missing-person", 0.006, (17,), 0.10),
    Kind("road-accident", 0.145, (7.5, 14, 18), 0.60, 0.75, season=11, swing=0.15, ramadan=1.1),
    Kind("road-accident-injury", 0.042, (1, 16), 0.60, 1.15, ramadan=1.2),
    Kind("dangerous-driving", 0.030, (1, 23), 0.60, 1.6, discovered=0.6),
    Kind("congestion", 0.050, (7.3, 14.3, 18), 0.75, 0.45),
    Kind("road-hazard", 0.018, (10,), 0.50),
    Kind("fire-residential", 0.014, (12, 19), 0.20, season=7, swing=0.35),
    Kind("fire-vehicle", 0.010, (15,), 0.35, season=7, swing=0.45),
    Kind("fire-alarm", 0.018, (12,), 0.45),
    Kind("gas-leak", 0.005, (13, 20), 0.15),
    Kind("rescue", 0.010, (18,), 0.35),
    Kind("medical-emergency", 0.060, (10, 20), 0.25),
    Kind("injury", 0.022, (10, 17), 0.35),
    Kind("heat-illness", 0.008, (13,), 0.40, season=7, swing=0.95),
    Kind("cardiac-arrest", 0.006, (6, 20), 0.15, season=1, swing=0.2),
    Kind("street-light", 0.016, (20,), 0.25, 0.6),
    Kind("waste", 0.018, (9,), 0.30, 0.5),
    Kind("water-leak", 0.008, (9,), 0.30, season=12, swing=0.6),
    Kind("pothole", 0.006, (9,), 0.30, 0.5),
    Kind("stray-animal", 0.006, (9,), 0.25, 0.8),
)


FAMILY = {
    **dict.fromkeys(
        ("theft", "robbery", "assault", "vandalism", "drug-offence", "public-order", "noise", "suspicious-activity", "fire-alarm"),
        "centres",
    ),
    **dict.fromkeys(("road-accident", "road-accident-injury", "dangerous-driving", "congestion", "road-hazard", "fire-vehicle"), "roads"),
}
ANCHORS = {"centres": 60, "roads": 60, "homes": 90}


@dataclass(frozen=True)
class Anchors:
    """The hot places of one family: where, how wide, how hot."""

    lon: Floats
    lat: Floats
    width_m: Floats
    heat: Floats


@dataclass(frozen=True)
class Place:
    """An area incidents are drawn in: its label point, a radius that mostly stays inside, and how busy it is."""

    lon: float
    lat: float
    radius_m: float
    weight: float


@dataclass(frozen=True)
class Drawn:
    """Columns of equal length: ``kind`` indexes ``KINDS``, ``at`` is seconds since 1970 (UTC), ``is_discovered`` a flag."""

    kind: Ints
    at: Floats
    lon: Floats
    lat: Floats
    is_discovered: NDArray[np.bool_]


def draw(*, places: Sequence[Place], count: int, start: datetime, end: datetime, zone: ZoneInfo, seed: int) -> Drawn:
    """About ``count`` incidents (a near-repeat adds its follower) between two instants, oldest first.

    Raises ``ValueError`` for an empty window or no places.
    """
    if end <= start or not places:
        raise ValueError("a window and places are needed")
    rng = np.random.default_rng(seed)
    anchors = {family: _anchors(places, size, rng) for family, size in ANCHORS.items()}
    columns = [
        _draw_kind(kind, index, places, anchors[kind.family], round(count * kind.share / total_share()), start, end, zone, rng)
        for index, kind in enumerate(KINDS)
    ]
    joined = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
    inside = (joined[1] >= start.timestamp()) & (joined[1] < end.timestamp())
    order = np.argsort(joined[1][inside], kind="stable")
    kind, at, lon, lat, discovered = (column[inside][order] for column in joined)
    return Drawn(kind.astype(np.int64), at, lon, lat, discovered.astype(bool))


def total_share() -> float:
    return sum(kind.share for kind in KINDS)


def _draw_kind(
    kind: Kind,
    index: int,
    places: Sequence[Place],
    anchors: Anchors,
    count: int,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    rng: np.random.Generator,
) -> tuple[Ints, Floats, Floats, Floats, NDArray[np.bool_]]:
    parents = round(count / (1 + kind.near_repeat))
    at = _instants(kind, parents, start, end, zone, rng)
    lon, lat = _points(kind, places, anchors, parents, rng)
    followed = np.flatnonzero(rng.random(parents) < kind.near_repeat)
    if followed.size:
        later = at[followed] + rng.exponential(4 * 86_400, followed.size) + 3_600
        east, north = rng.normal(0, 110, (2, followed.size))
        at = np.concatenate([at, later])
        lon = np.concatenate([lon, lon[followed] + east / (METRES_PER_DEGREE * np.cos(np.radians(lat[followed])))])
        lat = np.concatenate([lat, lat[followed] + north / METRES_PER_DEGREE])
    return np.full(at.size, index), at, lon, lat, rng.random(at.size) < kind.discovered


def _instants(kind: Kind, count: int, start: datetime, end: datetime, zone: ZoneInfo, rng: np.random.Generator) -> Floats:
    """Days by season, weekday, Ramadan and a slow drift; then an hour of the day by the kind's peaks."""
    first = start.astimezone(zone).date()
    days = [first + timedelta(days=n) for n in range((end.astimezone(zone).date() - first).days + 1)]
    weights = np.array([_day_weight(kind, day) for day in days]) * np.exp(np.cumsum(rng.normal(0, 0.006, len(days))))
    chosen = rng.choice(len(days), size=count, p=weights / weights.sum())
    midnight = np.array([datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() for day in days])
    fasting = np.array([in_ramadan(day) for day in days])
    peak = np.array(kind.peak_hours)[rng.integers(0, len(kind.peak_hours), count)]
    # In Ramadan the evening peaks move behind the fast.
    peak = np.where(fasting[chosen] & (peak >= 16), (peak + 2.5) % 24, peak)
    hour = np.where(rng.random(count) < 0.72, rng.normal(peak, 2.3), rng.uniform(0, 24, count)) % 24
    return midnight[chosen] + hour * 3_600


def _day_weight(kind: Kind, day: date) -> float:
    weight = kind.weekend if day.weekday() in (4, 5) else 1.0
    if kind.season:
        weight *= 1 + kind.swing * np.cos(2 * np.pi * (day.timetuple().tm_yday / 365.25 - (kind.season - 0.5) / 12))
    return float(weight * (kind.ramadan if in_ramadan(day) else 1.0))


def in_ramadan(day: date) -> bool:
    return any(first <= day <= last for first, last in RAMADAN)


def _anchors(places: Sequence[Place], size: int, rng: np.random.Generator) -> Anchors:
    lon, lat, radius, weight = _columns(places)
    home = rng.choice(len(places), size=size, p=weight)
    anchor_lon, anchor_lat = _around(lon[home], lat[home], 0.7 * radius[home], rng)
    return Anchors(anchor_lon, anchor_lat, rng.uniform(40, 150, size), np.minimum(rng.pareto(1.1, size) + 0.2, 9.0))


def _columns(places: Sequence[Place]) -> tuple[Floats, Floats, Floats, Floats]:
    columns = np.array([(place.lon, place.lat, place.radius_m, place.weight) for place in places]).T
    return columns[0], columns[1], columns[2], columns[3] / columns[3].sum()


def _points(kind: Kind, places: Sequence[Place], anchors: Anchors, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A share at the family's anchors (each kind with its own liking for them), the rest anywhere in the areas."""
    lon, lat, radius, weight = _columns(places)
    heat = anchors.heat * rng.lognormal(0, 0.5, anchors.heat.size)
    at_anchor = rng.choice(heat.size, size=count, p=heat / heat.sum())
    anywhere = rng.choice(len(places), size=count, p=weight)
    diffuse_lon, diffuse_lat = _around(lon[anywhere], lat[anywhere], radius[anywhere], rng)
    east, north = rng.normal(0, 1, (2, count)) * anchors.width_m[at_anchor]
    hot_lon = anchors.lon[at_anchor] + east / (METRES_PER_DEGREE * np.cos(np.radians(anchors.lat[at_anchor])))
    hot_lat = anchors.lat[at_anchor] + north / METRES_PER_DEGREE
    hot = rng.random(count) < kind.concentration
    return np.where(hot, hot_lon, diffuse_lon), np.where(hot, hot_lat, diffuse_lat)


def _around(lon: Floats, lat: Floats, radius_m: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Uniform over a disc about each point."""
    distance, angle = radius_m * np.sqrt(rng.random(lon.size)), rng.uniform(0, 2 * np.pi, lon.size)
    return (
        lon + distance * np.cos(angle) / (METRES_PER_DEGREE * np.cos(np.radians(lat))),
        lat + distance * np.sin(angle) / METRES_PER_DEGREE,
    )
