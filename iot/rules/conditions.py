"""What a rule about readings may say: a small typed language in JSON, read strictly. Nobody's code is run.

``{"metric": "temperature", "above": 50, "until": 45}``    beyond a limit, until back across another
``{"for_s": 600, "of": {…}}``                              without a break for so long, from reading to reading
``{"count": {"metric": …, "above": …}, "at_least": 3, "within_s": 3600}``
``{"metric": "level", "rises_by": 0.5, "within_s": 600}``  (or ``falls_by``) against the least (most) of that time
``{"silent": "level", "for_s": 1800}``                     no reading of it
``{"zone": ["KW-HA"]}``, ``{"group": ["coast"]}``, ``{"near": {"lon": 47.98, "lat": 29.37, "within_m": 500}}``
``{"from": "22:00", "to": "05:00", "weekdays": ["friday"]}``
``{"all": [...]}``, ``{"any": [...]}``, ``{"not": {...}}``
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST_DEPTH = 5
MOST_PARTS = 30
MOST_S = 86_400
MOST_NAMES = 50
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Unreadable(ValueError):
    """``where`` is the path to what is wrong (``all[1].above``), ``why`` a sentence for people."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}" if where else why)
        self.where, self.why = where, why


@dataclass(frozen=True)
class Compare:
    """``side`` 1: above, -1: below. It holds from ``limit`` on, until the value is back at ``until``."""

    metric: str
    side: int
    limit: float
    until: float

    def is_beyond(self, value: float) -> bool:
        return value > self.limit if self.side > 0 else value < self.limit

    def is_back(self, value: float) -> bool:
        return value <= self.until if self.side > 0 else value >= self.until


@dataclass(frozen=True)
class Lasting:
    for_s: float
    of: Condition


@dataclass(frozen=True)
class Count:
    of: Compare
    at_least: int
    within_s: float


@dataclass(frozen=True)
class Change:
    """``side`` 1: rises, -1: falls, by at least ``by`` within ``within_s``."""

    metric: str
    side: int
    by: float
    within_s: float


@dataclass(frozen=True)
class Silent:
    metric: str
    for_s: float


@dataclass(frozen=True)
class Place:
    zones: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    near: tuple[float, float, float] | None = None  # lon, lat, metres


@dataclass(frozen=True)
class Clock:
    """Minutes of the local day; ``end`` before ``start`` goes over midnight. Mondays are 0."""

    start: int = 0
    end: int = 1440
    weekdays: frozenset[int] = frozenset(range(7))


@dataclass(frozen=True)
class All:
    of: tuple[Condition, ...]


@dataclass(frozen=True)
class Some:
    of: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    of: Condition


Condition = Compare | Lasting | Count | Change | Silent | Place | Clock | All | Some | Not


def parse(data: object) -> Condition:
    """A condition, or ``Unreadable`` with the path to what is wrong.

    >>> parse({"metric": "temperature", "above": 50})
    Compare(metric='temperature', side=1, limit=50.0, until=50.0)
    """
    condition = _read(data, "", 1)
    parts = list(walk(condition))
    if len(parts) > MOST_PARTS:
        raise Unreadable("", f"At most {MOST_PARTS} parts.")
    if not metrics_of(condition):
        raise Unreadable("", "Name a metric: a place or a time alone says nothing of a reading.")
    return condition


def walk(condition: Condition) -> Iterator[Condition]:
    yield condition
    match condition:
        case All(of) | Some(of):
            for one in of:
                yield from walk(one)
        case Lasting(of=inner) | Not(of=inner) | Count(of=inner):
            yield from walk(inner)


def metrics_of(condition: Condition) -> frozenset[str]:
    return frozenset(one.metric for one in walk(condition) if isinstance(one, Compare | Change | Silent))


def longest_s(condition: Condition) -> float:
    """How far back readings must be known."""
    spans = [0.0]
    for one in walk(condition):
        match one:
            case Lasting(for_s=seconds) | Silent(for_s=seconds) | Count(within_s=seconds) | Change(within_s=seconds):
                spans.append(seconds)
    return sum(spans)


def needs_time(condition: Condition) -> bool:
    """Whether it can begin to hold without a reading."""
    return any(isinstance(one, Silent) for one in walk(condition))


def _read(data: object, where: str, depth: int) -> Condition:
    if not isinstance(data, dict):
        raise Unreadable(where, "An object was expected.")
    if depth > MOST_DEPTH:
        raise Unreadable(where, f"At most {MOST_DEPTH} levels deep.")
    for key, read in _READERS.items():
        if key in data:
            known = _KEYS[key]
            for name in data:
                if name not in known:
                    raise Unreadable(_at(where, str(name)[:40]), "Not known here.")
            return read(data, where, depth)
    raise Unreadable(where, "None of: " + ", ".join(_READERS))


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _number(data: Mapping[str, Any], key: str, where: str, least: float = -1e12, most: float = 1e12) -> float:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= most:
        raise Unreadable(_at(where, key), f"A number from {least:g} to {most:g}.")
    return float(value)


def _metric(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", value):
        raise Unreadable(_at(where, key), "The code of a metric.")
    return value


def _names(data: Mapping[str, Any], key: str, where: str) -> frozenset[str]:
    value = data.get(key)
    if (
        not isinstance(value, list)
        or not 1 <= len(value) <= MOST_NAMES
        or not all(isinstance(one, str) and len(one) <= 64 for one in value)
    ):
        raise Unreadable(_at(where, key), f"A list of 1 to {MOST_NAMES} codes.")
    return frozenset(value)


def _of_metric(data: Mapping[str, Any], where: str, depth: int) -> Condition:
    metric = _metric(data, "metric", where)
    said = [key for key in ("above", "below", "rises_by", "falls_by") if key in data]
    if len(said) != 1:
        raise Unreadable(where, "Exactly one of above, below, rises_by, falls_by.")
    key = said[0]
    if key in ("rises_by", "falls_by"):
        if "until" in data:
            raise Unreadable(_at(where, "until"), "Not known here.")
        by, within = _number(data, key, where, 1e-9), _number(data, "within_s", where, 1, MOST_S)
        return Change(metric, 1 if key == "rises_by" else -1, by, within)
    if "within_s" in data:
        raise Unreadable(_at(where, "within_s"), "Not known here.")
    side, limit = (1 if key == "above" else -1), _number(data, key, where)
    until = _number(data, "until", where) if "until" in data else limit
    if (until - limit) * side > 0:
        raise Unreadable(_at(where, "until"), "It ends at the limit or on the good side of it.")
    return Compare(metric, side, limit, until)


def _lasting(data: Mapping[str, Any], where: str, depth: int) -> Condition:
    of = _read(data.get("of"), _at(where, "of"), depth + 1)
    if needs_time(of):
        raise Unreadable(_at(where, "of"), "Silence has its own for_s.")
    return Lasting(_number(data, "for_s", where, 1, MOST_S), of)


def _count(data: Mapping[str, Any], where: str, depth: int) -> Condition:
    of = _read(data.get("count"), _at(where, "count"), depth + 1)
    if not isinstance(of, Compare):
        raise Unreadable(_at(where, "count"), "A metric above or below a number.")
    at_least = _number(data, "at_least", where, 1, 10_000)
    if at_least != int(at_least):
        raise Unreadable(_at(where, "at_least"), "A whole number.")
    return Count(of, int(at_least), _number(data, "within_s", where, 1, MOST_S))


def _silent(data: Mapping[str, Any], where: str, depth: int) -> Condition:
    return Silent(_metric(data, "silent", where), _number(data, "for_s", where, 30, MOST_S))


def _near(data: Mapping[str, Any], where: str, depth: int) -> Condition:
    given, inside = data.get("near"), _at(where, "near")
    if not isinstance(given, dict) or set(given) != {"lon", "lat", "within_m"}:
        raise Unreadable(inside, "lon, lat and within_m.")
    near = (
        _number(given, "lon", inside, -180, 180),
        _number(given, "lat", inside, -90, 90),
        _number(given, "within_m", inside, 1, 100_000),
    )
    return Place(near=near)


def _clock(data: Mapping[str, Any], where: str, depth: int) -> Condition:
    if ("from" in data) != ("to" in data):
        raise Unreadable(where, "from and to belong together.")
    start, end = (_minute(data, "from", where), _minute(data, "to", where)) if "from" in data else (0, 1440)
    if start == end:
        raise Unreadable(_at(where, "to"), "Another time than from.")
    names = _names(data, "weekdays", where) if "weekdays" in data else frozenset(DAYS)
    if not names <= set(DAYS):
        raise Unreadable(_at(where, "weekdays"), "Of: " + ", ".join(DAYS))
    return Clock(start, end, frozenset(DAYS.index(name) for name in names))


def _minute(data: Mapping[str, Any], key: str, where: str) -> int:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", str(data.get(key)), re.ASCII)
    if found is None:
        raise Unreadable(_at(where, key), "A time like 22:00.")
    return int(found[1]) * 60 + int(found[2])


def _several(key: str, make: Callable[[tuple[Condition, ...]], Condition]) -> Callable[[Mapping[str, Any], str, int], Condition]:
    def read(data: Mapping[str, Any], where: str, depth: int) -> Condition:
        given = data.get(key)
        if not isinstance(given, list) or not 1 <= len(given) <= MOST_PARTS:
            raise Unreadable(_at(where, key), f"A list of 1 to {MOST_PARTS} conditions.")
        return make(tuple(_read(one, f"{_at(where, key)}[{number}]", depth + 1) for number, one in enumerate(given)))

    return read


_READERS: dict[str, Callable[[Mapping[str, Any], str, int], Condition]] = {
    "all": _several("all", All),
    "any": _several("any", Some),
    "not": lambda data, where, depth: Not(_read(data.get("not"), _at(where, "not"), depth + 1)),
    "count": _count,
    "silent": _silent,
    "of": _lasting,
    "metric": _of_metric,
    "zone": lambda data, where, depth: Place(zones=_names(data, "zone", where)),
    "group": lambda data, where, depth: Place(groups=_names(data, "group", where)),
    "near": _near,
    "from": _clock,
    "weekdays": _clock,
}
_KEYS: dict[str, frozenset[str]] = {
    "all": frozenset({"all"}),
    "any": frozenset({"any"}),
    "not": frozenset({"not"}),
    "count": frozenset({"count", "at_least", "within_s"}),
    "silent": frozenset({"silent", "for_s"}),
    "of": frozenset({"of", "for_s"}),
    "metric": frozenset({"metric", "above", "below", "until", "rises_by", "falls_by", "within_s"}),
    "zone": frozenset({"zone"}),
    "group": frozenset({"group"}),
    "near": frozenset({"near"}),
    "from": frozenset({"from", "to", "weekdays"}),
    "weekdays": frozenset({"from", "to", "weekdays"}),
}
