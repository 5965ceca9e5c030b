"""How the demo's units move: to where they are sent, else round their beat. Pure: seconds and a seeded generator in, positions out."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

METRES_PER_DEGREE = 111_320.0
ARRIVED_M = 12.0
BEAT_RADIUS_M = 2_200.0
NOISE_M = 4.0
SPEED_KMH = {"foot": 5.0, "motorcycle": 45.0, "ambulance": 60.0, "engine": 50.0, "rescue": 50.0}
USUAL_SPEED_KMH = 42.0
BEAT_SPEED_SHARE = 0.6
# One fix in so many is poor, as between towers.
BLUNT_EVERY = 40


@dataclass(frozen=True)
class Fix:
    """What a tracker would report: degrees, metres, km/h, degrees from north."""

    lon: float
    lat: float
    accuracy_m: float
    speed_kmh: float
    heading_deg: float


@dataclass
class Car:
    """One unit on the move. ``goal`` is where it is sent; without one it drives its beat round ``home``, stopping now and then."""

    home: tuple[float, float]
    kind: str
    rng: random.Random
    lon: float = 0.0
    lat: float = 0.0
    goal: tuple[float, float] | None = None
    heading_deg: float = 0.0
    speed_kmh: float = 0.0
    _beat: tuple[float, float] | None = field(default=None, repr=False)
    _rest_s: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        if not self.lon:
            self.lon, self.lat = _offset(self.home, self.rng.uniform(0, 800), self.rng.uniform(0, 360))

    def send(self, goal: tuple[float, float] | None) -> None:
        if goal != self.goal:
            self.goal, self._rest_s = goal, 0.0

    @property
    def is_there(self) -> bool:
        return self.goal is not None and metres((self.lon, self.lat), self.goal) <= ARRIVED_M

    def step(self, seconds: float) -> None:
        """Drive for so long."""
        if self.is_there or self._rest_s > 0:
            self._rest_s = max(0.0, self._rest_s - seconds)
            self.speed_kmh = 0.0
            return
        target = self.goal or self._next_corner()
        distance = metres((self.lon, self.lat), target)
        usual = SPEED_KMH.get(self.kind, USUAL_SPEED_KMH) * (1.0 if self.goal else BEAT_SPEED_SHARE)
        wanted = usual * self.rng.uniform(0.8, 1.1)
        driven = min(distance, wanted / 3.6 * seconds)
        self.heading_deg = bearing((self.lon, self.lat), target)
        if distance <= ARRIVED_M:
            self.speed_kmh, self._beat = 0.0, None
            self._rest_s = self.rng.choice([0, 0, 30, 90, 240])
            return
        # Streets are not straight: a drift to the side that dies out as the goal comes near.
        side = math.sin(distance / 180) * 25 * min(1.0, distance / 600)
        self.lon, self.lat = _offset((self.lon, self.lat), driven, (self.heading_deg + side) % 360)
        self.speed_kmh = driven / seconds * 3.6

    def fix(self) -> Fix:
        """Where its tracker says it is."""
        is_blunt = self.rng.randrange(BLUNT_EVERY) == 0
        accuracy = self.rng.uniform(150, 400) if is_blunt else self.rng.uniform(4, 12)
        noise = accuracy / 3 if is_blunt else NOISE_M * 0.7
        lon, lat = _offset((self.lon, self.lat), abs(self.rng.gauss(0, noise)), self.rng.uniform(0, 360))
        return Fix(round(lon, 6), round(lat, 6), round(accuracy, 1), round(self.speed_kmh, 1), round(self.heading_deg % 360, 1))

    def _next_corner(self) -> tuple[float, float]:
        if self._beat is None:
            self._beat = _offset(self.home, BEAT_RADIUS_M * math.sqrt(self.rng.random()), self.rng.uniform(0, 360))
        return self._beat


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Between two points a few kilometres apart, in degrees; right to a few parts in a thousand."""
    east = (b[0] - a[0]) * math.cos(math.radians((a[1] + b[1]) / 2))
    return math.hypot(east, b[1] - a[1]) * METRES_PER_DEGREE


def bearing(a: tuple[float, float], b: tuple[float, float]) -> float:
    east = (b[0] - a[0]) * math.cos(math.radians((a[1] + b[1]) / 2))
    return math.degrees(math.atan2(east, b[1] - a[1])) % 360


def _offset(start: tuple[float, float], distance_m: float, bearing_deg: float) -> tuple[float, float]:
    angle = math.radians(bearing_deg)
    north = distance_m * math.cos(angle) / METRES_PER_DEGREE
    east = distance_m * math.sin(angle) / (METRES_PER_DEGREE * math.cos(math.radians(start[1])))
    return start[0] + east, start[1] + north
