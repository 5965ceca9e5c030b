"""PAT-6: hours, tasks, rest, nights and overwork counted by hand; the force beside its demand, with indices that can be checked."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.errors import Invalid
from patrol.analytics.shares import gini, ratios, to_move
from patrol.analytics.spans import clipped, merged, overlap, total
from patrol.models import Assignment, Duty, Member, Unit
from patrol.services.distribution import distribution
from patrol.services.workload import workload

H = timedelta(hours=1)
START = datetime(2026, 3, 1, tzinfo=UTC)  # a Sunday
END = START + timedelta(days=7)
AFTER = END + timedelta(days=1)


@pytest.fixture
def duty(force, cast):
    Duty.objects.all().delete()

    def make(begins, ends, member=None, unit=None, **more):
        owner = unit or member
        facts = {"agency": owner.agency, "governorate": owner.governorate, "member": member, "unit": unit}
        return Duty.objects.create(
            **facts, started_at=START + begins * H, ended_at=None if ends is None else START + ends * H, **more
        )  # fmt: skip

    return make


def look(cast, places, **more):
    asked = {"viewer": cast.supervisor, "agency": cast.police, "governorate": places.hawalli, "start": START, "end": END, "now": AFTER}
    return workload(**{**asked, **more})


def unit_row(found, unit):
    return next(row for row in found.units if row.unit == unit)


def person_row(found, member):
    return next(row for row in found.people if row.member == member)


def sent(unit, at, until, kind="task", **more):
    facts = {
        "kind": kind,
        "unit": unit,
        "agency": unit.agency,
        "governorate": unit.governorate,
        "title": "x",
        "assigned_at": START + at * H,
    }
    if until is None:
        return Assignment.objects.create(**facts, **more)
    return Assignment.objects.create(**facts, state="done", ended_at=START + until * H, **more)


def test_hours_are_those_inside_the_window_and_a_crew_of_two_is_one_unit(force, cast, places, duty):
    duty(-4, 4, force.officer, force.p1)  # four hours inside
    duty(1, 9, force.partner, force.p1)  # eight, three of them together
    duty(160, 176, force.partner, force.p2)  # eight inside
    found = look(cast, places)
    assert unit_row(found, force.p1).on_duty == 9 * H
    assert person_row(found, force.officer).on_duty == 4 * H
    assert person_row(found, force.partner).on_duty == 16 * H
    assert (found.unit_time, found.person_time) == (17 * H, 20 * H)


def test_an_open_duty_counts_until_now(force, cast, places, duty):
    duty(10, None, force.officer, force.p1)
    assert unit_row(look(cast, places, now=START + 13 * H), force.p1).on_duty == 3 * H


def test_tasks_and_busy_time_are_counted_once_and_only_while_on_duty(force, cast, places, duty):
    duty(0, 8, force.officer, force.p1)
    sent(force.p1, 1, 3)
    sent(force.p1, 2, 4)  # overlaps: three hours together
    sent(force.p1, 7, 10)  # one hour on duty
    sent(force.p1, -5, -4)  # before
    row = unit_row(look(cast, places), force.p1)
    assert (row.busy, row.tasks, row.by_kind) == (4 * H, 3, {"task": 3})
    assert row.busy_share == 0.5 and row.flags == []
    person = person_row(look(cast, places), force.officer)
    assert (person.busy, person.tasks) == (4 * H, 3)


def test_a_unit_busier_than_the_rule_is_flagged(force, cast, places, duty, settings):
    duty(0, 10, force.officer, force.p1)
    sent(force.p1, 0, 6.5)
    assert unit_row(look(cast, places), force.p1).flags == ["busy"]
    settings.WORKLOAD_LIMITS = {"busy_share": 0.7}
    assert unit_row(look(cast, places), force.p1).flags == []


def test_work_planned_for_later_takes_no_time_before_it(force, cast, places, duty):
    duty(0, 8, force.officer, force.p1)
    sent(force.p1, 0, 5, active_from=START + 4 * H)
    assert unit_row(look(cast, places), force.p1).busy == H


def test_rest_nights_stretch_and_week_are_judged(force, cast, places, duty):
    for day in range(6):  # 22:00 to 06:00 in Kuwait, six nights: 48 h
        duty(24 * day + 19, 24 * day + 27, force.officer, force.p1)
    row = person_row(look(cast, places), force.officer)
    assert (row.nights, row.week, row.shortest_rest, row.longest, row.shifts) == (6, 48 * H, 16 * H, 8 * H, 6)
    assert row.flags == ["nights"]
    duty(24 * 5 + 27 + 8, 24 * 5 + 27 + 8 + 13, force.officer, force.p1)  # eight hours later, thirteen long
    row = person_row(look(cast, places), force.officer)
    assert sorted(row.flags) == ["nights", "rest", "stretch", "week"]
    assert (row.shortest_rest, row.short_rests, row.longest, row.week) == (8 * H, 1, 13 * H, 61 * H)


def test_what_lies_before_the_window_decides_its_first_rest_and_week(force, cast, places, duty):
    duty(-9, -1, force.officer, force.p1)
    duty(6, 14, force.officer, force.p1)
    row = person_row(look(cast, places), force.officer)
    assert (row.on_duty, row.shortest_rest, row.short_rests, row.week) == (8 * H, 7 * H, 1, 16 * H)


def test_off_and_on_again_is_one_stretch(force, cast, places, duty):
    duty(0, 7, force.officer, force.p1)
    duty(8, 14, force.officer, force.p2)
    row = person_row(look(cast, places), force.officer)
    assert (row.shifts, row.longest, row.short_rests, row.flags) == (1, 13 * H, 0, ["stretch"])


def test_hours_that_only_the_clock_ended_are_named_apart(force, cast, places, duty):
    duty(0, 10, force.officer, force.p1, expected_until=START + 8 * H, ended_because="time", rest_override_reason="Flood")
    row = person_row(look(cast, places), force.officer)
    assert (row.on_duty, row.unconfirmed, row.overrides) == (10 * H, 2 * H, 1)


def test_a_window_is_neither_empty_nor_endless(force, cast, places):
    with pytest.raises(Invalid):
        look(cast, places, end=START)
    with pytest.raises(Invalid):
        look(cast, places, end=START + timedelta(days=93))


def test_only_what_the_viewer_sees_is_counted(force, cast, places, duty):
    duty(0, 8, unit=force.c1)
    assert look(cast, places, governorate=places.capital).units == []
    assert look(cast, places, governorate=places.capital, viewer=cast.superadmin).unit_time == 8 * H


def test_large_sums_agree_with_a_count_minute_by_minute(force, cast, places, duty):
    """Twenty units, two hundred random duties and tasks, each minute looked at by itself."""
    drawn = random.Random(7)
    place = {"agency": cast.police, "governorate": places.hawalli}
    units = [Unit.objects.create(**place, station=force.salmiya_station, call_sign=f"R{n}") for n in range(20)]
    on: dict[int, set[int]] = {unit.pk: set() for unit in units}
    at_work: dict[int, set[int]] = {unit.pk: set() for unit in units}
    duties: list[tuple[Member, Duty]] = []
    tasks: list[Assignment] = []
    for _number in range(200):
        unit = drawn.choice(units)
        begin, length = drawn.randrange(-600, 7 * 1440), drawn.randrange(1, 700)
        facts = {"agency": cast.police, "governorate": places.hawalli, "unit": unit}
        span = (START + timedelta(minutes=begin), START + timedelta(minutes=begin + length))
        if drawn.random() < 0.5:
            number = len(duties)
            member = Member(agency=cast.police, governorate=places.hawalli, service_number=f"8{number}", name_en="x")
            duties.append((member, Duty(**facts, member=member, started_at=span[0], ended_at=span[1])))
            on[unit.pk] |= set(range(max(begin, 0), min(begin + length, 7 * 1440)))
        else:
            tasks.append(Assignment(**facts, kind="task", title="x", state="done", assigned_at=span[0], ended_at=span[1]))
            at_work[unit.pk] |= set(range(max(begin, 0), min(begin + length, 7 * 1440)))
    Member.objects.bulk_create(member for member, _duty in duties)
    Duty.objects.bulk_create(one for _member, one in duties)
    Assignment.objects.bulk_create(tasks)
    found = look(cast, places)
    for unit in units:
        row = unit_row(found, unit)
        assert row.on_duty == timedelta(minutes=len(on[unit.pk]))
        assert row.busy == timedelta(minutes=len(on[unit.pk] & at_work[unit.pk]))
    assert found.unit_time == timedelta(minutes=sum(map(len, on.values())))


def test_more_people_cost_no_more_questions(force, cast, places, duty):
    look(cast, places)
    with CaptureQueriesContext(connection) as few:
        look(cast, places)
    for number in range(20):
        member = Member.objects.create(agency=cast.police, governorate=places.hawalli, service_number=f"7{number}", name_en="x")
        duty(number, number + 8, member, force.p1)
    with CaptureQueriesContext(connection) as more:
        look(cast, places)
    assert len(more) == len(few) <= 6


# --- spans and shares --------------------------------------------------------------------------------------------------------------------


def test_spans_are_merged_clipped_and_laid_over_each_other():
    def span(begin, finish):
        return (START + begin * H, START + finish * H)

    union = merged([span(3, 5), span(0, 2), span(1, 4), span(9, 9)])
    assert union == [span(0, 5)]
    assert merged([span(0, 1), span(2, 3)], gap=H) == [span(0, 3)]
    assert total(clipped(union, *span(4, 10))) == H
    assert overlap([span(0, 5), span(6, 8)], [span(4, 7)]) == 2 * H


def test_indices_of_fairness_are_what_they_are_by_hand():
    assert ratios([30, 10], [100, 100]) == [1.5, 0.5]
    assert ratios([30, 10, 7], [100, 100, None]) == [1.5, 0.5, None]
    assert ratios([0, 0], [1, 1]) == [None, None] and ratios([1, 1], [0, 0]) == [None, None]
    assert gini([10, 10], [1, 1]) == 0 and gini([20, 0], [1, 1]) == 0.5 and gini([5], [1]) is None
    assert gini([30, 30, 30, 10], [1, 1, 1, 1]) == pytest.approx(0.15)
    assert gini([60, 10], [3, 1]) == pytest.approx(gini([20, 20, 20, 10], [1, 1, 1, 1]))  # a place weighs as its demand
    assert to_move([30, 10], [100, 100]) == 10 and to_move([10], [1]) is None


# --- distribution ------------------------------------------------------------------------------------------------------------------------


def test_the_force_is_set_beside_its_demand(force, cast, places, duty, report):
    places.hawalli.population, places.capital.population = 300_000, 100_000
    for zone in (places.hawalli, places.capital):
        zone.save(update_fields=["population"])
    duty(0, 24, force.officer, force.p1)
    duty(0, 24, force.partner, force.p1)
    duty(0, 24, unit=force.c1)
    for number, point in enumerate([places.in_salmiya, places.in_salmiya, places.in_salmiya, places.in_sharq]):
        report(location=point, occurred_at=START + number * H)
    asked = {"agency": cast.police, "region": places.region, "start": START, "end": END, "now": AFTER}
    found = distribution(viewer=cast.superadmin, **asked)
    hawalli, capital = sorted(found.shares, key=lambda share: share.zone.code)
    assert (hawalli.units, hawalli.unit_hours, hawalli.person_hours, hawalli.incidents) == (2, 24, 48, 3)
    assert (capital.units, capital.unit_hours, capital.person_hours, capital.incidents) == (1, 24, 0, 1)
    assert hawalli.ratios == {"incidents": pytest.approx(2 / 3), "population": pytest.approx(2 / 3), "risk": None}
    assert capital.ratios["incidents"] == pytest.approx(2)
    measures = {measure.name: measure for measure in found.measures}
    assert measures["incidents"].gini == pytest.approx(0.25) and measures["incidents"].to_move == pytest.approx(12)
    assert measures["risk"].gini is None and measures["risk"].unknown == 2
    mine = distribution(viewer=cast.supervisor, **asked)
    assert [share.zone for share in mine.shares] == [places.hawalli] and mine.measures[0].gini is None
