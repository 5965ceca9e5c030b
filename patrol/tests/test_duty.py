"""PAT-1: on duty and off, minimum rest, leave, a duty nobody ended; only those on duty act as on duty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from patrol.models import Assignment, Duty, Leave, RosterEntry, Vehicle
from patrol.permissions import is_on_duty, require_on_duty
from patrol.services.duty import BY_TIME, close_overrun, go_off_duty, go_on_duty

H = timedelta(hours=1)


@pytest.fixture
def now():
    return datetime.now(UTC)


def test_a_person_goes_on_duty_on_the_unit_the_roster_names(force, cast, now):
    entry = RosterEntry.objects.create(
        shift=force.shift, member=force.partner, unit=force.p1, starts_at=force.shift.starts_at, ends_at=force.shift.ends_at
    )
    duty = go_on_duty(member=force.partner, by=cast.supervisor)
    assert (duty.unit, duty.roster_entry, duty.expected_until) == (force.p1, entry, entry.ends_at)
    assert Event.objects.filter(type="duty.started", subject_id=duty.pk, data__unit=force.p1.pk).count() == 1
    assert AuditEntry.objects.filter(verb="duty.start", object_id=str(duty.pk)).count() == 1


def test_without_a_roster_the_shift_of_the_hour_says_when_it_should_end(force, cast):
    assert go_on_duty(member=force.partner, unit=force.p2, by=cast.supervisor).expected_until == force.shift.ends_at


def test_on_duty_twice_is_a_conflict_that_says_where_and_a_repeated_action_is_answered(force, cast):
    first = Duty.objects.get(member=force.officer)
    with pytest.raises(Conflict, match="on P1 since"):
        go_on_duty(member=force.officer, unit=force.p2, by=cast.officer)
    with pytest.raises(Conflict):
        go_on_duty(member=force.officer, unit=force.p2, by=cast.officer, key="k")
    assert go_on_duty(member=force.officer, unit=force.p1, by=cast.officer, key="k") == first
    assert Duty.objects.open().filter(member=force.officer).count() == 1


def test_people_see_to_their_own_duty_supervisors_to_everybodys(force, cast):
    with pytest.raises(NotAllowed):
        go_on_duty(member=force.partner, by=cast.officer)
    with pytest.raises(NotAllowed):
        go_on_duty(member=force.partner, by=cast.dispatcher)
    with pytest.raises(NotFound):
        go_on_duty(unit=force.f1, by=cast.supervisor)
    with pytest.raises(NotFound):
        go_on_duty(unit=force.c1, by=cast.dispatcher)
    with pytest.raises(NotAllowed):
        go_on_duty(unit=force.p1, by=cast.officer)
    assert go_on_duty(member=force.partner, by=cast.supervisor).unit is None


def test_a_unit_goes_on_duty_with_its_crew_unnamed_once(force, cast):
    duty = go_on_duty(unit=force.p1, by=cast.dispatcher)
    assert duty.member is None
    with pytest.raises(Conflict, match="P1 is on duty already"):
        go_on_duty(unit=force.p1, by=cast.supervisor)


def test_somebody_on_leave_does_not_go_on_duty(force, cast, now):
    Leave.objects.create(member=force.partner, starts_at=now - H, ends_at=now + 48 * H)
    with pytest.raises(Conflict, match="on leave"):
        go_on_duty(member=force.partner, by=cast.supervisor)


def test_a_vehicle_out_of_service_keeps_its_unit_off_duty_and_says_why(force, cast):
    force.p1.vehicle = Vehicle.objects.create(
        agency=cast.police, governorate=force.p1.governorate, fleet_number="V7", out_of_service="Brakes"
    )
    force.p1.save(update_fields=["vehicle"])
    with pytest.raises(Conflict, match="V7, is out of service: Brakes"):
        go_on_duty(unit=force.p1, by=cast.supervisor)


def test_a_unit_out_of_use_does_not_go_on_duty(force, cast):
    force.p1.is_active = False
    force.p1.save(update_fields=["is_active"])
    with pytest.raises(Conflict, match="out of use"):
        go_on_duty(unit=force.p1, by=cast.supervisor)


@pytest.mark.parametrize(("shift", "word"), [(timedelta(minutes=5), "future"), (-25 * H, "too long ago")])
def test_a_time_in_the_future_or_too_long_ago_is_refused(force, cast, now, shift, word):
    with pytest.raises(Invalid, match=word):
        go_on_duty(member=force.partner, by=cast.supervisor, at=now + shift)


def test_too_little_rest_is_refused_and_with_a_reason_it_is_kept_and_audited(force, cast, now):
    Duty.objects.create(
        agency=cast.police, governorate=force.p1.governorate, member=force.partner, started_at=now - 14 * H, ended_at=now - 6 * H
    )
    with pytest.raises(Conflict, match="6 h of rest") as refusal:
        go_on_duty(member=force.partner, by=cast.supervisor, at=now)
    assert refusal.value.codes == {"rest_override_reason": "too_little_rest"}
    duty = go_on_duty(member=force.partner, by=cast.supervisor, at=now, rest_override_reason="Flood, nobody else")
    assert duty.rest_override_reason == "Flood, nobody else"
    kept = AuditEntry.objects.get(verb="duty.start_over_rest", object_id=str(duty.pk))
    assert kept.reason == "Flood, nobody else" and (kept.after or {})["rest"]["had_minutes"] == 360


def test_a_reason_without_need_is_not_kept_as_an_override(force, cast):
    duty = go_on_duty(member=force.partner, by=cast.supervisor, rest_override_reason="just in case")
    assert duty.rest_override_reason == ""


def test_off_and_on_again_is_one_stretch_and_needs_no_reason(force, cast, now):
    go_off_duty(member=force.officer, by=cast.officer)
    assert go_on_duty(member=force.officer, unit=force.p2, by=cast.officer).unit == force.p2


def test_a_stretch_that_grew_too_long_needs_rest_though_the_break_was_short(force, cast, now):
    for start, end in ((16, 8), (7, 1)):
        Duty.objects.create(
            agency=cast.police, governorate=force.p1.governorate, member=force.partner, started_at=now - start * H, ended_at=now - end * H
        )
    with pytest.raises(Conflict, match="1 h of rest"):
        go_on_duty(member=force.partner, by=cast.supervisor, at=now)


def test_a_time_inside_an_earlier_duty_is_refused(force, cast, now):
    Duty.objects.create(
        agency=cast.police, governorate=force.p1.governorate, member=force.partner, started_at=now - 3 * H, ended_at=now - H
    )
    with pytest.raises(Conflict, match="at that time already"):
        go_on_duty(member=force.partner, by=cast.supervisor, at=now - 2 * H)


def task(unit, **more):
    facts = {"kind": "task", "unit": unit, "agency": unit.agency, "governorate": unit.governorate, "title": "Stand by at the fair"}
    return Assignment.objects.create(**{**facts, "assigned_at": datetime.now(UTC), **more})


def test_off_duty_with_open_assignments_is_refused_and_they_are_named(force, cast, now):
    task(force.p1)
    with pytest.raises(Conflict, match="P1 still has open assignments: Stand by at the fair"):
        go_off_duty(member=force.officer, by=cast.officer)
    assert is_on_duty(cast.officer)


def test_the_last_of_a_crew_answers_for_its_assignments_not_the_first_to_leave(force, cast):
    task(force.p1)
    go_on_duty(member=force.partner, unit=force.p1, by=cast.supervisor)
    go_off_duty(member=force.officer, by=cast.officer)
    with pytest.raises(Conflict, match="open assignments"):
        go_off_duty(member=force.partner, by=cast.supervisor, reason="End of shift")


def test_what_is_planned_for_later_does_not_keep_a_unit_on_duty(force, cast, now):
    task(force.p1, active_from=now + 3 * H)
    assert go_off_duty(member=force.officer, by=cast.officer).ended_at is not None


def test_going_off_duty_the_work_is_handed_over_by_those_who_may(force, cast):
    task(force.p1)
    with pytest.raises(NotAllowed):
        go_off_duty(member=force.officer, by=cast.officer, hand_over_to=force.p2)
    go_off_duty(member=force.officer, by=cast.supervisor, hand_over_to=force.p2, reason="Car broke down")
    assert [row.unit for row in Assignment.objects.open()] == [force.p2]
    assert not is_on_duty(cast.officer)


def test_somebody_elses_duty_is_ended_with_a_reason(force, cast):
    with pytest.raises(Invalid):
        go_off_duty(member=force.officer, by=cast.supervisor)
    duty = go_off_duty(member=force.officer, by=cast.supervisor, reason="Taken ill")
    assert duty.ended_because == "Taken ill"
    assert Event.objects.get(type="duty.ended", subject_id=duty.pk).data["because"] == "Taken ill"


def test_off_duty_twice_is_a_conflict_and_a_repeated_action_is_answered(force, cast):
    duty = go_off_duty(member=force.officer, by=cast.officer)
    with pytest.raises(Conflict, match="not on duty"):
        go_off_duty(member=force.officer, by=cast.officer)
    assert go_off_duty(member=force.officer, by=cast.officer, key="k") == duty


def test_only_those_on_duty_act_as_on_duty(force, cast):
    require_on_duty(cast.officer)
    go_off_duty(member=force.officer, by=cast.officer)
    with pytest.raises(NotAllowed, match="not on duty"):
        require_on_duty(cast.officer)
    require_on_duty(cast.supervisor)
    require_on_duty(None)
    go_off_duty(member=force.dispatcher, by=cast.dispatcher)
    with pytest.raises(NotAllowed):
        require_on_duty(cast.dispatcher)


def overrun(duty, now, past):
    Duty.objects.filter(pk=duty.pk).update(started_at=now - 12 * H, expected_until=now - past)


def test_a_duty_past_its_end_is_closed_by_time_with_an_event(force, cast, now, settings):
    settings.DUTY_OVERRUN_H = 2
    duty = Duty.objects.get(member=force.officer)
    overrun(duty, now, 1 * H)
    assert close_overrun(now=now).closed == 0
    overrun(duty, now, 3 * H)
    assert close_overrun(now=now).closed == 1
    duty.refresh_from_db()
    assert (duty.ended_at, duty.ended_because) == (now, BY_TIME)
    assert Event.objects.filter(type="duty.ended", subject_id=duty.pk, data__because="time").exists()
    assert close_overrun(now=now).closed == 0


def test_a_unit_at_work_is_not_closed_by_time(force, cast, now):
    duty = Duty.objects.get(member=force.officer)
    overrun(duty, now, 5 * H)
    task(force.p1, state="on_scene")
    swept = close_overrun(now=now)
    assert (swept.closed, swept.at_work) == (0, 1)
    assert is_on_duty(cast.officer)


def test_a_duty_nobody_gave_an_end_is_closed_after_the_longest_stretch(force, now):
    Duty.objects.filter(member=force.officer).update(started_at=now - 17 * H, expected_until=None)
    assert close_overrun(now=now).closed == 0
    Duty.objects.filter(member=force.officer).update(started_at=now - 19 * H)
    assert close_overrun(now=now).closed == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_put_the_same_person_on_duty_in_the_same_second_one_wins_the_other_is_told(force, cast):
    barrier, told = Barrier(2), []

    def go(unit):
        try:
            barrier.wait()
            go_on_duty(member=force.partner, unit=unit, by=cast.supervisor)
            told.append("won")
        except Conflict as refusal:
            told.append(refusal.message)
        finally:
            connection.close()

    threads = [Thread(target=go, args=(unit,)) for unit in (force.p1, force.p2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("won") == 1 and len(told) == 2
    assert "on duty already" in next(text for text in told if text != "won")
    assert Duty.objects.open().filter(member=force.partner).count() == 1
