"""IOT-5: machines that sleep through ordinary readings stand, fire and end exactly as if each had been shown every reading."""

from __future__ import annotations

import random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from iot.rules.conditions import metrics_of, parse
from iot.rules.fleet import Fleet, Key, Turn, by_stream
from iot.rules.machine import Machine, Where

KUWAIT = ZoneInfo("Asia/Kuwait")
NOON = 1_763_629_200.0
DEVICES, METRICS = 3, ("heat", "level")
VALUES = (0.0, 5.0, 10.0, 15.0, 20.0, float("nan"))

compares = st.builds(
    lambda metric, side, limit, slack: {"metric": metric, side: limit, "until": limit - slack if side == "above" else limit + slack},
    st.sampled_from(METRICS), st.sampled_from(["above", "below"]), st.sampled_from([4.0, 9.0, 15.0]), st.sampled_from([0.0, 4.0]),
)  # fmt: skip
seconds = st.sampled_from([30, 60, 150])
leaves = st.one_of(
    compares,
    compares,
    st.builds(lambda of, least, within: {"count": of, "at_least": least, "within_s": within}, compares, st.integers(1, 3), seconds),
    st.builds(lambda metric, within: {"metric": metric, "rises_by": 6, "within_s": within}, st.sampled_from(METRICS), seconds),
    st.builds(lambda metric, after: {"silent": metric, "for_s": after}, st.sampled_from(METRICS), seconds),
    st.sampled_from([{"zone": ["T-1"]}, {"from": "12:01", "to": "12:04"}]),
)
conditions = st.recursive(
    leaves,
    lambda of: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(of, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(of, min_size=1, max_size=3)),
        st.builds(lambda one: {"not": one}, of),
        st.builds(lambda one, after: {"for_s": after, "of": one}, of, seconds),
    ),
    max_leaves=4,
)


def parsed(data: Any) -> Any:
    try:
        return parse(data)
    except ValueError:
        return None


rules = st.lists(conditions.map(parsed).filter(lambda one: one is not None), min_size=1, max_size=3)


class EachOne:
    """The plain way: every machine is shown every reading of its device."""

    def __init__(self, machines: dict[Key, Machine]) -> None:
        self.machines, self.held = machines, dict[Key, float]()

    def take(self, rows: list[tuple[int, float, float]]) -> dict[Key, Turn]:
        ends: dict[Key, Turn] = {}
        for pk, at_s, value in sorted(rows, key=lambda row: row[1]):
            for key, machine in self.machines.items():
                if key[1] == pk // 10 and METRICS[pk % 10] in metrics_of(machine.condition):
                    is_on = machine.take(METRICS[pk % 10], at_s, value)
                    before = ends.get(key)
                    if not (before is not None and before.is_on and is_on):
                        values = {name: round(last, 6) for name, (_at, last) in machine.last.items()}
                        ends[key] = Turn(is_on, at_s, values if is_on else {})
        return ends


def turned(held: dict[Key, float], ends: dict[Key, Turn]) -> list[tuple[Key, Turn | None]]:
    """What begins and what is over, and ``held`` after it."""
    news: list[tuple[Key, Turn | None]] = []
    for key, turn in sorted(ends.items()):
        if turn.is_on and key not in held:
            held[key] = turn.at_s
            news.append((key, turn))
        elif not turn.is_on and held.pop(key, None) is not None:
            news.append((key, None))
    return news


def machines_of(rules: list[Any]) -> dict[Key, Machine]:
    places = [Where(frozenset({f"T-{device}"})) for device in range(DEVICES)]
    return {(rule, device): Machine(one, places[device], KUWAIT) for rule, one in enumerate(rules) for device in range(DEVICES)}


def streams(machines: dict[Key, Machine]) -> dict[int, Any]:
    """A machine hears what its condition names, and no more."""
    return by_stream(
        (key[1] * 10 + number, key, metric)
        for key, machine in machines.items()
        for number, metric in enumerate(METRICS)
        if metric in metrics_of(machine.condition)
    )


@settings(max_examples=300, deadline=None)
@given(rules, st.integers(0, 2**32))
def test_sleeping_through_ordinary_readings_changes_nothing(rules: list[Any], seed: int) -> None:
    rng = random.Random(seed)
    plain, fleet = EachOne(machines_of(rules)), Fleet(machines_of(rules))
    fleet.arrange(streams(fleet.machines))
    at = NOON
    for _batch in range(12):
        at += rng.choice([5, 40, 200])
        late = rng.choice([0, 0, 0, 60])
        rows = [
            (rng.randrange(DEVICES) * 10 + rng.randrange(2), at - late + rng.randrange(30), rng.choice(VALUES))
            for _reading in range(rng.randrange(1, 8))
        ]
        stream_id, at_s, value = (np.array(column) for column in zip(*rows, strict=True))
        said, told = turned(plain.held, plain.take(rows)), turned(fleet.held, fleet.take(stream_id, at_s, value))
        assert said == told
        if rng.random() < 0.3:  # devices or rules have changed: everything is arranged anew, and some begin anew
            for key in [key for key in plain.machines if rng.random() < 0.2]:
                for each in (plain, fleet):
                    each.held.pop(key, None)
                    each.machines[key] = Machine(plain.machines[key].condition, plain.machines[key].where, KUWAIT)
            fleet.arrange(streams(fleet.machines))
        at = max(at, *(row[1] for row in rows))
        fleet.wake(fleet.machines)
        for key, machine in plain.machines.items():
            assert machine.last == fleet.machines[key].last
            assert machine.holds(at + 400) == fleet.machines[key].holds(at + 400), "silence, looked at between readings"


def test_ordinary_readings_reach_no_machine() -> None:
    fleet = Fleet(
        machines_of([parse({"for_s": 60, "of": {"metric": "heat", "above": 9, "until": 4}}), parse({"silent": "heat", "for_s": 60})])
    )
    fleet.arrange(streams(fleet.machines))
    assert fleet.take(np.array([0, 10, 20]), np.full(3, NOON), np.array([9.0, 3.0, -5.0])) == {}
    hot = fleet.take(np.array([0, 10]), np.full(2, NOON + 30), np.array([10.0, 9.0]))
    assert set(hot) == {(0, 0)} and not hot[0, 0].is_on, "the rule whose limit it is, and no other of the device"
    assert fleet.take(np.array([0]), np.array([NOON + 90]), np.array([8.0]))[0, 0].is_on, "between the limits it stays awake"
    fleet.take(np.array([0]), np.array([NOON + 95]), np.array([4.0]))
    assert fleet.take(np.array([0]), np.array([NOON + 99]), np.array([8.0])) == {}


def test_what_only_a_new_machine_was_shown_is_not_late_for_the_others() -> None:
    fleet = Fleet(machines_of([parse({"metric": "heat", "above": 9})]))
    fleet.arrange(streams(fleet.machines))
    new = {(1, 0)}
    fleet.machines |= {(1, 0): Machine(parse({"metric": "heat", "above": 12}), Where(), KUWAIT)}
    fleet.arrange(streams(fleet.machines))
    rows = np.array([0]), np.array([NOON]), np.array([10.0])
    assert fleet.take(*rows, only=new).keys() <= new
    fleet.arrange(streams(fleet.machines))
    assert fleet.take(*rows)[0, 0].is_on


def test_streams_nobody_follows_and_a_fleet_of_nobody() -> None:
    fleet = Fleet(machines_of([parse({"metric": "heat", "above": 9})]))
    fleet.arrange(streams(fleet.machines))
    assert fleet.take(np.array([77, 99]), np.full(2, NOON), np.array([50.0, 50.0])) == {}
    assert Fleet().take(np.array([1]), np.array([NOON]), np.array([50.0])) == {}
