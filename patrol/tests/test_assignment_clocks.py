"""PAT-9: whatever is done in whatever order on two incidents and two units, no clock of one assignment moves another's; and two
dispatchers who take one unit in the same second."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from core.errors import Conflict, DomainError
from core.models import Event
from incidents.lifecycle import FINAL, can_move
from incidents.models import Incident, IncidentLog
from incidents.services import close_incident, move_incident, reopen_incident
from patrol.lifecycle import CLOCK, OPEN, TIME_COLUMN, WAY
from patrol.models import Assignment
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
from patrol.services.units import states_of

WHICH, STEP = st.integers(0, 1), st.sampled_from(WAY[1:])


class Desk(RuleBasedStateMachine):
    """Everything a desk and two crews can do. ``clocks`` is what each assignment's clock should read, known to this model alone."""

    units: list[Any]
    make_incident: Any
    by: Any
    rounds = 0

    def __init__(self) -> None:
        super().__init__()
        Desk.rounds += 1
        Assignment.objects.open().update(state="cancelled", ended_at=datetime.now(UTC))
        self.incidents = [self.make_incident(external_id=f"round-{Desk.rounds}-{n}") for n in range(2)]
        self.clocks: dict[int, dict[str, Any]] = {}
        self.states: dict[int, tuple[int, int, str]] = {}  # assignment: unit, incident, state
        self.told: set[int] = set()
        self.done_for = 0  # steps taken: the desk closes nothing before there is something to close

    def mine(self) -> list[int]:
        """Every assignment, the open ones first: those are what examples choose most."""
        return sorted(self.states, key=lambda pk: (self.states[pk][2] not in OPEN, pk))

    @initialize(second=st.booleans(), third=st.booleans())
    def a_busy_morning(self, second: bool, third: bool) -> None:
        """Nothing is learnt of clocks that are alone: the first unit is on both incidents, the other perhaps as well."""
        wanted = [(0, 0), (0, 1)] + [(1, 0)] * second + [(1, 1)] * third
        for unit, incident in wanted:
            self.dispatch(unit, incident, "nearest")

    def _open_on(self, unit: int, incident: int) -> list[int]:
        return [pk for pk, (u, i, state) in self.states.items() if (u, i) == (unit, incident) and state in OPEN]

    def _made(self, made: Assignment, unit: int, incident: int) -> None:
        made.refresh_from_db()
        self.clocks[made.pk] = clock_of(made)
        self.states[made.pk] = (unit, incident, "assigned")
        assert {name for name, at in clock_of(made).items() if at is not None} == {"assigned_at"}

    def _stepped(self, pk: int, state: str) -> None:
        """Only this one's clock may have moved, and only by filling its own column."""
        row = Assignment.objects.get(pk=pk)
        unit, incident, _was = self.states[pk]
        column = TIME_COLUMN[state]
        if self.clocks[pk][column] is None:
            assert getattr(row, column) is not None
            self.clocks[pk] = {**self.clocks[pk], column: getattr(row, column)}
        self.states[pk] = (unit, incident, state)
        self.done_for += 1

    @rule(unit=WHICH, incident=WHICH, although_busy=st.sampled_from(["nearest", ""]))
    def send(self, unit: int, incident: int, although_busy: str) -> None:
        self.dispatch(unit, incident, although_busy)

    def dispatch(self, unit: int, incident: int, although_busy: str) -> None:
        busy = [pk for pk, (u, _i, state) in self.states.items() if u == unit and state in OPEN]
        closed = Incident.objects.get(pk=self.incidents[incident].pk).state in FINAL
        try:
            made = assign(
                unit=self.units[unit], incident=self.incidents[incident], kind="incident", by=self.by, although_busy=although_busy
            )
        except Conflict:
            assert closed or self._open_on(unit, incident) or (busy and not although_busy)
        else:
            assert not closed and not self._open_on(unit, incident)
            self._made(made, unit, incident)

    @precondition(lambda self: self.states)
    @rule(data=st.data(), to=STEP)
    def status(self, data: Any, to: str) -> None:
        pk = data.draw(st.sampled_from(self.mine()))
        state = self.states[pk][2]
        legal = state in OPEN and WAY.index(to) > WAY.index(state)
        try:
            move_assignment(assignment=Assignment.objects.get(pk=pk), to=to, by=self.by)
        except Conflict:
            assert not legal
        else:
            assert legal
            self._stepped(pk, to)

    @precondition(lambda self: any(state in OPEN for _unit, _incident, state in self.states.values()))
    @rule(data=st.data())
    def goes_on(self, data: Any) -> None:
        """What most crews do most of the time: the next step."""
        pk = data.draw(st.sampled_from([pk for pk in self.mine() if self.states[pk][2] in OPEN]))
        to = WAY[WAY.index(self.states[pk][2]) + 1]
        move_assignment(assignment=Assignment.objects.get(pk=pk), to=to, by=self.by)
        self._stepped(pk, to)

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        pk = data.draw(st.sampled_from(self.mine()))
        try:
            cancel_assignment(assignment=Assignment.objects.get(pk=pk), by=self.by, reason="not needed")
        except Conflict:
            assert self.states[pk][2] not in OPEN
        else:
            self._stepped(pk, "cancelled")

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def give_to_the_other(self, data: Any) -> None:
        pk = data.draw(st.sampled_from(self.mine()))
        unit, incident, state = self.states[pk]
        known = set(Assignment.objects.values_list("pk", flat=True))
        try:
            made = reassign(assignment=Assignment.objects.get(pk=pk), to_unit=self.units[1 - unit], by=self.by, reason="closer")
        except Conflict:
            assert state not in OPEN or self._closed(incident)
            return
        if made.pk not in known:
            self._made(made, 1 - unit, incident)
        self._stepped(pk, "cancelled")

    @rule(unit=WHICH)
    def hand_over(self, unit: int) -> None:
        held = [(pk, i) for pk, (u, i, state) in self.states.items() if u == unit and state in OPEN]
        known = set(Assignment.objects.values_list("pk", flat=True))
        try:
            made = hand_over_assignments(from_unit=self.units[unit], to_unit=self.units[1 - unit], by=self.by, reason="shift")
        except Conflict:
            assert not held or any(self._closed(i) for _pk, i in held)
            return
        for row in made:
            if row.pk not in known:
                self._made(row, 1 - unit, [it.pk for it in self.incidents].index(row.incident_id))
        for pk, _incident in held:
            self._stepped(pk, "cancelled")

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def run_out_of_time(self, data: Any) -> None:
        pk = data.draw(st.sampled_from(self.mine()))
        now = datetime.now(UTC)
        Assignment.objects.filter(pk=pk).update(closes_at=now)
        was_open = self.states[pk][2] in OPEN
        assert close_by_time(now=now) == int(was_open)
        if was_open:
            self._stepped(pk, "auto_closed")

    @precondition(lambda self: self.done_for > 6)
    @rule(incident=WHICH)
    def close_at_the_desk(self, incident: int) -> None:
        row = Incident.objects.get(pk=self.incidents[incident].pk)
        if row.state not in FINAL:
            close_incident(incident=row, by=self.by, disposition="resolved")

    @precondition(lambda self: self.done_for > 6)
    @rule(incident=WHICH)
    def cancel_at_the_desk(self, incident: int) -> None:
        row = Incident.objects.get(pk=self.incidents[incident].pk)
        if row.state not in FINAL:
            move_incident(incident=row, to="cancelled", by=self.by, reason="by mistake")

    @rule(incident=WHICH)
    def reopen(self, incident: int) -> None:
        row = Incident.objects.get(pk=self.incidents[incident].pk)
        if row.state in FINAL:
            reopen_incident(incident=row, by=self.by, reason="again")

    @rule()
    def the_log_is_read(self) -> None:
        rows = Event.objects.filter(type="incident.moved", subject_id__in=[it.pk for it in self.incidents]).exclude(pk__in=self.told)
        happened = [event for event in rows.order_by("pk") if ends_its_assignments(event)]
        end_with_incidents(happened=happened)
        self.told |= {event.pk for event in happened}
        for row in Assignment.objects.filter(pk__in=self.mine()):
            if row.state != self.states[row.pk][2]:
                assert row.state == ("done" if self.states[row.pk][2] == "on_scene" else "cancelled")
                self._stepped(row.pk, row.state)

    def _closed(self, incident: int) -> bool:
        return Incident.objects.get(pk=self.incidents[incident].pk).state in FINAL

    @invariant()
    def no_clock_but_the_ones_acted_on_has_moved(self) -> None:
        for row in Assignment.objects.filter(pk__in=self.mine()):
            assert clock_of(row) == self.clocks[row.pk]
            assert row.state == self.states[row.pk][2]
            passed = [at for name in CLOCK if (at := getattr(row, name)) is not None]
            assert passed == sorted(passed)

    @invariant()
    def a_units_state_is_what_the_model_says(self) -> None:
        found = states_of([unit.pk for unit in self.units])
        for place, unit in enumerate(self.units):
            held = {pk: state for pk, (u, _i, state) in self.states.items() if u == place and state in OPEN}
            said = found[unit.pk]
            assert set(said.open_assignments) == set(held)
            furthest = max(held.values(), key=WAY.index, default="available")
            assert said.state == furthest

    @invariant()
    def every_step_of_the_incidents_was_legal(self) -> None:
        for incident in self.incidents:
            steps = IncidentLog.objects.filter(incident=incident, kind="moved").order_by("pk").values_list("from_state", "to_state")
            assert all(can_move(before, after) for before, after in steps)


def test_random_interleavings_on_two_incidents_and_two_units(force, cast, report):
    Desk.units, Desk.make_incident, Desk.by = [force.p1, force.p2], staticmethod(report), cast.supervisor
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=12, stateful_step_count=25, deadline=None, database=None, derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )  # fmt: skip


def at_once(*deeds: Any) -> list[Any]:
    """Each deed in a thread with a connection of its own, begun together; what each returned or raised."""
    gate, answers = threading.Barrier(len(deeds)), [None] * len(deeds)

    def run(place: int, deed: Any) -> None:
        try:
            connection.ensure_connection()
            gate.wait(10)
            answers[place] = deed()
        except DomainError as error:
            answers[place] = error  # type: ignore[call-overload]
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place, deed)) for place, deed in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


@pytest.mark.django_db(transaction=True)
def test_of_two_dispatchers_who_take_one_unit_in_the_same_second_one_wins_and_the_other_is_told(force, cast, report):
    one, two = report(), report(external_id="second")

    def take(incident: Incident, by: Any) -> Any:
        return lambda: assign(unit=force.p1, incident=incident, kind="incident", by=by, seen=[])

    answers = at_once(take(one, cast.dispatcher), take(two, cast.supervisor))
    won = next(answer for answer in answers if isinstance(answer, Assignment))
    lost = next(answer for answer in answers if isinstance(answer, Conflict))
    assert won.assigned_by is not None and won.incident is not None
    assert won.assigned_by.get_full_name() in lost.message and won.incident.ref in lost.message
    assert Assignment.objects.count() == 1
    other = two if won.incident_id == one.pk else one
    assign(unit=force.p1, incident=other, kind="incident", by=cast.supervisor, seen=[], although_busy="nobody else near")
    assert Assignment.objects.open().count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_units_that_arrive_and_leave_at_once_neither_fail_nor_lose_a_step(force, cast, report):
    incident = report()
    first, second = (assign(unit=unit, incident=incident, kind="incident", by=cast.dispatcher) for unit in (force.p1, force.p2))
    for to in ("en_route", "on_scene", "done"):
        answers = at_once(*(lambda it=it, to=to: move_assignment(assignment=it, to=to, by=cast.dispatcher) for it in (first, second)))
        assert all(isinstance(answer, Assignment) for answer in answers), answers
    incident.refresh_from_db()
    assert incident.state == "cleared"
    assert list(incident.log.filter(kind="moved").values_list("to_state", flat=True)) == ["dispatched", "en_route", "on_scene", "cleared"]
    assert Assignment.objects.filter(ended_at__gte=datetime.now(UTC) - timedelta(minutes=1)).count() == 2
