"""Whether a condition holds for one device, as its readings come: each reading once, in their order; the same live and in a trial."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from iot.rules.conditions import All, Change, Clock, Compare, Condition, Count, Lasting, Not, Place, Silent, Some, needs_time, walk

MOST_KEPT = 20_000  # readings of one window


@dataclass(frozen=True)
class Where:
    """What a condition may ask of a device's place: codes of all zones it lies in and of its groups, lon and lat."""

    zones: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    at: tuple[float, float] | None = None


@dataclass
class Machine:
    """The state of one condition for one device. A late reading changes nothing."""

    condition: Condition
    where: Where
    zone: tzinfo
    last: dict[str, tuple[float, float]] = field(default_factory=dict)  # by metric: when, what
    _newest_s: float = -math.inf
    _is_on: dict[int, bool] = field(default_factory=dict)
    _since: dict[int, float] = field(default_factory=dict)
    _times: dict[int, deque[float]] = field(default_factory=dict)
    _window: dict[int, deque[tuple[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._parts = [(id(one), one) for one in walk(self.condition)]

    @property
    def is_at_rest(self) -> bool:
        """Nothing is on, counted or kept: what was said before matters no more, but for the last values."""
        return not (any(self._is_on.values()) or self._since or any(self._times.values()) or any(self._window.values()))

    def take(self, metric: str, at_s: float, value: float) -> bool:
        """Whether the condition holds after this reading."""
        before = self.last.get(metric)
        if math.isfinite(value) and (before is None or at_s > before[0]):
            self.learn(metric, at_s, value)
            for key, part in self._parts:
                match part:
                    case Compare(metric=name) if name == metric:
                        self._is_on[key] = part.is_beyond(value) or (self._is_on.get(key, False) and not part.is_back(value))
                    case Count(of=compare) if compare.metric == metric and compare.is_beyond(value):
                        self._times.setdefault(key, deque(maxlen=MOST_KEPT)).append(at_s)
                    case Change(metric=name, side=side) if name == metric:
                        # Kept are only those that may yet be the least (the most) of a window.
                        window = self._window.setdefault(key, deque(maxlen=MOST_KEPT))
                        while window and (window[-1][1] - value) * side >= 0:
                            window.pop()
                        window.append((at_s, value))
        return self.holds(max(at_s, self._newest_s))

    def learn(self, metric: str, at_s: float, value: float) -> None:
        """The newest of a metric, where it is that: said while this slept, it changes nothing else."""
        if metric not in self.last or at_s > self.last[metric][0]:
            self.last[metric] = (at_s, value)
            self._newest_s = max(self._newest_s, at_s)

    def holds(self, at_s: float) -> bool:
        return self._holds(self.condition, at_s)

    def _holds(self, part: Condition, at_s: float) -> bool:
        key = id(part)
        match part:
            case All(of):
                held = [self._holds(one, at_s) for one in of]  # all of them are asked: each keeps its own time
                return all(held)
            case Some(of):
                held = [self._holds(one, at_s) for one in of]
                return any(held)
            case Not(of=inner):
                return not self._holds(inner, at_s)
            case Compare():
                return self._is_on.get(key, False)
            case Lasting(for_s, inner):
                if not self._holds(inner, at_s):
                    self._since.pop(key, None)
                    return False
                return at_s - self._since.setdefault(key, at_s) >= for_s
            case Count(at_least=least, within_s=within):
                times = self._times.get(key)
                while times and times[0] <= at_s - within:
                    times.popleft()
                return times is not None and len(times) >= least
            case Change(metric, side, by, within):
                window = self._window.get(key)
                while window and window[0][0] < at_s - within:
                    window.popleft()
                return bool(window) and (self.last[metric][1] - window[0][1]) * side >= by if window else False
            case Silent(metric, for_s):
                heard = self.last.get(metric)
                return heard is not None and at_s - heard[0] >= for_s  # what never spoke is unknown, not silent
            case Place():
                return self._lies(part)
            case Clock():
                return self._is_time(part, at_s)
        raise AssertionError(part)

    def _lies(self, part: Place) -> bool:
        if part.zones:
            return bool(part.zones & self.where.zones)
        if part.groups:
            return bool(part.groups & self.where.groups)
        if part.near is None or self.where.at is None:
            return False
        lon, lat, within_m = part.near
        return metres_between(self.where.at, (lon, lat)) <= within_m

    def _is_time(self, part: Clock, at_s: float) -> bool:
        local = datetime.fromtimestamp(at_s, self.zone)
        minute = local.hour * 60 + local.minute
        if part.start < part.end:
            return part.start <= minute < part.end and local.weekday() in part.weekdays
        # Over midnight: the hours after it belong to the day before.
        if minute >= part.start:
            return local.weekday() in part.weekdays
        return minute < part.end and (local.weekday() - 1) % 7 in part.weekdays


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """On a sphere: half a percent is nothing to a circle somebody drew."""
    lat1, lat2 = math.radians(one[1]), math.radians(other[1])
    a = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(math.radians(other[0] - one[0]) / 2) ** 2
    return 2 * 6_371_000 * math.asin(min(math.sqrt(a), 1.0))


@dataclass(frozen=True)
class Span:
    """From when to when it held (``None``: it still does at the end), and the values it began with."""

    began_s: float
    ended_s: float | None
    values: Mapping[str, float]


def spans(machine: Machine, readings: Iterable[tuple[float, str, float]], *, until_s: float, tick_s: float = 60.0) -> Iterator[Span]:
    """When the condition held over readings (when, metric, value) in their order: what a trial on yesterday asks.

    A condition about silence is also looked at between readings, every ``tick_s``.
    """
    began: tuple[float, Mapping[str, float]] | None = None
    ticks = needs_time(machine.condition)
    before: float | None = None
    for at_s, metric, value in _with_ticks(readings, until_s, tick_s if ticks else None):
        is_on = machine.take(metric, at_s, value) if metric else machine.holds(at_s)
        if is_on and began is None:
            began = (at_s, {name: last for name, (_at, last) in machine.last.items()})
        elif not is_on and began is not None:
            yield Span(began[0], at_s, began[1])
            began = None
        before = at_s
    if began is not None and before is not None:
        yield Span(began[0], None, began[1])


def _with_ticks(readings: Iterable[tuple[float, str, float]], until_s: float, tick_s: float | None) -> Iterator[tuple[float, str, float]]:
    next_s: float | None = None
    for at_s, metric, value in readings:
        if tick_s is not None:
            while next_s is not None and next_s < at_s:
                yield next_s, "", 0.0
                next_s += tick_s
            next_s = at_s + tick_s
        yield at_s, metric, value
    while tick_s is not None and next_s is not None and next_s <= until_s:
        yield next_s, "", 0.0
        next_s += tick_s
