"""ALR-2: the sums of the on-call calendar. No database."""

# ruff: noqa: DTZ001  times on a wall are meant

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.analytics.oncall import Layer, Override, Schedule, gaps, instant, layer_spans, spans

KUWAIT, BERLIN, AZORES = "Asia/Kuwait", "Europe/Berlin", "Atlantic/Azores"
ALI, BADER, DANA = 1, 2, 3


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> datetime:
    """A moment of 2026 on Kuwait's wall."""
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo(KUWAIT))


def layer(**given: object) -> Layer:
    details = {
        "id": 1,
        "position": 1,
        "rotation": "daily",
        "every": 1,
        "starts_on": date(2026, 11, 1),
        "handover_at": time(7),
        "people": (ALI, BADER),
    }
    return Layer(**{**details, **given})  # type: ignore[arg-type]


def who(schedule: Schedule, moment: datetime) -> int | None:
    found = spans(schedule, moment, moment + timedelta(seconds=1))
    return found[0].user_id if found else None


def test_people_take_turns_at_the_handover() -> None:
    schedule = Schedule(KUWAIT, (layer(),))
    assert who(schedule, at(1, 6, 59)) is None  # before the first person's first day
    assert who(schedule, at(1, 7)) == ALI
    assert who(schedule, at(2, 6, 59)) == ALI
    assert who(schedule, at(2, 7)) == BADER
    assert who(schedule, at(3, 7)) == ALI


def test_a_week_may_be_two_and_hours_may_be_twelve() -> None:
    assert who(Schedule(KUWAIT, (layer(rotation="weekly", every=2),)), at(15, 6)) == ALI
    assert who(Schedule(KUWAIT, (layer(rotation="weekly", every=2),)), at(15, 7)) == BADER
    halves = Schedule(KUWAIT, (layer(rotation="hours", every=12),))
    assert [who(halves, at(1, 8)), who(halves, at(1, 20)), who(halves, at(2, 8))] == [ALI, BADER, ALI]


def test_the_last_day_of_a_layer_ends_at_the_next_handover() -> None:
    schedule = Schedule(KUWAIT, (layer(ends_on=date(2026, 11, 2)),))
    assert who(schedule, at(3, 6, 59)) == BADER
    assert who(schedule, at(3, 7)) is None


def test_the_same_person_may_stand_in_it_twice() -> None:
    schedule = Schedule(KUWAIT, (layer(people=(ALI, ALI, BADER)),))
    assert [(span.user_id, span.end - span.start) for span in spans(schedule, at(1, 7), at(4, 7))] == [
        (ALI, timedelta(days=2)),
        (BADER, timedelta(days=1)),
    ]


def test_a_higher_layer_goes_before_a_lower_one_and_only_in_its_hours() -> None:
    nights = layer(id=2, position=2, people=(DANA,), only_from=time(22), only_to=time(6), handover_at=time(0))
    schedule = Schedule(KUWAIT, (layer(), nights))
    assert [who(schedule, at(2, 21, 59)), who(schedule, at(2, 22)), who(schedule, at(3, 5, 59)), who(schedule, at(3, 6))] == [
        BADER,
        DANA,
        DANA,
        BADER,
    ]


def test_a_window_over_midnight_belongs_to_the_weekday_on_which_it_begins() -> None:
    friday_nights = layer(people=(DANA,), only_from=time(22), only_to=time(6), only_weekdays=frozenset({4}), handover_at=time(0))
    schedule = Schedule(KUWAIT, (friday_nights,))  # 6 November 2026 is a Friday
    assert [who(schedule, at(6, 23)), who(schedule, at(7, 5)), who(schedule, at(7, 23)), who(schedule, at(6, 5))] == [
        DANA,
        DANA,
        None,
        None,
    ]


def test_a_layer_with_nobody_covers_nothing() -> None:
    empty = layer(people=())
    assert spans(Schedule(KUWAIT, (empty,)), at(1), at(30)) == []
    assert gaps([], at(1), at(30)) == [(at(1), at(30))]


def test_a_closed_account_is_nobody_and_moves_no_turn_of_the_others() -> None:
    below = layer(id=2, position=0, people=(DANA,))
    schedule = Schedule(KUWAIT, (layer(), below), absent=frozenset({ALI}))
    assert [who(schedule, at(1, 8)), who(schedule, at(2, 8)), who(schedule, at(3, 8))] == [DANA, BADER, DANA]


def test_the_newest_override_wins_and_nobody_is_a_hole() -> None:
    older, newer = Override(1, DANA, at(2, 8), at(2, 20)), Override(2, None, at(2, 10), at(2, 12))
    schedule = Schedule(KUWAIT, (layer(),), (older, newer))
    assert [who(schedule, at(2, 9)), who(schedule, at(2, 11)), who(schedule, at(2, 13)), who(schedule, at(2, 21))] == [
        DANA,
        None,
        DANA,
        BADER,
    ]
    found = spans(schedule, at(2), at(3))
    assert gaps(found, at(2), at(3)) == [(at(2, 10), at(2, 12))]


def test_an_override_for_a_closed_account_counts_as_none() -> None:
    schedule = Schedule(KUWAIT, (layer(),), (Override(1, DANA, at(2, 8), at(2, 20)),), frozenset({DANA}))
    assert who(schedule, at(2, 9)) == BADER


def test_handover_keeps_its_hour_on_the_wall_when_the_clocks_change() -> None:
    schedule = Schedule(BERLIN, (layer(starts_on=date(2026, 3, 1)),))
    found = spans(schedule, datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC))
    assert {span.start.astimezone(ZoneInfo(BERLIN)).time() for span in found[1:]} == {time(7)}
    assert {span.end - span.start for span in found[1:-1]} == {timedelta(hours=24), timedelta(hours=23)}  # the night of 29 March is short


def test_a_handover_in_the_hour_the_clocks_skip_is_at_the_change() -> None:
    assert instant(datetime(2026, 3, 29, 2, 30), ZoneInfo(BERLIN)) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(datetime(2026, 10, 25, 2, 30), ZoneInfo(BERLIN)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # its first passing


def test_a_window_that_is_naive_turned_round_or_too_long_is_refused() -> None:
    for start, end in ((at(2), at(1)), (at(1), at(1) + timedelta(days=401)), (datetime(2026, 1, 1), datetime(2026, 1, 2))):
        with pytest.raises(ValueError):
            spans(Schedule(KUWAIT, (layer(),)), start, end)


def test_a_rotation_of_fifty_years_ago_is_reckoned_at_once() -> None:
    old = Schedule(KUWAIT, (layer(rotation="hours", starts_on=date(1970, 1, 1)),))
    assert who(old, at(1)) in {ALI, BADER}


# --- any schedule at all -----------------------------------------------------------------------------------------------------------------

zones = st.sampled_from([KUWAIT, BERLIN, AZORES, "America/St_Johns", "Australia/Lord_Howe"])
clock = st.times().map(lambda one: one.replace(second=0, microsecond=0))
days = st.dates(date(2026, 2, 20), date(2026, 4, 10)) | st.dates(date(2026, 10, 1), date(2026, 11, 10))
layers = st.builds(
    Layer,
    id=st.integers(1, 9),
    position=st.integers(0, 5),
    rotation=st.sampled_from(["daily", "weekly", "hours"]),
    every=st.integers(1, 30),
    starts_on=days,
    ends_on=st.none() | days,
    handover_at=clock,
    only_from=st.none() | clock,
    only_to=st.none() | clock,
    only_weekdays=st.frozensets(st.integers(0, 6), max_size=3),
    people=st.lists(st.integers(1, 6), max_size=4).map(tuple),
)
moments = st.datetimes(datetime(2026, 3, 1), datetime(2026, 4, 10), timezones=st.just(UTC)).map(lambda one: one.replace(microsecond=0))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    overrides = []
    for number in range(draw(st.integers(0, 3))):
        start = draw(moments)
        overrides.append(
            Override(number, draw(st.none() | st.integers(1, 6)), start, start + timedelta(minutes=draw(st.integers(1, 9000))))
        )
    found = draw(st.lists(layers, max_size=3, unique_by=lambda one: one.id))
    return Schedule(draw(zones), tuple(found), tuple(overrides), draw(st.frozensets(st.integers(1, 6), max_size=2)))


@settings(max_examples=60, deadline=None)
@given(schedules(), moments, st.integers(1, 20))
def test_spans_never_overlap_and_cover_exactly_what_layers_and_overrides_cover(schedule: Schedule, start: datetime, length: int) -> None:
    end = start + timedelta(days=length)
    found = spans(schedule, start, end)
    assert all(start <= span.start < span.end <= end for span in found)
    assert all(one.end <= two.start for one, two in pairwise(found))
    alone = {one.id: layer_spans(schedule, one, start, end) for one in schedule.layers}
    standing = [one for one in schedule.overrides if one.user_id not in schedule.absent]
    edges = {start, *(moment for span in found for moment in (span.start, span.end))}
    edges |= {moment for each in alone.values() for span in each for moment in (span.start, span.end)}
    for moment in sorted(edge for edge in edges if start <= edge < end):
        here = [span for span in found if span.start <= moment < span.end]
        over = [one for one in standing if one.starts_at <= moment < one.ends_at]
        covering = [one for one in schedule.layers if any(span.start <= moment < span.end for span in alone[one.id])]
        assert len(here) == (1 if over or covering else 0)
        if over:  # an override always wins, the newest of them
            assert (here[0].override_id, here[0].user_id) == max((one.id, one.user_id) for one in over if one.id == max(o.id for o in over))
        elif covering:
            assert here[0].layer in {one.id for one in covering if one.position == max(each.position for each in covering)}
            assert here[0].user_id not in schedule.absent


@settings(max_examples=60, deadline=None)
@given(layers, zones)
def test_every_handover_is_at_the_layers_hour_on_the_wall(one: Layer, zone: str) -> None:
    people = (ALI, BADER)
    plain = Layer(1, 1, "daily", one.every, one.starts_on, one.handover_at, people)
    found = spans(Schedule(zone, (plain,)), datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    for span in found[1:]:
        wall = span.start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        is_skipped = instant(datetime.combine(wall.date(), one.handover_at), ZoneInfo(zone)) == span.start
        assert wall.time() == one.handover_at or is_skipped


@settings(max_examples=60, deadline=None)
@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.integers(0, 4000), zones)
def test_the_step_from_wall_to_instant_never_goes_backwards(wall: datetime, minutes: int, zone: str) -> None:
    wall = wall.replace(microsecond=0)
    assert instant(wall, ZoneInfo(zone)) <= instant(wall + timedelta(minutes=minutes), ZoneInfo(zone))
