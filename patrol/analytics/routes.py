"""The nouns of route planning: a unit's day, a stop to be visited, a visit, a route, a plan.

Times are whole seconds since an origin the caller chooses (the first shift's start, say). Places are pairs of numbers, found in the
matrix of ways by their value: longitude and latitude where a provider made the matrix, metres where `travel.straight` did.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from patrol.analytics.travel import FloatArray, Place

Key = Hashable

RISK = "risk"
EXPLORE = "explore"

# Why a visit was left out, and why a unit cannot go at all.
NO_UNIT_ALLOWED = "no_unit_allowed"
OUTSIDE_SHIFTS = "outside_shifts"
NO_WAY = "no_way"
SHARE_TOO_SHORT = "share_too_short"
SHIFT_TOO_SHORT = "shift_too_short"
TOO_LATE = "too_late"
NOT_WORTH_THE_WAY = "not_worth_the_way"
TOO_SOON_AGAIN = "too_soon_again"
REST_DOES_NOT_FIT = "rest_does_not_fit"
KEPT_BEYOND_SHARE = "kept_beyond_share"
KEPT_BACK_TO_BACK = "kept_back_to_back"
KEPT_NOT_IN_TIME = "kept_not_in_time"
NO_UNITS = "no_units"
NO_STOPS = "no_stops"


@dataclass(frozen=True)
class RouteRule:
    """What binds every plan.

    Attributes
    ----------
    least_dosage_s, most_dosage_s : int
        A stop lasts so long: 10 to 16 minutes [1]_.
    interval_s, tolerance_s : int
        A stop is repeated about every ``interval_s``, arrival to arrival, never sooner than ``interval_s - tolerance_s``.
    patrol_share : float
        Share of a shift that is unassigned and may carry patrol (driving and dosage), where a unit's day does not say.

    References
    ----------
    .. [1] Koper, C. (1995). Just enough police presence. Justice Quarterly 12(4), 649-672.
    """

    least_dosage_s: int = 600
    most_dosage_s: int = 960
    interval_s: int = 7200
    tolerance_s: int = 2400
    patrol_share: float = 1 / 3

    @property
    def least_gap_s(self) -> int:
        return self.interval_s - self.tolerance_s

    def __post_init__(self) -> None:
        if not 0 < self.least_dosage_s <= self.most_dosage_s:
            raise ValueError("the shortest stop is above 0 and no longer than the longest")
        if not 0 <= self.tolerance_s < self.interval_s or not 0 < self.patrol_share <= 1:
            raise ValueError("the tolerance is shorter than the interval; the share is above 0, 1 at most")


@dataclass(frozen=True)
class Rest:
    """A break of ``length_s`` that begins not before ``from_s`` and ends not after ``until_s``, taken wherever the unit stands."""

    from_s: int
    until_s: int
    length_s: int


@dataclass(frozen=True)
class Commitment:
    """Something else the unit is bound to: it neither drives nor patrols then. ``place`` is where it must be, ``None`` wherever it is."""

    from_s: int
    until_s: int
    place: Place | None = None


@dataclass(frozen=True)
class StopDemand:
    """A place to be visited, again and again.

    Attributes
    ----------
    key : hashable
    place : pair of float
    weight : float
        Risk at the place: what a minute there is worth.
    dosage_s : int
        Length of a visit.
    visits : int, optional
        Most visits wanted; as many as the interval allows by default.
    window : pair of int, optional
        Visits lie within it.
    area : str
        Zone it lies in, held against the units' ``areas``.
    visited_s : tuple of int
        Arrivals of visits already made by units that are not in this plan; before the origin they are negative.
    reason : str
        `RISK` or `EXPLORE`; carried along.
    """

    key: Key
    place: Place
    weight: float
    dosage_s: int = 780
    visits: int | None = None
    window: tuple[int, int] | None = None
    area: str = ""
    visited_s: tuple[int, ...] = ()
    reason: str = RISK


@dataclass(frozen=True)
class Visit:
    """A unit at a stop from ``arrive_s`` to ``leave_s``.

    ``travel_s`` and ``travel_m`` are the way there from where the unit was before, ``wait_s`` what it has to spare before it must set
    out. ``is_fixed`` visits were given (done, under way, or set by a person) and keep their unit and time.
    """

    stop: Key
    arrive_s: int
    leave_s: int
    travel_s: int = 0
    travel_m: float = 0.0
    wait_s: int = 0
    is_fixed: bool = False


@dataclass(frozen=True)
class UnitDay:
    """A unit and the time it has.

    Attributes
    ----------
    key : hashable
    start, end : pair of float
        Where the shift begins and ends, usually the station.
    from_s, until_s : int
        The shift.
    rest : Rest, optional
    patrol_s : int, optional
        Seconds for driving and dosage in the whole shift; by default the rule's share of it.
    areas : frozenset of str, optional
        Where it may patrol; everywhere by default.
    commitments : tuple of Commitment
    fixed : tuple of Visit
        Visits that are kept, in the order of time; their stops must be among the plan's.
    free_from_s : int, optional
        Replanning: nothing new begins before. Visits before it are history: their times stand, however they came about.
    whereabouts : pair of float, optional
        Replanning: where the unit is at ``free_from_s``; by default where its last visit was.
    rest_taken : pair of int, optional
        The break as it was taken, or is being taken: none is planned then.
    """

    key: Key
    start: Place
    end: Place
    from_s: int
    until_s: int
    rest: Rest | None = None
    patrol_s: int | None = None
    areas: frozenset[str] | None = None
    commitments: tuple[Commitment, ...] = ()
    fixed: tuple[Visit, ...] = ()
    free_from_s: int | None = None
    whereabouts: Place | None = None
    rest_taken: tuple[int, int] | None = None

    def budget_s(self, rule: RouteRule) -> int:
        return int((self.until_s - self.from_s) * rule.patrol_share) if self.patrol_s is None else self.patrol_s


@dataclass(frozen=True)
class Route:
    """A unit's visits in the order of time, its break, and the sums.

    ``patrol_s`` is driving and dosage together, the way home included; it stays within ``budget_s``. ``slack_s`` is what is left of the
    shift, without the break and the commitments: for calls, reports and waiting.
    """

    unit: Key
    visits: tuple[Visit, ...]
    rest: tuple[int, int] | None
    home_s: int
    back_s: int
    back_m: float
    patrol_s: int
    budget_s: int
    dosage_s: int
    travel_s: int
    travel_m: float
    slack_s: int

    @property
    def load(self) -> float:
        """Share of its patrol time that is planned."""
        return self.patrol_s / self.budget_s if self.budget_s else 0.0


@dataclass(frozen=True)
class Dropped:
    """A visit that was wanted and is not planned: the constraint that came nearest to being met, with whom, and what was short.

    ``short_by_s`` is in seconds (of time, of patrol time, of the gap to the last visit); ``None`` where no number would help.
    """

    stop: Key
    window: tuple[int, int]
    code: str
    unit: Key | None = None
    short_by_s: int | None = None


@dataclass(frozen=True)
class Shortfall:
    """Why a unit (or, without one, the whole plan) cannot do what it should: the constraint, and by how much it is missed."""

    code: str
    unit: Key | None = None
    short_by_s: int | None = None
    stop: Key | None = None


@dataclass(frozen=True)
class Balance:
    """How evenly patrol time is filled: least and most used share of a unit's own, and the Gini coefficient of the shares."""

    least: float
    most: float
    gini: float

    @property
    def spread(self) -> float:
        return self.most - self.least


@dataclass(frozen=True)
class RoutePlan:
    """Routes for all units, and what they are worth.

    Attributes
    ----------
    dosage : float
        Risk-weighted minutes of presence; a visit sooner than the interval after the last counts for its share of the interval.
    travel_m, travel_s : float, int
        Driven in all, the ways home included.
    before, after : Balance
        Workload before and after visits were moved for its sake.
    iterations, cut_by_clock : int, bool
        What the search did; cut by the clock, the same seed need not give the same plan again.
    """

    routes: tuple[Route, ...]
    dropped: tuple[Dropped, ...]
    shortfalls: tuple[Shortfall, ...]
    dosage: float
    travel_m: float
    travel_s: int
    before: Balance
    after: Balance
    method: str
    seed: int
    iterations: int = 0
    cut_by_clock: bool = False
    seconds: float = 0.0
    rule: RouteRule = field(default_factory=RouteRule)

    @property
    def dosage_per_km(self) -> float:
        return self.dosage / (self.travel_m / 1000) if self.travel_m else float("nan")

    @property
    def visits(self) -> int:
        return sum(len(route.visits) for route in self.routes)


def places(units: Sequence[UnitDay], stops: Sequence[StopDemand]) -> FloatArray:
    """Every place a plan may drive to, once each, shape (n, 2): what a provider makes the matrix for."""
    found: dict[Place, None] = {}
    for unit in units:
        ends = [one for one in (unit.start, unit.end, unit.whereabouts, *(other.place for other in unit.commitments)) if one is not None]
        found |= {(float(x), float(y)): None for x, y in ends}
    found |= {(float(stop.place[0]), float(stop.place[1])): None for stop in stops}
    return np.array(list(found), dtype=float).reshape(-1, 2)


def weighted_dosage(routes: Sequence[Route], stops: Sequence[StopDemand], rule: RouteRule) -> float:
    """Risk-weighted minutes: weight × minutes × min(1, time since the last visit over the interval), over all visits.

    Presence wears off; a visit that comes while the last still works adds only what has worn off by then.
    """
    of = {stop.key: stop for stop in stops}
    arrivals: dict[Key, list[tuple[int, int]]] = {}
    for route in routes:
        for visit in route.visits:
            arrivals.setdefault(visit.stop, []).append((visit.arrive_s, visit.leave_s))
    total = 0.0
    for key, times in arrivals.items():
        stop = of[key]
        earlier = sorted(stop.visited_s)
        for arrive_s, leave_s in sorted(times):
            last = max((one for one in earlier if one <= arrive_s), default=None)
            fresh = 1.0 if last is None else min(1.0, (arrive_s - last) / rule.interval_s)
            total += stop.weight * (leave_s - arrive_s) / 60 * fresh
            earlier.append(arrive_s)
    return total


def balance(routes: Sequence[Route]) -> Balance:
    """Least, most and Gini coefficient of the units' loads."""
    loads = np.sort(np.array([route.load for route in routes if route.budget_s > 0]))
    if not len(loads) or not loads.sum():
        return Balance(0.0, 0.0, 0.0)
    n = len(loads)
    gini = float((2 * np.arange(1, n + 1) - n - 1) @ loads / (n * loads.sum()))
    return Balance(float(loads[0]), float(loads[-1]), gini)
