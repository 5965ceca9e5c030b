"""PAT-5, PAT-8, PAT-9: work given to a unit, its steps on a clock of its own, and the incident that follows."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.models import Incident
from incidents.services import close_incident, move_incident, reopen_incident
from patrol.lifecycle import FINAL, OPEN, State, can_move, next_states
from patrol.models import Assignment, AssignmentLog, Duty, Vehicle
from patrol.services.assignments import (
    assign,
    cancel_assignment,
    clock_of,
    close_by_time,
    end_with_incidents,
    ends_its_assignments,
    hand_over_assignments,
    move_assignment,
    reassign,
)
from patrol.services.units import UnitStatus, state_of, states_of


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def send(force, cast):
    """``send(unit, incident)`` by the dispatcher."""

    def make(unit, incident, **more):
        return assign(unit=unit, incident=incident, kind="incident", by=more.pop("by", cast.dispatcher), **more)

    return make


def backdate(assignment, minutes=30):
    """As if it had been given out then: a test has no other way to the past."""
    Assignment.objects.filter(pk=assignment.pk).update(assigned_at=now() - timedelta(minutes=minutes))
    assignment.refresh_from_db()
    return assignment


def last_line(assignment) -> AssignmentLog:
    return assignment.log.latest("pk")


def hear_of_the_desk():
    end_with_incidents(happened=[event for event in Event.objects.filter(type="incident.moved") if ends_its_assignments(event)])


def state(incident) -> str:
    return Incident.objects.values_list("state", flat=True).get(pk=incident.pk)


def test_every_open_state_goes_forward_and_every_end_goes_nowhere():
    for here in OPEN:
        assert State.CANCELLED in next_states(here) and State.AUTO_CLOSED in next_states(here) and State.DONE in next_states(here)
    assert all(next_states(here) == () for here in FINAL)
    assert not can_move(State.EN_ROUTE, State.ACCEPTED)


def test_a_unit_sent_to_an_incident_is_busy_and_the_incident_is_dispatched(send, force, report):
    incident = report()
    sent = send(force.p1, incident)
    assert state(incident) == "dispatched"
    assert state_of(force.p1).state == UnitStatus.ASSIGNED and state_of(force.p2).is_available
    assert sent.location == incident.location and sent.governorate_id == incident.governorate_id
    assert sent.log.get().to_state == State.ASSIGNED
    assert Event.objects.get(type="assignment.made").data == {"unit": force.p1.pk, "kind": "incident", "incident": incident.pk}
    assert AuditEntry.objects.about("patrol.assignment", sent.pk).get().verb == "assignment.assign"


def test_the_incident_follows_its_first_unit_there_and_its_last_one_away(send, force, report, cast):
    incident = report()
    first, second = send(force.p1, incident), send(force.p2, incident)
    move_assignment(assignment=first, to="en_route", by=cast.dispatcher)
    assert state(incident) == "en_route"
    move_assignment(assignment=first, to="on_scene", by=cast.dispatcher)
    assert state(incident) == "on_scene"
    move_assignment(assignment=second, to="en_route", by=cast.dispatcher)
    move_assignment(assignment=first, to="done", by=cast.dispatcher)
    assert state(incident) == "on_scene", "somebody is still on the way"
    move_assignment(assignment=second, to="done", by=cast.dispatcher)
    assert state(incident) == "cleared"
    assert incident.log.filter(to_state="on_scene").get().reason == "P1"


def test_an_incident_whose_units_are_all_taken_back_waits_in_the_queue_again(send, force, report, cast):
    incident = report()
    cancel_assignment(assignment=send(force.p1, incident), by=cast.dispatcher, reason="nearer unit free")
    assert state(incident) == "queued"
    assert state_of(force.p1).is_available


def test_a_unit_that_said_nothing_until_it_was_done_leaves_its_times_unknown(send, force, report, cast):
    incident = report()
    done = move_assignment(assignment=send(force.p1, incident), to="done", by=cast.dispatcher)
    assert (done.accepted_at, done.en_route_at, done.on_scene_at) == (None, None, None)
    incident.refresh_from_db()
    assert (incident.state, incident.on_scene_at) == ("cleared", None)


def test_no_step_of_one_assignment_moves_the_clock_of_another(send, force, report, cast):
    one, two = report(), report(external_id="second")
    first = send(force.p1, one)
    second = send(force.p1, two, although_busy="nearest to both")
    before = clock_of(first)
    move_assignment(assignment=second, to="en_route", by=cast.dispatcher)
    move_assignment(assignment=second, to="on_scene", by=cast.dispatcher)
    first.refresh_from_db()
    assert clock_of(first) == before and first.state == State.ASSIGNED
    held = state_of(force.p1)
    assert (held.state, held.leading, held.open_assignments) == (State.ON_SCENE, second.pk, (first.pk, second.pk))


def test_first_times_are_right_in_whatever_order_a_tunnel_lets_the_steps_out(force, cast, report, send):
    """All 24 orders of the four steps of one trip."""
    base = now() - timedelta(minutes=20)
    steps = {name: base + timedelta(minutes=3 * place) for place, name in enumerate(("accepted", "en_route", "on_scene", "done"))}
    for number, order in enumerate(itertools.permutations(steps)):
        sent = backdate(send(force.p1, report(external_id=f"order-{number}")), 30)
        for name in order:
            sent = move_assignment(assignment=sent, to=name, by=cast.officer, at=steps[name])
        sent.refresh_from_db()
        assert (sent.accepted_at, sent.en_route_at, sent.on_scene_at, sent.ended_at) == tuple(steps.values()), order
        assert sent.state == State.DONE
        assert sent.log.count() == 5


def test_a_late_step_that_was_earlier_than_the_desk_heard_sets_the_first_time_right(send, force, report, cast):
    sent = backdate(send(force.p1, report()), 10)
    told = now() - timedelta(minutes=4)
    move_assignment(assignment=sent, to="en_route", by=cast.dispatcher)
    late = move_assignment(assignment=sent, to="en_route", by=cast.officer, at=told)
    assert (late.state, late.en_route_at) == (State.EN_ROUTE, told)
    assert last_line(late).facts["late"] is True and last_line(late).facts["was"] is not None


def test_a_late_step_that_contradicts_is_kept_in_the_log_and_moves_no_clock(send, force, report, cast):
    sent = backdate(send(force.p1, report()), 30)
    there = now() - timedelta(minutes=10)
    move_assignment(assignment=sent, to="on_scene", by=cast.officer, at=there)
    after = move_assignment(assignment=sent, to="en_route", by=cast.officer, at=there + timedelta(minutes=5))
    assert after.en_route_at is None and after.state == State.ON_SCENE
    assert last_line(after).facts["doubt"] == "out_of_order"


@pytest.mark.parametrize(("minutes", "code"), [(3, "in_the_future"), (-90, "before_assignment")])
def test_a_time_that_cannot_be_is_refused_and_never_bent(send, force, report, cast, minutes, code):
    sent = send(force.p1, report())
    with pytest.raises(Invalid) as refusal:
        move_assignment(assignment=sent, to="en_route", by=cast.officer, at=now() + timedelta(minutes=minutes))
    assert refusal.value.codes == {"at": code}
    sent.refresh_from_db()
    assert sent.state == State.ASSIGNED


def test_a_clock_a_little_slow_counts_as_a_step_with_an_unknown_time(send, force, report, cast):
    sent = send(force.p1, report())
    moved = move_assignment(assignment=sent, to="accepted", by=cast.officer, at=sent.assigned_at - timedelta(seconds=40))
    assert (moved.state, moved.accepted_at) == (State.ACCEPTED, None)
    assert last_line(moved).facts["doubt"] == "before_assignment"


def test_a_step_back_or_twice_without_a_time_of_its_own_is_a_conflict(send, force, report, cast):
    sent = move_assignment(assignment=send(force.p1, report()), to="en_route", by=cast.dispatcher)
    for to in ("accepted", "en_route"):
        with pytest.raises(Conflict):
            move_assignment(assignment=sent, to=to, by=cast.dispatcher)
    for to in ("assigned", "cancelled", "nonsense"):
        with pytest.raises(Invalid):
            move_assignment(assignment=sent, to=to, by=cast.dispatcher)


def test_who_expected_another_state_is_told(send, force, report, cast):
    sent = send(force.p1, report())
    move_assignment(assignment=sent, to="en_route", by=cast.dispatcher)
    with pytest.raises(Conflict, match="P1"):
        move_assignment(assignment=sent, to="on_scene", by=cast.dispatcher, expected="assigned")


def test_an_officer_moves_only_what_their_own_unit_does_and_only_on_duty(send, force, report, cast):
    incident = report()
    mine, other = send(force.p1, incident), send(force.p2, incident)
    move_assignment(assignment=mine, to="accepted", by=cast.officer)
    with pytest.raises(NotAllowed):
        move_assignment(assignment=other, to="accepted", by=cast.officer)
    with pytest.raises(NotFound):
        move_assignment(assignment=mine, to="en_route", by=cast.stranger)
    with pytest.raises(NotAllowed):
        move_assignment(assignment=mine, to="en_route", by=cast.analyst)
    with pytest.raises(NotAllowed):
        cancel_assignment(assignment=mine, by=cast.officer, reason="no")
    done_at = now() - timedelta(seconds=1)
    Duty.objects.filter(member=force.officer).update(ended_at=now())
    with pytest.raises(NotAllowed):
        move_assignment(assignment=mine, to="en_route", by=cast.officer, at=now() + timedelta(seconds=30))
    Assignment.objects.filter(pk=mine.pk).update(assigned_at=done_at - timedelta(minutes=1), accepted_at=None)
    assert move_assignment(assignment=mine, to="en_route", by=cast.officer, at=done_at).state == State.EN_ROUTE, "told late, done on duty"


def test_a_dispatcher_who_went_home_sends_nobody(send, force, report, cast):
    incident = report()
    Duty.objects.filter(member=force.dispatcher).update(ended_at=now())
    with pytest.raises(NotAllowed, match="duty"):
        send(force.p1, incident)
    assert send(force.p1, incident, by=cast.supervisor).state == State.ASSIGNED


def test_other_peoples_units_and_incidents_are_not_there(send, force, report, cast, places):
    incident = report()
    for unit in (force.c1, force.f1):
        with pytest.raises(NotFound):
            send(unit, incident)
    with pytest.raises(NotFound):
        send(force.f1, incident, by=cast.firefighter)


def test_units_off_duty_broken_or_out_of_use_are_not_sent(send, force, report):
    incident = report()
    Duty.objects.filter(unit=force.p2).update(ended_at=now())
    with pytest.raises(Conflict, match="off duty"):
        send(force.p2, incident)
    force.p1.vehicle = Vehicle.objects.create(
        agency=force.p1.agency, governorate=force.p1.governorate, fleet_number="7", out_of_service="gearbox"
    )
    force.p1.save(update_fields=["vehicle"])
    with pytest.raises(Conflict, match="out of service"):
        send(force.p1, incident)
    force.p1.is_active = False
    force.p1.save(update_fields=["is_active"])
    with pytest.raises(Conflict, match="out of use"):
        send(force.p1, incident)


def test_a_unit_taken_out_of_use_while_it_is_sent_keeps_its_work_and_shows_it(send, force, report):
    sent = send(force.p1, report())
    force.p1.is_active = False
    force.p1.save(update_fields=["is_active"])
    held = state_of(force.p1)
    assert (held.state, held.open_assignments) == (UnitStatus.OUT_OF_SERVICE, (sent.pk,))


def test_a_closed_incident_takes_no_unit_and_a_reopened_one_needs_new_ones(send, force, report, cast):
    incident = report()
    there, coming = send(force.p1, incident), send(force.p2, incident)
    move_assignment(assignment=there, to="on_scene", by=cast.dispatcher)
    incident.refresh_from_db()
    close_incident(incident=incident, by=cast.dispatcher, disposition="resolved")
    hear_of_the_desk()
    there.refresh_from_db()
    coming.refresh_from_db()
    assert (there.state, coming.state) == (State.DONE, State.CANCELLED)
    with pytest.raises(Conflict):
        send(force.p1, incident)
    incident.refresh_from_db()
    reopen_incident(incident=incident, by=cast.supervisor, reason="they are back")
    again = send(force.p1, incident)
    hear_of_the_desk()  # the same events again
    again.refresh_from_db()
    assert again.state == State.ASSIGNED and state(incident) == "dispatched"
    cancel_assignment(assignment=again, by=cast.dispatcher, reason="called off")
    assert state(incident) == "queued", "those who were there before it was reopened do not count"


def test_one_unit_is_on_one_incident_once(send, force, report):
    incident = report()
    send(force.p1, incident)
    with pytest.raises(Conflict):
        send(force.p1, incident)
    with pytest.raises(Conflict, match="already"):
        send(force.p1, incident, although_busy="again")
    assert Assignment.objects.count() == 1


def test_whoever_saw_the_unit_free_is_told_who_took_it_and_may_queue_all_the_same(send, force, report, cast):
    one, two = report(), report(external_id="second")
    send(force.p1, one, seen=[], by=cast.dispatcher)
    with pytest.raises(Conflict) as refusal:
        send(force.p1, two, seen=[], by=cast.supervisor)
    assert "P1" in refusal.value.message and "dispatcher" in refusal.value.message and one.ref in refusal.value.message
    assert refusal.value.codes["unit"] == "taken"
    queued = send(force.p1, two, seen=[], by=cast.supervisor, although_busy="closest by far")
    assert queued.log.get().facts == {"although_busy": "closest by far"}
    assert len(state_of(force.p1).open_assignments) == 2


def test_a_task_waits_for_its_time_and_does_not_make_the_unit_busy_before(force, cast):
    later = now() + timedelta(hours=2)
    task = assign(unit=force.p1, by=cast.supervisor, kind="task", title="Check the barrier", active_from=later)
    held = state_of(force.p1)
    assert held.is_available and held.open_assignments == (task.pk,) and held.active == ()
    assert state_of(force.p1, at=later + timedelta(minutes=1)).state == State.ASSIGNED


def test_the_past_of_a_unit_follows_from_its_clocks(send, force, report, cast):
    sent = backdate(send(force.p1, report()), 30)
    times = [now() - timedelta(minutes=ago) for ago in (25, 15, 5)]
    for to, at in zip(("en_route", "on_scene", "done"), times, strict=True):
        move_assignment(assignment=sent, to=to, by=cast.officer, at=at)
    said = [state_of(force.p1, at=now() - timedelta(minutes=ago)).state for ago in (40, 28, 20, 10, 1)]
    assert said == ["available", "assigned", "en_route", "on_scene", "available"]
    assert state_of(force.p1).since == times[-1]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "task", "title": " "}, "title"),
        ({"kind": "task", "title": "x" * 201}, "title"),
        ({"kind": "incident"}, "kind"),
        ({"kind": "stop"}, "kind"),
        ({"kind": "parade", "title": "x"}, "kind"),
        ({"kind": "task", "title": "x", "priority": 9}, "priority"),
        ({"kind": "task", "title": "x", "radius_m": 1}, "radius_m"),
        ({"kind": "task", "title": "x", "closes_at": datetime(2020, 1, 1, tzinfo=UTC)}, "closes_at"),
        ({"kind": "task", "title": "x", "at": datetime(2100, 1, 1, tzinfo=UTC)}, "at"),
        ({"kind": "task", "title": "x", "override_reason": "x" * 401}, "override_reason"),
    ],
)
def test_what_cannot_be_given_out_is_refused_with_the_field_named(force, cast, given, field):
    with pytest.raises(Invalid) as refusal:
        assign(unit=force.p1, by=cast.supervisor, **given)
    assert field in refusal.value.fields
    assert not Assignment.objects.exists()


def test_what_nobody_finished_is_closed_by_time_with_notice(force, cast):
    kept = assign(unit=force.p1, by=cast.supervisor, kind="task", title="A", closes_at=now() + timedelta(minutes=5))
    open_end = assign(unit=force.p1, by=cast.supervisor, kind="task", title="B")
    assert close_by_time(now=now()) == 0
    assert close_by_time(now=now() + timedelta(minutes=6)) == 1
    assert close_by_time(now=now() + timedelta(minutes=6)) == 0
    kept.refresh_from_db()
    open_end.refresh_from_db()
    assert (kept.state, open_end.state) == (State.AUTO_CLOSED, State.ASSIGNED)
    assert last_line(kept).author_kind == "system"
    assert Event.objects.get(type="assignment.closed_by_time").subject_id == kept.pk


def test_given_to_another_unit_the_first_clock_stays_and_the_second_begins(send, force, report, cast):
    incident = report()
    first = backdate(send(force.p1, incident))
    move_assignment(assignment=first, to="en_route", by=cast.dispatcher)
    before = clock_of(Assignment.objects.get(pk=first.pk))
    second = reassign(assignment=first, to_unit=force.p2, by=cast.dispatcher, reason="flat tyre")
    first.refresh_from_db()
    assert (first.state, second.state) == (State.CANCELLED, State.ASSIGNED)
    assert {name: at for name, at in clock_of(first).items() if name != "ended_at"} == {k: v for k, v in before.items() if k != "ended_at"}
    assert second.assigned_at > first.en_route_at and second.en_route_at is None
    assert "queued" not in incident.log.values_list("to_state", flat=True), "the incident was never without a unit"
    assert last_line(first).facts == {"handed_to": force.p2.pk, "as": second.pk}


def test_at_the_end_of_a_shift_all_of_a_units_work_is_handed_over_at_once(send, force, report, cast):
    incident = report()
    send(force.p1, incident)
    assign(unit=force.p1, by=cast.dispatcher, kind="task", title="Barrier", due_at=now() + timedelta(hours=1))
    made = hand_over_assignments(from_unit=force.p1, to_unit=force.p2, by=cast.dispatcher, reason="end of shift")
    assert len(made) == 2 and {it.unit_id for it in made} == {force.p2.pk}
    states = states_of([force.p1.pk, force.p2.pk])
    assert states[force.p1.pk].is_available and len(states[force.p2.pk].open_assignments) == 2
    assert Event.objects.get(type="assignments.handed_over").data == {"from": force.p1.pk, "to": force.p2.pk, "count": 2}
    with pytest.raises(Conflict, match="nothing open"):
        hand_over_assignments(from_unit=force.p1, to_unit=force.p2, by=cast.dispatcher, reason="again")
    with pytest.raises(Invalid):
        hand_over_assignments(from_unit=force.p2, to_unit=force.p2, by=cast.dispatcher, reason="self")
    with pytest.raises(NotFound):
        hand_over_assignments(from_unit=force.p2, to_unit=force.c1, by=cast.dispatcher, reason="elsewhere")
    assert states_of([force.p2.pk])[force.p2.pk].open_assignments, "all of it, or nothing"


def test_the_desk_may_move_the_incident_itself_without_touching_its_units(send, force, report, cast):
    incident = report()
    sent = send(force.p1, incident)
    incident.refresh_from_db()
    move_incident(incident=incident, to="on_scene", by=cast.dispatcher)
    sent.refresh_from_db()
    assert sent.state == State.ASSIGNED
    move_assignment(assignment=sent, to="en_route", by=cast.dispatcher)
    assert state(incident) == "on_scene"


def test_the_log_of_an_assignment_is_written_once(send, force, report):
    row = send(force.p1, report()).log.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        AssignmentLog.objects.filter(pk=row.pk).update(reason="another story")


def test_the_states_of_many_units_cost_three_queries(send, force, report, django_assert_num_queries):
    send(force.p1, report())
    with django_assert_num_queries(3):
        assert len(states_of([force.p1.pk, force.p2.pk, force.c1.pk, force.f1.pk])) == 4
