"""PAT-1: patterns become shifts on the region's clock, people are put on them; rest, leave and overlap are refused in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from patrol.models import Leave, Member, RosterEntry, Shift, ShiftPattern
from patrol.services.leave import grant_leave, withdraw_leave
from patrol.services.roster import Line, move_on_roster, put_many_on_roster, put_on_roster, take_off_roster
from patrol.services.roster_copy import copy_week
from patrol.services.shifts import instants_of, make_shifts

H = timedelta(hours=1)
MONDAY = date(2030, 1, 7)


@pytest.fixture
def three(force, cast):
    """Morning 06-14, evening 14-22, night 22-06."""
    more = [
        ShiftPattern.objects.create(agency=cast.police, code=code, name_en=code, name_ar=code, begins_at=time(hour), length_minutes=480)
        for code, hour in (("B", 14), ("C", 22))
    ]
    return [force.pattern, *more]


@pytest.fixture
def week(force, cast, places, three):
    """Twenty-one shifts from Monday 7 January 2030 on."""
    return make_shifts(governorate=places.hawalli, agency=cast.police, first_day=MONDAY, days=7, by=cast.supervisor)


# --- shifts ----------------------------------------------------------------------------------------------------------------------------


def test_patterns_become_shifts_on_the_regions_clock_and_nights_cross_midnight(week):
    assert len(week) == 21
    night = week[2]
    assert night.starts_at == datetime(2030, 1, 7, 19, tzinfo=UTC)  # 22:00 in Kuwait
    assert night.ends_at == datetime(2030, 1, 8, 3, tzinfo=UTC)
    assert all(earlier.ends_at == later.starts_at for earlier, later in pairwise(week))


def test_making_them_again_makes_nothing(week, cast, places):
    again = make_shifts(governorate=places.hawalli, agency=cast.police, first_day=MONDAY, days=7, by=cast.supervisor)
    assert [shift.pk for shift in again] == [shift.pk for shift in week]


@pytest.mark.parametrize(("minutes", "ends"), [(480, 6), (600, 8), (720, 10)])
def test_shifts_of_8_10_and_12_hours_cross_midnight(cast, minutes, ends):
    pattern = ShiftPattern(agency=cast.police, begins_at=time(22), length_minutes=minutes)
    start, end = instants_of(pattern, MONDAY, ZoneInfo("Asia/Kuwait"))
    assert end - start == timedelta(minutes=minutes)
    assert end.astimezone(ZoneInfo("Asia/Kuwait")).hour == ends


def test_where_summer_time_is_kept_crews_relieve_each_other_by_the_clock(cast):
    london = ZoneInfo("Europe/London")
    night = ShiftPattern(agency=cast.police, begins_at=time(22), length_minutes=480)
    morning = ShiftPattern(agency=cast.police, begins_at=time(6), length_minutes=480)
    spring_start, spring_end = instants_of(night, date(2030, 3, 30), london)
    autumn_start, autumn_end = instants_of(night, date(2030, 10, 26), london)
    assert (spring_end - spring_start, autumn_end - autumn_start) == (7 * H, 9 * H)
    assert instants_of(morning, date(2030, 3, 31), london)[0] == spring_end


def test_shifts_are_made_by_supervisors_in_their_own_governorate(cast, places, three):
    with pytest.raises(NotAllowed):
        make_shifts(governorate=places.hawalli, agency=cast.police, first_day=MONDAY, days=1, by=cast.dispatcher)
    with pytest.raises(NotFound):
        make_shifts(governorate=places.capital, agency=cast.police, first_day=MONDAY, days=1, by=cast.supervisor)
    with pytest.raises(NotFound):
        make_shifts(governorate=places.hawalli, agency=cast.fire, first_day=MONDAY, days=1, by=cast.supervisor)
    with pytest.raises(Invalid):
        make_shifts(governorate=places.hawalli, agency=cast.police, first_day=MONDAY, days=93, by=cast.supervisor)
    with pytest.raises(Conflict, match="no shift pattern"):
        make_shifts(governorate=places.hawalli, agency=cast.fire, first_day=MONDAY, days=1, by=None)


# --- one line -----------------------------------------------------------------------------------------------------------------------------


def test_a_person_is_put_on_a_shift_and_asking_twice_changes_nothing(week, force, cast):
    entry = put_on_roster(shift=week[0], member=force.partner, unit=force.p1, part="driver", by=cast.supervisor)
    assert (entry.starts_at, entry.ends_at, entry.created_by) == (week[0].starts_at, week[0].ends_at, cast.supervisor)
    assert put_on_roster(shift=week[0], member=force.partner, unit=force.p1, part="driver", by=cast.supervisor).pk == entry.pk
    assert Event.objects.filter(type="roster.changed", subject_id=week[0].pk).count() == 1
    assert AuditEntry.objects.filter(verb="roster.put").count() == 1


def test_overlap_is_refused_in_words(week, force, cast):
    put_on_roster(shift=week[0], member=force.partner, by=cast.supervisor)
    with pytest.raises(Conflict, match="on the roster already from 7 Jan, 06:00 to 7 Jan, 14:00"):
        put_on_roster(shift=week[0], member=force.partner, unit=force.p2, by=cast.supervisor)
    with pytest.raises(Conflict, match="already"):
        put_on_roster(
            shift=week[1], member=force.partner, by=cast.supervisor, starts_at=week[0].ends_at - H, ends_at=week[1].ends_at,
            rest_override_reason="x",
        )  # fmt: skip


def test_too_little_rest_before_and_after_is_refused_and_with_a_reason_audited(week, force, cast):
    put_on_roster(shift=week[2], member=force.partner, by=cast.supervisor)  # the night to 06:00
    with pytest.raises(Conflict, match="8 h of rest from 8 Jan, 06:00 to 8 Jan, 14:00; the rule is 11 h"):
        put_on_roster(shift=week[4], member=force.partner, by=cast.supervisor)
    with pytest.raises(Conflict, match="8 h of rest from 7 Jan, 14:00 to 7 Jan, 22:00"):
        put_on_roster(shift=week[0], member=force.partner, by=cast.supervisor)
    entry = put_on_roster(shift=week[4], member=force.partner, by=cast.supervisor, rest_override_reason="Cup final")
    assert entry.rest_override_reason == "Cup final"
    kept = AuditEntry.objects.get(verb="roster.put_over_rest")
    assert kept.reason == "Cup final" and (kept.after or {})["rest"] == {"had_minutes": 480, "needed_minutes": 660}


def test_the_patterns_own_rule_of_rest_decides(week, force, cast, three):
    three[1].minimum_rest_minutes = 480
    three[1].save(update_fields=["minimum_rest_minutes"])
    put_on_roster(shift=week[2], member=force.partner, by=cast.supervisor)
    evening = Shift.objects.get(pk=week[4].pk)
    assert put_on_roster(shift=evening, member=force.partner, by=cast.supervisor).rest_override_reason == ""


def test_somebody_on_leave_is_not_put_on_the_roster_nor_the_rostered_given_leave(week, force, cast):
    span = {"starts_at": week[0].starts_at - H, "ends_at": week[0].ends_at + H, "by": cast.supervisor}
    leave = grant_leave(member=force.partner, kind="annual", **span)
    with pytest.raises(Conflict, match="on leave"):
        put_on_roster(shift=week[0], member=force.partner, by=cast.supervisor)
    with pytest.raises(Conflict, match="on leave"):
        grant_leave(member=force.partner, kind="sick", **span)
    withdraw_leave(leave=leave, by=cast.supervisor, reason="Came back early")
    put_on_roster(shift=week[0], member=force.partner, by=cast.supervisor)
    with pytest.raises(Conflict, match="on the roster in that time: 7 Jan, 06:00"):
        grant_leave(member=force.partner, kind="sick", **span)
    assert Leave.objects.filter(is_cancelled=False).count() == 0


def test_a_unit_has_one_leader_a_desk_has_no_unit_and_hours_stay_in_reason(week, force, cast):
    put_on_roster(shift=week[0], member=force.partner, unit=force.p1, part="leader", by=cast.supervisor)
    with pytest.raises(Conflict, match="P1 has a leader"):
        put_on_roster(shift=week[0], member=force.officer, unit=force.p1, part="leader", by=cast.supervisor)
    with pytest.raises(Invalid):
        put_on_roster(shift=week[0], member=force.officer, unit=force.p1, part="desk", by=cast.supervisor)
    with pytest.raises(Invalid):
        put_on_roster(shift=week[0], member=force.officer, part="king", by=cast.supervisor)
    with pytest.raises(Invalid, match="cannot say this"):
        put_on_roster(shift=week[0], member=force.officer, ends_at=week[0].starts_at + 17 * H, by=cast.supervisor)
    with pytest.raises(Invalid):
        put_on_roster(
            shift=week[0], member=force.officer, starts_at=week[0].ends_at, ends_at=week[0].ends_at + H, by=cast.supervisor
        )  # fmt: skip


def test_people_and_units_of_elsewhere_or_out_of_use_are_refused(week, force, cast, places):
    with pytest.raises(NotAllowed):
        put_on_roster(shift=week[0], member=force.partner, by=cast.dispatcher)
    with pytest.raises(NotFound):
        put_on_roster(shift=week[0], member=force.partner, unit=force.f1, by=cast.superadmin)
    with pytest.raises(Conflict, match="C1 works in another governorate"):
        put_on_roster(shift=week[0], member=force.partner, unit=force.c1, by=cast.superadmin)
    with pytest.raises(NotFound):
        put_on_roster(shift=week[0], member=force.partner, unit=force.c1, by=cast.supervisor)
    force.p2.is_active = False
    force.p2.save(update_fields=["is_active"])
    with pytest.raises(Conflict, match="P2 is out of use"):
        put_on_roster(shift=week[0], member=force.partner, unit=force.p2, by=cast.supervisor)
    Member.objects.filter(pk=force.partner.pk).update(is_active=False)
    force.partner.refresh_from_db()
    with pytest.raises(Conflict, match="not in service"):
        put_on_roster(shift=week[0], member=force.partner, by=cast.supervisor)


def test_a_shift_that_is_over_takes_nobody(force, cast):
    Shift.objects.filter(pk=force.shift.pk).update(starts_at=force.shift.starts_at - 48 * H, ends_at=force.shift.ends_at - 48 * H)
    force.shift.refresh_from_db()
    with pytest.raises(Conflict, match="over"):
        put_on_roster(shift=force.shift, member=force.partner, by=cast.supervisor)


def test_a_change_and_a_removal_ask_why_and_the_row_stays(week, force, cast):
    entry = put_on_roster(shift=week[0], member=force.partner, unit=force.p1, part="leader", by=cast.supervisor)
    with pytest.raises(Invalid):
        move_on_roster(entry=entry, unit=force.p2, part="crew", by=cast.supervisor, reason=" ")
    moved = move_on_roster(entry=entry, unit=force.p2, part="crew", by=cast.supervisor, reason="P1 in the workshop")
    assert (moved.unit, moved.part) == (force.p2, "crew")
    with pytest.raises(NotFound):
        take_off_roster(entry=moved, by=_elsewhere(cast), reason="x")
    take_off_roster(entry=moved, by=cast.supervisor, reason="Ill")
    with pytest.raises(Conflict):
        take_off_roster(entry=moved, by=cast.supervisor, reason="Ill")
    assert RosterEntry.objects.get(pk=entry.pk).is_cancelled
    assert put_on_roster(shift=week[0], member=force.partner, unit=force.p2, by=cast.supervisor).pk != entry.pk


def _elsewhere(cast):
    """A supervisor of the fire service."""
    cast.firefighter.role = "supervisor"
    cast.firefighter.save(update_fields=["role"])
    return cast.firefighter


# --- many lines ------------------------------------------------------------------------------------------------------------------------


def test_of_many_lines_the_good_are_written_and_each_bad_one_says_why(week, force, cast):
    lines = [
        Line(week[0], force.partner, force.p1),
        Line(week[1], force.partner, force.p1),  # no rest
        Line(week[3], force.partner, force.p1),  # 16 h later
        Line(week[0], force.officer, force.c1),  # another governorate
    ]
    done = put_many_on_roster(lines=lines, by=cast.superadmin)
    assert sorted(done.made) == [0, 2]
    assert sorted(done.refusals) == [1, 3]
    assert "rest" in done.refusals[1].message
    assert RosterEntry.objects.count() == 2


def test_a_dry_run_judges_and_writes_nothing(week, force, cast):
    done = put_many_on_roster(lines=[Line(week[0], force.partner), Line(week[1], force.partner)], by=cast.supervisor, dry_run=True)
    assert (done.made, sorted(done.refusals)) == ([0], [1])
    assert not RosterEntry.objects.exists() and not AuditEntry.objects.filter(verb__startswith="roster.").exists()


def test_a_hundred_people_cost_no_more_questions_than_one(week, force, cast, places):
    people = Member.objects.bulk_create(
        Member(agency=cast.police, governorate=places.hawalli, service_number=f"9{n:03}", name_en=f"Person {n}") for n in range(100)
    )
    with CaptureQueriesContext(connection) as one:
        put_many_on_roster(lines=[Line(week[0], people[0])], by=cast.supervisor)
    with CaptureQueriesContext(connection) as many:
        put_many_on_roster(lines=[Line(week[0], person) for person in people[1:]], by=cast.supervisor)
    assert len(many) <= len(one) + 2


def test_a_week_is_copied_by_the_calendar_and_what_may_not_stand_is_said(week, force, cast, places):
    put_on_roster(shift=week[2], member=force.partner, unit=force.p1, part="leader", by=cast.supervisor)
    put_on_roster(shift=week[6], member=force.officer, unit=force.p2, by=cast.supervisor)
    there = week[6].starts_at + timedelta(days=14)
    Leave.objects.create(member=force.officer, starts_at=there, ends_at=there + 24 * H)
    copied = copy_week(
        governorate=places.hawalli, agency=cast.police, from_day=MONDAY, to_day=MONDAY + timedelta(days=14), by=cast.supervisor
    )
    assert len(copied.done.made) == 1 and "on leave" in next(iter(copied.done.refusals.values())).message
    entry = RosterEntry.objects.get(starts_at__gt=week[20].ends_at)
    assert (entry.member, entry.unit, entry.part) == (force.partner, force.p1, "leader")
    assert entry.starts_at == week[2].starts_at + timedelta(days=14)


def test_an_empty_week_has_nothing_to_copy_and_says_so(week, cast, places):
    with pytest.raises(Conflict, match="empty roster"):
        copy_week(governorate=places.hawalli, agency=cast.police, from_day=MONDAY, to_day=date(2030, 2, 4), by=cast.supervisor)
    with pytest.raises(Invalid):
        copy_week(governorate=places.hawalli, agency=cast.police, from_day=MONDAY, to_day=MONDAY, by=cast.supervisor)
