"""Many machines beside one stream of readings. A machine in which nothing holds or is counted sleeps, and a reading within the bounds of
its condition leaves it asleep: such readings, nearly all of them, are told apart by the batch and never reach a machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from iot.analytics.batch import FloatArray, IntArray
from iot.rules.conditions import All, Change, Clock, Compare, Condition, Count, Lasting, Not, Place, Silent, Some, walk
from iot.rules.machine import Machine

Key = tuple[int, int]  # rule, device
EVERYTHING, NOTHING = (-np.inf, np.inf), (np.inf, -np.inf)


@dataclass(frozen=True)
class Turn:
    """How a condition stands after some readings: since when, and the values it began with."""

    is_on: bool
    at_s: float
    values: dict[str, float]


def bounds_of(condition: Condition, metric: str) -> tuple[float, float]:
    """From and to which value a reading of ``metric`` leaves a sleeping machine asleep. ``NOTHING`` where each has to be looked at.

    >>> from iot.rules.conditions import parse
    >>> bounds_of(parse({"all": [{"metric": "t", "above": 50, "until": 45}, {"zone": ["KW-HA"]}]}), "t")
    (-inf, 50.0)
    >>> bounds_of(parse({"any": [{"metric": "t", "above": 50}, {"zone": ["KW-HA"]}]}), "t")
    (inf, -inf)
    """
    if isinstance(condition, Silent):
        return EVERYTHING  # a reading ends a silence, and never begins one
    # A change is told by readings that are ordinary themselves; a time may also run on what holds without any reading.
    runs = all(_is_false(part.of) for part in walk(condition) if isinstance(part, Lasting))
    if not runs or not _is_false(condition) or any(isinstance(part, Change) for part in walk(condition)):
        return NOTHING
    least, most = EVERYTHING
    for part in walk(condition):
        if isinstance(part, Compare) and part.metric == metric:
            least, most = (least, min(most, part.limit)) if part.side > 0 else (max(least, part.limit), most)
    return least, most


def _is_false(part: Condition) -> bool:
    """Whether it cannot hold while every comparison in it is off."""
    match part:
        case Compare() | Count():
            return True
        case Lasting(of=inner):
            return _is_false(inner)
        case All(of):
            return any(_is_false(one) for one in of)
        case Some(of):
            return all(_is_false(one) for one in of)
        case Not() | Change() | Silent() | Place() | Clock():
            return False
    raise AssertionError(part)


@dataclass
class Fleet:
    """``held`` are the conditions known to hold, and since when: the caller's to keep. Not for two threads at once."""

    machines: dict[Key, Machine] = field(default_factory=dict)
    held: dict[Key, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place: dict[Key, int] = {}
        self._known: list[Machine] = []
        self.arrange({})

    def arrange(self, of_stream: Mapping[int, Sequence[tuple[Key, str]]]) -> None:
        """Which machines hear which streams, and as which metric. What was said before stays known."""
        self.wake(key for key, place in self._place.items() if self.machines.get(key) is self._known[place])
        self._keys, self._known = list(self.machines), list(self.machines.values())
        self._place = {key: place for place, key in enumerate(self._keys)}
        self._hears: list[list[tuple[int, str]]] = [[] for _key in self._keys]
        self._ids = np.array(sorted(of_stream), np.int64)
        self._at_s, self._value = np.full(len(self._ids), -np.inf), np.zeros(len(self._ids))  # heard since, of each stream
        # Pairs of a stream and a machine that hears it, stream by stream.
        self._first, self._size = np.zeros(len(self._ids), np.int64), np.zeros(len(self._ids), np.int64)
        self._metric: list[str] = []
        machine: list[int] = []
        bounds: list[tuple[float, float]] = []
        known: dict[tuple[int, str], tuple[float, float]] = {}
        for row, pk in enumerate(self._ids.tolist()):
            self._first[row], self._size[row] = len(machine), len(of_stream[pk])
            for key, metric in of_stream[pk]:
                condition = self.machines[key].condition
                asked = (id(condition), metric)
                if asked not in known:
                    known[asked] = bounds_of(condition, metric)
                bounds.append(known[asked])
                machine.append(self._place[key])
                self._metric.append(metric)
                self._hears[machine[-1]].append((row, metric))
        self._machine = np.array(machine, np.int64)
        self._least, self._most = np.array(bounds, np.float64).reshape(-1, 2).T
        self._is_awake = np.array([not self.machines[key].is_at_rest for key in self._keys], bool)

    def take(self, stream_id: IntArray, at_s: FloatArray, value: FloatArray, *, only: Set[Key] | None = None) -> dict[Key, Turn]:
        """Feed these readings, to ``only`` these machines; how the conditions stand of those that were awake for it."""
        if not len(self._ids) or not len(stream_id):
            return {}
        row = np.minimum(np.searchsorted(self._ids, stream_id), len(self._ids) - 1)
        mine = self._ids[row] == stream_id
        row, at_s, value = row[mine], at_s[mine], value[mine]
        reading, pair = self._pairs(row)
        machine, told = self._machine[pair], value[reading]
        is_asked = np.ones(len(self._keys), bool)
        if only is not None:
            is_asked = np.array([key in only for key in self._keys], bool)
        awake = self._is_awake.copy()
        awake[[self._place[key] for key in self.held if key in self._place]] = True
        awake[machine[~((told >= self._least[pair]) & (told <= self._most[pair]))]] = True
        busy = np.flatnonzero((awake & is_asked)[machine])
        touched = np.unique(machine[busy]).tolist()
        self.wake(self._keys[place] for place in touched)
        order = busy[np.argsort(at_s[reading[busy]], kind="stable")]
        ends = self._feed(pair[order], at_s[reading[order]], told[order])
        self._note(row, at_s, value, only)
        for place in touched:
            self._is_awake[place] = not self.machines[self._keys[place]].is_at_rest
        return ends

    def wake(self, keys: Iterable[Key]) -> None:
        """Tell these machines what was said while they slept."""
        for key in keys:
            for row, metric in self._hears[self._place[key]]:
                if self._at_s[row] > -np.inf:
                    self.machines[key].learn(metric, float(self._at_s[row]), float(self._value[row]))

    def values(self, key: Key) -> dict[str, float]:
        return {name: round(value, 6) for name, (_at, value) in self.machines[key].last.items()}

    def _pairs(self, row: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each reading with each machine that hears it: the places of the reading and of the pair."""
        size = self._size[row]
        reading = np.repeat(np.arange(len(row)), size)
        within = np.arange(len(reading)) - np.repeat(np.cumsum(size) - size, size)
        return reading, self._first[row][reading] + within

    def _feed(self, pairs: IntArray, at_s: FloatArray, value: FloatArray) -> dict[Key, Turn]:
        ends: dict[Key, Turn] = {}
        for pair, place, at, told in zip(pairs.tolist(), self._machine[pairs].tolist(), at_s.tolist(), value.tolist(), strict=True):
            key = self._keys[place]
            is_on = self.machines[key].take(self._metric[pair], at, told)
            before = ends.get(key)
            if not (before is not None and before.is_on and is_on):  # since when it holds, not when it was last looked at
                ends[key] = Turn(is_on, at, self.values(key) if is_on else {})
        return ends

    def _note(self, row: NDArray[np.intp], at_s: FloatArray, value: FloatArray, only: Set[Key] | None) -> None:
        """The newest of each stream; of two for one instant the first. What only some have heard is told to them at once."""
        sound = np.isfinite(value)
        newest = np.argsort(-at_s[sound], kind="stable")
        rows, first = np.unique(row[sound][newest], return_index=True)
        at, told = at_s[sound][newest][first], value[sound][newest][first]
        if only is None:
            later = at > self._at_s[rows]
            self._at_s[rows[later]], self._value[rows[later]] = at[later], told[later]
            return
        reading, pair = self._pairs(rows)
        for number, one in zip(reading.tolist(), pair.tolist(), strict=True):
            key = self._keys[int(self._machine[one])]
            if key in only:
                self.machines[key].learn(self._metric[one], float(at[number]), float(told[number]))


def by_stream(rows: Iterable[tuple[int, Key, str]]) -> dict[int, list[tuple[Key, str]]]:
    """Streams with the machines that hear them, for ``arrange``."""
    found: dict[int, list[tuple[Key, str]]] = defaultdict(list)
    for pk, key, metric in rows:
        found[pk].append((key, metric))
    return dict(found)
