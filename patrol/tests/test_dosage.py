"""PAT-10: the dosage of planned stops, written from the positions of the unit each was given to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from patrol.models import Assignment, StopDosage
from patrol.services.dosage import GRACE, counted_stops, measure_stops
from patrol.tests.measured import published, seen, stop

MINUTE = timedelta(minutes=1)


@pytest.fixture
def begun(force):
    """The shift's start: an hour ago."""
    return force.shift.starts_at


def test_a_stop_that_has_ended_is_measured_and_provisional(force, begun):
    plan = published(force.shift)
    one = stop(plan, force.p1, begun + 10 * MINUTE)
    seen(force.p1, one.arrive_at, range(0, 481, 10))
    seen(force.p1, one.arrive_at, range(490, 760, 10), east_m=900)
    done = measure_stops(now=begun + 60 * MINUTE)
    assert (done.plans, done.stops, done.final) == (1, 1, 0)
    found = one.dosage
    # The fence, 125 m, is left on the way to 900 m, 1.4 s after the last position inside.
    assert found.planned_s == 720 and found.delivered_s == pytest.approx(481.4, abs=0.2) and found.unknown_s == 0
    assert found.planned_s == found.delivered_s + found.absent_s + found.unknown_s
    assert not found.is_final and found.unit == force.p1


def test_silence_is_unknown_and_never_absent(force, begun):
    one = stop(published(force.shift), force.p1, begun)
    measure_stops(now=begun + 60 * MINUTE)
    assert (one.dosage.delivered_s, one.dosage.absent_s, one.dosage.unknown_s) == (0, 0, 720)


def test_a_stop_that_has_not_ended_waits(force, begun):
    one = stop(published(force.shift), force.p1, begun + 50 * MINUTE)
    assert measure_stops(now=one.leave_at - MINUTE).stops == 0
    assert not StopDosage.objects.exists()


def test_positions_that_come_late_are_counted_until_the_shift_is_over_and_not_after(force, begun):
    one = stop(published(force.shift), force.p1, begun)
    measure_stops(now=begun + 20 * MINUTE)
    seen(force.p1, one.arrive_at, range(0, 721, 30))
    assert measure_stops(now=begun + 30 * MINUTE).stops == 1
    one.dosage.refresh_from_db()
    assert one.dosage.delivered_s == 720
    assert measure_stops(now=begun + 90 * MINUTE).stops == 0, "nothing new is expected of it now"
    over = force.shift.ends_at + GRACE
    assert measure_stops(now=over).final == 1
    assert StopDosage.objects.get().is_final
    seen(force.p1, one.arrive_at, [5, 15], east_m=3_000)
    assert measure_stops(now=over + 60 * MINUTE).stops == 0
    assert StopDosage.objects.get().delivered_s == 720


def test_positions_in_doubt_are_left_out_but_standing_still_is_no_doubt(force, begun):
    one = stop(published(force.shift), force.p1, begun)
    seen(force.p1, one.arrive_at, range(0, 361, 30), doubt="jitter")
    seen(force.p1, one.arrive_at, range(390, 721, 30), doubt="jump")
    measure_stops(now=begun + 60 * MINUTE)
    assert (one.dosage.delivered_s, one.dosage.absent_s, one.dosage.unknown_s) == (360, 0, 360)


def test_blunt_positions_are_counted_as_such_and_say_nothing(force, begun):
    one = stop(published(force.shift), force.p1, begun)
    seen(force.p1, one.arrive_at, range(0, 720, 30), doubt="blunt", accuracy_m=300)
    measure_stops(now=begun + 60 * MINUTE)
    assert one.dosage.unknown_s == 720 and one.dosage.too_blunt == one.dosage.positions == 24


def test_a_stop_handed_to_another_unit_is_measured_by_that_units_positions(force, begun):
    one = stop(published(force.shift), force.p1, begun)
    given = {"kind": "stop", "plan_stop": one, "agency": force.p1.agency, "assigned_at": begun}
    Assignment.objects.create(unit=force.p1, state="cancelled", ended_at=begun, **given)
    Assignment.objects.create(unit=force.p2, **given)
    seen(force.p2, begun, range(0, 721, 30))
    seen(force.p1, begun, range(0, 721, 30), east_m=5_000)
    measure_stops(now=begun + 60 * MINUTE)
    assert one.dosage.delivered_s == 720 and one.dosage.unit == force.p2


def test_a_visit_between_two_stops_of_a_place_is_beyond_the_nearer_and_counted_once(force, begun):
    plan = published(force.shift)
    first = stop(plan, force.p1, begun + 10 * MINUTE)
    second = stop(plan, force.p1, begun + 62 * MINUTE, visit=2)
    seen(force.p1, first.leave_at + 5 * MINUTE, range(0, 301, 30))
    measure_stops(now=begun + 120 * MINUTE)
    assert first.dosage.beyond_s == 300 and second.dosage.beyond_s == 0


def test_only_the_version_in_force_is_measured_unless_asked_by_name(force, begun):
    old, new = published(force.shift, state="superseded"), published(force.shift, version=2)
    was, is_ = stop(old, force.p1, begun), stop(new, force.p1, begun)
    assert measure_stops(now=begun + 60 * MINUTE).stops == 1 and StopDosage.objects.get().stop == is_
    assert measure_stops(plan=old, now=begun + 60 * MINUTE).stops == 1 and was.dosage.unknown_s == 720


def test_what_a_unit_did_before_it_dropped_out_of_the_plan_is_counted_and_what_was_taken_over_only_once(force, begun):
    old = published(force.shift, state="superseded", superseded_at=begun + 30 * MINUTE)
    new = published(force.shift, version=2)
    dropped, never = stop(old, force.p2, begun), stop(old, force.p2, begun + 40 * MINUTE, place="1:1")
    stop(old, force.p1, begun)
    kept = stop(new, force.p1, begun)
    assert set(counted_stops()) == {dropped, kept}
    measure_stops(now=begun + 60 * MINUTE)
    assert set(StopDosage.objects.values_list("stop", flat=True)) == {dropped.pk, kept.pk} and never.pk


def test_a_shift_of_long_ago_is_measured_only_when_asked_for(force):
    now = datetime.now(UTC)
    shift = force.shift
    shift.starts_at, shift.ends_at = now - timedelta(days=30), now - timedelta(days=29)
    shift.save(update_fields=["starts_at", "ends_at"])
    plan = published(shift)
    stop(plan, force.p1, shift.starts_at)
    assert measure_stops(now=now).stops == 0
    assert measure_stops(plan=plan, now=now).final == 1


def test_measuring_asks_the_database_once_a_unit_and_not_once_a_stop(force, begun, django_assert_num_queries):
    plan = published(force.shift)
    for number in range(6):
        stop(plan, force.p1, begun + number * 20 * MINUTE)
        stop(plan, force.p2, begun + number * 20 * MINUTE)
    with django_assert_num_queries(10):
        assert measure_stops(now=begun + 300 * MINUTE).stops == 12
