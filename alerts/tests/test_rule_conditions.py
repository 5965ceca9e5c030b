"""ALR-1: each source's condition is read strictly, and the modifiers of a rule are in force when they say they are."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from alerts.analytics.modifiers import InForce, Modifier, Period, When, in_force
from alerts.services.rules.conditions import CountCondition, EventCondition, HotSpotCondition, parse, to_data
from alerts.services.rules.times import modifiers_to_data, parse_modifiers
from core.errors import Invalid

KUWAIT = ZoneInfo("Asia/Kuwait")


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("event", {"types": ["sos.raised"], "recovers_on": ["sos.ended"]}),
        ("event", {"types": ["hot_spot.changed"], "where": {"change": ["born", "gone"]}, "measure": "count", "at_least": 2.5}),
        ("count", {"window_h": 24, "per": "area"}),
        ("hot_spot", {"changes": ["born"], "measure": "rate_ratio", "min_rate_ratio": 1.5, "significant_only": True}),
        ("forecast", {"horizon_days": 3, "measure": "over_usual_percent", "per": "governorate", "min_expected": 4}),
        ("reading", {"properties": ["pressure"], "at_least": 0.9}),
        ("feed_silence", {"after_min": 30, "feeds": ["test-112"]}),
        ("camera", {"states": ["offline"], "after_min": 5}),
    ],
)
def test_a_condition_goes_out_as_it_came_in(source: str, data: dict) -> None:
    assert to_data(parse(source, data)) == data


def test_what_is_left_out_is_as_by_default() -> None:
    assert parse("count", {}) == CountCondition(24.0, "area", None)
    assert parse("hot_spot", {}) == HotSpotCondition(("born", "grown", "returned"))


@pytest.mark.parametrize(
    ("source", "data", "named"),
    [
        ("count", {"windw_h": 24}, "did you mean “window_h”"),
        ("count", {"window_h": "a day"}, "window_h"),
        ("count", {"window_h": float("nan")}, "window_h"),
        ("count", {"window_h": True}, "window_h"),
        ("count", {"per": "street"}, "street"),
        ("count", [1], "mapping"),
        ("event", {}, "types"),
        ("event", {"types": ["alert.fired"]}, "alert.fired"),
        ("event", {"types": ["sos.raised"], "recovers_on": ["alerting.late"]}, "alerting.late"),
        ("event", {"types": ["sos.raised"], "at_least": 3}, "measure"),
        ("event", {"types": ["sos.raised"], "where": {"change": []}}, "change"),
        ("hot_spot", {"changes": ["exploded"]}, "exploded"),
        ("forecast", {"horizon_days": 1.5}, "horizon_days"),
        ("forecast", {"horizon_days": 40}, "horizon_days"),
        ("feed_silence", {"after_min": 0}, "after_min"),
        ("camera", {"states": ["sleepy"]}, "sleepy"),
        ("stars", {}, "stars"),
    ],
)
def test_what_is_wrong_is_named(source: str, data: object, named: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(source, data)
    assert named in caught.value.message


def test_an_event_is_asked_for_its_words() -> None:
    condition = parse("event", {"types": ["hot_spot.changed"], "where": {"change": ["born"]}})
    assert isinstance(condition, EventCondition)
    assert condition.admits({"change": "born", "category": "fire"})
    assert not condition.admits({"change": "gone"})
    assert not condition.admits({})


NIGHT = {"when": {"from": "22:00", "to": "05:00"}, "escalate_percent": 50}
WEEKEND = {"when": {"weekdays": ["friday", "saturday"]}, "threshold_percent": -20}
RAMADAN = {"when": {"period": "ramadan", "from": "20:00", "to": "04:00"}, "level_up": 1}


def test_modifiers_go_out_as_they_came_in() -> None:
    assert modifiers_to_data(parse_modifiers([NIGHT, WEEKEND, RAMADAN])) == [NIGHT, WEEKEND, RAMADAN]
    assert modifiers_to_data(parse_modifiers([{"when": {"weekdays": [4, "sat"]}, "mute": True}])) == [
        {"when": {"weekdays": ["friday", "saturday"]}, "mute": True}
    ]


def test_a_clock_that_yaml_read_as_a_number_is_understood() -> None:
    assert parse_modifiers([{"when": {"from": 1320, "to": 300}, "mute": True}])[0].when == When(time(22), time(5))


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ([{"when": {}, "mute": True}], "say when"),
        ([{"when": {"from": "22:00"}, "mute": True}], "both"),
        ([{"when": {"from": "25:00", "to": "05:00"}, "mute": True}], "25:00"),
        ([{"when": {"from": "05:00", "to": "05:00"}, "mute": True}], "same"),
        ([{"when": {"weekdays": ["caturday"]}, "mute": True}], "caturday"),
        ([{"when": {"perod": "ramadan"}, "mute": True}], "did you mean “period”"),
        ([NIGHT, {**WEEKEND, "treshold_percent": -10}], "modifier 2"),
        ([{"when": {"period": "ramadan"}}], "changes nothing"),
        ([{"when": {"period": "ramadan"}, "threshold_percent": -100}], "threshold_percent"),
        ({"when": {}}, "list"),
    ],
)
def test_a_wrong_modifier_is_named(data: object, named: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_modifiers(data)
    assert named in caught.value.message


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026 in Kuwait; the 20th is a Friday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=KUWAIT)


def test_the_night_crosses_midnight() -> None:
    night = parse_modifiers([NIGHT])
    asleep = [at(18, 22), at(18, 23, 59), at(19, 0), at(19, 4, 59)]
    awake = [at(18, 21, 59), at(19, 5), at(19, 12)]
    assert [in_force(night, when, KUWAIT).wait_factor for when in asleep] == [0.5] * 4
    assert [in_force(night, when, KUWAIT) for when in awake] == [InForce()] * 3


def test_the_clock_is_the_zones_and_not_the_servers() -> None:
    assert in_force(parse_modifiers([NIGHT]), datetime(2026, 11, 18, 19, 30, tzinfo=UTC), KUWAIT).hurry_percent == 50


def test_a_night_belongs_to_the_day_it_began_on() -> None:
    thursday_night = parse_modifiers([{"when": {"from": "22:00", "to": "05:00", "weekdays": ["thursday"]}, "level_up": 1}])
    assert in_force(thursday_night, at(20, 1), KUWAIT).level_up == 1  # Friday at one: still Thursday's night
    assert in_force(thursday_night, at(19, 1), KUWAIT).level_up == 0  # Thursday at one: Wednesday's


def test_several_at_once_multiply_and_say_which() -> None:
    found = in_force(parse_modifiers([NIGHT, WEEKEND, WEEKEND]), at(20, 23), KUWAIT)
    assert (round(found.threshold_factor, 6), found.wait_factor, found.which) == (0.64, 0.5, (0, 1, 2))


def test_ramadan_is_by_its_announced_days_and_its_last_night_ends_on_the_day_after() -> None:
    ramadan = [Period("ramadan", date(2026, 11, 10), date(2026, 11, 12)), Period("holiday", date(2026, 11, 14), date(2026, 11, 14))]
    rules = parse_modifiers([RAMADAN])
    assert in_force(rules, at(10, 21), KUWAIT, ramadan).level_up == 1
    assert in_force(rules, at(13, 3), KUWAIT, ramadan).level_up == 1
    assert in_force(rules, at(10, 3), KUWAIT, ramadan).level_up == 0
    assert in_force(rules, at(13, 21), KUWAIT, ramadan).level_up == 0
    assert in_force(rules, at(10, 21), KUWAIT).level_up == 0


def test_a_sum_of_modifiers_never_takes_the_threshold_away() -> None:
    steep = [Modifier(When(weekdays=(4,)), threshold_percent=-90)] * 5
    assert in_force(steep, at(20, 12), KUWAIT).threshold_factor == 0.05


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        in_force(parse_modifiers([NIGHT]), datetime(2026, 11, 20, 12), KUWAIT)  # noqa: DTZ001
